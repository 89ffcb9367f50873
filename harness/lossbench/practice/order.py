"""Which samples make which batch, and the noise of a sampling layer: from seed and epoch, the same everywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from lossbench.spec.training import Array, Sets


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One batch in the dtype of the run. rows: which samples. noise: (samples, latent units)."""

    x: Array
    y: Mapping[str, Array]
    noise: Array
    rows: Array


def steps_an_epoch(samples: int, batch: int) -> int:
    """The last batch may be smaller."""
    return -(-samples // batch)


def batches(
    sets: Sets, *, seed: int, epoch: int, size: int, dtype: str, latent: int, first: int = 0, reverse: bool = False
) -> Iterator[Batch]:
    """The batches of an epoch (from 0), from the step `first` on; `reverse` turns the rows inside each around."""
    order = np.random.default_rng([seed, epoch, 2]).permutation(len(sets.x))
    noise = np.random.default_rng([seed, epoch, 3]).normal(size=(len(sets.x), latent))
    for start in range(first * size, len(order), size):
        rows = order[start : start + size]
        yield batch_of(sets.x, sets.y, sets.divisor, rows[::-1] if reverse else rows, dtype, noise)


def held_out(sets: Sets, *, dtype: str, latent: int, size: int = 1000) -> Iterator[Batch]:
    """The test set in order; its noise is zero."""
    noise = np.zeros((len(sets.x_test), latent))
    for start in range(0, len(sets.x_test), size):
        rows = np.arange(start, min(start + size, len(sets.x_test)))
        yield batch_of(sets.x_test, sets.y_test, sets.divisor, rows, dtype, noise)


def batch_of(x: Array, y: Mapping[str, Array], divisor: float, rows: Array, dtype: str, noise: Array) -> Batch:
    """The samples of these rows; class indices stay whole numbers."""
    return Batch(
        x=x[rows].astype(dtype) / np.asarray(divisor, dtype),
        y={name: _typed(values[rows], dtype) for name, values in y.items()},
        noise=noise[rows].astype(dtype),
        rows=rows,
    )


def _typed(values: Array, dtype: str) -> Array:
    return values.astype(np.int32) if values.dtype.kind in "iu" else values.astype(dtype)
