"""Element by element: how far a computed array is from the exact one, masks first.

Levels, derived and never one tolerance for everything (eps = 2**(1 - precision) of the dtype):
tight: within 4 eps relative, or within one spacing of the subnormal numbers, which is what any correctly
rounded operation may leave there; stable: within 8 times the running-error bound that the formula owes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from lossbench.spec.formats import FORMATS, round_to

TIGHT_EPS: Final = 4.0
STABLE_OWED: Final = 8.0
LOST_RELATIVE: Final = 0.01

Floats = npt.NDArray[np.floating[Any]]
Reals = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class ExactResult(Protocol):
    """What is needed of the oracle's array."""

    @property
    def kink(self) -> Mask: ...
    def low(self, dtype: str | None = None) -> Floats: ...
    def high(self, dtype: str | None = None) -> Floats: ...
    def rounded(self, dtype: str | None = None) -> Floats: ...
    def ulp(self, computed: npt.ArrayLike, dtype: str | None = None) -> Reals: ...
    def relative(self, computed: npt.ArrayLike) -> Reals: ...
    def owed(self, dtype: str | None = None) -> Reals: ...
    def overflows(self, dtype: str | None = None) -> Mask: ...


@dataclass(frozen=True, kw_only=True)
class Known:
    """An exact array as numbers, taken from the oracle once and compared with many answers.

    rounded: correctly, to the dtype; exact: to float64; owed: absolute, at one eps; low, high: ends of the
    subgradients where `kink`. leaves_range: where a number that is neither 0 nor infinite rounds to one of them.
    source: asked for distances in float64, where `exact` is no finer than the dtype.
    """

    dtype: str
    rounded: Reals
    exact: Reals
    owed: Reals
    kink: Mask
    low: Reals
    high: Reals
    leaves_range: Mask
    source: ExactResult | None = None

    @staticmethod
    def of(source: ExactResult, dtype: str) -> Known:
        """Everything that comparisons need, in one pass."""
        kink = np.asarray(source.kink, dtype=bool)
        exact = np.asarray(source.rounded("float64"), dtype=np.float64)
        rounded = np.asarray(source.rounded(dtype), dtype=np.float64)
        return Known(
            dtype=dtype,
            rounded=rounded,
            exact=exact,
            owed=np.broadcast_to(np.abs(np.asarray(source.owed(dtype), dtype=np.float64)), exact.shape),
            kink=kink,
            low=np.asarray(source.low("float64"), dtype=np.float64) if kink.any() else exact,
            high=np.asarray(source.high("float64"), dtype=np.float64) if kink.any() else exact,
            leaves_range=np.asarray(source.overflows(dtype)) | ((rounded == 0) & (exact != 0)),
            source=source if dtype == "float64" else None,
        )

    @cached_property
    def plain(self) -> bool:
        """Whether every number is finite and none is at a kink."""
        return not self.kink.any() and bool(np.isfinite(self.exact).all())

    @cached_property
    def spacing(self) -> Reals:
        """An ulp of the dtype at each exact number."""
        fmt = FORMATS[self.dtype]
        _, exponent = np.frexp(self.exact)
        return np.asarray(np.ldexp(1.0, np.clip(exponent - 1, fmt.emin, fmt.emax) - fmt.precision + 1))

    def distances(self, computed: Reals) -> tuple[Reals, Reals]:
        """Ulp of the exact number, and relative error; meaningless where either side is not finite."""
        if self.source is not None:
            return np.asarray(self.source.ulp(computed, self.dtype)), np.asarray(self.source.relative(computed))
        error = np.abs(computed - self.exact)
        return error / self.spacing, np.where(error == 0, 0.0, error / np.abs(self.exact))


def ordered(values: Floats, dtype: str) -> npt.NDArray[np.int64]:
    """Integers in the order of the format's numbers, neighbours differing by 1; both zeros are 0."""
    rounded = round_to(values, dtype)
    if dtype == "float64":
        bits = rounded.astype(np.float64).view(np.int64)
        return np.where(bits < 0, np.iinfo(np.int64).min - bits, bits)
    if dtype == "float16":
        bits = rounded.astype(np.float16).view(np.int16).astype(np.int64)
        return np.where(bits < 0, -(2**15) - bits, bits)
    bits = rounded.astype(np.float32).view(np.int32).astype(np.int64)
    steps = np.where(bits < 0, -(2**31) - bits, bits)
    return steps // 2**16 if dtype == "bfloat16" else steps


def ulp_distance(a: Floats, b: Floats, dtype: str) -> Reals:
    """How many numbers of the format lie between two of them, plus one; 0 for equal ones.

    NaN is infinitely far from everything, NaN included, and so is an infinity from a finite number.
    """
    with np.errstate(all="ignore"):
        left, right = np.asarray(a), np.asarray(b)
        # modular arithmetic keeps the exact distance, which may not fit into a signed integer
        i, j = ordered(left, dtype).view(np.uint64), ordered(right, dtype).view(np.uint64)
        distance = np.where(left >= right, i - j, j - i).astype(np.float64)
    unlike = np.isnan(left) | np.isnan(right) | (np.isinf(left) != np.isinf(right))
    opposite = np.isinf(left) & np.isinf(right) & (left != right)
    return np.asarray(np.where(unlike | opposite, np.inf, distance), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One computed array against one exact array, per element.

    ulp, relative: magnitudes; infinite where the kinds differ, 0 where a special value or a subgradient is right.
    """

    got: Reals
    expected: Reals
    ulp: Reals
    relative: Reals
    tight: Mask
    stable: Mask
    lost: Mask
    kink: Mask
    undefined: Mask

    @property
    def right(self) -> bool:
        """Whether every element is within what the formula owes, to 1%."""
        return bool(np.all((self.tight | self.stable) & ~self.lost))

    @property
    def all_tight(self) -> bool:
        """Whether every element is within 4 eps."""
        return bool(np.all(self.tight))

    @property
    def wrong(self) -> Mask:
        """Elements that nothing but another definition or a fault explains."""
        return ~(self.tight | self.stable) | self.lost

    def rearranged(self, move: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]) -> Comparison:
        """The same elements in another order."""
        return Comparison(**{field.name: move(getattr(self, field.name)) for field in fields(self)})


def compare(got: Floats, known: Known, *, nan_inputs: bool) -> Comparison:
    """Judge a computed array element by element; `got` has the exact array's shape."""
    computed = np.asarray(got, dtype=np.float64)
    if known.plain and np.isfinite(computed).all():
        return _compare_plain(computed, known)
    return _compare_any(computed, known, nan_inputs=nan_inputs)


def _compare_plain(computed: Reals, known: Known) -> Comparison:
    """Where every number on both sides is finite and none at a kink, which is nearly always: the same in less time."""
    fmt, nowhere = FORMATS[known.dtype], np.zeros(known.exact.shape, dtype=bool)
    with np.errstate(all="ignore"):
        ulp, relative = known.distances(computed)
        error = np.abs(computed - known.exact)
        tight = np.asarray((relative <= TIGHT_EPS * fmt.eps) | (error <= fmt.smallest))
        stable = np.asarray(error <= STABLE_OWED * known.owed)
    lost = nowhere if tight.all() else np.asarray(stable & ~tight & (relative > LOST_RELATIVE) & (known.rounded != 0))
    return Comparison(
        got=computed,
        expected=known.rounded,
        ulp=ulp,
        relative=relative,
        tight=tight,
        stable=stable,
        lost=lost,
        kink=known.kink,
        undefined=nowhere,
    )


def _compare_any(computed: Reals, known: Known, *, nan_inputs: bool) -> Comparison:
    """Masks first."""
    fmt = FORMATS[known.dtype]
    with np.errstate(all="ignore"):
        undefined = np.isnan(known.exact) & ~known.kink
        finite = np.isfinite(computed) & np.isfinite(known.exact)
        ulp, relative = known.distances(computed)
        error = np.abs(computed - known.exact)
        # masks first: NaN only where the inputs hold NaN and the exact result is NaN; infinity only where the
        # exact result, correctly rounded, is that infinity
        same = np.where(undefined, np.isnan(computed) & nan_inputs, np.isinf(computed) & (computed == known.rounded))
        tight = same | (finite & ((relative <= TIGHT_EPS * fmt.eps) | (error <= fmt.smallest)))
        stable = finite & (error <= STABLE_OWED * known.owed)
        inside = known.kink & _within(computed, known, fmt.eps, fmt.smallest)
        tight = np.where(known.kink, inside, tight)
        stable = np.where(known.kink, inside, stable)
        met = same | inside
        ulp = np.where(met, 0.0, np.where(finite, ulp, np.inf))
        relative = np.where(met, 0.0, np.where(finite, relative, np.inf))
    lost = stable & ~tight & (relative > LOST_RELATIVE) & (known.rounded != 0)
    return Comparison(
        got=computed,
        expected=known.rounded,
        ulp=ulp,
        relative=relative,
        tight=np.asarray(tight),
        stable=np.asarray(stable),
        lost=np.asarray(lost),
        kink=known.kink,
        undefined=undefined,
    )


def _within(computed: Reals, known: Known, eps: float, smallest: float) -> Mask:
    """Whether a number lies between the one-sided derivatives, up to rounding, or is an infinite one of them."""
    ends = np.maximum(np.abs(known.low), np.abs(known.high))
    slack = TIGHT_EPS * eps * np.where(np.isfinite(ends), ends, 0.0) + smallest + STABLE_OWED * known.owed
    between = np.isfinite(computed) & (computed >= known.low - slack) & (computed <= known.high + slack)
    return np.asarray(between | (np.isinf(computed) & ((computed == known.low) | (computed == known.high))))
