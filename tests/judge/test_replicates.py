"""Block times with a known ratio, under drift and disturbance that what is claimed can see through."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@pytest.mark.parametrize(("rounds", "counted"), [(1, 2), (2, 4), (3, 6), (5, 6), (12, 6), (16, 8), (48, 24)])
def test_the_quickest_quarter_counts_and_at_least_six_blocks(rounds: int, counted: int) -> None:
    """Base blocks of one second; of the head's, so many take as long, the others ten times."""
    head = np.full(2 * rounds, 10.0)
    head[:counted] = 1.0
    seconds = np.ones((rounds, 2, 2))
    seconds[:, 1] = np.random.default_rng(rounds).permutation(head).reshape(rounds, 2)
    assert log_ratios(seconds) == pytest.approx([0.0])
    seconds[:, 1][seconds[:, 1] == 1.0] = np.where(np.arange(counted) == 0, 10.0, 1.0)
    assert log_ratios(seconds) == pytest.approx([np.log(10.0) / counted])


@given(st.integers(1, 20), st.integers(0, 1000), st.floats(0.5, 2.0))
def test_a_slower_version_is_slower_by_its_factor(rounds: int, seed: int, factor: float) -> None:
    """The same blocks in another order, times a factor; the base is the first."""
    draws = np.random.default_rng(seed)
    blocks = draws.lognormal(size=2 * rounds)
    versions = [blocks, draws.permutation(blocks) * factor, draws.permutation(blocks)]
    seconds = np.stack([version.reshape(rounds, 2) for version in versions], axis=1)
    assert log_ratios(seconds) == pytest.approx([np.log(factor), 0.0], abs=1e-12)


def test_three_disturbed_blocks_in_four_change_nothing() -> None:
    """Of forty blocks; of ten, of which six count, four may be disturbed."""
    many = np.concatenate([blocks((1.0, 1.0, 1.05)) for _ in range(4)])
    many[:14] *= 9
    many[14, :, 1] *= 40
    assert log_ratios(many) == pytest.approx([0, math.log(1.05)], abs=1e-12)
    few = blocks((1.0, 1.0, 1.05))
    few[:2] *= 9
    assert log_ratios(few) == pytest.approx([0, math.log(1.05)], abs=1e-12)
