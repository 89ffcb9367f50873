"""A gate run end to end, on code of which it is known what is true: what it said, and what kept it from saying more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from lossbench.judge.calibration import Rate
from lossbench.judge.change import Rule
from lossbench.lanes.versions import Version
from lossbench.pairing.campaign import Campaign, Tell
from lossbench.pairing.cores import allowed
from lossbench.spec.case import Cell

Cells = Sequence[tuple[Cell, Mapping[str, str]]]
UNANSWERED: Final = "without an answer of the base"
"""Beside the verdicts: what the unchanged framework cannot do is no news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """verdicts: how many cells of each, and UNANSWERED. undecided: sentences, a lane each, on cells not decided."""

    cells: int
    verdicts: Mapping[str, int]
    undecided: tuple[str, ...]
    seconds: float
    processes: int
    replicates: float

    @property
    def alarm(self) -> bool:
        """Whether any cell was said to be slower."""
        return bool(self.verdicts.get("FAIL"))

    @property
    def inconclusive(self) -> Rate:
        """Of the cells."""
        return Rate(hits=self.verdicts.get("INCONCLUSIVE", 0), trials=self.cells)


def run(
    versions: Sequence[Version], cells: Cells, rule: Rule, budget_seconds: float, seed: int, tell: Tell | None = None
) -> Whole:
    """One comparison, within its budget."""
    campaign = Campaign(versions=versions, cells=cells, rule=rule, budget_seconds=budget_seconds, seed=seed)
    courses = campaign.run(tell)
    undecided = []
    for lane, cost in campaign.costs.items():
        own = [course for course in courses if course.cell.lane == lane]
        open_ = (
            c.judgement for c in own if c.judgement.verdict in ("INCONCLUSIVE", "INVALID") and not c.judgement.idle
        )
        left = Counter(found.reason.partition(". ")[0] for found in open_)
        if left:
            why = ", ".join(f"{count} {reason}" for reason, count in left.most_common(3))
            undecided.append(f"{lane.id}: {sum(left.values())} of {len(own)} cells ({why}); {cost:.2f} s a replicate")
    said = (UNANSWERED if course.judgement.idle else course.judgement.verdict for course in courses)
    return Whole(
        cells=len(courses), verdicts=Counter(said),
        undecided=tuple(undecided), seconds=campaign.seconds, processes=campaign.replicates,
        replicates=float(np.mean([len(course.raw) for course in courses])),
    )  # fmt: skip


def suite(cells: Cells, size: int, seed: int) -> Cells:
    """So many of the cells, at random."""
    picked = np.random.default_rng(seed).permutation(len(cells))[:size]
    return [cells[i] for i in sorted(picked)]


def on() -> str:
    """How many cores a comparison uses, in words."""
    count = len(allowed())
    return f"{count} core{'s' if count != 1 else ''}"
