"""What is to be evaluated: a formula with its parameters and inputs; as a whole, or a few rows of it.

Whether rows (or single elements) stand alone is found by trying: a small generated batch, evaluated
together and apart, has to give the same losses. The answer does not depend on the inputs of the case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from lossbench.judge.oracle import elementary as el
from lossbench.judge.oracle.attempt import Attempt, Undecided, working
from lossbench.judge.oracle.namespace import x
from lossbench.judge.oracle.operations import Array
from lossbench.judge.oracle.reals import Mask, Reals, as_wide
from lossbench.judge.oracle.reductions import Terms, reduce, terms
from lossbench.judge.oracle.tape import Cotangent, gradient, variable
from lossbench.spec import draw
from lossbench.spec.errors import BadInput
from lossbench.spec.loss import GENERIC_PARAMETERS, Formula, Loss

Arrays = Mapping[str, npt.NDArray[Any]]
Separable = Literal["element", "row", "batch"]
"""What stands alone: every element of the prediction, every row (first index), or nothing less than the batch."""

_TRIED_ROWS: Final = 5
WEIGHT: Final = "sample_weight"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """given: the inputs, `sample_weight` among them. wrt: the input to differentiate by, None for no gradient.
    per_row: the inputs that have an entry for every row."""

    loss: Loss
    reference: Formula
    given: Arrays
    options: Mapping[str, Any]
    reduction: str
    per_sample: Any
    wrt: str | None
    per_row: frozenset[str]

    @staticmethod
    def of(loss: Loss, params: Mapping[str, Any], arrays: Arrays, definition: str, wrt: str | None) -> Problem:
        """KeyError for an unknown definition."""
        given = {name: np.asarray(a) for name, a in arrays.items()}
        options = {**loss.params, **params}
        generic = {name: options.pop(name, None) for name in GENERIC_PARAMETERS}
        if generic[WEIGHT] is not None and WEIGHT not in given:
            given[WEIGHT] = np.asarray(generic[WEIGHT], dtype=np.float64)
        shape = given["y_pred"].shape
        rows = shape[:1]
        sliced = {name for name, domain in loss.inputs.items() if domain.extent not in ("square", "scalar")} | {WEIGHT}
        return Problem(
            loss=loss,
            reference=loss.definition(definition),
            given=given,
            options=options,
            reduction=generic["reduction"] or loss.reduction,
            per_sample=generic["per_sample"] if loss.unit == "element" else None,
            wrt=wrt,
            per_row=frozenset(name for name, a in given.items() if name in sliced and rows and a.shape[:1] == rows),
        )

    @property
    def rows(self) -> int:
        """How many rows the prediction has."""
        return int(self.given["y_pred"].shape[0])

    def at(self, rows: Any) -> Problem:
        """The same of some rows (an index, a mask or a slice)."""
        return self._with({name: a[rows] if name in self.per_row else a for name, a in self.given.items()})

    def flat(self) -> Problem:
        """The same with every element of the prediction in a row of its own."""
        shape = self.given["y_pred"].shape
        given = {name: a.reshape(-1) if a.shape == shape else a for name, a in self.given.items()}
        alike = frozenset(name for name, a in self.given.items() if a.shape == shape and name in self.per_row)
        return replace(self, given=given, per_row=alike)

    def _with(self, given: Arrays) -> Problem:
        return replace(self, given=given)

    def forward(self, shift: Reals | None = None) -> tuple[Terms, Array | None]:
        """The losses before they are reduced, and the leaf to differentiate by. Raises Undecided."""
        leaves = {name: _array(a, active=name == self.wrt) for name, a in self.given.items()}
        if shift is not None and self.wrt is not None:
            leaves[self.wrt] = variable(Array, el.add(leaves[self.wrt].value, shift))
        by = leaves.get(self.wrt) if self.wrt is not None else None
        weights = leaves.pop(WEIGHT, None)
        options = {name: _option(value, self.loss.params.get(name)) for name, value in self.options.items()}
        losses = self.reference(x, leaves.pop("y_true"), leaves.pop("y_pred"), **leaves, **options)
        return terms(x, losses, per_sample=self.per_sample, sample_weight=weights), by

    def once(self, shift: Reals | None = None, divide_by: Any = None) -> tuple[Array, Cotangent | None]:
        """The reduced loss and the gradient of its sum. Raises Undecided."""
        summands, by = self.forward(shift)
        out = reduce(x, summands, reduction=self.reduction, divide_by=divide_by)
        return out, None if by is None else gradient(out, by)

    def separable(self) -> Separable:
        """What stands alone."""
        shape = self.given["y_pred"].shape
        if not shape or not self._usual() or (self.wrt is not None and self.wrt not in self.per_row):
            return "batch"
        batch = self._generated((_TRIED_ROWS, *shape[1:]))
        plain = all(isinstance(value, str | int | float | None) for value in self.options.values())
        if set(self.given) - self.per_row or not plain:
            return _tried(batch)
        shapes = tuple((name, a.shape, a.dtype.kind) for name, a in sorted(batch.given.items()))
        options = tuple(sorted(self.options.items()))
        return _tried_once(_Trial(key=(self.reference, self.per_sample, options, shapes), batch=batch))

    def _usual(self) -> bool:
        shape = self.given["y_pred"].shape
        known = {name: domain for name, domain in self.loss.inputs.items() if name in self.given}
        return all(
            self.given[name].shape == draw.extent(domain, shape)
            for name, domain in known.items()
            if domain.extent in ("same", "rows", "labels") or name == "y_pred"
        )

    def _generated(self, shape: tuple[int, ...]) -> Problem:
        given = dict(self.given)
        for name in self.per_row:
            source = draw.Source(f"separable/{name}")
            size = (shape[0], *self.given[name].shape[1:])
            domain = self.loss.inputs.get(name)
            # two classes only, so that rows which are compared with those of their class find some
            classes = min(shape[-1], 2) if len(shape) < 3 else shape[-1]
            drawn = source.uniform(size) if domain is None else draw.typical(source, domain, size, classes)
            given[name] = drawn.astype(np.int32) if domain is not None and domain.integer else drawn
        return replace(self, given=given, wrt=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """A generated batch, known by what it was generated from."""

    key: tuple[Any, ...]
    batch: Problem = field(compare=False)


@lru_cache(maxsize=128)
def _tried_once(trial: _Trial) -> Separable:
    return _tried(trial.batch)


def _tried(batch: Problem) -> Separable:
    with working(Attempt(bits=128, last=True, carrier=np.float64)):
        together = _numbers(batch)
        if together is None or together.ndim == 0 or np.unique(together[np.isfinite(together)]).size < 2:
            return "batch"  # not reduced to rows, or nothing to see
        rows = [_numbers(batch.at(slice(i, i + 1))) for i in range(_TRIED_ROWS)]
        if not all(_same(together[i : i + 1], row) for i, row in enumerate(rows)):
            return "batch"
        full = all(batch.given[name].shape == batch.given["y_pred"].shape for name in batch.per_row)
        alone = _numbers(batch.flat()) if full else None
    return "element" if alone is not None and alone.ndim == 1 and _same(together.reshape(-1), alone) else "row"


def _numbers(problem: Problem) -> npt.NDArray[Any] | None:
    """Losses, and as imaginary parts the weights that a reduction divides by; None where the formula takes no
    inputs of these shapes, which says that it depends on them."""
    try:
        summands, _ = problem.forward()
    except (Undecided, BadInput, ValueError, IndexError, TypeError, KeyError, ZeroDivisionError):
        return None
    if summands.added is not None:  # what comes on top once may come from all rows
        return None
    losses = summands.losses
    middles = as_wide(losses.value, np.float64).mid.astype(np.float64)
    if summands.own is None:
        return np.asarray(middles)
    own = np.broadcast_to(summands.own.value.floats, losses.shape)
    return np.asarray(middles + 1j * own)


def _same(a: npt.NDArray[Any], b: npt.NDArray[Any] | None) -> bool:
    """Up to the order of additions."""
    return b is not None and a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-13, atol=0.0, equal_nan=True))


def differentiable(given: Arrays) -> list[str]:
    """The floating-point inputs."""
    return [name for name, a in given.items() if np.asarray(a).dtype.kind == "f"]


def open_elements(bar: Cotangent, at: npt.NDArray[Any]) -> Mask:
    """Where the chain rule gives no derivative at a number."""
    return np.asarray(np.isnan(bar.low.floats) & np.isfinite(at))


def _array(values: npt.NDArray[Any], *, active: bool) -> Any:
    """Integers stay numpy; floating-point inputs become exact arrays."""
    if values.dtype.kind in "iub":
        return values
    return variable(Array, Reals.of(values)) if active else Array(Reals.of(values))


def _option(value: Any, default: Any) -> Any:
    """Numbers that take part in the formula become exact; options (text, flags, axes) stay as they are."""
    if isinstance(value, bool | str) or value is None or isinstance(value, Array):
        return value
    if isinstance(value, float) or (
        isinstance(value, int) and isinstance(default, float) and not isinstance(default, bool)
    ):
        return Array(Reals.of(float(value)))
    if isinstance(value, np.ndarray):
        return Array(Reals.of(value)) if value.dtype.kind == "f" else value
    if isinstance(value, tuple) and all(type(item) is int for item in value):
        return value  # axes
    if isinstance(value, list | tuple) and _is_numeric(value):
        return Array(Reals.of(np.asarray(value, dtype=np.float64)))
    return value


def _is_numeric(values: Any) -> bool:
    """Whether a nested list holds numbers alone."""
    if isinstance(values, list | tuple):
        return all(_is_numeric(value) for value in values)
    return isinstance(values, int | float) and not isinstance(values, bool)
