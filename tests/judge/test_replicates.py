"""Block times with a known ratio, under drift and disturbance that only what is claimed can see through."""

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


def none(seconds: np.ndarray) -> np.ndarray:
    return np.zeros(seconds.shape, np.int64)


def test_a_steady_drift_cancels() -> None:
    """30 blocks, the last of them nearly four times as long as the first."""
    seconds = blocks((1.0, 1.0, 1.0), slope=0.1)
    assert seconds.max() > 3.5 * seconds.min()
    assert log_ratios(seconds, none(seconds)) == pytest.approx([0, 0], abs=1e-12)


def test_the_ratio_is_found() -> None:
    seconds = blocks((2.0, 2.0, 2.1))
    assert log_ratios(seconds, none(seconds)) == pytest.approx([0, math.log(1.05)], abs=1e-12)


def test_a_replicate_is_the_centre_of_its_rounds() -> None:
    """Logs 0, 1, 5: the averages are 0, 0.5, 1, 2.5, 3, 5, so that their median is 1.75; the median is 1."""
    seconds = np.ones((3, 2, 2))
    seconds[:, 1] = np.exp([[0.0], [1.0], [5.0]])
    assert log_ratios(seconds, none(seconds)) == pytest.approx([1.75], abs=1e-12)


def test_a_disturbed_round_is_left_out_where_enough_remain() -> None:
    seconds, preempted = blocks((1.0, 1.0, 1.05)), none(blocks((1.0, 1.0, 1.05)))
    seconds[:3, 1] *= 9
    preempted[:3, 1, 0] = 1
    assert log_ratios(seconds, preempted) == pytest.approx([0, math.log(1.05)], abs=1e-12)
    assert log_ratios(seconds, none(seconds))[0] > 1


def test_single_blocks_serve_where_every_round_is_disturbed() -> None:
    seconds, preempted = blocks((1.0, 1.0, 1.05)), none(blocks((1.0, 1.0, 1.05)))
    for number in range(len(ORDERS)):
        seconds[number, number % 3, 0] *= 40
        preempted[number, number % 3, 0] = 1
    assert log_ratios(seconds, preempted) == pytest.approx([0, math.log(1.05)], abs=1e-12)


def test_with_nothing_undisturbed_all_counts() -> None:
    seconds = blocks((1.0, 1.0, 1.05))
    assert log_ratios(seconds, np.ones(seconds.shape, np.int64)) == pytest.approx([0, math.log(1.05)], abs=1e-12)
