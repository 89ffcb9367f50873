"""Operations that join several numbers: a log b, softmax and its kin, norms, the largest of an axis."""

from __future__ import annotations

import numpy as np

from lossbench.judge.oracle import elementary as el
from lossbench.judge.oracle import reals
from lossbench.judge.oracle.attempt import Undecided
from lossbench.judge.oracle.operations import Array, make, scales_exactly
from lossbench.judge.oracle.reals import FINITE, NOT_A_NUMBER, Floats, Mask, Reals
from lossbench.judge.oracle.tape import Cotangent, Slope, bounded


def xlogy(a: Array, b: Array, *, plus_one: bool = False) -> Array:
    """a log b, or a log(1 + b); 0 where a is 0."""
    function = el.xlog1py if plus_one else el.xlogy
    base = el.add(b.value, Reals.of(1.0)) if plus_one else b.value
    out = function(a.value, b.value)
    logarithm = np.abs(np.log1p(b.value.floats) if plus_one else np.log(b.value.floats))
    inverse = np.abs(1.0 / base.floats)
    ratio = np.where(a.value.floats == 0, 0.0, np.abs(a.value.floats) * inverse)
    carried = np.where(a.owed > 0, logarithm * a.owed, 0.0) + np.where(b.owed > 0, ratio * b.owed, 0.0)
    owed = bounded(carried) + 2.0 * np.abs(out.floats)
    logarithm_owed = bounded(inverse * b.owed + logarithm)
    ratio_owed = bounded(inverse * a.owed + ratio * inverse * b.owed + ratio)

    def pull(bar: Cotangent) -> tuple[Cotangent | None, ...]:
        by_a = by_b = None
        if a.active:
            slope = el.log1p(b.value) if plus_one else el.log(b.value)
            by_a = bar.times(Slope(low=slope, owed=logarithm_owed))
        if b.active:
            absent = np.asarray(a.value.balls == reals.ZERO, dtype=bool)
            by_b = bar.times(Slope(low=el.absorbing_quotient(a.value, base), owed=ratio_owed, absent=absent))
        return by_a, by_b

    return make(out, owed, (a, b), pull)


class _Shifted:
    """exp(a - shift) along an axis with its sum; any shift near the largest element will do."""

    def __init__(self, a: Array, axis: int) -> None:
        near = np.where(np.isnan(a.value.floats), -np.inf, a.value.floats)
        at = np.expand_dims(np.argmax(near, axis=axis), axis)
        shift = a.value.reshaped(lambda part: np.take_along_axis(part, at, axis=axis))
        shift = reals.where(shift.kinds != FINITE, Reals.of(0.0), shift)
        self.axis = axis % a.value.balls.ndim
        self.shift = shift
        self.gap = el.subtract(a.value, shift)
        self.terms = el.exp(self.gap)
        self.sum = el.total(self.terms, (self.axis,)).reshaped(lambda part: np.expand_dims(part, axis))
        self.log_sum = el.log(self.sum)
        self.share = el.divide(self.terms, self.sum)
        share = np.nan_to_num(self.share.floats)
        self.gap_owed = bounded(a.owed + np.where(share > 0, np.abs(self.gap.floats), 0.0))
        self.log_owed = np.sum(bounded(share * (self.gap_owed + 2.0)), axis=axis, keepdims=True)
        self.share_owed = bounded(share * (self.gap_owed + self.log_owed + 2.0))


def logsumexp(a: Array, axis: int, keepdims: bool) -> Array:
    s = _Shifted(a, axis)
    out = el.add(s.log_sum, s.shift)
    owed = s.log_owed + np.abs(s.log_sum.floats) + np.abs(out.floats)
    full = out.shape
    shape = full if keepdims else tuple(n for i, n in enumerate(full) if i != s.axis)

    def pull(bar: Cotangent) -> tuple[Cotangent | None, ...]:
        return (bar.rearranged(lambda part: part.reshape(full)).times(Slope(low=s.share, owed=s.share_owed)),)

    return make(out.reshaped(lambda p: p.reshape(shape)), owed.reshape(shape), (a,), pull)


def log_softmax(a: Array, axis: int) -> Array:
    s = _Shifted(a, axis)
    out = el.subtract(s.gap, s.log_sum)
    owed = a.owed + np.abs(s.gap.floats) + s.log_owed + np.abs(s.log_sum.floats) + np.abs(out.floats)
    column = s.sum.shape

    def pull(bar: Cotangent) -> tuple[Cotangent | None, ...]:
        back = bar.summed_to(column).times(Slope(low=el.negative(s.share), owed=s.share_owed))
        return (bar.plus(back),)

    return make(out, owed, (a,), pull)


def softmax(a: Array, axis: int) -> Array:
    s = _Shifted(a, axis)
    column = s.sum.shape

    def pull(bar: Cotangent) -> tuple[Cotangent | None, ...]:
        part = bar.times(Slope(low=s.share, owed=s.share_owed))
        back = part.summed_to(column).times(Slope(low=el.negative(s.share), owed=s.share_owed))
        return (part.plus(back),)

    return make(s.share, s.share_owed, (a,), pull)


def _kept(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


def norm(a: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    """Euclidean length; at the zero vector each component's slope is the set [-1, 1]."""
    kept = _kept(a.shape, axes)
    full = el.sqrt(el.total(el.multiply(a.value, a.value), axes)).reshaped(lambda part: part.reshape(kept))
    cosine = np.nan_to_num(np.abs(a.value.floats / full.floats), nan=1.0, posinf=1.0)
    owed = np.sum(bounded(cosine * a.owed), axis=axes).reshape(kept) + 2.0 * full.floats
    cosine_owed = bounded(a.owed / full.floats + cosine * owed / full.floats + cosine)
    shape = kept if keepdims else tuple(n for i, n in enumerate(kept) if i not in axes)

    def pull(bar: Cotangent) -> tuple[Cotangent | None, ...]:
        zero = np.broadcast_to(full.is_zero(), a.shape)
        one = Reals.of(1.0)
        slope = el.divide(a.value, reals.where(full.is_zero(), one, full))
        high = reals.where(zero, one, slope) if zero.any() else None
        low = reals.where(zero, el.negative(one), slope)
        return (bar.rearranged(lambda p: p.reshape(kept)).times(Slope(low=low, high=high, owed=cosine_owed)),)

    return make(full.reshaped(lambda p: p.reshape(shape)), owed.reshape(shape), (a,), pull)


def largest(a: Array, axes: tuple[int, ...], keepdims: bool) -> Array:
    """The maximum along axes; where several attain it, each one's slope is the set [0, 1]."""
    kept = _kept(a.shape, axes)
    out = el.maximum_along(a.value, axes).reshaped(lambda part: part.reshape(kept))
    nan = np.asarray(out.kinds == NOT_A_NUMBER)
    wins: Mask = reals.attain(a.value, out) & ~nan
    tied = wins & (np.sum(wins, axis=axes).reshape(kept) > 1)
    owed: Floats = np.max(np.where(wins, a.owed, 0.0), axis=axes, initial=0.0).reshape(kept)
    shape = kept if keepdims else tuple(n for i, n in enumerate(kept) if i not in axes)

    def pull(bar: Cotangent) -> tuple[Cotangent | None, ...]:
        base = np.where(nan, np.nan, 0.0)
        low = Reals.of(np.where(wins & ~tied, 1.0, base))
        high = Reals.of(np.where(wins, 1.0, base)) if tied.any() else None
        return (bar.rearranged(lambda p: p.reshape(kept)).times(Slope(low=low, high=high, absent=~wins & ~nan)),)

    return make(out.reshaped(lambda p: p.reshape(shape)), owed.reshape(shape), (a,), pull)


def matmul(a: Array, b: Array) -> Array:
    """The product of two matrices of finite numbers, in wide arithmetic only: balls multiply and add one by one."""

    def size(v: Array) -> Floats:
        return np.abs(v.value.floats)

    out = el.matmul(a.value, b.value)
    rounds = [np.where(scales_exactly(v), 0.0, size(v)) for v in (a, b)]
    owed = size(a) @ b.owed + a.owed @ size(b) + rounds[0] @ rounds[1]
    if a.shape[-1] > 1:
        owed = owed + size(a) @ size(b)

    def side(bar: Cotangent, other: Array, *, first: bool) -> Cotangent:
        flipped = other.value.reshaped(lambda part: np.swapaxes(part, -1, -2))
        weights, errors = np.swapaxes(size(other), -1, -2), np.swapaxes(other.owed, -1, -2)
        left, right = (bar.low, flipped) if first else (flipped, bar.low)
        pairs = ((bar.owed, weights), (bar.size, errors), (2.0 * bar.size, weights))
        carried = sum((p @ q if first else q @ p) for p, q in pairs)
        return Cotangent(low=el.matmul(left, right), high=None, owed=bounded(carried), absent=None)

    def pull(bar: Cotangent) -> tuple[Cotangent | None, ...]:
        if bar.high is None and bar.low.kind is None:
            return (side(bar, b, first=True) if a.active else None), (side(bar, a, first=False) if b.active else None)
        raise Undecided  # sets and infinities need every product

    return make(out, owed, (a, b), pull)
