"""Measures what the gate would do: unchanged code, and slowdowns planted as real work, in the same replicates.

Lanes run side by side, one a core, as they do in a comparison; the one with the fewest replicates is next.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from lossbench.judge.looks import Reals
from lossbench.judge.replicates import levels, log_ratios
from lossbench.lanes.measurement import Paired
from lossbench.lanes.replicas import Replicas
from lossbench.lanes.versions import Version
from lossbench.pairing import cores
from lossbench.pairing.campaign import FEW_ROUNDS, REPLICATE_LIMIT_SECONDS, ROUNDS, Tell
from lossbench.spec.case import Cell, Lane

SLOWDOWNS: Final = (0.02, 0.03, 0.05, 0.07, 0.10, 0.20)
RENEWED_AFTER: Final = 16
MOST_REPLICATES: Final = 2000


def versions(path: Path, slowdowns: Sequence[float] = SLOWDOWNS) -> tuple[Version, ...]:
    """Base, control and head of one and the same code, and the head with work besides."""
    same = [Version(name=name, path=str(path), builtin=False) for name in ("base", "control", "head")]
    slowed = [Version(name=f"slow{x:g}", path=str(path), builtin=False, extra=x) for x in slowdowns]
    return (*same, *slowed)


@dataclass(slots=True, kw_only=True)
class Samples:
    """Of one cell, in the order of time. control, head: log ratios to the base. slow: by the planted slowdown.

    planted: likewise, log(slowed head / head), what the planted work alone made of the same blocks.
    base_runs, head_runs, slow_runs: the seconds per call of each replicate's blocks, for gates that do not pair.
    """

    cell: Cell
    control: list[float] = field(default_factory=list)
    head: list[float] = field(default_factory=list)
    slow: dict[float, list[float]] = field(default_factory=dict)
    planted: dict[float, list[float]] = field(default_factory=dict)
    base_runs: list[Reals] = field(default_factory=list)
    head_runs: list[Reals] = field(default_factory=list)
    slow_runs: dict[float, list[Reals]] = field(default_factory=dict)

    def take(self, pairs: Sequence[Paired], slowdowns: Sequence[float]) -> None:
        """Adds a replicate, if all of it has an answer: control and head beside the base, then each slowdown."""
        if any(paired.status != "ok" for paired in pairs):
            return
        control, head, *slowed = pairs
        self.control.append(_ratio(control))
        self.head.append(_ratio(head))
        self.base_runs.append(head.seconds_per_call[:, 0].reshape(-1))
        self.head_runs.append(head.seconds_per_call[:, 1].reshape(-1))
        for paired, slowdown in zip(slowed, slowdowns, strict=True):
            self.slow.setdefault(slowdown, []).append(_ratio(paired))
            self.planted.setdefault(slowdown, []).append(_planted(paired))
            self.slow_runs.setdefault(slowdown, []).append(paired.seconds_per_call[:, 1].reshape(-1))


def hurried(paired: Paired) -> Paired:
    """The replicate as it would have been with few rounds: its first ones."""
    seconds, planted = paired.seconds_per_call[:FEW_ROUNDS], paired.planted_per_call[:FEW_ROUNDS]
    return replace(paired, seconds_per_call=seconds, planted_per_call=planted)


def _ratio(paired: Paired) -> float:
    (ratio,) = log_ratios(paired.seconds_per_call)
    return float(ratio)


def _planted(paired: Paired) -> float:
    whole, own = (levels(x)[1] for x in (paired.seconds_per_call, paired.seconds_per_call - paired.planted_per_call))
    return float(whole - own)


@dataclass(slots=True, kw_only=True)
class Measured:
    """samples: by cell id; few: the same replicates with few rounds.

    replicate_seconds: of one cell, by lane, as planted slowdowns make it.
    """

    samples: Mapping[str, Samples]
    few: Mapping[str, Samples]
    replicate_seconds: Mapping[str, float]
    seconds: float


def measure(
    made: Sequence[Version], cells: Sequence[Cell], budget_seconds: float, *, seed: int = 0, tell: Tell | None = None
) -> Measured:
    """As many replicates of every cell as fit, as many of each lane; each template process makes sixteen."""
    began = time.monotonic()
    base, *others = (version.name for version in made)
    pairs = [(base, other) for other in others]  # as a comparison times them: longer rounds would be noisier
    slowdowns = [version.extra for version in made if version.extra]
    samples, few = ({cell.id: Samples(cell=cell) for cell in cells} for _ in range(2))
    lanes: dict[Lane, list[Cell]] = {}
    for cell in cells:
        lanes.setdefault(cell.lane, []).append(cell)
    spent: dict[Lane, list[float]] = {lane: [] for lane in lanes}
    sources: dict[Lane, Replicas] = {}
    counting = threading.Lock()

    def step(lane: Lane, core: int) -> bool:
        number = len(spent[lane])
        if time.monotonic() - began > budget_seconds or number >= MOST_REPLICATES:
            return False
        if number % RENEWED_AFTER == 0:
            if lane in sources:
                sources[lane].close()
            sources[lane] = Replicas(lane, made, seed=seed + number // RENEWED_AFTER)
            sources[lane].ready()
        own = random.Random(number).sample(lanes[lane], len(lanes[lane]))
        started = time.monotonic()
        found = sources[lane].replicate(
            [(cell, {}) for cell in own], seed=seed * 1_000_003 + number, rounds=ROUNDS, core=core,
            limit_seconds=REPLICATE_LIMIT_SECONDS, apart=pairs,
        )  # fmt: skip
        spent[lane].append((time.monotonic() - started) / len(own))
        for place, cell in enumerate(own):
            own_pairs = found[place * len(pairs) : (place + 1) * len(pairs)]
            samples[cell.id].take(own_pairs, slowdowns)
            few[cell.id].take([hurried(paired) for paired in own_pairs], slowdowns)
        if tell is not None:
            with counting:
                tell(int(time.monotonic() - began), int(budget_seconds), budget_seconds - time.monotonic() + began)
        return True

    try:
        cores.shared(lanes, step, cores.allowed()[: len(lanes)], lambda lane: (len(spent[lane]),))
    finally:
        for source in sources.values():
            source.close()
    return Measured(
        samples=samples,
        few=few,
        replicate_seconds={lane.id: float(np.median(times)) if times else np.nan for lane, times in spent.items()},
        seconds=time.monotonic() - began,
    )
