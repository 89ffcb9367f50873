"""A loss is not a metric: where a lower loss came with a worse metric, in a sentence; and both, at the end of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np

from lossbench.practice.metrics import less_is_better

TIE: Final = 1e-12
Rows = list[Mapping[str, Any]]
"""The results after each epoch of one run on one framework, with `epoch`."""


def sentences(epochs: Iterable[Mapping[str, Any]]) -> list[str]:
    """One sentence for each experiment, framework and metric where the lowest test loss is not the best metric's epoch.

    epochs: rows of the books in float32; the first seed where it is so is told, and in how many it is.
    """
    said = []
    for (experiment, backend), seeds in _runs(epochs).items():
        first = next(iter(seeds.values()))
        for name in (n for n in first[0] if n.startswith("val_") and n != "val_loss"):
            worse = [text for seed, rows in seeds.items() if (text := _worse(rows, name, seed))]
            if worse:
                said.append(f"{experiment} on {backend}, in {len(worse)} of {len(seeds)} seeds: {worse[0]}")
    return said


def outcomes(epochs: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Loss and metrics after the last epoch: experiment, backend, seeds, epoch, and quantity -> (mean, range)."""
    for (experiment, backend), seeds in _runs(epochs).items():
        last = max(rows[-1]["epoch"] for rows in seeds.values())
        ended = [rows[-1] for rows in seeds.values() if rows[-1]["epoch"] == last]
        found = {}
        for name in (n for n in ended[0] if n != "epoch"):
            values = [float(results[name]) for results in ended]
            found[name] = (float(np.mean(values)), float(np.ptp(values)))
        yield {"experiment": experiment, "backend": backend, "seeds": len(ended), "epoch": last, "found": found}


def _runs(epochs: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], dict[int, Rows]]:
    """(experiment, backend) -> seed -> rows."""
    runs: dict[tuple[str, str], dict[int, Rows]] = {}
    for row in epochs:
        if row["dtype"] == "float32":
            for backend, results in row["results"].items():
                seeds = runs.setdefault((row["experiment"], backend), {})
                seeds.setdefault(row["seed"], []).append(results | {"epoch": row["epoch"]})
    return runs


def _worse(rows: Rows, name: str, seed: int) -> str:
    """What is said of one seed; empty where the lowest loss came with the best metric."""
    sign = 1.0 if less_is_better(name) else -1.0
    lowest = min(rows, key=lambda r: float(r["val_loss"]))
    best = min(rows, key=lambda r: sign * float(r[name]))
    gap = sign * (float(lowest[name]) - float(best[name]))
    if gap <= TIE or float(best["val_loss"]) <= float(lowest["val_loss"]):
        return ""
    return (
        f"the lowest test loss, {float(lowest['val_loss']):.4g} after epoch {lowest['epoch']}, comes with "
        f"{name.removeprefix('val_')} {float(lowest[name]):.4g}; the best, {float(best[name]):.4g} after epoch "
        f"{best['epoch']}, with a loss of {float(best['val_loss']):.4g} (seed {seed})."
    )
