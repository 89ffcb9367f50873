"""Which rows of a batch are wrong, sorted by what came out and by which known definition explains it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lossbench.bench.hunting.finds import coarse, region
from lossbench.bench.hunting.lanes import NO_RESULT
from lossbench.bench.hunting.witness import Witness
from lossbench.judge.elements import STABLE_OWED, Comparison, compare
from lossbench.judge.reference import Reference
from lossbench.judge.verdict import Quantity
from lossbench.lanes.measurement import Answer
from lossbench.spec.loss import Binding

LOOKED_AT: Final = 96
"""Wrong rows of one answer that are examined one by one, spread over the kinds of outcome."""
WORST_KEPT: Final = 8

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """A row that seems wrong. kind: outcome, definition that fits (or empty), region; equal kinds need one look."""

    row: int
    kind: tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one answer shows of one quantity. worst: rows with the largest errors, wrong or not, to search around."""

    suspects: tuple[Suspect, ...]
    worst: tuple[int, ...]


def look(witness: Witness, reference: Reference, answer: Answer, quantity: Quantity, binding: Binding) -> Seen | None:
    """None where there is nothing to compare: no answer, another shape, no exact result."""
    computed = answer.value if quantity == "value" else answer.grad
    if answer.status != "ok" or computed is None or computed.dtype.kind != "f":
        return None
    try:
        known = reference.quantity(quantity)
    except NO_RESULT:
        return None
    if np.shape(computed) != known.exact.shape or not known.exact.ndim:
        return None
    seen = compare(computed, known, nan_inputs=reference.nan_inputs)
    wrong = np.flatnonzero(_by_row(seen.wrong & ~(seen.undefined & np.isnan(seen.got))))
    with np.errstate(all="ignore"):
        error = np.abs(seen.got - known.exact) / (STABLE_OWED * known.owed)
        error = np.where(np.isfinite(error), error, 0.0)
    largest = error.reshape(len(error), -1).max(axis=1) if error.size else np.zeros(0)
    worst = tuple(int(i) for i in np.argsort(-largest, kind="stable")[:WORST_KEPT] if largest[i] > 0)
    if not wrong.size:
        return Seen(suspects=(), worst=worst)
    outcomes = {int(row): _outcome(seen, int(row)) for row in wrong[: 40 * LOOKED_AT]}
    chosen = _spread(outcomes)
    named = _conventions(witness, reference, computed, quantity, binding, chosen)
    suspects = tuple(Suspect(row=row, kind=(outcomes[row], named[row], region(witness.at([row])))) for row in chosen)
    return Seen(suspects=suspects, worst=worst)


def _by_row(mask: Mask) -> Mask:
    return np.asarray(mask.reshape(len(mask), -1).any(axis=1))


def _outcome(seen: Comparison, row: int) -> str:
    at = np.flatnonzero(seen.wrong[row].ravel())[0]
    return coarse(float(seen.got[row].ravel()[at]), float(seen.expected[row].ravel()[at]))


def _spread(outcomes: Mapping[int, str]) -> list[int]:
    """Rows of each outcome in turn, until enough are chosen."""
    groups: dict[str, list[int]] = {}
    for row, kind in outcomes.items():
        groups.setdefault(kind, []).append(row)
    each = max(1, LOOKED_AT // len(groups))
    chosen = []
    for rows in groups.values():
        step = max(1, len(rows) // each)
        chosen += rows[::step][:each]
    return chosen


def _conventions(
    witness: Witness, reference: Reference, computed: npt.NDArray[Any], quantity: Quantity, binding: Binding,
    rows: list[int],
) -> dict[int, str]:  # fmt: skip
    """For each row the definition that fits it, or an empty text."""
    named = dict.fromkeys(rows, "")
    names = [d.name for d in witness.loss.definitions_in(witness.dtype)]
    names.sort(key=lambda name: name != binding.definition)
    part = witness.at(rows)
    apart = Reference(
        loss=witness.loss, params=witness.all_params, arrays=part.arrays, dtype=witness.dtype, grad=True,
        evaluate=reference.evaluate,
    )  # fmt: skip
    for name in names:
        if all(named.values()):
            break
        for row, fits in zip(rows, _fitting(apart, computed[rows], quantity, name), strict=True):
            named[row] = named[row] or (name if fits else "")
    return named


def _fitting(reference: Reference, computed: npt.NDArray[Any], quantity: Quantity, name: str) -> Iterator[bool]:
    try:
        known = reference.quantity(quantity, name)
    except NO_RESULT:
        return iter([False] * len(computed))
    if known.exact.shape != computed.shape:
        return iter([False] * len(computed))
    fit = compare(computed, known, nan_inputs=reference.nan_inputs)
    return iter((~_by_row(~fit.tight)).tolist())
