"""Statistics of many rows at once are those of each row by itself, whatever is missing."""

from __future__ import annotations

import numpy as np
import pytest

from lossbench.judge import stacked
from lossbench.judge.timing import Reals, median_interval

RNG = np.random.default_rng(5)


def holes(*shape: int, share: float = 0.3) -> Reals:
    """Numbers with some missing, and some rows of which all are."""
    found = RNG.normal(size=shape)
    found[RNG.random(shape) < share] = np.nan
    found[0] = np.nan
    return found


@pytest.mark.parametrize("width", [1, 2, 3, 8, 16, 31])
def test_intervals_are_those_of_each_row(width: int) -> None:
    samples = holes(40, width)
    for row, (median, low, high) in zip(samples, stacked.intervals(samples, 0.975).tolist(), strict=True):
        known = row[~np.isnan(row)]
        expected = median_interval(known, 0.975)
        np.testing.assert_array_equal([median, low, high], [expected.median, expected.low, expected.high])


@pytest.mark.parametrize("width", [1, 2, 3, 9])
def test_the_median_of_the_others_leaves_one_out(width: int) -> None:
    samples = holes(60, width)
    found = stacked.of_others(samples)
    for row, medians in zip(samples, found, strict=True):
        for place in range(width):
            rest = np.delete(row, place)
            known = rest[~np.isnan(rest)]
            np.testing.assert_array_equal(medians[place], np.median(known) if len(known) else np.nan)


def test_the_median_of_the_rest_leaves_a_group_out() -> None:
    values = holes(50)
    values[1:] = np.where(RNG.random(49) < 0.2, np.nan, RNG.normal(size=49))
    rows = np.arange(48).reshape(12, 4)
    there = RNG.random(rows.shape) < 0.8
    for row, mask, found in zip(rows, there, stacked.of_the_rest(values, rows, there), strict=True):
        rest = np.delete(values, row[mask])
        assert found == np.median(rest[~np.isnan(rest)])
    everything = stacked.of_the_rest(values, np.arange(50)[None], np.ones((1, 50), dtype=bool))
    assert np.isnan(everything).all()


def test_every_member_of_every_group_is_in_one_batch() -> None:
    codes = np.repeat(np.arange(30), RNG.integers(1, 12, 30))
    width = np.repeat(RNG.integers(1, 4, 30), np.bincount(codes))
    seen = []
    for rows, there in stacked.batches(codes, width):
        for row, mask in zip(rows, there, strict=True):
            assert len(set(codes[row[mask]])) == 1
            assert mask.sum() == np.count_nonzero(codes == codes[row[0]])
            seen += row[mask].tolist()
    assert sorted(seen) == list(range(len(codes)))
