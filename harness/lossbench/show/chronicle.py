"""The page of many runs: what changed and when, the trend of each cell that changed, and every other folded away."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from lossbench.judge import gate
from lossbench.judge.baseline import Baseline
from lossbench.judge.gate import Finding
from lossbench.judge.timing import Interval
from lossbench.record.frames import write_whole
from lossbench.show import format as fmt
from lossbench.show import page, trend
from lossbench.show.history import CHANGES, Step
from lossbench.show.summary import Answer
from lossbench.show.trend import Runs

DRAWN: Final = 60
"""Cells that changed and are drawn large; the others stand in the table."""
LISTED: Final = 1500


def write(runs: Runs, steps: Sequence[Step], out: Path, *, margin: float = gate.MARGIN) -> Path:
    """Write the page to a file. runs: the oldest first; steps: see `history.steps`."""
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, render(runs, steps, margin=margin).encode())
    return out


def render(runs: Runs, steps: Sequence[Step], *, margin: float = gate.MARGIN) -> str:
    """The page as text."""
    names, seen = [name for name, _ in runs], trend.points(runs)
    changed: dict[str, list[tuple[str, Finding]]] = {}
    for step in steps:
        for found in step.changes:
            changed.setdefault(f"{found.subject} {found.quantity}".strip(), []).append((step.run, found))
    whole = gate.compare(runs[0][1], runs[-1][1], margin=margin)
    slow = [f for f in whole.findings if f.outcome in CHANGES]
    cells = [_row(names, cell, at, changed) for cell, at in seen.items()]
    cells.sort(key=lambda row: -abs(math.log(row["sort"])))
    return page.stand_alone(
        "history.html",
        title="lossbench history",
        run_id="",
        names=names,
        answers=_answers(names, changed, slow),
        runs=[_run(step, before, after) for step, before, after in zip(steps, [None, *runs], runs, strict=False)],
        changed=[_change(names, what, found, seen) for what, found in list(changed.items())[:DRAWN]],
        left=max(len(changed) - DRAWN, 0),
        since_first=slow[:DRAWN],
        cells=cells[:LISTED],
        total=len(cells),
        size=(trend.WIDTH, trend.HEIGHT),
    )


def _answers(
    names: Sequence[str], changed: Mapping[str, Sequence[tuple[str, Finding]]], whole: Sequence[Finding]
) -> list[Answer]:
    worse = sum(f.outcome == "worse" for found in changed.values() for _, f in found)
    better = sum(f.outcome == "better" for found in changed.values() for _, f in found)
    first = (
        f"{len(changed)} cells changed surely from one run to the next: {worse} times for the worse, {better} for the "
        f"better, in {len({run for found in changed.values() for run, _ in found})} of {len(names)} runs."
        if changed
        else f"Nothing changed surely between any of the {len(names)} runs and the one before it."
    )
    bad = sum(f.outcome == "worse" for f in whole)
    second = (
        f"From the first run to the last {bad} are worse and {len(whole) - bad} better."
        if whole
        else "Nor is anything surely different between the first run and the last, as a slow drift would be."
    )
    return [
        Answer(
            question="What changed?", tone="bad" if worse or bad else "good",
            sentences=(first, second), href="#changed" if changed else "", more="Each with its trend",
        )
    ]  # fmt: skip


def _run(step: Step, before: tuple[str, Baseline] | None, after: tuple[str, Baseline]) -> dict[str, Any]:
    facts, was = after[1].facts, before[1].facts if before else {}
    moved = [f"{k} {was.get(k) or 'unknown'} → {v}" for k, v in sorted(facts.items()) if before and was.get(k) != v]
    return {
        "name": step.run,
        "commit": facts.get("commit.id", "")[:10],
        "moved": [text.removeprefix("version.") for text in moved if not text.startswith("commit.")],
        "compared": step.result.compared_verdicts + step.result.compared_times if step.result else None,
        **{name: step.result.counts[name] if step.result else 0 for name in (*CHANGES, "cannot_tell")},
    }


def _change(
    names: Sequence[str],
    what: str,
    found: Sequence[tuple[str, Finding]],
    seen: Mapping[str, list[Interval | None]],
) -> dict[str, Any]:
    cell = found[0][1].subject
    timed = any(f.topic == "timing" for _, f in found) and cell in seen
    return {
        "what": what,
        "found": found,
        "drawn": trend.drawn(names, seen[cell], [run for run, _ in found]) if timed else None,
    }


def _row(
    names: Sequence[str],
    cell: str,
    at: Sequence[Interval | None],
    changed: Mapping[str, Sequence[tuple[str, Finding]]],
) -> dict[str, Any]:
    known = [each for each in at if each]
    first, last = known[0], known[-1]
    return {
        "cell": cell,
        "drawn": trend.drawn(names, at, [run for run, _ in changed.get(cell, ())]),
        "first": fmt.ratio(first.median, first.low, first.high),
        "last": fmt.ratio(last.median, last.low, last.high),
        "change": fmt.ratio(last.median / first.median),
        "sort": last.median / first.median,
        "runs": len(known),
        "changes": len(changed.get(cell, ())),
    }
