"""Divergence maps: each loss over the plane of target and prediction, in ulps from the oracle and from each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lossbench.bench import curving
from lossbench.bench.together import threads
from lossbench.judge.elements import Known, compare, ulp_distance
from lossbench.judge.oracle import evaluate
from lossbench.judge.verdict import USUAL, Quantity
from lossbench.lanes.measurement import Answer
from lossbench.lanes.process import LaneProcess
from lossbench.show import curves
from lossbench.show import format as fmt
from lossbench.show.maps import PARTED_ULP
from lossbench.spec.errors import BadInput
from lossbench.spec.loss import Loss
from lossbench.spec.planes import POINTS, Plane, plane

LIMIT_SECONDS: Final = 60.0
EACH_OTHER: Final = ""
"""In place of a backend: all of them with each other."""

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One quantity of one backend over a plane. got, ulp: one number a place; of a row, where it is worst."""

    got: Reals
    ulp: Reals


def asked(
    losses: Sequence[Loss], dtypes: Sequence[str], lanes: Mapping[str, LaneProcess]
) -> dict[str, dict[tuple[str, str], Answer]]:
    """Backend -> (loss, dtype) -> what its documented spelling gives over the plane, each lane in a thread of its own.

    After the plane's rows come those of the loss's curve, where they fit: in JAX a call of another shape costs
    a new compilation of every operation, and rows cost nothing.
    """

    def through(lane: LaneProcess) -> dict[tuple[str, str], Answer]:
        found = {}
        for dtype in dtypes:
            for loss in losses:
                bindings, where = loss.bindings_of(lane.lane.backend), plane(loss, dtype)
                if bindings and where is not None:
                    arrays = {**where.arrays, **_with_curve(loss, where, dtype)}
                    params, name = {**loss.params, "reduction": "none"}, bindings[0].name
                    found[loss.name, dtype] = lane.answer_given(
                        loss.name, name, params, arrays, dtype, "grad", LIMIT_SECONDS
                    )
        return found

    with threads() as pool:
        return dict(zip(lanes, pool.map(through, lanes.values()), strict=True))


def curve_of(answer: Answer | None) -> Answer | None:
    """The part of an answer that belongs to the loss's curve; None where it was not asked along with the plane."""
    if answer is None or answer.value is None or answer.grad is None or len(answer.value) <= POINTS:
        return None
    return replace(answer, value=answer.value[POINTS:], grad=answer.grad[POINTS:])


def _with_curve(loss: Loss, where: Plane, dtype: str) -> dict[str, npt.NDArray[Any]]:
    curve = curves.inputs(loss) if dtype == curving.DTYPE else None
    if curve is None:
        return {}
    more = curving.arrays_of(loss, curve)
    if any(more[name].shape[1:] != values.shape[1:] for name, values in where.arrays.items()):
        return {}
    return {name: np.concatenate([values, more[name]]) for name, values in where.arrays.items()}


def measured(
    losses: Sequence[Loss],
    dtypes: Sequence[str],
    answers: Mapping[str, Mapping[tuple[str, str], Answer]],
    judge: Callable[[str, str, Mapping[str, Answer]], list[dict[str, Any]]],
    judges: Executor | None,
) -> Iterator[list[dict[str, Any]]]:
    """Rows of the maps table, a plane at a time. judge: from a loss's name, the dtype and each backend's answer.

    judges: where `judge` runs, here if None.
    """
    with threads(1) as here:
        pending = []
        for dtype in dtypes:
            for loss in losses:
                own = {b: every[loss.name, dtype] for b, every in answers.items() if (loss.name, dtype) in every}
                if own:
                    pending.append((judges or here).submit(judge, loss.name, dtype, own))
        for future in pending:
            yield future.result()


def rows(loss: Loss, dtype: str, answers: Mapping[str, Answer]) -> list[dict[str, Any]]:
    """One row a backend and quantity, and one a quantity for the backends with each other."""
    where = plane(loss, dtype)
    assert where is not None, "only what has a plane is asked for"
    arrays = {name: values[: where.size] for name, values in where.arrays.items()}
    try:
        exact = evaluate(loss, {**loss.params, "reduction": "none"}, arrays, dtype, by_arrays=True)
    except BadInput:  # nothing decides a number there: the agreement table says so of each case
        return []
    assert exact.grad is not None, "the oracle was asked for a gradient"
    found = []
    for quantity, source in zip(USUAL, (exact.value, exact.grad), strict=True):
        known, seen = Known.of(source, dtype), {}
        for backend, answer in answers.items():
            got = _quantity(answer, quantity)
            if answer.status != "ok" or got is None or got[: where.size].shape != source.shape:
                continue
            seen[backend] = _seen(np.asarray(got, np.float64)[: where.size], known, where)
            binding, ulp = loss.bindings_of(backend)[0].name, seen[backend].ulp
            at, truth = _farthest(where, ulp), _worst_of_rows(known.rounded, known.rounded, where)
            reason = _from_exact(where, ulp, at, float(seen[backend].got[at]), float(truth[at]))
            found.append(_row(loss, backend, binding, dtype, quantity, where, ulp, at, reason))
        if len(seen) > 1:
            raw = {b: np.asarray(_quantity(answers[b], quantity))[: where.size] for b in seen}
            everywhere = _apart(list(raw.values()), dtype)
            apart = _worst_of_rows(everywhere, everywhere, where)
            at = _farthest(where, apart)
            gave = {b: float(_worst_of_rows(got, everywhere, where)[at]) for b, got in raw.items()}
            found.append(
                _row(loss, EACH_OTHER, "", dtype, quantity, where, apart, at, _from_each_other(where, apart, at, gave))
            )
    return found


def _quantity(answer: Answer, quantity: Quantity) -> npt.NDArray[np.floating] | None:
    return answer.value if quantity == "value" else answer.grad


def _seen(got: Reals, known: Known, where: Plane) -> Seen:
    compared = compare(got, known, nan_inputs=False)
    nothing_right = compared.undefined & np.isnan(got)
    ulp = np.where(nothing_right, -1.0, compared.ulp)
    worst = _worst_of_rows(ulp, ulp, where)
    return Seen(got=_worst_of_rows(got, ulp, where), ulp=np.where(worst < 0, np.nan, worst))


def _worst_of_rows(values: Reals, by: Reals, where: Plane) -> Reals:
    """One number a place: of a row's numbers the one with the largest `by`."""
    if values.ndim == 1:
        return values
    chosen = by.reshape(where.size, -1).argmax(axis=1)
    return np.asarray(values.reshape(where.size, -1)[np.arange(where.size), chosen])


def _apart(outputs: Sequence[npt.NDArray[Any]], dtype: str) -> Reals:
    """The largest distance between any two, each number alone; two NaN are not apart."""
    largest = np.zeros(np.shape(outputs[0]))
    for a, b in combinations(outputs, 2):
        largest = np.maximum(largest, np.where(np.isnan(a) & np.isnan(b), 0.0, ulp_distance(a, b, dtype)))
    return largest


def _farthest(where: Plane, ulp: Reals) -> int:
    """Of the places with the largest distance, the one whose coordinates are nearest to 1 in magnitude."""
    far = np.nan_to_num(ulp, nan=-1.0, posinf=np.inf)
    with np.errstate(divide="ignore"):
        odd = [np.minimum(np.abs(np.log10(np.abs(axis))), 400.0) for axis in (where.x, where.y)]
    unusual = (odd[1][:, None] + odd[0][None, :]).ravel()
    return int(np.lexsort((unusual, -far))[0])


def _row(
    loss: Loss, backend: str, binding: str, dtype: str, quantity: Quantity, where: Plane, ulp: Reals, at: int, why: str
) -> dict[str, Any]:
    y, x = divmod(at, len(where.x))
    return {
        "loss": loss.name, "backend": backend, "binding": binding, "dtype": dtype, "quantity": quantity,
        "x_name": where.x_name, "y_name": where.y_name, "fixed": where.fixed,
        "x": where.x.tolist(), "y": where.y.tolist(), "ulp": [float(f"{u:.2g}") for u in ulp.tolist()],
        "at_x": float(where.x[x]), "at_y": float(where.y[y]), "reason": why,
    }  # fmt: skip


def _from_exact(where: Plane, ulp: Reals, at: int, got: float, exact: float) -> str:
    far = float(ulp[at])
    if not far > PARTED_ULP:
        return f"nowhere more than {fmt.ulps(far)} ulp from exact"
    beyond = f"more than {PARTED_ULP} ulp from exact on {_share(ulp)} of the plane"
    return f"{beyond}, farthest at {_place(where, at)}: {got:g}, exact {exact:g}"


def _from_each_other(where: Plane, apart: Reals, at: int, gave: Mapping[str, float]) -> str:
    far = float(apart[at])
    if not far > PARTED_ULP:
        return f"nowhere more than {fmt.ulps(far)} ulp apart" if far else "the same everywhere"
    each = ", ".join(f"{backend} {value:g}" for backend, value in gave.items())
    return f"more than {PARTED_ULP} ulp apart on {_share(apart)} of the plane, farthest at {_place(where, at)}: {each}"


def _share(ulp: Reals) -> str:
    return fmt.percent(float(np.mean(np.nan_to_num(ulp, nan=0.0, posinf=np.inf) > PARTED_ULP)))


def _place(where: Plane, at: int) -> str:
    y, x = divmod(at, len(where.x))
    return f"{where.x_name} {where.x[x]:g}, {where.y_name} {where.y[y]:g}"
