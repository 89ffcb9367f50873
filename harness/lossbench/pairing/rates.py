"""Measures what the gate would do: unchanged code, and slowdowns planted as real work, in the same replicates."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from lossbench.judge.looks import Reals
from lossbench.judge.replicates import log_ratios
from lossbench.lanes.measurement import Paired
from lossbench.lanes.replicas import Replicas
from lossbench.lanes.versions import Version
from lossbench.pairing.campaign import REPLICATE_LIMIT_SECONDS, ROUNDS, Tell
from lossbench.spec.case import Cell, Lane

SLOWDOWNS: Final = (0.02, 0.03, 0.05, 0.07, 0.10, 0.20)
RENEWED_AFTER: Final = 16
MOST_REPLICATES: Final = 2000
PLANTED_WITHIN: Final = 0.25
"""A slowdown counts as one of these where the whole calls of a block come this near to it, relatively."""


def versions(path: Path, slowdowns: Sequence[float] = SLOWDOWNS) -> tuple[Version, ...]:
    """Base, control and head of one and the same code, and the base with further calls."""
    same = [Version(name=name, path=str(path), builtin=False) for name in ("base", "control", "head")]
    slowed = [Version(name=f"slow{x:g}", path=str(path), builtin=False, extra=x) for x in slowdowns]
    return (*same, *slowed)


@dataclass(slots=True, kw_only=True)
class Samples:
    """Of one cell, in the order of time. control, head: log ratios to the base. slow: by the planted slowdown.

    base_runs, head_runs, slow_runs: the seconds per call of each replicate's blocks, for gates that do not pair.
    """

    cell: Cell
    control: list[float] = field(default_factory=list)
    head: list[float] = field(default_factory=list)
    slow: dict[float, list[float]] = field(default_factory=dict)
    base_runs: list[Reals] = field(default_factory=list)
    head_runs: list[Reals] = field(default_factory=list)
    slow_runs: dict[float, list[Reals]] = field(default_factory=dict)

    def take(self, paired: Paired, slowdowns: Sequence[float]) -> None:
        """Adds a replicate, if it has an answer."""
        if paired.status != "ok":
            return
        ratios = log_ratios(paired.seconds_per_call, paired.preempted)
        blocks = [paired.seconds_per_call[:, place].reshape(-1) for place in range(len(ratios) + 1)]
        self.control.append(float(ratios[0]))
        self.head.append(float(ratios[1]))
        self.base_runs.append(blocks[0])
        self.head_runs.append(blocks[2])
        for place, slowdown in enumerate(slowdowns, start=2):
            planted = round(slowdown * paired.loops) / paired.loops
            if abs(planted - slowdown) <= PLANTED_WITHIN * slowdown:
                self.slow.setdefault(slowdown, []).append(float(ratios[place]))
                self.slow_runs.setdefault(slowdown, []).append(blocks[place + 1])


@dataclass(slots=True, kw_only=True)
class Measured:
    """samples: by cell id. seconds: of a replicate of one cell, by lane, as planted slowdowns make it."""

    samples: Mapping[str, Samples]
    replicate_seconds: Mapping[str, float]
    seconds: float


def measure(
    made: Sequence[Version], cells: Sequence[Cell], budget_seconds: float, *, seed: int = 0, tell: Tell | None = None
) -> Measured:
    """As many replicates of every cell as fit; a template process is renewed after every sixteenth."""
    began = time.monotonic()
    slowdowns = [version.extra for version in made if version.extra]
    samples = {cell.id: Samples(cell=cell) for cell in cells}
    lanes: dict[Lane, list[Cell]] = {}
    for cell in cells:
        lanes.setdefault(cell.lane, []).append(cell)
    spent: dict[str, list[float]] = {lane.id: [] for lane in lanes}
    number = 0
    while time.monotonic() - began < budget_seconds and number < MOST_REPLICATES * len(lanes):
        with ExitStack() as stack:
            sources = {lane: stack.enter_context(Replicas(lane, made, seed=seed + number)) for lane in lanes}
            for source in sources.values():
                source.ready()
            for _ in range(RENEWED_AFTER):
                for lane, source in sources.items():
                    if time.monotonic() - began > budget_seconds:
                        break
                    number += 1
                    started = time.monotonic()
                    found = source.replicate(
                        [(cell, {}) for cell in lanes[lane]], seed=seed * 1_000_003 + number, rounds=ROUNDS,
                        limit_seconds=REPLICATE_LIMIT_SECONDS,
                    )  # fmt: skip
                    spent[lane.id].append((time.monotonic() - started) / len(lanes[lane]))
                    for cell, paired in zip(lanes[lane], found, strict=True):
                        samples[cell.id].take(paired, slowdowns)
                if tell is not None:
                    tell(int(time.monotonic() - began), int(budget_seconds), budget_seconds - time.monotonic() + began)
    return Measured(
        samples=samples,
        replicate_seconds={lane: float(np.median(times)) if times else float("nan") for lane, times in spent.items()},
        seconds=time.monotonic() - began,
    )
