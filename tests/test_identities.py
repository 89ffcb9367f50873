"""Identities between losses hold in every spelling of every framework, within what the formulas owe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from functools import cache

import numpy as np
import pytest

from identities import IDENTITIES
from lossbench.judge.identities import Exactly, Identity, Numbers, Side, allowed, exactly, gap
from lossbench.lanes.backends import backend_class
from lossbench.lanes.process import LaneProcess
from lossbench.spec import catalogue
from lossbench.spec.case import Lane
from lossbench.spec.loss import Binding, Loss

BACKENDS = ("tensorflow", "torch", "jax")
DTYPES = ("float64", "float32")
IN_SINGLE = ("tf.compat",)
"""Spellings that compute in float32 whatever they are given, as their documentation in the suites says."""

_CANCELS = "its gradient is delta less delta plus the error: digits are lost in proportion to delta"
_LARGE = "Huber with a large threshold is half the squared error"
_GCE = "generalised cross-entropy at q 1 is half the absolute error of a row"
EXCEPTIONS: dict[tuple[str, str, str], dict[str, str]] = {
    **{(_LARGE, "jax", dtype): {"optax": _CANCELS} for dtype in DTYPES},
    **{(_LARGE, "tensorflow", dtype): {"tf.compat": _CANCELS} for dtype in DTYPES},
    **{(_GCE, "tensorflow", dtype): {"keras": "Keras refuses q = 1"} for dtype in DTYPES},
}
"""(identity, backend, dtype) -> spellings that break it, and why; one that no longer does fails as well."""

KNOWN = catalogue.load()
NAMES = [identity.name for identity in IDENTITIES]


@pytest.fixture(scope="module")
def lanes() -> Iterator[Mapping[str, LaneProcess]]:
    with ExitStack() as stack:
        installed = [b for b in BACKENDS if backend_class(b).installed()]
        yield {backend: stack.enter_context(LaneProcess(Lane(backend=backend))) for backend in installed}


@cache
def _exact(place: int, left: bool, dtype: str, definition: str = "exact", eps_of: str = "") -> Exactly:
    side = IDENTITIES[place].left if left else IDENTITIES[place].right
    return exactly(side, KNOWN.find(side.loss), dtype, definition, eps_of=eps_of)


def _due(place: int, left: bool, dtype: str, binding: Binding) -> Exactly:
    return _exact(place, left, dtype, binding.definition, "float32" if binding.name in IN_SINGLE else "")


def _quantities(identity: Identity) -> tuple[str, ...]:
    return ("value",) if identity.grad is None else ("value", "grad")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("place", range(len(IDENTITIES)), ids=NAMES)
def test_the_identity_holds_exactly(place: int, dtype: str) -> None:
    """Of exact numbers, but for the rounding of inputs that are computed from others."""
    identity = IDENTITIES[place]
    left, right = (_exact(place, side, dtype) for side in (True, False))
    for quantity in _quantities(identity):
        found = gap(identity, left.numbers, right.numbers, quantity=quantity)
        assert (found <= allowed(identity, left, right, dtype, quantity=quantity)).all()


def _pairs(identity: Identity, backend: str) -> list[tuple[Binding, Binding]]:
    """Every spelling of either side, with the other side's spelling of the same name or its documented one."""
    lefts, rights = (KNOWN.find(side.loss).bindings_of(backend) for side in (identity.left, identity.right))
    if not lefts or not rights:
        return []
    named = ({b.name: b for b in lefts}, {b.name: b for b in rights})
    pairs = [(b, named[1].get(b.name, rights[0])) for b in lefts]
    return pairs + [(named[0].get(b.name, lefts[0]), b) for b in rights if (named[0].get(b.name), b) not in pairs]


def _asked(lane: LaneProcess, side: Side, loss: Loss, binding: Binding, dtype: str) -> Numbers | str:
    params, arrays = side.given(loss, dtype)
    answer = lane.answer_given(loss.name, binding.name, params, arrays, dtype, "grad")
    if answer.status == "unsupported":
        return "unsupported"
    if answer.status != "ok" or answer.value is None or answer.grad is None:
        return f"{binding.name} of {loss.name}: {answer.status}: {answer.reason}"
    return Numbers(value=np.asarray(answer.value, np.float64), grad=np.asarray(answer.grad, np.float64))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("place", range(len(IDENTITIES)), ids=NAMES)
def test_every_spelling_obeys(place: int, dtype: str, backend: str, lanes: Mapping[str, LaneProcess]) -> None:
    if backend not in lanes:
        pytest.skip(f"{backend} is not installed")
    identity = IDENTITIES[place]
    compared, broken = 0, dict[str, list[str]]()
    for mine, other in _pairs(identity, backend):
        left, right = (
            _asked(lanes[backend], side, KNOWN.find(side.loss), binding, dtype)
            for side, binding in ((identity.left, mine), (identity.right, other))
        )
        if isinstance(left, str) or isinstance(right, str):
            said = [found for found in (left, right) if isinstance(found, str) and found != "unsupported"]
            if said:
                broken.setdefault(mine.name, []).extend(said)
            continue
        compared += 1
        exact = _due(place, True, dtype, mine), _due(place, False, dtype, other)
        for quantity in _quantities(identity):
            found = gap(identity, left, right, quantity=quantity)
            inputs = gap(identity, exact[0].numbers, exact[1].numbers, quantity=quantity)
            limit = allowed(identity, *exact, dtype, quantity=quantity) + inputs
            if not (found <= limit).all():
                worst = float(np.max(np.nan_to_num(found / limit, nan=np.inf)))
                broken.setdefault(mine.name, []).append(f"{other.name}: {quantity} {worst:.3g} times what is allowed")
    assert set(broken) == set(EXCEPTIONS.get((identity.name, backend, dtype), {})), broken
    assert compared, "no spelling takes these parameters"
