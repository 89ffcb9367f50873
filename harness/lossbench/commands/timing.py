"""What commands that time two versions side by side share: what was asked for, the campaign, what is said of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from lossbench.commands.progress import NOW_AND_THEN, progress_bar
from lossbench.judge import change
from lossbench.judge.change import Rule
from lossbench.lanes.replicas import Source
from lossbench.lanes.versions import Version
from lossbench.pairing.campaign import Campaign
from lossbench.pairing.sides import Sides, sides
from lossbench.show import changes
from lossbench.spec.case import Lane
from lossbench.spec.errors import BadInput

MARGIN = f"{change.MARGIN:.1%}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A selection of cells; empty is everything."""

    profile: str = "quick"
    losses: Sequence[str] = ()
    backends: Sequence[str] = ()
    modes: Sequence[str] = ()
    operations: Sequence[str] = ()

    def sides(self, base: Path, head: Path) -> Sides:
        """What base and head both have of it. BadInput where that is nothing."""
        return sides(
            base, head, profile=self.profile, losses=self.losses, backends=self.backends, modes=self.modes,
            operations=self.operations,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How to judge, and for how long. margin: a fraction. strict: any undecided cell makes the exit status 2."""

    margin: float
    budget_seconds: float
    seed: int = 0
    strict: bool = False
    json: bool = False

    def timed(self, found: Sides, started: Callable[[Lane, Sequence[Version], int], Source] | None = None) -> Campaign:
        """The campaign, carried out. started: where replicates come from, other than from versions of code."""
        campaign = Campaign(
            versions=found.versions, cells=found.cells, rule=Rule(cells=len(found.cells), margin=self.margin),
            budget_seconds=self.budget_seconds, seed=self.seed, started=started,
        )  # fmt: skip
        with progress_bar(Console(stderr=True), every_seconds=NOW_AND_THEN) as progress:
            campaign.run(progress)
        return campaign

    def status(self, campaign: Campaign) -> int:
        """Exit status: 0, 1 or 2."""
        return change.status([course.judgement for course in campaign.courses], strict=self.strict)

    def lines(self, campaign: Campaign, status: int) -> Iterator[str]:
        """For a person."""
        return changes.lines(_rows(campaign), status, _cost(campaign))

    def record(self, campaign: Campaign, status: int) -> dict[str, Any]:
        """For a program."""
        return changes.record(_rows(campaign), status, _cost(campaign))


def _rows(campaign: Campaign) -> list[changes.Row]:
    return [(course.cell.id, course.judgement, course.same_value) for course in campaign.courses]


def _cost(campaign: Campaign) -> changes.Cost:
    return changes.Cost(margin=campaign.rule.margin, seconds=campaign.seconds, processes=campaign.replicates)


def fraction(text: str) -> float:
    """`5%` or `0.05`. BadInput for anything that is not above 0 and at most 1000%."""
    number = text.strip().removesuffix("%")
    try:
        value = float(number) / (100 if number != text.strip() else 1)
    except ValueError:
        value = math.nan
    if not 0 < value <= 10:
        raise BadInput(
            subject="a change", expected="5% or 0.05, above 0", received=repr(text), remedy="write a number and %"
        )
    return value
