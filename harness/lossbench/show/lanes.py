"""The section that holds two lanes of a run beside each other: a sentence, what differs, and the rest folded."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from lossbench.judge import between
from lossbench.judge.between import Answers, Side, Times
from lossbench.record.frames import Tables
from lossbench.show import format as fmt
from lossbench.show import marks
from lossbench.show.findings import worst_input
from lossbench.spec.errors import BadInput

EXPECTED: Final = "two of the run's lanes as backend/mode[/spelling], comma between them"


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What the template places. names: of the two lanes. differing, alike: rows of answers. times: rows of times."""

    names: tuple[str, str]
    sentences: tuple[str, ...]
    differing: tuple[Mapping[str, Any], ...]
    alike: tuple[str, ...]
    times: tuple[Mapping[str, Any], ...]
    undecided: tuple[Mapping[str, Any], ...]


def sides(text: str, cells: pd.DataFrame) -> tuple[Side, Side]:
    """The lanes that a user names: `torch/eager,jax/compiled`. BadInput, with the lanes there are."""
    known = _known(cells)
    names = [name.strip() for name in text.split(",") if name.strip()]
    found = [_side(name, known) for name in names]
    if len(found) != 2 or None in found or found[0] == found[1]:
        there = ", ".join(sorted({f"{backend}/{mode}" for backend, mode in known.values()})) or "none"
        raise BadInput(subject="--lanes", expected=EXPECTED, received=repr(text), remedy=f"this run has {there}")
    one, other = found
    assert one is not None
    assert other is not None
    return one, other


def of_two(cells: pd.DataFrame) -> tuple[Side, Side] | None:
    """The eager lanes of a run of two backends, which is asked how they differ; None for any other run."""
    eager = [Side(lane=lane, backend=b, mode=m) for lane, (b, m) in _known(cells).items() if m == "eager"]
    return (eager[0], eager[1]) if len(eager) == 2 and eager[0].backend != eager[1].backend else None


def _known(cells: pd.DataFrame) -> dict[str, tuple[str, str]]:
    lanes = cells[["lane", "backend", "mode"]].drop_duplicates("lane")
    return {str(lane): (str(backend), str(mode)) for lane, backend, mode in lanes.itertuples(index=False)}


def _side(name: str, known: Mapping[str, tuple[str, str]]) -> Side | None:
    """By lane id, or by backend, mode (eager if left out) and spelling; the first lane that fits."""
    backend, _, rest = name.partition("/")
    mode, _, binding = rest.partition("/")
    if backend in known:
        return Side(lane=backend, backend=known[backend][0], mode=known[backend][1], binding=rest)
    lane = next((lane for lane, pair in known.items() if pair == (backend, mode or "eager")), None)
    return Side(lane=lane, backend=backend, mode=mode or "eager", binding=binding) if lane else None


def of(
    tables: Tables, pair: tuple[Side, Side], documented: Mapping[tuple[str, str], str], titles: Mapping[str, str]
) -> Beside:
    """Everything the section says."""
    one, other = pair
    answers = between.answers(tables, one, other, documented)
    timed = between.times(tables, one, other, documented)
    unlike = [a for a in answers if a.alike < a.compared]
    sure = [t for t in timed if t.outcome != "undecided"]
    rows = tuple(_time_row(t, titles) for t in sorted(timed, key=lambda t: -abs(math.log(t.factor.median))))
    return Beside(
        names=(one.name, other.name),
        sentences=tuple(s for s in (_agree(one, other, answers), _speed(one, other, timed, sure)) if s),
        differing=tuple(_answer_row(a, (one.name, other.name), titles) for a in unlike),
        alike=tuple(dict.fromkeys(titles.get(a.loss, a.loss) for a in answers if a.alike == a.compared)),
        times=tuple(row for row in rows if row["outcome"] != "undecided"),
        undecided=tuple(row for row in rows if row["outcome"] == "undecided"),
    )


def _agree(one: Side, other: Side, answers: Sequence[Answers]) -> str:
    compared, alike = sum(a.compared for a in answers), sum(a.alike for a in answers)
    if not compared:
        return f"{one.name} and {other.name} answered nothing in common."
    losses, unlike = {a.loss for a in answers}, {a.loss for a in answers if a.alike < a.compared}
    first = (
        f"{one.name} and {other.name} get the same verdict on {fmt.count(alike)} of {fmt.count(compared)} answers "
        f"({fmt.percent(alike / compared)})"
    )
    taken = [a.between for a in answers if a.alike == a.compared and not math.isnan(a.between)]
    apart = f" Where they agree they are at most {fmt.ulps(max(taken))} ulp from each other." if taken else ""
    if not unlike:
        return f"{first}: no difference in {len(losses)} {_losses(len(losses))}, on the same inputs.{apart}"
    return f"{first} and differ in {len(unlike)} of {len(losses)} {_losses(len(losses))}, on the same inputs.{apart}"


def _losses(number: int) -> str:
    return "loss" if number == 1 else "losses"


def _speed(one: Side, other: Side, timed: Sequence[Times], sure: Sequence[Times]) -> str:
    if not timed:
        return ""
    slower = sum(t.outcome == "slower" for t in sure)
    middle = math.exp(float(np.median([math.log(t.factor.median) for t in timed])))
    return (
        f"{other.name} is faster in {len(sure) - slower} of {len(timed)} timed cases, slower in {slower}, undecided in "
        f"{len(timed) - len(sure)}; in the median it takes {fmt.ratio(middle)} the time of {one.name}."
    )


def _answer_row(found: Answers, names: Sequence[str], titles: Mapping[str, str]) -> dict[str, Any]:
    first, second = found.rows or ({}, {})
    return {
        "loss": found.loss, "title": titles.get(found.loss, found.loss), "quantity": found.quantity,
        "marks": tuple(marks.of(kind) for kind in found.classes), "conventions": found.conventions,
        "bindings": found.bindings, "ulp": found.ulp, "between": found.between,
        "unlike": found.compared - found.alike, "compared": found.compared, "where": found.where,
        "reasons": [
            (name, str(row["reason"]))
            for name, row in zip(names, found.rows or (), strict=False)
            if marks.of(str(row["class"])).severity
        ],
        "input": worst_input(second) or worst_input(first),
    }  # fmt: skip


def _time_row(found: Times, titles: Mapping[str, str]) -> dict[str, Any]:
    factor, interval = fmt.with_interval(found.factor.median, found.factor.low, found.factor.high)
    return {
        "loss": found.loss, "title": titles.get(found.loss, found.loss), "bindings": found.bindings,
        "what": "value with gradient" if found.operation == "grad" else "value",
        "inputs": found.case.partition("[")[2].rstrip("]"), "outcome": found.outcome,
        "seconds": found.seconds, "factor": factor, "interval": interval, "sort": found.factor.median,
    }  # fmt: skip
