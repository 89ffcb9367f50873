"""What a step costs: forward, backward, update; the first step, which compiles, apart. The frameworks in turn.

Backward is a gradient less a forward, update a step less a gradient, round by round within a visit; visits go around
the frameworks in changing order, and the median over visits is what is shown.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

import numpy as np

from lossbench.practice.books import Books
from lossbench.practice.causes import Causes
from lossbench.practice.process import Trainee
from lossbench.spec.training import Experiment, Sets

VISITS: Final = 6
ROUNDS: Final = 12
WARM: Final = 2
"""Rounds at the start of a visit that are not counted."""
PHASES: Final = ("forward", "backward", "update", "step")


def measure(experiment: Experiment, sets: Sets, trainees: Mapping[str, Trainee], books: Books) -> None:
    """Rows `cost`: backend, first_seconds (building and the first round of all phases), seconds a phase a visit."""
    if any(row["experiment"] == experiment.id for row in books.rows("cost")):
        return
    run = f"{experiment.id}-cost"
    first: dict[str, float] = {}
    for name, trainee in trainees.items():
        trainee.build(run, experiment, sets, seed=0, dtype="float32", causes=Causes())
        began = time.perf_counter()
        trainee.ask("cost", run=run, rounds=1)
        first[name] = time.perf_counter() - began
    seen: dict[str, list[dict[str, float]]] = {name: [] for name in trainees}
    for visit in range(VISITS):
        names = list(trainees)
        for name in names if visit % 2 == 0 else names[::-1]:
            told = trainees[name].ask("cost", run=run, rounds=ROUNDS)
            forward, backward, step = (told[phase][WARM:] for phase in ("forward", "backward", "step"))
            parts = {"forward": forward, "backward": backward - forward, "update": step - backward, "step": step}
            seen[name].append({phase: float(np.median(seconds)) for phase, seconds in parts.items()})
    for name, trainee in trainees.items():
        trainee.ask("forget", run=run)
        seconds = {phase: [visit[phase] for visit in seen[name]] for phase in PHASES}
        books.append("cost", {
            "experiment": experiment.id, "backend": name, "first_seconds": first[name], "seconds": seconds
        })  # fmt: skip
