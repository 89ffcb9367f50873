"""`x`: the vocabulary of `lossbench.spec.ops` in exact arithmetic, with primitives that frameworks lack."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lossbench.judge.oracle import elementary as el
from lossbench.judge.oracle import joint, primitives
from lossbench.judge.oracle import operations as op
from lossbench.judge.oracle.attempt import carrier
from lossbench.judge.oracle.operations import Array, Operand, lift
from lossbench.judge.oracle.reals import NOT_A_NUMBER, Mask, Reals
from lossbench.judge.oracle.tape import Cotangent
from lossbench.judge.oracle.weighted import Weighted
from lossbench.spec.ops import Axis


def _axes(a: Array, axis: Axis) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(a.ndim))
    return tuple(sorted(i % a.ndim for i in ((axis,) if isinstance(axis, int) else axis)))


def _mask(condition: Any) -> Mask:
    if isinstance(condition, Array):
        return np.asarray(condition != 0)
    return np.asarray(condition, dtype=bool)


def _discrete(value: Any) -> bool:
    return not isinstance(value, Array) and np.asarray(value).dtype.kind in "iub"


def _indices(value: Any) -> npt.NDArray[np.int64]:
    return np.asarray(value.value.floats if isinstance(value, Array) else value).astype(np.int64)


class ExactOps:
    """Elementwise unless an axis is named; axis None means all axes. Every method may raise Undecided.

    For whoever writes a reference. A formula here is mathematics, not an algorithm: no epsilons, no
    shifting, no clamping unless the definition has them. Write kinks with `abs`, `maximum`, `minimum`,
    `clip`, `max`, `norm`: there the derivative becomes the set of subgradients. `where` takes the derivative
    of the branch that its condition picks and knows no kinks: use it to choose, not to bend. Write 0 log 0
    as `xlogy`, and use `weigh` for a product whose factor 0 removes an infinity (targets times log-probabilities,
    masks). Float parameters arrive as exact 0-d arrays, so `1 - label_smoothing` is exact; y_true arrives as
    a plain int32 numpy array where its domain is a class index.
    """

    @property
    def pi(self) -> Array:
        return Array(el.pi_constant())

    def constant(self, value: Operand, like: Operand = None) -> Array:  # noqa: ARG002
        return lift(value)

    def cast(self, a: Operand, like: Operand = None) -> Array:  # noqa: ARG002
        """Numbers of an integer or boolean array as an array."""
        return lift(a)

    def weighted(self, losses: Array, *, weights: Operand, valid: Any = None) -> Weighted:
        """What a reference returns if its losses carry weights of their own (class weights, ignored samples)."""
        return Weighted(losses=losses, weights=lift(weights), valid=None if valid is None else _mask(valid))

    def plus(self, losses: Array | Weighted, added: Operand) -> Weighted:
        """What a reference returns if one number, a penalty, comes on top of the reduced losses."""
        known = losses if isinstance(losses, Weighted) else Weighted(losses=losses)
        return replace(known, added=lift(added))

    # functions of one number

    def abs(self, a: Operand) -> Array:
        """Kink at 0: [-1, 1]."""
        return op.absolute(lift(a))

    def exp(self, a: Operand) -> Array:
        return op.apply(primitives.EXP, lift(a))

    def expm1(self, a: Operand) -> Array:
        return op.apply(primitives.EXPM1, lift(a))

    def log(self, a: Operand) -> Array:
        """log 0 = -inf with slope +inf; nan below 0."""
        return op.apply(primitives.LOG, lift(a))

    def log2(self, a: Operand) -> Array:
        return op.apply(primitives.LOG2, lift(a))

    def log1p(self, a: Operand) -> Array:
        return op.apply(primitives.LOG1P, lift(a))

    def sqrt(self, a: Operand) -> Array:
        """Slope +inf at 0; the root of a sum of squares is `norm`."""
        return op.apply(primitives.SQRT, lift(a))

    def square(self, a: Operand) -> Array:
        return op.power(lift(a), lift(2))

    def power(self, a: Operand, exponent: Operand) -> Array:
        """0**0 = 1. For one constant exponent of any sign, or an array of exponents with a >= 0."""
        return op.power(lift(a), lift(exponent))

    def cosh(self, a: Operand) -> Array:
        return op.apply(primitives.COSH, lift(a))

    def tanh(self, a: Operand) -> Array:
        return op.apply(primitives.TANH, lift(a))

    def sigmoid(self, a: Operand) -> Array:
        return op.apply(primitives.SIGMOID, lift(a))

    def softplus(self, a: Operand) -> Array:
        return op.apply(primitives.SOFTPLUS, lift(a))

    def log_sigmoid(self, a: Operand) -> Array:
        return op.apply(primitives.LOG_SIGMOID, lift(a))

    def logcosh(self, a: Operand) -> Array:
        return op.apply(primitives.LOGCOSH, lift(a))

    def lgamma(self, a: Operand) -> Array:
        """For a >= 0."""
        return op.apply(primitives.LGAMMA, lift(a))

    def sign(self, a: Operand) -> Array:
        """-1, 0 or 1; a constant, its derivative is 0 everywhere."""
        return lift(lift(a).value.sign())

    def is_nan(self, a: Operand) -> Mask:
        return np.asarray(lift(a).value.kinds == NOT_A_NUMBER)

    def maximum(self, a: Operand, b: Operand) -> Array:
        """Kink at a tie: [0, 1] for each side."""
        return op.choose_larger(lift(a), lift(b))

    def minimum(self, a: Operand, b: Operand) -> Array:
        """Kink at a tie: [0, 1] for each side."""
        return -op.choose_larger(-lift(a), -lift(b))

    def clip(self, a: Operand, low: Operand, high: Operand) -> Array:
        """Kinks at both ends."""
        return self.minimum(self.maximum(a, low), high)

    def xlogy(self, a: Operand, b: Operand) -> Array:
        """a log b, 0 where a is 0 whatever b is."""
        return joint.xlogy(lift(a), lift(b))

    def xlog1py(self, a: Operand, b: Operand) -> Array:
        """a log(1 + b), 0 where a is 0 whatever b is."""
        return joint.xlogy(lift(a), lift(b), plus_one=True)

    def weigh(self, weight: Operand, a: Operand) -> Array:
        """weight times a, 0 where the weight is 0 even if a is infinite."""
        return op.multiply(lift(weight), lift(a), absorbing=True)

    def safe_divide(self, a: Operand, b: Operand, when_zero: Operand = 0) -> Array:
        """a / b, and when_zero where b is 0."""
        divisor = lift(b)
        zero = divisor.value.is_zero()
        return op.select(zero, lift(when_zero), lift(a) / op.select(zero, lift(1), divisor))

    def logaddexp(self, a: Operand, b: Operand) -> Array:
        shape = np.broadcast_shapes(lift(a).shape, lift(b).shape)
        return self.logsumexp(self.stack([self.broadcast_to(v, shape) for v in (a, b)], axis=-1), axis=-1)

    def where(self, condition: Any, a: Operand, b: Operand) -> Any:
        """The branch that the condition picks, and its derivative; integers and booleans stay numpy."""
        if _discrete(a) and _discrete(b) and not (np.ndim(a) == np.ndim(b) == 0):
            return np.where(_mask(condition), a, b)
        return op.select(_mask(condition), lift(a), lift(b))

    def logical_and(self, a: Any, b: Any) -> Mask:
        return _mask(a) & _mask(b)

    def sum(self, a: Operand, axis: Axis = None, keepdims: bool = False) -> Array:
        a = lift(a)
        return op.total(a, _axes(a, axis), keepdims)

    def mean(self, a: Operand, axis: Axis = None, keepdims: bool = False) -> Array:
        """0/0 = nan over nothing."""
        a = lift(a)
        count = int(np.prod([a.shape[i] for i in _axes(a, axis)], dtype=np.int64))
        return self.sum(a, axis, keepdims) / count

    def max(self, a: Operand, axis: Axis = None, keepdims: bool = False) -> Array:
        """Kink where several attain it: [0, 1] each."""
        a = lift(a)
        return joint.largest(a, _axes(a, axis), keepdims)

    def min(self, a: Operand, axis: Axis = None, keepdims: bool = False) -> Array:
        """Kink where several attain it: [0, 1] each."""
        return -self.max(-lift(a), axis, keepdims)

    def norm(self, a: Operand, axis: Axis = None, keepdims: bool = False) -> Array:
        """Euclidean length. Kink at the zero vector: [-1, 1] for each component."""
        a = lift(a)
        return joint.norm(a, _axes(a, axis), keepdims)

    def logsumexp(self, a: Operand, axis: int = -1, keepdims: bool = False) -> Array:
        return joint.logsumexp(lift(a), axis, keepdims)

    def log_softmax(self, a: Operand, axis: int = -1) -> Array:
        return joint.log_softmax(lift(a), axis)

    def softmax(self, a: Operand, axis: int = -1) -> Array:
        return joint.softmax(lift(a), axis)

    def matmul(self, a: Operand, b: Operand) -> Array:
        a, b = lift(a), lift(b)
        if carrier() is not None and a.ndim == b.ndim == 2 and a.value.kind is None and b.value.kind is None:
            return joint.matmul(a, b)
        product = self.expand_dims(a, -1) * self.expand_dims(b, -3)
        return self.sum(product, axis=-2)

    def transpose(self, a: Array) -> Array:
        """Swap the last two axes."""
        return op.rearrange(lift(a), _swap, _swap)

    def expand_dims(self, a: Any, axis: int) -> Any:
        if _discrete(a):
            return np.expand_dims(a, axis)
        a = lift(a)
        return op.rearrange(a, lambda p: np.expand_dims(p, axis), lambda p: p.reshape(a.shape))

    def moveaxis(self, a: Any, source: int, target: int) -> Any:
        if _discrete(a):
            return np.moveaxis(a, source, target)
        return op.rearrange(lift(a), lambda p: np.moveaxis(p, source, target), lambda p: np.moveaxis(p, target, source))

    def reshape(self, a: Any, shape: tuple[int, ...]) -> Any:
        if _discrete(a):
            return np.reshape(a, shape)
        a = lift(a)
        return op.rearrange(a, lambda p: p.reshape(shape), lambda p: p.reshape(a.shape))

    def broadcast_to(self, a: Operand, shape: tuple[int, ...]) -> Array:
        a = lift(a)
        value = a.value.reshaped(lambda p: np.broadcast_to(p, shape))
        return op.make(value, np.broadcast_to(a.owed, shape), (a,), lambda bar: (bar,))

    def stack(self, arrays: list[Any], axis: int = 0) -> Array:
        return self.concat([self.expand_dims(lift(a), axis) for a in arrays], axis)

    def concat(self, arrays: list[Any], axis: int = 0) -> Array:
        parts = tuple(lift(a) for a in arrays)
        balls = np.concatenate([p.value.balls for p in parts], axis)
        kind = np.concatenate([p.value.kinds for p in parts], axis)
        ends = np.cumsum([p.shape[axis] for p in parts])

        def pull(bar: Cotangent) -> tuple[Cotangent | None, ...]:
            return tuple(
                bar.rearranged(lambda p, i=i: np.split(p, ends[:-1], axis)[i])  # type: ignore[misc]
                for i in range(len(parts))
            )

        return op.make(Reals(balls, kind), np.concatenate([p.owed for p in parts], axis), parts, pull)

    def index(self, a: Any, key: Any) -> Any:
        """Basic indexing: integers, slices, None and Ellipsis."""
        if _discrete(a):
            return np.asarray(a)[key]
        a = lift(a)
        return self._gather(a, np.arange(a.value.balls.size).reshape(a.shape)[key])

    def one_hot(self, indices: Any, classes: int, like: Operand = None) -> Array:  # noqa: ARG002
        """An index outside [0, classes) gives a row of zeros."""
        return lift((_indices(indices)[..., None] == np.arange(classes)).astype(np.float64))

    def take_class(self, a: Operand, indices: Any) -> Array:
        """a[..., indices] along the last axis; nan for an index outside of it."""
        a, at = lift(a), _indices(indices)
        classes = a.shape[-1]
        rows = np.arange(a.value.balls.size).reshape(a.shape)
        inside = (at >= 0) & (at < classes)
        picked = np.take_along_axis(rows, np.where(inside, at, 0)[..., None], axis=-1)[..., 0]
        taken = self._gather(a, picked)
        return taken if inside.all() else op.select(inside, taken, lift(np.nan))

    def _gather(self, a: Array, flat: npt.ArrayLike) -> Array:
        at = np.asarray(flat)

        def pull(bar: Cotangent) -> tuple[Cotangent | None, ...]:
            empty = Cotangent.zeros(a.shape)
            return (empty.replaced(at, bar),)

        return op.make(a.value.reshaped(lambda p: p.ravel()[at]), a.owed.ravel()[at], (a,), pull)


def _swap(part: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.swapaxes(part, -1, -2)


x = ExactOps()
