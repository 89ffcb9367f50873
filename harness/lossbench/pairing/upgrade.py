"""Did anything change between two interpreters: every value and gradient of the quick profile, bit by bit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lossbench.judge.pairs import QUANTITIES, between
from lossbench.judge.verdict import Verdict
from lossbench.lanes.measurement import Answer
from lossbench.lanes.process import LaneLost, LaneProcess
from lossbench.lanes.replicate import same
from lossbench.lanes.turns import useless
from lossbench.pairing import cores
from lossbench.spec.case import Cell, Lane


@dataclass(slots=True, kw_only=True)
class Upgrade:
    """compared: values and gradients. same: those whose bits are. moved: the others, the largest distance first.

    turned: cells with an answer on one side only, or failing otherwise, with both reasons.
    """

    compared: int = 0
    same: int = 0
    moved: list[Verdict]
    turned: list[str]


def agreement(cells: Sequence[Cell], pythons: tuple[str, str], suites: Sequence[Path], builtin: bool) -> Upgrade:
    """Answers of base and head to every cell, compared. BadInput where an interpreter cannot serve."""
    found = Upgrade(moved=[], turned=[])
    by_lane: dict[Lane, list[Cell]] = {}
    for cell in cells:
        by_lane.setdefault(cell.lane, []).append(cell)
    gathered: dict[Lane, list[tuple[Cell, Answer, Answer]]] = {}

    def step(lane: Lane, core: int) -> bool:  # noqa: ARG001 - answers may be computed anywhere
        gathered[lane] = list(_answers(lane, by_lane[lane], pythons, suites, builtin))
        return False

    cores.shared(by_lane, step, cores.allowed()[: len(by_lane)])
    for lane in by_lane:
        for cell, before, after in gathered[lane]:
            _compare(found, cell, before, after)
    found.moved.sort(key=lambda verdict: -verdict.max_ulp)
    return found


def _answers(
    lane: Lane, cells: Sequence[Cell], pythons: tuple[str, str], suites: Sequence[Path], builtin: bool
) -> Iterator[tuple[Cell, Answer, Answer]]:
    with ExitStack() as stack:
        sides = [
            stack.enter_context(LaneProcess(replace(lane, interpreter=python), suites, builtin=builtin))
            for python in pythons
        ]
        for side in sides:
            try:
                side.ready()
            except LaneLost as lost:
                raise useless(side.lane, lost.reason) from lost
        for cell in cells:
            before, after = (side.answer(cell) for side in sides)
            yield cell, before, after


def _compare(found: Upgrade, cell: Cell, before: Answer, after: Answer) -> None:
    if before.status != "ok" or after.status != "ok":
        if (before.status, before.reason) != (after.status, after.reason):
            words = " -> ".join(f"{a.status}{': ' + a.reason if a.reason else ''}" for a in (before, after))
            found.turned.append(f"{cell.id}: {words}")
        return
    asked = QUANTITIES.get(cell.operation, ("value",))
    found.compared += len(asked)
    if before.result_dtype != after.result_dtype:
        found.turned.append(f"{cell.id}: result {before.result_dtype} -> {after.result_dtype}")
    if same(before, after):
        found.same += len(asked)
        return
    before, after = _without_common_nan(before, after)
    for quantity in asked:
        verdict = between(before, after, quantity, cell.case.dtype, cell=cell.id, other="head")
        if verdict is None:
            found.turned.append(f"{cell.id}: {quantity} has another shape or type")
        elif verdict.max_ulp > 0:
            found.moved.append(verdict)
        else:
            found.same += 1


def _without_common_nan(before: Answer, after: Answer) -> tuple[Answer, Answer]:
    """Both with 0 where both were NaN: what was undefined and still is has not moved."""
    parts: dict[str, tuple[Any, Any]] = {}
    for name in ("value", "grad"):
        old, new = getattr(before, name), getattr(after, name)
        if old is not None and new is not None and old.shape == new.shape and {old.dtype.kind, new.dtype.kind} == {"f"}:
            common = np.isnan(old) & np.isnan(new)
            old, new = np.where(common, 0, old), np.where(common, 0, new)
        parts[name] = old, new
    olds, news = ({name: pair[side] for name, pair in parts.items()} for side in (0, 1))
    return replace(before, **olds), replace(after, **news)
