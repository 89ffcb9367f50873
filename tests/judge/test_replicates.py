"""Block times with a known ratio, under drift and disturbance that what is claimed can see through."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lossbench.judge.replicates import log_ratios

ORDERS = ((0, 1, 2), (2, 0, 1), (1, 2, 0), (1, 0, 2), (0, 2, 1))


def blocks(factors: tuple[float, ...], slope: float = 0.0) -> np.ndarray:
    """Rounds of palindromes whose every block takes `slope` longer than the one before."""
    seconds = np.empty((len(ORDERS), len(factors), 2))
    clock = 1.0
    for number, there in enumerate(ORDERS):
        for way, places in enumerate((there, there[::-1])):
            for place in places:
                seconds[number, place, way] = factors[place] * clock
                clock += slope
    return seconds


def test_a_steady_drift_favours_no_version() -> None:
    """10% from the first block to the last, 2,000 replicates in orders of their own: no bias beyond four errors."""
    draws, found = np.random.default_rng(2), []
    for _ in range(2000):
        seconds, clock = np.empty((5, 2, 2)), 1.0
        for number in range(5):
            there = draws.permutation(2)
            for way, places in enumerate((there, there[::-1])):
                for place in places:
                    seconds[number, place, way] = clock
                    clock += 0.005
        found.append(log_ratios(seconds)[0])
    assert abs(np.mean(found)) < 4 * np.std(found) / math.sqrt(len(found))
    assert np.max(np.abs(found)) < 0.006


def test_the_ratio_is_found() -> None:
    seconds = blocks((2.0, 2.0, 2.1))
    assert log_ratios(seconds) == pytest.approx([0, math.log(1.05)], abs=1e-12)


def test_the_quickest_quarter_counts() -> None:
    """Ten blocks a version: the mean of the logarithms of the two least."""
    seconds = np.exp(np.random.default_rng(4).standard_normal((5, 2, 2)))
    base, head = (sorted(np.log(seconds[:, place].ravel())) for place in (0, 1))
    assert log_ratios(seconds) == pytest.approx([(head[0] + head[1] - base[0] - base[1]) / 2], rel=1e-12)
    assert log_ratios(seconds[:1]) == pytest.approx(
        [min(np.log(seconds[0, 1])) - min(np.log(seconds[0, 0]))], rel=1e-12
    )


def test_three_disturbed_blocks_in_four_change_nothing() -> None:
    seconds = blocks((1.0, 1.0, 1.05))
    seconds[:3] *= 9
    seconds[3, :, 1] *= 40
    assert log_ratios(seconds) == pytest.approx([0, math.log(1.05)], abs=1e-12)
