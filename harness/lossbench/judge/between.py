"""Two lanes of one run beside each other: what they answer differently on the same inputs, and which takes longer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from lossbench.judge.timing import Interval, by_visit, ratio, visits
from lossbench.judge.verdict import SEVERITY
from lossbench.record.frames import Tables

KEY: Final = ["loss", "case", "operation", "quantity"]
HELD: Final = [*KEY, "dtype", "regime", "class", "convention", "max_ulp", "worst_inputs", "got", "expected", "reason"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two. lane: as in the tables. binding: empty for each loss's documented spelling."""

    lane: str
    backend: str
    mode: str
    binding: str = ""

    @property
    def name(self) -> str:
        """As a user writes it: `torch/eager`, `torch/eager/formula`."""
        return "/".join(part for part in (self.backend, self.mode, self.binding) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """One loss and quantity on both sides.

    compared: answers of the same case that both have; alike: those with the same class and convention. classes: the
    worst on each side where they differ (where they do not, the worst of all). ulp: worst distance from exact on each
    side. between: largest distance of the two from each other, NaN where the run did not take it. where: kinds of
    inputs and dtypes on which they differ. rows: the two rows of the worst difference.
    """

    loss: str
    quantity: str
    bindings: tuple[str, str]
    compared: int
    alike: int
    classes: tuple[str, str]
    conventions: tuple[str, str]
    ulp: tuple[float, float]
    between: float
    where: tuple[str, ...]
    rows: tuple[Mapping[str, Any], Mapping[str, Any]] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """One timed case. factor: time of the second over the first, paired by visit, with its interval."""

    loss: str
    case: str
    operation: str
    bindings: tuple[str, str]
    seconds: tuple[float, float]
    factor: Interval

    @property
    def outcome(self) -> str:
        """slower or faster (the second than the first) where the interval rules out that both take the same."""
        if self.factor.low > 1:
            return "slower"
        return "faster" if self.factor.high < 1 else "undecided"


def answers(tables: Tables, one: Side, other: Side, documented: Mapping[tuple[str, str], str]) -> list[Answers]:
    """One entry per loss and quantity that both sides answered, in the order of the table."""
    exact = tables.agreement[(tables.agreement["against"] == "oracle") & (tables.agreement["class"] != "")]
    first, second = (_of(exact, side, documented)[[*HELD, "binding"]] for side in (one, other))
    both = first.merge(second, on=KEY, suffixes=("", "_2"))
    direct = _direct(tables.agreement, one, other)
    both["between"] = [direct.get(key, math.nan) for key in zip(*(both[k] for k in _FAR), strict=True)]
    found = [_answers(group) for _, group in both.groupby(["loss", "quantity"], sort=False)]
    return sorted(found, key=lambda a: (a.alike == a.compared, -_gap(a), a.loss, a.quantity != "value"))


_FAR: Final = ["case", "operation", "quantity", "binding", "binding_2"]


def _of(rows: pd.DataFrame, side: Side, documented: Mapping[tuple[str, str], str]) -> pd.DataFrame:
    here = rows[rows["lane"] == side.lane]
    wanted = [side.binding or documented.get((loss, side.backend), "") for loss in here["loss"]]
    return here[here["binding"] == pd.Series(wanted, index=here.index, dtype=object)]


def _direct(rows: pd.DataFrame, one: Side, other: Side) -> dict[tuple[object, ...], float]:
    """(case, operation, quantity, first binding, second binding) -> largest distance in ulp, where it was taken."""
    found: dict[tuple[object, ...], float] = {}
    beside = rows[rows["against"] != "oracle"]
    columns = ["lane", "binding", "against", "case", "operation", "quantity", "max_ulp"]
    for lane, binding, against, *at, ulp in beside[columns].itertuples(index=False):
        lane_2, _, binding_2 = str(against).rpartition("/")
        if (lane, lane_2) == (one.lane, other.lane):
            found[*at, binding, binding_2] = float(ulp)
        elif (lane, lane_2) == (other.lane, one.lane):
            found[*at, binding_2, binding] = float(ulp)
    return found


def _answers(group: pd.DataFrame) -> Answers:
    unlike = (group["class"] != group["class_2"]) | (group["convention"] != group["convention_2"])
    shown = group[unlike] if unlike.any() else group
    badness = shown[["class", "class_2"]].apply(lambda kinds: kinds.map(SEVERITY)).fillna(0).max(axis=1)
    worst = shown.loc[badness.idxmax()]
    first, second = ({name: worst[name + end] for name in HELD[6:]} for end in ("", "_2"))
    return Answers(
        loss=str(worst["loss"]),
        quantity=str(worst["quantity"]),
        bindings=(str(worst["binding"]), str(worst["binding_2"])),
        compared=len(group),
        alike=int((~unlike).sum()),
        classes=(str(first["class"]), str(second["class"])),
        conventions=(str(first["convention"] or ""), str(second["convention"] or "")),
        ulp=(float(shown["max_ulp"].abs().max()), float(shown["max_ulp_2"].abs().max())),
        between=float(shown["between"].max()),
        where=tuple(dict.fromkeys(f"{r} {d}" for r, d in zip(shown["regime"], shown["dtype"], strict=True)))
        if unlike.any()
        else (),
        rows=(first, second) if unlike.any() else None,
    )


def _gap(found: Answers) -> int:
    return max(SEVERITY.get(kind, 0) for kind in found.classes)


def times(tables: Tables, one: Side, other: Side, documented: Mapping[tuple[str, str], str]) -> list[Times]:
    """One entry per case and operation that both sides timed in the same visits, the largest slowdown first."""
    if tables.measurements.empty:
        return []
    seen = visits(tables.measurements)
    first, second = (_of(seen, side, documented) for side in (one, other))
    pairs = first.drop_duplicates("cell").merge(
        second.drop_duplicates("cell"), on=["loss", "case", "operation", "group"], suffixes=("", "_2")
    )
    members = dict(list(seen.groupby("group", sort=False)))
    found = []
    columns = ["loss", "case", "operation", "binding", "binding_2", "cell", "cell_2", "group"]
    for loss, case, operation, binding, binding_2, cell, cell_2, group in pairs[columns].itertuples(index=False):
        logs, medians = by_visit(members[group]), members[group].groupby("cell")["seconds"].median()
        found.append(
            Times(
                loss=str(loss), case=str(case), operation=str(operation), bindings=(str(binding), str(binding_2)),
                seconds=(float(medians[cell]), float(medians[cell_2])), factor=ratio(logs, str(cell_2), str(cell)),
            )
        )  # fmt: skip
    return sorted(found, key=lambda t: -t.factor.median)
