"""Arrays that remember how they were made: reverse-mode differentiation with sets of subgradients.

A `Traced` holds extended reals, the rounding error that computing them owes (first order, in units
of one eps), and how to pull a cotangent back to what it was made from. A `Cotangent` is an interval
array: at a kink the derivative is a set and its hull [low, high] travels down the chain.
`absent` marks zeros that are there because the result does not depend on the element at all (a
branch not taken, a constant weight 0): those stay 0 against an infinite derivative, other zeros do not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from lossbench.judge.oracle import elementary as el
from lossbench.judge.oracle.kernels import hull_max
from lossbench.judge.oracle.reals import (
    FINITE,
    NEGATIVE,
    NOT_A_NUMBER,
    POSITIVE,
    Floats,
    Mask,
    Reals,
    as_balls,
    where,
)
from lossbench.judge.oracle.wide import KERNELS

_MAX = float(np.finfo(np.float64).max)


def bounded(errors: npt.ArrayLike) -> Floats:
    """Error bounds with overflow capped; where infinity met zero the element is special and owes nothing."""
    return np.asarray(np.nan_to_num(errors, nan=0.0, posinf=_MAX, neginf=_MAX))


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """A local derivative: a point, or the set [low, high]; `owed` its own rounding error; `absent` as above."""

    low: Reals
    high: Reals | None = None
    owed: Floats | None = None
    absent: Mask | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cotangent:
    """The derivative of the result by an array: [low, high], `high` None where it is a point everywhere."""

    low: Reals
    high: Reals | None
    owed: Floats
    absent: Mask | None

    @staticmethod
    def ones(shape: tuple[int, ...]) -> Cotangent:
        return Cotangent(low=Reals.full(shape, 1.0), high=None, owed=np.zeros(shape), absent=None)

    @staticmethod
    def zeros(shape: tuple[int, ...]) -> Cotangent:
        return Cotangent(low=Reals.full(shape, 0.0), high=None, owed=np.zeros(shape), absent=np.ones(shape, bool))

    @property
    def size(self) -> Floats:
        """Magnitude, in float64."""
        low = np.abs(self.low.floats)
        return low if self.high is None else np.maximum(low, np.abs(self.high.floats))

    def rearranged(self, change: Callable[[npt.NDArray[Any]], Any]) -> Cotangent:
        """Elements moved or repeated."""
        return Cotangent(
            low=self.low.reshaped(change),
            high=None if self.high is None else self.high.reshaped(change),
            owed=np.asarray(change(self.owed)),
            absent=None if self.absent is None else np.asarray(change(self.absent)),
        )

    def times(self, slope: Slope) -> Cotangent:
        """Through one operation. Raises Undecided."""
        low, high = _product(self.low, self.high, slope.low, slope.high)
        size = np.abs(slope.low.floats) if slope.high is None else np.abs(slope.high.floats)
        absent = _either(self.absent, slope.absent, low.shape)
        if absent is not None and (low.kind is not None or high is not None):
            low = low.with_kind(absent, FINITE)
            high = None if high is None else high.with_kind(absent, FINITE)
        owed = size * self.owed + np.abs(low.floats if high is None else high.floats)
        if slope.owed is not None:
            owed = owed + self.size * slope.owed
        return Cotangent(low=low, high=high, owed=bounded(np.broadcast_to(owed, low.shape)), absent=absent)

    def masked(self, mask: Mask) -> Cotangent:
        """Only where the mask holds; absent elsewhere."""
        zero = Reals.of(0.0)
        low = where(mask, self.low, zero)
        return Cotangent(
            low=low,
            high=None if self.high is None else where(mask, self.high, zero),
            owed=np.where(mask, self.owed, 0.0),
            absent=_either(self.absent, ~mask, low.shape),
        )

    def negative(self) -> Cotangent:
        low = el.negative(self.low)
        if self.high is None:
            return Cotangent(low=low, high=None, owed=self.owed, absent=self.absent)
        return Cotangent(low=el.negative(self.high), high=low, owed=self.owed, absent=self.absent)

    def plus(self, other: Cotangent) -> Cotangent:
        low = el.add(self.low, other.low)
        high = None
        if self.high is not None or other.high is not None:
            high = el.add(self.high or self.low, other.high or other.low)
        absent = None if self.absent is None or other.absent is None else self.absent & other.absent
        alone = _alone(self.absent, other.absent, low.shape)
        owed = bounded(self.owed + other.owed + np.where(alone, 0.0, np.abs(low.floats)))
        return Cotangent(low=low, high=high, owed=owed, absent=absent)

    def replaced(self, at: npt.NDArray[Any], part: Cotangent) -> Cotangent:
        """With the elements at distinct flat positions taken from `part`."""
        shape = self.low.shape

        def put(base: npt.NDArray[Any], new: npt.NDArray[Any]) -> npt.NDArray[Any]:
            flat = base.ravel().copy()
            flat[at] = new
            return flat.reshape(shape)

        def put_reals(base: Reals, new: Reals) -> Reals:
            return Reals(put(base.balls, new.balls), put(base.kinds, new.kinds))

        absent = np.ones(shape, bool) if self.absent is None else self.absent
        return Cotangent(
            low=put_reals(self.low, part.low),
            high=None if part.high is None else put_reals(self.low, part.high),
            owed=put(self.owed, part.owed),
            absent=put(absent, np.zeros(at.shape, bool) if part.absent is None else part.absent),
        )

    def summed_to(self, shape: tuple[int, ...]) -> Cotangent:
        """The adjoint of broadcasting from `shape`."""
        if self.low.shape == shape:
            return self
        extra = self.low.balls.ndim - len(shape)
        axes = (*range(extra), *(i + extra for i, n in enumerate(shape) if n == 1 and self.low.shape[i + extra] != 1))

        def total(a: Reals) -> Reals:
            return el.total(a, axes).reshaped(lambda part: part.reshape(shape))

        owed = bounded(np.sum(self.owed + self.size, axis=axes).reshape(shape))
        return Cotangent(
            low=total(self.low),
            high=None if self.high is None else total(self.high),
            owed=owed,
            absent=None if self.absent is None else np.asarray(np.all(self.absent, axis=axes).reshape(shape)),
        )


def _either(a: Mask | None, b: Mask | None, shape: tuple[int, ...]) -> Mask | None:
    if a is None and b is None:
        return None
    both = a | b if a is not None and b is not None else a if b is None else b
    return np.broadcast_to(np.asarray(both), shape)


def _alone(a: Mask | None, b: Mask | None, shape: tuple[int, ...]) -> Mask:
    """Where at most one of two terms is there, so that adding them rounds nothing."""
    none = np.zeros(shape, bool)
    return np.asarray((none if a is None else a) | (none if b is None else b))


def _product(a: Reals, a_high: Reals | None, b: Reals, b_high: Reals | None) -> tuple[Reals, Reals | None]:
    if a_high is None and b_high is None:
        return el.multiply(a, b), None
    corners = [el.multiply(p, q) for p in (a, a_high) if p is not None for q in (b, b_high) if q is not None]
    low, high = corners[0], corners[0]
    for corner in corners[1:]:
        low, high = el.negative(_larger(el.negative(low), el.negative(corner))), _larger(high, corner)
    return low, high


_hull_max = np.frompyfunc(lambda a, b: a.max(b), 2, 1)
KERNELS[_hull_max] = hull_max


def _larger(a: Reals, b: Reals) -> Reals:
    """Elementwise larger ends; a doubt widens the ball, it decides nothing."""
    if a.kind is None and b.kind is None:
        return Reals(as_balls(_hull_max(a.balls, b.balls)))
    nan = (a.kinds == NOT_A_NUMBER) | (b.kinds == NOT_A_NUMBER)
    infinite = (a.kinds == POSITIVE) | (b.kinds == POSITIVE)
    bottom = (a.kinds == NEGATIVE) & (b.kinds == NEGATIVE)
    kind = np.select([nan, infinite, bottom], [NOT_A_NUMBER, POSITIVE, NEGATIVE], FINITE).astype(np.int8)
    larger = np.where(a.kinds == NEGATIVE, b.balls, np.where(b.kinds == NEGATIVE, a.balls, _hull_max(a.balls, b.balls)))
    return Reals(as_balls(larger), kind)


T = TypeVar("T", bound="Traced")
Pull = Callable[[Cotangent], tuple[Cotangent | None, ...]]


class Traced:
    """One array of the computation. `pull` is None for constants: nothing that is differentiated flows through them."""

    __slots__ = ("owed", "parents", "pull", "value")

    def __init__(
        self, value: Reals, owed: Floats | None = None, parents: tuple[Traced, ...] = (), pull: Pull | None = None
    ) -> None:
        self.value = value
        self.owed = np.zeros(value.shape) if owed is None else bounded(np.broadcast_to(owed, value.shape))
        active = any(parent.active for parent in parents)
        self.parents = parents if active else ()
        self.pull = pull if active else None

    @property
    def active(self) -> bool:
        return self.pull is not None


def variable(cls: type[T], value: Reals) -> T:
    """An array to differentiate by: exact, so it owes nothing."""
    leaf = cls(value)
    leaf.pull = lambda _: ()
    return leaf


def gradient(result: Traced, by: Traced) -> Cotangent:
    """The derivative of sum(result) by a variable. Raises Undecided."""
    order: list[Traced] = []
    seen: set[int] = set()
    stack: list[tuple[Traced, bool]] = [(result, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif id(node) not in seen and node.active:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((parent, False) for parent in node.parents)
    bars: dict[int, Cotangent] = {id(result): Cotangent.ones(result.value.shape)}
    for node in reversed(order):
        bar = bars.get(id(node)) if node is by else bars.pop(id(node), None)
        if bar is None or node.pull is None:
            continue
        for parent, part in zip(node.parents, node.pull(bar), strict=False):
            if part is None or not parent.active:
                continue
            part = part.summed_to(parent.value.shape)
            known = bars.get(id(parent))
            bars[id(parent)] = part if known is None else known.plus(part)
    return bars.get(id(by)) or Cotangent.zeros(by.value.shape)
