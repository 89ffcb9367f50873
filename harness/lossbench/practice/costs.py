"""What a step costs: forward, backward, update; building and the first step, which compiles, apart. Frameworks in turn.

Backward is a gradient less a forward, update a step less a gradient, round by round within a visit; visits go around
the frameworks in changing order, and the median over visits is what is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from lossbench.practice.books import Books
from lossbench.practice.causes import Causes
from lossbench.practice.pace import BUILD, Tell, of_steps
from lossbench.practice.process import Trainee
from lossbench.spec.training import Experiment, Sets

VISITS: Final = 6
ROUNDS: Final = 12
WARM: Final = 2
"""Rounds at the start of a visit that are not counted."""
PHASES: Final = ("forward", "backward", "update", "step")


def measure(experiment: Experiment, sets: Sets, trainees: Mapping[str, Trainee], books: Books, *, tell: Tell) -> None:
    """Rows `cost`: backend, build_seconds (model and optimiser), first_seconds (the first step), a phase's by visit."""
    if {row["backend"] for row in books.rows("cost") if row["experiment"] == experiment.id} >= set(trainees):
        return
    tell(f"{experiment.id} cost a step", weight(experiment))
    run = f"{experiment.id}-cost"
    first = {}
    for name, trainee in trainees.items():
        trainee.build(run, experiment, sets, seed=0, dtype="float32", causes=Causes())
        first[name] = trainee.ask("cost", run=run, rounds=1)
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
            "experiment": experiment.id, "backend": name, "build_seconds": first[name]["built"],
            "first_seconds": float(first[name]["step"][0]), "seconds": seconds,
        })  # fmt: skip


def weight(experiment: Experiment) -> float:
    """Of the whole measurement, for the time left: three phases a round, the frameworks one after the other."""
    return BUILD + 3 * of_steps(experiment, VISITS * ROUNDS)
