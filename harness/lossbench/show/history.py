"""Many runs one after the other: where something changed, by the gate's own decision between each and the one before.

A time is shown as its ratio to the neighbours of the same visits, never as bare seconds: those drift with the machine.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from lossbench.judge import gate
from lossbench.judge.baseline import Baseline
from lossbench.judge.gate import Finding, GateResult
from lossbench.show import format as fmt
from lossbench.show.plain import said

BLOCKS: Final = "▁▂▃▄▅▆▇█"
SHOWN: Final = 20
CHANGES: Final = ("worse", "better")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One run and what the gate says of it against the run before; None for the first."""

    run: str
    result: GateResult | None

    @property
    def changes(self) -> tuple[Finding, ...]:
        """What surely became worse or better here."""
        return tuple(f for f in self.result.findings if f.outcome in CHANGES) if self.result else ()


def steps(runs: Iterable[tuple[str, Baseline]], *, margin: float = gate.MARGIN) -> list[Step]:
    """Each run against the one before, the oldest first; only what both measured is compared."""
    return walk(runs, margin=margin)[1]


def walk(
    runs: Iterable[tuple[str, Baseline]], *, margin: float = gate.MARGIN
) -> tuple[list[tuple[str, Baseline]], list[Step]]:
    """The runs, each taken when the one before has been dealt with, and their steps.

    Verdicts are kept of the first run and of the last; of those between only the times, for the trends.
    """
    kept: list[tuple[str, Baseline]] = []
    found: list[Step] = []
    for name, after in runs:
        result = gate.compare(*_in_common(kept[-1][1], after), margin=margin) if kept else None
        found.append(Step(run=name, result=result))
        if len(kept) > 1:
            kept[-1] = kept[-1][0], replace(kept[-1][1], agreement=after.agreement.iloc[:0])
        kept.append((name, after))
    return kept, found


def _in_common(before: Baseline, after: Baseline) -> tuple[Baseline, Baseline]:
    """What speaks of cells that both have."""
    frames = zip((before.agreement, before.times), (after.agreement, after.times), strict=True)
    if all(one["cell"].equals(other["cell"]) for one, other in frames):  # two runs of one plan
        return before, after
    common = _cells(before) & _cells(after)
    return before.restricted(common), after.restricted(common)


def _cells(run: Baseline) -> set[str]:
    return {*run.agreement["cell"], *run.times["cell"]}


def trends(runs: Sequence[tuple[str, Baseline]], cells: Collection[str]) -> dict[str, list[float]]:
    """Cell -> its time over its neighbours' median, run by run; NaN where a run has not timed it."""
    found = {cell: [math.nan] * len(runs) for cell in cells}
    for place, (_, run) in enumerate(runs):
        times = run.times[run.times["cell"].isin(found)]
        for cell, ratios in zip(times["cell"], times["log_ratios"], strict=True):
            logs = np.asarray(ratios, dtype=np.float64)
            if np.isfinite(logs).any():
                found[cell][place] = float(np.exp(np.nanmedian(logs)))
    return found


def spark(values: Sequence[float]) -> str:
    """One character a value, on a logarithmic scale from the smallest to the largest; a dot for none."""
    logs = [math.log(v) if v > 0 else math.nan for v in values]
    known = [v for v in logs if math.isfinite(v)]
    low, width = (min(known), max(known) - min(known)) if known else (0.0, 0.0)
    return "".join(
        BLOCKS[round((len(BLOCKS) - 1) * ((v - low) / width if width else 0.0))] if math.isfinite(v) else "·"
        for v in logs
    )


def printed(runs: Sequence[tuple[str, Baseline]], found: Sequence[Step]) -> Group:
    """One line a run, then every change with the trend of its cell; what did not change is counted."""
    table = Table("run", "compared", "worse", "better", "cannot tell", box=None, pad_edge=False, header_style="bold")
    for step in found:
        if step.result is None:
            table.add_row(said(step.run), Text("the first", "dim"), "", "", "")
            continue
        counts = step.result.counts
        compared = fmt.count(step.result.compared_verdicts + step.result.compared_times)
        table.add_row(said(step.run), compared, *(str(counts[o]) for o in (*CHANGES, "cannot_tell")))
    changed = [(step, f) for step in found for f in step.changes]
    over_time = trends(runs, {f.subject for _, f in changed[:SHOWN]})
    rows = Table("since", "", "what", "trend", "change", "reason", box=None, pad_edge=False, header_style="bold")
    for step, f in changed[:SHOWN]:
        drawn = spark(over_time[f.subject]) if f.topic == "timing" else ""
        factor = fmt.ratio(f.change, f.change_low, f.change_high) if math.isfinite(f.change) else fmt.NOTHING
        colour = "red" if f.outcome == "worse" else "green"
        rows.add_row(
            said(step.run), Text(f.outcome, colour), said(f"{f.subject} {f.quantity}"), drawn, factor, said(f.reason)
        )
    left = len(changed) - SHOWN
    more = [Text(f"and {left} more: --json has all", "dim")] if left > 0 else []
    return Group(table, Text(""), *([rows] if changed else [Text("nothing changed")]), *more)
