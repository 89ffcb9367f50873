"""Did anything get worse: verdicts compared exactly, times as ratios between neighbours, never as bare seconds.

Exit status 0: nothing worse. 1: something is, each with numbers and a reason. 2: cannot tell, and why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from lossbench.judge import counts, moves, ordered
from lossbench.judge.baseline import MACHINE, PACKAGES, Baseline, distil, load, of
from lossbench.judge.moves import Moves
from lossbench.judge.verdict import rank
from lossbench.record.frames import Tables

__all__ = ["MARGIN", "Finding", "GateResult", "compare", "distil", "load_baseline"]

MARGIN: Final = 0.25
"""Default for runs recorded apart: separate processes differ by 18 to 38% (robust SD) where nothing has changed."""

SMALLEST_EFFECT: Final = 0.01
JOINT_CONFIDENCE: Final = 0.975
"""Of each run's interval, so that the two together hold with 95% (Bonferroni)."""

NAMED: Final = 12
"""So many cells are named one by one; the rest are counted."""

KEY: Final = ["cell", "quantity"]
JUDGED: Final = ("verdict", "class", "convention")

Outcome = Literal["worse", "better", "inconclusive", "cannot_tell", "new"]
Topic = Literal["agreement", "timing", "work", "machine", "versions", "cells"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that the gate says. before, after: verdicts, or ratios to the neighbours in the same visits.

    change, change_low, change_high: after over before, with its interval (timing only).
    """

    outcome: Outcome
    topic: Topic
    subject: str
    quantity: str = ""
    before: str = ""
    after: str = ""
    change: float = np.nan
    change_low: float = np.nan
    change_high: float = np.nan
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """What a gate decides. smallest_change: the slowdown, as a fraction, that half of the cells would have shown.

    spread: robust SD over all cells of the logarithm by which they moved between the runs; nan where they are few.
    """

    exit_status: int
    findings: tuple[Finding, ...]
    compared_verdicts: int
    compared_times: int
    smallest_change: float
    spread: float = np.nan
    compared_counts: int = 0

    @property
    def counts(self) -> Counter[str]:
        """How many findings of each outcome."""
        return Counter(found.outcome for found in self.findings)


def load_baseline(path: Path) -> Baseline:
    """A committed baseline folder. RunDamaged where it cannot be read."""
    return load(path)


def compare(
    baseline: Baseline | Tables,
    run: Baseline | Tables,
    *,
    margin: float = MARGIN,
    strict: bool = False,
    topics: Iterable[Literal["agreement", "timing", "work"]] = ("agreement", "timing", "work"),
) -> GateResult:
    """Compare a run with a baseline.

    margin: the slowdown, as a fraction, that matters. strict: timings that stay undecided give 2.
    topics: without `timing`, unlike machines do not matter; without `agreement`, verdicts do not. Verdicts are
    compared exactly; between unlike machines, whose vector units round differently, by class and convention.
    """
    base = baseline if isinstance(baseline, Baseline) else of(baseline)
    head = run if isinstance(run, Baseline) else of(run)
    asked = frozenset(topics)
    findings: list[Finding] = []
    verdicts = times = 0
    smallest = spread = np.nan
    if "agreement" in asked:
        same_machine = all(base.facts.get(key) == head.facts.get(key) for key in MACHINE)
        found, verdicts = _agreement(base.agreement, head.agreement, levels=same_machine)
        findings += found
    if "timing" in asked:
        unlike = _unlike(base.facts, head.facts)
        findings += unlike
        if not unlike:
            found, times, smallest, spread = _timing(base.times, head.times, margin)
            findings += found
    counted = 0
    if "work" in asked and not any(found.topic == "machine" for found in _unlike(base.facts, head.facts)):
        more, counted = counts.changes(base.counts, head.counts)
        findings += [Finding(**each) for each in more]
    outcomes = {found.outcome for found in findings}
    undecided = (
        "cannot_tell" in outcomes or (strict and "inconclusive" in outcomes) or not (verdicts or times or counted)
    )
    status = 1 if "worse" in outcomes else 2 if undecided else 0
    order = {"worse": 0, "cannot_tell": 1, "inconclusive": 2, "better": 3, "new": 4}
    ranked = tuple(sorted(findings, key=lambda f: (order[f.outcome], f.topic, -np.nan_to_num(f.change, nan=0.0))))
    return GateResult(
        exit_status=status, findings=ranked, compared_verdicts=verdicts, compared_times=times,
        smallest_change=smallest, spread=spread, compared_counts=counted,
    )  # fmt: skip


def _agreement(base: pd.DataFrame, head: pd.DataFrame, *, levels: bool) -> tuple[list[Finding], int]:
    """levels: whether a change within a class counts too; between unlike machines the last bits may differ."""
    findings: list[Finding] = []
    if not base[KEY].equals(head[KEY]):  # else two runs of one plan
        base, head, findings = _common(base, head)
    differs = [(base[name].array != head[name].array).astype(bool) for name in JUDGED if levels or name != "verdict"]
    for place in np.flatnonzero(np.logical_or.reduce(differs)):
        (cell, quantity, *was), (*_, verdict, klass, convention) = (
            [str(frame[name].iloc[place]) for name in (*KEY, *JUDGED)] for frame in (base, head)
        )
        now = [verdict, klass, convention]
        worse = rank(now[0], now[1]) > rank(was[0], was[1]) or (now[1] == was[1] == "convention" and now != was)
        better = rank(now[0], now[1]) < rank(was[0], was[1])
        if worse or better:
            said = [f"{v} ({k}{': ' + c if c else ''})" for v, k, c in (was, now)]
            findings.append(Finding(
                outcome="worse" if worse else "better", topic="agreement", subject=cell, quantity=quantity,
                before=said[0], after=said[1], reason=f"{quantity} was {said[0]}, is {said[1]}",
            ))  # fmt: skip
    return findings, len(base)


def _common(base: pd.DataFrame, head: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, list[Finding]]:
    """The verdicts that both have, in one order, of one cell and quantity the last; and what one of them lacks."""
    first, second = (frame.drop_duplicates(KEY, keep="last") for frame in (base, head))
    both = first.merge(second, on=KEY, how="outer", suffixes=("", "_now"), indicator=True)
    gone, new = (both.loc[both["_merge"] == side, KEY].itertuples(index=False) for side in ("left_only", "right_only"))
    findings = [*_missing([(str(c), str(q)) for c, q in gone], "verdict"), *_new([(str(c), str(q)) for c, q in new])]
    kept = ordered.by(both[both["_merge"] == "both"], KEY)
    return kept, kept[[*KEY, *(f"{name}_now" for name in JUDGED)]].set_axis([*KEY, *JUDGED], axis=1), findings


def _missing(keys: Iterable[tuple[str, str]], what: str) -> list[Finding]:
    return [
        Finding(
            outcome="cannot_tell", topic="cells", subject=cell, quantity=quantity,
            reason=f"the baseline has a {what} of this cell, the run has none",
        )
        for cell, quantity in sorted(keys)
    ]  # fmt: skip


def _new(keys: Iterable[tuple[str, str]]) -> list[Finding]:
    cells = sorted({cell for cell, _ in keys})
    if not cells:
        return []
    named = ", ".join(cells[:NAMED]) + (", ..." if len(cells) > NAMED else "")
    return [
        Finding(outcome="new", topic="cells", subject=f"{len(cells)} cells", reason=f"not in the baseline: {named}")
    ]


def _unlike(base: dict[str, str], head: dict[str, str]) -> list[Finding]:
    """Why times must not be compared."""
    found = []
    topics: tuple[tuple[Topic, list[str]], ...] = (
        ("machine", list(MACHINE)),
        ("versions", [f"version.{name}" for name in PACKAGES]),
    )
    for topic, keys in topics:
        differing = [key for key in keys if base.get(key, "") != head.get(key, "")]
        if differing:
            said = "; ".join(f"{k} was {base.get(k) or 'unknown'}, is {head.get(k) or 'unknown'}" for k in differing)
            found.append(Finding(
                outcome="cannot_tell", topic=topic, subject=topic, reason=f"times are not compared: {said}",
            ))  # fmt: skip
    return found


def _timing(base: pd.DataFrame, head: pd.DataFrame, margin: float) -> tuple[list[Finding], int, float, float]:
    gone = () if base["cell"].equals(head["cell"]) else base.loc[~base["cell"].isin(head["cell"]), "cell"]
    findings = _missing([(str(cell), "time") for cell in gone], "time")
    found = moves.between(base, head, JOINT_CONFIDENCE)
    spread, beyond = found.spread()
    compared = found.others > 0
    # the width of both intervals is what a change must reach to be told from none
    reach = found.change - (found.now[:, 1] - found.was[:, 2]) + np.log1p(SMALLEST_EFFECT)
    visible = np.expm1(np.maximum(max(np.log1p(margin), beyond), reach))[compared]
    large = np.abs(found.change) > np.log1p(margin)
    for place in np.flatnonzero(~compared | np.isnan(found.change) | large):
        findings += _one_time(found, int(place), margin=margin, beyond=beyond)
    smallest = float(np.median(visible)) if len(visible) else np.nan
    return findings, int(compared.sum()), smallest, spread


def _one_time(found: Moves, place: int, *, margin: float, beyond: float) -> list[Finding]:
    """Judge one cell against the median of its group's other members. beyond: the logarithm that a change must exceed,
    since the other cells moved too."""
    cell, others = str(found.cells.iloc[place]), int(found.others[place])
    was, now, offset, change = found.was[place], found.now[place], found.offset[place], float(found.change[place])
    if not others or np.isnan(change):
        why = "no visit has a neighbour" if others else "it has no neighbour in its group that both runs measured"
        return [Finding(outcome="inconclusive", topic="timing", subject=cell, reason=why)]
    low, high = float(now[1] - was[2]), float(now[2] - was[1])
    # with one or two neighbours, a neighbour's gain looks like this cell's loss: what moved against the rest of
    # the run is to blame
    blamed = others > 2 or float(found.own[place]) * np.sign(change) >= 0.6 * abs(change)
    numbers: dict[str, Any] = {
        "before": f"{np.exp(was[0] + offset):.3g} x the median of its {others} neighbours",
        "after": f"{np.exp(now[0] + offset):.3g} x the median of its {others} neighbours",
        "change": float(np.exp(change)), "change_low": float(np.exp(low)), "change_high": float(np.exp(high)),
    }  # fmt: skip
    said = f"{np.expm1(change):+.1%} [{np.expm1(low):+.1%}, {np.expm1(high):+.1%}] against its neighbours"
    if change > np.log1p(margin):
        if low > np.log1p(SMALLEST_EFFECT) and blamed and change > beyond:
            reason = f"slower by {said}, more than the margin of {margin:.0%}"
            return [Finding(outcome="worse", topic="timing", subject=cell, reason=reason, **numbers)]
        why = "its interval reaches no change" if blamed else "a neighbour may have become faster instead"
        if change <= beyond:
            why = f"between these runs unchanged cells move up to {np.expm1(beyond):.0%}"
        reason = f"{said}, but {why}"
        return [Finding(outcome="inconclusive", topic="timing", subject=cell, reason=reason, **numbers)]
    if change < -np.log1p(margin) and high < -np.log1p(SMALLEST_EFFECT) and blamed:
        return [Finding(outcome="better", topic="timing", subject=cell, reason=f"faster: {said}", **numbers)]
    return []
