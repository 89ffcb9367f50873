"""Timing adds little to what is timed, and other tools see the same. Nothing here is an absolute time."""

from __future__ import annotations

import cost
import numpy as np
import pytest


def test_the_harness_adds_less_than_a_few_empty_calls() -> None:
    """The best of many alternations: noise only ever adds. Two layers of Python more would be seen."""
    ours, direct, empty = (min(times) for times in cost.added(rounds=40))
    assert ours - direct < 3 * empty


def test_torch_benchmark_sees_the_same() -> None:
    pytest.importorskip("torch")
    ratios = np.sort(cost.beside_torch(rounds=21))
    # a bias of a few per cent would put all 21 pairs on one side; a noisy machine puts them on both
    assert ratios[1] < 1.05
    assert ratios[-2] > 0.95
