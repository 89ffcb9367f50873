"""A formula run on shapes alone: how many operations it asks for. Nothing is computed, so any size costs the same.

Counted is what a formula says, not what a framework does: an elementwise operation is one for each number of its
result, whatever it costs (a logarithm as much as a sum); a reduction one for each number it reads; a matrix product
two for each product that it adds; moving, naming and picking numbers none. log_softmax and its kin count their parts.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, Final

import numpy as np

from lossbench.spec.ops import Axis

Shape = tuple[int, ...]

ELEMENTWISE: Final = (
    *("abs", "exp", "expm1", "log", "log1p", "sqrt", "square", "power", "cosh", "tanh", "sigmoid", "maximum"),
    *("minimum", "where", "logical_and"),
)


class Tally:
    """What has been counted so far."""

    operations: int = 0


class Traced:
    """An array of which only the shape is known. Arithmetic and comparisons count, indexing does not."""

    __array_ufunc__ = None  # numpy leaves the operators of an array beside one of these to it
    dtype = np.dtype(np.float32)

    def __init__(self, shape: Shape, tally: Tally) -> None:
        self.shape, self._tally = shape, tally

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return prod(self.shape)

    def __getitem__(self, key: Any) -> Traced:
        return Traced(self._view()[key].shape, self._tally)

    def __neg__(self) -> Traced:
        return self._each()

    def _with(self, other: Any) -> Traced:
        return self._each(other)

    __invert__ = __neg__
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _with
    __pow__ = __rpow__ = __floordiv__ = __rfloordiv__ = __mod__ = __and__ = __rand__ = __or__ = __ror__ = _with
    __lt__ = __le__ = __gt__ = __ge__ = _with
    __eq__ = __ne__ = _with  # type: ignore[assignment]
    __hash__ = object.__hash__

    def __matmul__(self, other: Traced) -> Traced:
        return CountingOps(self._tally).matmul(self, other)

    def _view(self) -> Any:
        return np.broadcast_to(np.float32(0), self.shape)

    def _each(self, *others: Any) -> Traced:
        shape = np.broadcast_shapes(self.shape, *(np.shape(other) for other in others))
        self._tally.operations += prod(shape)
        return Traced(shape, self._tally)


class CountingOps:
    """The vocabulary of `lossbench.spec.ops` on shapes. A framework's own modules are not here: AttributeError."""

    float_type = np.dtype(np.float32)

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def __getattr__(self, name: str) -> Callable[..., Traced]:
        if name not in ELEMENTWISE:
            raise AttributeError(name)
        return self._elementwise

    def softplus(self, a: Traced) -> Traced:
        """log(1 + exp(a)): two."""
        self._elementwise(a)
        return self._elementwise(a)

    def clip(self, a: Traced, low: float, high: float) -> Traced:
        """A maximum and a minimum."""
        return self._elementwise(self._elementwise(a, low), high)

    def constant(self, value: float, like: Traced) -> Traced:  # noqa: ARG002
        return Traced((), self._tally)

    def cast(self, a: Any, like: Traced) -> Traced:  # noqa: ARG002
        return Traced(np.shape(a), self._tally)

    def sum(self, a: Traced, axis: Axis = None, keepdims: bool = False) -> Traced:
        """One for each number that is read; so for mean and max."""
        self._tally.operations += a.size
        axes = range(a.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
        gone = {i % a.ndim for i in axes}
        kept = (1 if i in gone else n for i, n in enumerate(a.shape) if keepdims or i not in gone)
        return Traced(tuple(kept), self._tally)

    mean = max = sum

    def log_softmax(self, a: Traced, axis: int = -1) -> Traced:
        """Largest, difference, exponential, sum; a logarithm a row; difference."""
        return self._elementwise(a, self.logsumexp(a, axis, keepdims=True))

    def logsumexp(self, a: Traced, axis: int = -1, keepdims: bool = False) -> Traced:
        powers = self._elementwise(self._elementwise(a, self.max(a, axis, keepdims=True)))
        return self._elementwise(self.sum(powers, axis, keepdims))

    def softmax(self, a: Traced, axis: int = -1) -> Traced:
        powers = self._elementwise(self._elementwise(a, self.max(a, axis, keepdims=True)))
        return self._elementwise(powers, self.sum(powers, axis, keepdims=True))

    def matmul(self, a: Traced, b: Traced) -> Traced:
        rows, inner, columns = a.shape[-2], a.shape[-1], b.shape[-1]
        shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), rows, columns)
        self._tally.operations += 2 * prod(shape) * inner
        return Traced(shape, self._tally)

    def transpose(self, a: Traced) -> Traced:
        return self._moved(a, lambda view: np.swapaxes(view, -1, -2))

    def expand_dims(self, a: Traced, axis: int) -> Traced:
        return self._moved(a, lambda view: np.expand_dims(view, axis))

    def moveaxis(self, a: Traced, source: int, target: int) -> Traced:
        return self._moved(a, lambda view: np.moveaxis(view, source, target))

    def reshape(self, a: Traced, shape: Shape) -> Traced:
        known = prod(n for n in shape if n != -1)
        return Traced(tuple(a.size // max(known, 1) if n == -1 else n for n in shape), self._tally)

    def stack(self, arrays: list[Traced], axis: int = 0) -> Traced:
        return self.concat([self.expand_dims(a, axis) for a in arrays], axis)

    def concat(self, arrays: list[Traced], axis: int = 0) -> Traced:
        shape = list(arrays[0].shape)
        shape[axis] = sum(a.shape[axis] for a in arrays)
        return Traced(tuple(shape), self._tally)

    def index(self, a: Traced, key: Any) -> Traced:
        return a[key]

    def one_hot(self, indices: Any, classes: int, like: Traced) -> Traced:  # noqa: ARG002
        """A comparison for each number."""
        return self._elementwise(Traced((*np.shape(indices), classes), self._tally))

    def take_class(self, a: Traced, indices: Any) -> Traced:  # noqa: ARG002
        return Traced(np.shape(indices), self._tally)

    def _elementwise(self, *operands: Any) -> Traced:
        return Traced((), self._tally)._each(*operands)

    def _moved(self, a: Traced, move: Callable[[Any], Any]) -> Traced:
        return Traced(move(np.broadcast_to(np.float32(0), a.shape)).shape, self._tally)
