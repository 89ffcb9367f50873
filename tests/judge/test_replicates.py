"""What a replicate says, on seconds that were written down."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossbench.judge.replicates import log_ratios


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
