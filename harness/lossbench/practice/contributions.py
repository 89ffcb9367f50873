"""What each named cause is worth: the frameworks with that cause alone, against the frameworks with none.

With every cause off the parameters of two frameworks agree to rounding. Switching one on moves a framework away from
where it was; how far, relative to the norm of its parameters, is the cause's own contribution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from lossbench.practice.apart import distances
from lossbench.practice.books import Books
from lossbench.practice.causes import Causes
from lossbench.practice.pace import BUILD, Tell, of_steps
from lossbench.practice.process import Trainee, at_once
from lossbench.practice.together import walk
from lossbench.spec.training import Array, Experiment, Sets

STEPS: Final = 100
BAR: Final = 1e-9
"""Relative distance that is not reached after 100 steps in float64 once the causes are off."""
SETTINGS: Final[Mapping[str, Causes]] = MappingProxyType(
    {"none": Causes.off(), "all": Causes()} | {field.name: Causes.off().only(field.name) for field in fields(Causes)}
)
"""The causes that are on, by the name that a row says."""


def measure(
    experiment: Experiment, sets: Sets, trainees: Mapping[str, Trainee], books: Books, *, dtype: str, tell: Tell,
    alone: bool = True,
) -> None:  # fmt: skip
    """Rows `cause`: cause (`none`, `all` or a name), distance of each pair after 100 steps, and how far it moved each.

    path: after every step, the largest distance of two frameworks for `none` and `all`, else (and with a single
    framework) how far the cause moved the one that it moves most. alone: whether each is also switched on by itself.
    """
    run = f"{experiment.id}-{dtype}-causes"
    done = {row["cause"] for row in books.rows("cause") if (row["experiment"], row["dtype"]) == (experiment.id, dtype)}
    settings = SETTINGS if alone else {name: SETTINGS[name] for name in ("none", "all")}
    if done >= set(settings):
        return
    base: dict[str, Array] = {}
    for cause, causes in settings.items():
        if cause != "none" and cause in done:
            continue
        tell(f"{run} {cause}", weight(experiment))
        walked = at_once(
            trainees,
            lambda name, trainee, causes=causes: walk(  # type: ignore[misc]
                f"{run}-{name}", experiment, sets, trainee, dtype=dtype, causes=causes, steps=STEPS
            ),
        )
        base = base or walked
        if cause in done:
            continue
        apart = {f"{one}, {other}": relative for (one, other), (_, relative) in distances(walked).items()}
        moved = {n: _relative(w - base[n], base[n]) for n, w in walked.items()}
        paths = list(((apart if cause in ("none", "all") else {}) or moved).values())
        row: dict[str, Any] = {"experiment": experiment.id, "dtype": dtype, "cause": cause, "steps": STEPS}
        books.append("cause", row | {
            "between": {pair: float(path[-1]) for pair, path in apart.items()},
            "moved": {name: float(path[-1]) for name, path in moved.items()},
            "path": np.max(paths, axis=0),
        })  # fmt: skip


def weight(experiment: Experiment) -> float:
    """Of one setting, for the time left."""
    return BUILD + of_steps(experiment, STEPS)


def _relative(change: Array, to: Array) -> Array:
    found: Array = np.linalg.norm(change, axis=1) / np.linalg.norm(to, axis=1)
    return found
