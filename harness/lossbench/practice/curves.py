"""The trajectories of a practice run, gathered from its books for the page: losses, metrics and distances a step."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lossbench.practice import books

Series = dict[str, list[float]]
"""Backend -> a number a step."""


@dataclass(slots=True, kw_only=True)
class Trajectory:
    """One experiment from seed 0. an_epoch: steps. ends: backend -> the mean loss of each epoch.

    apart: (dtype, one, other) -> relative distance of the parameters. causes: cause -> the same in float64, or how far
    the cause alone moved a framework.
    """

    losses: Series = field(default_factory=dict)
    metric: Series = field(default_factory=dict)
    an_epoch: int = 0
    ends: Series = field(default_factory=dict)
    apart: dict[tuple[str, str, str], list[float]] = field(default_factory=dict)
    causes: Series = field(default_factory=dict)


def of(path: Path) -> dict[str, Trajectory]:
    """Experiment -> its trajectory in float32, in the order they ran."""
    found: dict[str, Trajectory] = {}
    for row in books.once(path, "steps", "run", "backend", "epoch", "first"):
        if row["dtype"] == "float32":
            mine = found.setdefault(row["experiment"], Trajectory())
            mine.losses.setdefault(row["backend"], []).extend(map(float, row["losses"]))
            mine.metric.setdefault(row["backend"], []).extend(map(float, row["metric"]))
            if row["epoch"] == 1:
                mine.an_epoch = max(mine.an_epoch, row["first"] + len(row["losses"]))
    for row in books.rows(path, "epoch"):
        if row["experiment"] in found and (row["dtype"], row["seed"]) == ("float32", 0):
            for backend, results in row["results"].items():
                found[row["experiment"]].ends.setdefault(backend, []).append(float(results["loss"]))
    for row in books.once(path, "apart", "run", "one", "other", "epoch", "first"):
        if row["experiment"] in found:
            key = (row["dtype"], row["one"], row["other"])
            found[row["experiment"]].apart.setdefault(key, []).extend(map(float, row["relative"]))
    for row in books.once(path, "cause", "experiment", "dtype", "cause"):
        if row["experiment"] in found and row["dtype"] == "float64":
            found[row["experiment"]].causes[row["cause"]] = [float(value) for value in row["path"]]
    return found
