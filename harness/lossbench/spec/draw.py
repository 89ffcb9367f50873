"""Typical values of each domain, drawn so that every machine draws the same bytes.

Only raw PCG64 output and correctly rounded operations (+ - * / sqrt, integer sums) are used: the
distributions of numpy's Generator and transcendental functions differ in the last bit between builds.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lossbench.spec.domains import Domain

Reals = npt.NDArray[np.float64]
Shape = tuple[int, ...]

_LN2 = 0.6931471805599453


@dataclass(frozen=True, slots=True)
class Source:
    """A stream of deviates of its own for each key, so that an input does not depend on its neighbours."""

    key: str

    def uniform(self, shape: Shape, purpose: str = "") -> Reals:
        """In (0, 1): odd multiples of 2**-53."""
        seed = int.from_bytes(hashlib.sha256(f"{self.key}/{purpose}".encode()).digest()[:16], "little")
        raw = np.random.PCG64(seed).random_raw(int(np.prod(shape, dtype=np.int64)))
        return (np.asarray(raw >> np.uint64(12), dtype=np.float64) + 0.5).reshape(shape) * 2.0**-52

    def bell(self, shape: Shape, purpose: str = "") -> Reals:
        """Mean 0, variance 1, within 3.47 of 0: the sum of four uniform deviates."""
        parts = self.uniform((4, *shape), purpose)
        return np.asarray((parts[0] + parts[1] + parts[2] + parts[3] - 2.0) * np.sqrt(3.0))

    def integers(self, low: int, high: int, shape: Shape, purpose: str = "") -> npt.NDArray[np.int64]:
        """In [low, high)."""
        drawn = np.floor(self.uniform(shape, purpose) * (high - low)).astype(np.int64)
        return low + np.minimum(drawn, high - low - 1)

    def signs(self, shape: Shape, purpose: str = "") -> Reals:
        """-1 or 1."""
        return np.where(self.uniform(shape, purpose) < 0.5, -1.0, 1.0)


def log(values: Reals) -> Reals:
    """Natural logarithm of positive normal numbers to about an ulp, from + - * / alone."""
    mantissa, exponent = np.frexp(values)
    low = mantissa < 0.7071067811865476
    mantissa, exponent = np.where(low, 2 * mantissa, mantissa), np.where(low, exponent - 1, exponent)
    z = (mantissa - 1) / (mantissa + 1)
    square, series = z * z, np.zeros_like(z)
    for k in range(23, 0, -2):  # atanh: |z| < 0.172, so z**23 is far below the last bit
        series = series * square + 1.0 / k
    return np.asarray(exponent * _LN2 + 2 * z * series)


def simplex(source: Source, shape: Shape) -> Reals:
    """Rows of positive numbers that sum to 1; integers make the sum exact, so the quotient is rounded once."""
    k = source.integers(1, 1025, shape, "simplex")
    weights = k * k * k
    return np.asarray(weights / np.maximum(weights.sum(axis=-1, keepdims=True), 1))


def one_hot(indices: npt.NDArray[np.integer], classes: int) -> Reals:
    """Float rows with a single 1."""
    return np.asarray(indices[..., None] == np.arange(classes), dtype=np.float64)


def typical(source: Source, domain: Domain, shape: Shape, classes: int) -> Reals:
    """Ordinary values of a domain, float64, before they are rounded to a dtype. classes: of a class index."""
    match domain.kind:
        case "real":
            return source.bell(shape)
        case "logits":
            return 2.0 * source.bell(shape)
        case "positive" | "nonnegative":
            exponent = source.integers(-3, 3, shape, "exponent").astype(np.int32)
            return np.asarray(np.ldexp(1.0 + source.uniform(shape), exponent))
        case "count":
            return np.floor(10 * source.uniform(shape) * source.uniform(shape, "thin"))
        case "probability":
            return 0.02 + 0.96 * source.uniform(shape)
        case "weight":
            return 0.25 + 1.75 * source.uniform(shape)
        case "binary":
            return np.asarray(source.uniform(shape) < 0.5, dtype=np.float64)
        case "sign":
            return source.signs(shape)
        case "simplex":
            return simplex(source, shape)
        case "log_simplex":
            return log(simplex(source, shape))
        case "one_hot":
            return one_hot(source.integers(0, max(shape[-1], 1), shape[:-1]), shape[-1])
        case "class_index":
            # sequence labels leave out 0, the blank
            low = 1 if domain.extent == "labels" and classes > 1 else 0
            return source.integers(low, max(classes, 1), shape).astype(np.float64)


def extent(domain: Domain, shape: Shape) -> Shape:
    """The shape of an input, from the shape of y_pred."""
    match domain.extent:
        case "same":
            return shape
        case "rows":
            return shape[:-1]
        case "square":
            return (shape[-1], shape[-1])
        case "labels":
            # half the time steps: a path with a blank between any two equal labels then exists
            return (shape[0], max(1, shape[1] // 2))
        case "scalar":
            return ()
