"""Identities between losses: what two spellings of one quantity may differ by, from what their formulas owe.

An identity holds for numbers, so the allowance is the running-error bounds of both sides, the distance of a
spelling's own definition from the exact one, and what rounding the inputs of the two sides leaves between them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from lossbench.judge.elements import STABLE_OWED, TIGHT_EPS
from lossbench.judge.oracle import evaluate
from lossbench.spec.formats import FORMATS, round_to
from lossbench.spec.loss import Loss

Reals = npt.NDArray[np.float64]


def _same(value: Reals) -> Reals:
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A loss on inputs. Unreduced unless `params` name a reduction."""

    loss: str
    arrays: Mapping[str, npt.ArrayLike]
    params: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def given(self, loss: Loss, dtype: str) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
        """Parameters, and the inputs rounded to the dtype."""
        arrays = {
            name: np.asarray(values, np.int32) if loss.inputs[name].integer else round_to(np.asarray(values), dtype)
            for name, values in self.arrays.items()
        }
        return {**loss.params, "reduction": "none", **self.params}, arrays


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """left = value(right), and where `grad` is given, gradient of left = grad(value, gradient of right)."""

    name: str
    left: Side
    right: Side
    value: Callable[[Reals], Any] = _same
    grad: Callable[[Reals, Reals], Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Value and gradient of one side."""

    value: Reals
    grad: Reals


@dataclass(frozen=True, slots=True, kw_only=True)
class Exactly:
    """One side from the oracle: its numbers, what its formula owes, and how far a definition lies from them."""

    numbers: Numbers
    owed: Numbers
    away: Numbers


def exactly(side: Side, loss: Loss, dtype: str, definition: str = "exact", *, eps_of: str = "") -> Exactly:
    """The oracle's answer. definition: what a spelling documents and may follow. eps_of: the dtype it computes in."""
    params, arrays = side.given(loss, dtype)
    exact = evaluate(loss, params, arrays, dtype)
    assert exact.grad is not None, "the oracle was asked for a gradient"
    numbers = _numbers(exact)
    computed_in = eps_of or dtype
    owed = Numbers(value=exact.value.owed(computed_in), grad=exact.grad.owed(computed_in))
    if definition == "exact" or definition not in {d.name for d in loss.definitions}:
        return Exactly(numbers=numbers, owed=owed, away=Numbers(value=0 * numbers.value, grad=0 * numbers.grad))
    defined = evaluate(loss, params, arrays, dtype, definition=definition)
    assert defined.grad is not None, "the oracle was asked for a gradient"
    other = _numbers(defined)
    return Exactly(
        numbers=numbers,
        owed=Numbers(
            value=np.maximum(owed.value, defined.value.owed(computed_in)),
            grad=np.maximum(owed.grad, defined.grad.owed(computed_in)),
        ),
        away=Numbers(value=np.abs(other.value - numbers.value), grad=np.abs(other.grad - numbers.grad)),
    )


def gap(identity: Identity, left: Numbers, right: Numbers, *, quantity: str) -> Reals:
    """How far an identity is from holding."""
    if quantity == "value":
        return np.abs(left.value - np.asarray(identity.value(right.value), np.float64))
    assert identity.grad is not None, "this identity says nothing of gradients"
    return np.abs(left.grad - np.asarray(identity.grad(right.value, right.grad), np.float64))


def allowed(identity: Identity, left: Exactly, right: Exactly, dtype: str, *, quantity: str) -> Reals:
    """What computing both sides may leave between them; the rounding of their inputs not included."""
    leaves = TIGHT_EPS * FORMATS[dtype].eps
    if quantity == "value":
        through = _moved(identity, right.numbers, right.owed, quantity)
        along = _moved(identity, right.numbers, right.away, quantity)
        return STABLE_OWED * (left.owed.value + through) + left.away.value + along + leaves * np.abs(left.numbers.value)
    through = _moved(identity, right.numbers, right.owed, quantity)
    along = _moved(identity, right.numbers, right.away, quantity)
    return STABLE_OWED * (left.owed.grad + through) + left.away.grad + along + leaves * np.abs(left.numbers.grad)


def _moved(identity: Identity, at: Numbers, by: Numbers, quantity: str) -> Reals:
    """How far the right-hand side moves when its numbers do."""
    if quantity == "value":
        moved = np.asarray(identity.value(at.value + by.value), np.float64)
        return np.asarray(np.abs(moved - np.asarray(identity.value(at.value))), np.float64)
    assert identity.grad is not None, "this identity says nothing of gradients"
    here = np.asarray(identity.grad(at.value, at.grad))
    by_value = np.abs(np.asarray(identity.grad(at.value + by.value, at.grad)) - here)
    return np.asarray(by_value + np.abs(np.asarray(identity.grad(at.value, at.grad + by.grad)) - here), np.float64)


def _numbers(exact: Any) -> Numbers:
    return Numbers(
        value=np.asarray(exact.value.rounded("float64"), np.float64),
        grad=np.asarray(exact.grad.rounded("float64"), np.float64),
    )
