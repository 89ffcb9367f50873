"""What somebody should look at, worst first: differences that rounding does not explain, and cells that broke.

Rows that tell the same story (one spelling, one class, one definition) are one finding with its worst row.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from lossbench.show import format as fmt
from lossbench.show import marks
from lossbench.show.marks import Mark
from lossbench.show.palette import order
from lossbench.show.shortly import shortly

BROKEN: Final = ("failed", "crashed", "timeout")
_GROUP: Final = ["loss", "backend", "binding", "class", "convention"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of what to look at. rows: how many rows of the tables it stands for. ulp: of the worst row."""

    mark: Mark
    loss: str
    backend: str
    binding: str
    convention: str
    quantities: tuple[str, ...]
    dtypes: tuple[str, ...]
    regimes: tuple[str, ...]
    modes: tuple[str, ...]
    rows: int
    ulp: float
    worst_input: str
    got: str
    expected: str
    reason: str
    cell: str


def differences(agreement: pd.DataFrame) -> list[Finding]:
    """Findings of the agreement table, worst first; rounding and kinks are none."""
    rows = agreement[agreement["against"] == "oracle"]
    rows = rows[rows["class"].map(lambda key: marks.of(key).severity > 1).astype(bool)]
    if rows.empty:
        return []
    size = rows["max_ulp"].abs().fillna(math.inf).to_numpy(np.float64)
    codes = rows.groupby(_GROUP, sort=False, dropna=False).ngroup().to_numpy()
    order = np.lexsort((-size, codes))
    starts = np.searchsorted(codes[order], np.arange(codes.max() + 1))
    groups = np.split(np.argsort(codes, kind="stable"), starts[1:])
    told = {name: rows[name].to_numpy(dtype=object) for name in ("quantity", "dtype", "regime", "lane")}
    found = [
        _difference({str(name): value for name, value in row.items()}, {name: told[name][own] for name in told})
        for row, own in zip(rows.iloc[order[starts]].to_dict("records"), groups, strict=True)
    ]
    return sorted(found, key=_badness)


def _badness(finding: Finding) -> tuple[Any, ...]:
    ulp = math.inf if math.isnan(finding.ulp) else abs(finding.ulp)
    return (-finding.mark.severity, -ulp, finding.loss, order(finding.backend), finding.binding)


def _difference(row: Mapping[str, Any], group: Mapping[str, Any]) -> Finding:
    """row: the worst. group: of all rows, what they have in some columns."""
    dtype, got, expected = str(row["dtype"]), float(row["got"]), float(row["expected"])
    return Finding(
        mark=marks.of(str(row["class"])),
        loss=str(row["loss"]),
        backend=str(row["backend"]),
        binding=str(row["binding"]),
        convention=str(row["convention"] or ""),
        quantities=tuple(sorted(set(group["quantity"]), reverse=True)),
        dtypes=tuple(sorted(set(group["dtype"]))),
        regimes=tuple(dict.fromkeys(group["regime"])),
        modes=tuple(dict.fromkeys(_mode(str(lane)) for lane in group["lane"])),
        rows=len(group["lane"]),
        ulp=float(row["max_ulp"]),
        worst_input=worst_input(row),
        got=fmt.apart(got, expected, dtype),
        expected=fmt.apart(expected, got, dtype),
        reason=str(row["reason"]),
        cell=str(row["cell"]),
    )


def _mode(lane: str) -> str:
    parts = lane.split("-")
    return parts[2] if len(parts) > 2 else lane


def worst_input(row: Any) -> str:
    """The input that attains the worst error, as text; empty where the row does not say."""
    given = row.get("worst_inputs", "")
    if isinstance(given, str) and given.strip() not in ("", "{}"):
        try:
            return ", ".join(f"{name} = {_plain(value)}" for name, value in json.loads(given).items())
        except (ValueError, AttributeError):
            return given
    pairs = (("target", row.get("worst_y_true")), ("prediction", row.get("worst_y_pred")))
    dtype = str(row.get("dtype", "float64"))
    return ", ".join(f"{name} = {fmt.value(float(v), dtype)}" for name, v in pairs if v is not None and pd.notna(v))


def _plain(value: Any) -> str:
    return fmt.value(value) if isinstance(value, float) else str(value)


def alike(found: Sequence[Finding]) -> list[tuple[Finding, ...]]:
    """Findings of one loss, class and definition together, whatever framework and spelling: the worst of each first."""
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for each in found:
        groups.setdefault((each.loss, each.mark.key, each.convention), []).append(each)
    return [tuple(same) for same in groups.values()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """Cells of one spelling and mode that have no result, and why. cells: how many."""

    mark: Mark
    loss: str
    backend: str
    binding: str
    modes: tuple[str, ...]
    dtypes: tuple[str, ...]
    cells: int
    reason: str


def absences(cells: pd.DataFrame) -> list[Absence]:
    """Every cell whose status is not ok, grouped by what it says, worst first."""
    rows = cells[cells["status"] != "ok"]
    found = [
        Absence(
            mark=marks.of(str(status)),
            loss=str(loss),
            backend=str(backend),
            binding=str(binding),
            modes=tuple(dict.fromkeys(group["mode"])),
            dtypes=tuple(sorted(set(group["dtype"]))),
            cells=len(group),
            reason=str(reason) or "no reason was recorded",
        )
        for (loss, backend, binding, status, reason), group in rows.groupby(
            ["loss", "backend", "binding", "status", "reason"], sort=False, dropna=False
        )
    ]
    return sorted(found, key=lambda a: (-a.mark.severity, a.loss, order(a.backend), a.binding))


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One reason for which cells of one backend broke, over all losses. reason: the whole of the first."""

    mark: Mark
    backend: str
    modes: tuple[str, ...]
    losses: tuple[str, ...]
    cells: int
    reason: str


def stories(missing: Sequence[Absence]) -> list[Story]:
    """What broke (failed, crashed, ran out of time), one line a reason, the commonest first."""
    told: dict[tuple[str, str, str], list[Absence]] = {}
    for each in missing:
        if each.mark.key in BROKEN:
            told.setdefault((each.mark.key, each.backend, shortly(each.reason)), []).append(each)
    found = [
        Story(
            mark=same[0].mark,
            backend=backend,
            modes=tuple(dict.fromkeys(mode for a in same for mode in a.modes)),
            losses=tuple(dict.fromkeys(a.loss for a in same)),
            cells=sum(a.cells for a in same),
            reason=same[0].reason,
        )
        for (_, backend, _), same in told.items()
    ]
    return sorted(found, key=lambda s: (-s.mark.severity, -s.cells, order(s.backend), s.reason))
