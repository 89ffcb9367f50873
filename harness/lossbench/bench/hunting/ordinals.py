"""The numbers of a format, counted from 0 upwards: a uniform draw of the count covers every exponent alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lossbench.spec.formats import FORMATS, round_to

Reals = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def largest(dtype: str) -> int:
    """The count of the largest finite number."""
    fmt = FORMATS[dtype]
    return int((fmt.emax - fmt.emin + 2) * 2 ** (fmt.precision - 1) - 1)


def value(counts: npt.ArrayLike, dtype: str) -> Reals:
    """The number with a count; negative counts are negative numbers, beyond the largest is infinite."""
    fmt, given = FORMATS[dtype], np.asarray(counts, dtype=np.int64)
    size, hidden = np.abs(given), np.int64(2 ** (fmt.precision - 1))
    binade = size // hidden
    significand = np.where(binade == 0, size, hidden + size % hidden).astype(np.float64)
    exponent = np.maximum(binade, 1) - 1 + fmt.emin - fmt.precision + 1
    with np.errstate(over="ignore"):
        numbers = np.ldexp(significand, exponent.astype(np.int32))
    return np.asarray(np.where(given < 0, -1.0, 1.0) * np.where(size > largest(dtype), np.inf, numbers))


def count(values: npt.ArrayLike, dtype: str) -> Counts:
    """The count of the number of the format nearest to each value; infinities count one beyond the largest."""
    fmt = FORMATS[dtype]
    numbers = round_to(values, dtype).astype(np.float64)
    with np.errstate(all="ignore"):
        size = np.abs(np.where(np.isfinite(numbers), numbers, 0.0))
        _, power = np.frexp(size)
        exponent = np.maximum(power - 1, fmt.emin)
        significand = np.ldexp(size, -(exponent - fmt.precision + 1)).astype(np.int64)
    hidden = np.int64(2 ** (fmt.precision - 1))
    found = np.where(significand < hidden, significand, (exponent - fmt.emin) * hidden + significand)
    found = np.where(np.isinf(numbers), np.int64(largest(dtype) + 1), found)
    return np.asarray(np.where(np.signbit(numbers), -found, found), dtype=np.int64)


def uniform(rng: np.random.Generator, low: float, high: float, dtype: str, shape: tuple[int, ...]) -> Reals:
    """Uniform in the counts between two numbers, both included."""
    ends: Any = count([low, high], dtype)
    return value(rng.integers(int(ends[0]), int(ends[1]), size=shape, endpoint=True), dtype)


def moved(values: npt.ArrayLike, steps: npt.ArrayLike, dtype: str) -> Reals:
    """Numbers moved by whole steps of the format, not beyond the largest; infinities and NaN stay."""
    given = np.asarray(values, dtype=np.float64)
    end = largest(dtype)
    there = value(np.clip(count(given, dtype) + np.asarray(steps, dtype=np.int64), -end, end), dtype)
    return np.asarray(np.where(np.isfinite(given), there, given))
