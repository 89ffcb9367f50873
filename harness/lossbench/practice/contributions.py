"""What each named cause is worth: the frameworks with that cause alone, against the frameworks with none.

With every cause off the parameters of two frameworks agree to rounding. Switching one on moves a framework away from
where it was; how far, relative to the norm of its parameters, is the cause's own contribution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

import numpy as np

from lossbench.practice.apart import distances
from lossbench.practice.books import Books
from lossbench.practice.causes import Causes
from lossbench.practice.process import Trainee
from lossbench.practice.together import Tell, after
from lossbench.spec.training import Array, Experiment, Sets

STEPS: Final = 100
BAR: Final = 1e-9
"""Relative distance that is not reached after 100 steps in float64 once the causes are off."""


def measure(
    experiment: Experiment, sets: Sets, trainees: Mapping[str, Trainee], books: Books, *, dtype: str, tell: Tell
) -> None:
    """Rows `cause`: cause (`none`, `all`, or a name), pair, relative distance after 100 steps."""
    run = f"{experiment.id}-{dtype}-causes"
    done = {(row["cause"], row["dtype"]) for row in books.rows("cause") if row["experiment"] == experiment.id}
    names = [field.name for field in fields(Causes)]
    settings = {"none": Causes.off(), "all": Causes()} | {name: Causes.off().only(name) for name in names}
    base: dict[str, Array] = {}
    for cause, causes in settings.items():
        if cause != "none" and (cause, dtype) in done:
            continue
        tell(f"{run} {cause}")
        ended = {
            name: after(run, experiment, sets, trainee, dtype=dtype, causes=causes, steps=STEPS)
            for name, trainee in trainees.items()
        }
        base = base or ended
        if (cause, dtype) in done:
            continue
        between = {
            f"{one}, {other}": float(relative[0])
            for (one, other), (_, relative) in distances({n: v[None] for n, v in ended.items()}).items()
        }
        moved = {n: float(np.linalg.norm(v - base[n]) / np.linalg.norm(base[n])) for n, v in ended.items()}
        row: dict[str, Any] = {"experiment": experiment.id, "dtype": dtype, "cause": cause, "steps": STEPS}
        books.append("cause", row | {"between": between, "moved": moved})
