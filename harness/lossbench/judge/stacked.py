"""Medians and their intervals of many rows at once: what is missing is NaN and is passed over.

A run of a million blocks has sixty thousand cells; a few sorts of whole arrays stand for so many calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lossbench.judge.timing import Reals, narrowest

Ints = npt.NDArray[np.int64]

Flags = npt.NDArray[np.bool_]

ELEMENTS: Final = 2**21
"""Of an array that is sorted at once: 16 MiB."""


def intervals(samples: Reals, confidence: float) -> Reals:
    """Median, low and high of each row (last axis), as `timing.median_interval` has them; shape (..., 3)."""
    ordered = np.sort(samples, axis=-1)  # NaN last
    n = np.count_nonzero(~np.isnan(samples), axis=-1)
    table = np.array([0, *(narrowest(k, confidence)[0] for k in range(1, samples.shape[-1] + 1))])
    k = table[n]
    return np.stack([_halfway(ordered, n), _at(ordered, k - 1, n), _at(ordered, n - k, n)], axis=-1)


def middle(samples: Reals) -> Reals:
    """The median of each row (last axis); NaN where it has nothing."""
    return _halfway(np.sort(samples, axis=-1), np.count_nonzero(~np.isnan(samples), axis=-1))


def of_others(samples: Reals) -> Reals:
    """For each element the median of the others of its row (last axis), itself left out; NaN for none."""
    order = np.argsort(samples, axis=-1)
    ordered = np.take_along_axis(samples, order, axis=-1)
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.broadcast_to(np.arange(samples.shape[-1]), order.shape), axis=-1)
    n = np.count_nonzero(~np.isnan(samples), axis=-1, keepdims=True)
    left = n - (rank < n)  # a missing one takes nothing away
    low, high = ((left - 1) // 2, left // 2)
    last = samples.shape[-1] - 1
    ends = [
        np.take_along_axis(ordered, np.clip(place + (place >= rank), 0, last), axis=-1) for place in (low, high)
    ]  # fmt: skip
    return np.where(left > 0, (ends[0] + ends[1]) / 2, np.nan)


def of_the_rest(values: Reals, left_out: Ints, there: Flags) -> Reals:
    """The median of all values but those of a row of places, for each row; left_out, there: shape (rows, places)."""
    order = np.argsort(values)
    known = int(np.count_nonzero(~np.isnan(values)))
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    gone = np.sort(np.where(there, rank[left_out], len(values)), axis=-1)
    left = known - np.count_nonzero(gone < known, axis=-1)
    ends = [(left - 1) // 2, left // 2]
    for place in range(gone.shape[-1]):
        ends = [end + (gone[:, place] <= end) for end in ends]
    ordered = values[order]
    found = [ordered[np.clip(end, 0, len(values) - 1)] for end in ends]
    return np.where(left > 0, (found[0] + found[1]) / 2, np.nan)


def batches(codes: Ints, width: Ints) -> Iterator[tuple[Ints, Flags]]:
    """Places of the members of groups of like size and width: arrays of (groups, members), and which are members.

    codes: of each row its group, ascending. width: of each row how much it holds; a group is as wide as its widest.
    Sizes from one power of two to the next are taken together.
    """
    if not len(codes):
        return
    first = np.flatnonzero(np.append(True, codes[1:] != codes[:-1]))
    size = np.diff(np.append(first, len(codes)))
    wide = np.maximum.reduceat(width, first)
    room = 2 ** np.ceil(np.log2(size)).astype(np.int64)
    for members, most in sorted(set(zip(room.tolist(), wide.tolist(), strict=True))):
        same = np.flatnonzero((room == members) & (wide == most))
        step = max(1, ELEMENTS // (members * max(most, 1)))
        for start in range(0, len(same), step):
            some = same[start : start + step, None]
            there = np.arange(members) < size[some]
            yield first[some] + np.where(there, np.arange(members), 0), there


def gathered(flat: Reals, start: Ints, width: Ints, rows: Ints, there: Flags) -> Reals:
    """What the rows hold, NaN where a row is shorter than the widest or not there: shape (*rows.shape, widest)."""
    span = np.arange(int(width[rows].max(initial=0)))
    inside = (span < width[rows][..., None]) & there[..., None]
    places = np.where(inside, start[rows][..., None] + span, 0)
    if not len(flat):
        return np.full(places.shape, np.nan)
    return np.where(inside, flat[places], np.nan)


def flattened(rows: Any) -> tuple[Reals, Ints, Ints]:
    """Rows of numbers one after the other, where each begins, and how long it is."""
    width = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    flat = np.concatenate([np.zeros(0), *rows]) if len(rows) else np.zeros(0)
    return flat.astype(np.float64, copy=False), np.cumsum(width) - width, width


def _halfway(ordered: Reals, n: Any) -> Reals:
    return (_at(ordered, (n - 1) // 2, n) + _at(ordered, n // 2, n)) / 2


def _at(ordered: Reals, place: Any, n: Any) -> Reals:
    if not ordered.shape[-1]:
        return np.full(ordered.shape[:-1], np.nan)
    found = np.take_along_axis(ordered, np.clip(place, 0, ordered.shape[-1] - 1)[..., None], axis=-1)[..., 0]
    return np.where(n > 0, found, np.nan)
