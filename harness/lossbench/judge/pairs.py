"""Backends of the same case with each other: how far apart what they computed is, whatever is right."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Final

import numpy as np

from lossbench.judge.elements import TIGHT_EPS, ulp_distance
from lossbench.judge.verdict import Quantity, Verdict
from lossbench.lanes.measurement import Answer
from lossbench.spec.formats import FORMATS

QUANTITIES: Final[Mapping[str, tuple[Quantity, ...]]] = {
    "grad": ("value", "grad"), "grad_target": ("grad_target",), "jvp": ("jvp",),
}  # fmt: skip
"""What two answers are compared in, by operation; else the value."""


def pairwise(answers: Mapping[str, Answer], dtype: str) -> list[Verdict]:
    """Backends with each other: the first answer of each backend and operation, summarised by its largest distance."""
    first: dict[tuple[str, str], str] = {}
    for cell, answer in answers.items():
        if answer.status == "ok" and answer.value is not None:
            place = cell.rpartition("@")[2]
            first.setdefault((place.rpartition(":")[2], place.partition("-")[0]), cell)
    found = []
    for ((operation, backend), cell), ((other_operation, other_backend), other) in combinations(first.items(), 2):
        if operation == other_operation and backend != other_backend:
            asked = QUANTITIES.get(operation, ("value",))
            found += [pair for quantity in asked if (pair := _pair(cell, other, answers, quantity, dtype))]
    return found


def _pair(cell: str, other: str, answers: Mapping[str, Answer], quantity: Quantity, dtype: str) -> Verdict | None:
    return between(answers[cell], answers[other], quantity, dtype, cell=cell, other=other)


def between(before: Answer, after: Answer, quantity: Quantity, dtype: str, *, cell: str, other: str) -> Verdict | None:
    """Two answers in one quantity, by their largest distance; none where they have no common floats to compare."""
    a, b = (answer.value if quantity == "value" else answer.grad for answer in (before, after))
    if a is None or b is None or a.shape != b.shape or a.dtype.kind != "f" or b.dtype.kind != "f":
        return None
    against = other.rpartition("@")[2].rpartition(":")[0]
    if not a.size:
        return Verdict(cell=cell, quantity=quantity, against=against, verdict="tight", klass="", reason="both empty")
    ulp = ulp_distance(a, b, dtype)
    worst = np.unravel_index(int(ulp.argmax()), ulp.shape)
    with np.errstate(all="ignore"):
        relative = np.where(a == b, 0.0, np.abs(a.astype(np.float64) - b) / np.maximum(np.abs(a), np.abs(b)))
    max_rel = float(np.nan_to_num(relative, nan=np.inf).max())
    close = max_rel <= TIGHT_EPS * FORMATS[dtype].eps or float(ulp.max()) <= 1
    return Verdict(
        cell=cell, quantity=quantity, against=against, verdict="tight" if close else "differs", klass="",
        max_ulp=float(ulp.max()), median_ulp=float(np.median(ulp)), max_rel=max_rel,
        worst_index=",".join(map(str, worst)), got=float(a[worst]), expected=float(b[worst]),
        reason=f"largest distance {ulp.max():.4g} ulp: {float(a[worst]):.9g} against {float(b[worst]):.9g}",
    )  # fmt: skip
