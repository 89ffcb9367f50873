"""The rows of a practice run as CSV files, one number a row where there are many: what stands behind every cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from lossbench.practice import books
from lossbench.practice.summary import Summary
from lossbench.record import frames

Row = Mapping[str, Any]


def write(path: Path, told: Summary) -> list[str]:
    """Writes the files that have rows into the run's folder; their names."""
    found: dict[str, list[Any]] = {
        "claims": [asdict(claim) for claim in told.claims],
        "epochs": list(_epochs(path)),
        "steps": list(_steps(path)),
        "distances": list(_distances(path)),
        "causes": list(_causes(told)),
        "costs": list(told.costs),
        "guide": list(_guide(path)),
    }
    names = [name for name, rows in found.items() if rows]
    for name in names:
        frames.write_whole(path / f"{name}.csv", frames.csv(pd.DataFrame(found[name])).encode())
    return [f"{name}.csv" for name in names]


def _epochs(path: Path) -> Iterator[Row]:
    for row in books.once(path, "epoch", "run", "epoch"):
        for backend, results in row["results"].items():
            for quantity, value in results.items():
                yield _of(row) | {"backend": backend, "epoch": row["epoch"], "quantity": quantity, "value": value}


def _steps(path: Path) -> Iterator[Row]:
    for row in books.once(path, "steps", "run", "backend", "epoch", "first"):
        for place, (loss, metric) in enumerate(zip(row["losses"], row["metric"], strict=True), row["first"] + 1):
            where = {"backend": row["backend"], "epoch": row["epoch"], "step": place}
            yield _of(row) | where | {"loss": loss, "metric": metric}


def _distances(path: Path) -> Iterator[Row]:
    for row in books.once(path, "apart", "run", "one", "other", "epoch", "first"):
        for place, (apart, relative) in enumerate(zip(row["apart"], row["relative"], strict=True), row["first"] + 1):
            where = {"one": row["one"], "other": row["other"], "epoch": row["epoch"], "step": place}
            yield _of(row) | where | {"norm_of_difference": apart, "relative": relative}


def _causes(told: Summary) -> Iterator[Row]:
    for row in told.causes:
        which = {name: row[name] for name in ("experiment", "dtype", "cause", "steps")}
        for quantity in ("between", "moved"):
            for of, value in row[quantity].items():
                yield which | {"quantity": quantity, "of": of, "relative": value}


def _guide(path: Path) -> Iterator[Row]:
    """Of each loss: what is one number, each metric by seed, and the metric after each epoch by seed."""
    for row in books.once(path, "guide", "problem", "loss", "share"):
        which = {name: row[name] for name in ("problem", "share", "loss", "recommended", "backend")}
        for name in ("shift", "near", "far", "target", "steps", "seconds_a_step"):
            yield which | {"quantity": name, "seed": None, "epoch": None, "value": row[name]}
        for name, values in row["by_seed"].items():
            for seed, value in enumerate(values):
                yield which | {"quantity": name, "seed": seed, "epoch": None, "value": value}
        for seed, path_of in enumerate(row["path"]):
            for epoch, value in enumerate(path_of, 1):
                yield which | {"quantity": "metric", "seed": seed, "epoch": epoch, "value": value}


def _of(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in ("experiment", "dtype", "seed")}
