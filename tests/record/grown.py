"""Runs of any size that never happened, in the product's own files: real losses, lanes and ids, made-up numbers.

Cells and verdicts are those of one seed, so that the runs of a folder are of one plan; times are new in every run, and
a few verdicts change from each run to the next.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "show"), str(ROOT / "harness")]

import synthetic_run  # noqa: E402

from lossbench.record import frames  # noqa: E402
from lossbench.record.tables import DEFAULTS, SCHEMA_VERSION, TABLES, Table  # noqa: E402
from lossbench.spec import catalogue  # noqa: E402
from lossbench.spec.case import Case, Cell, Lane  # noqa: E402
from lossbench.spec.loss import Loss  # noqa: E402

ROUNDS = 5
LABELS = ("", "a", "b", "c", "d")
SHAPES = ((2048, 128), (16, 8))
REGIMES = ("typical", "saturated", "tiny", "huge", "kink")
ANSWERED = 6000
"""Cells that are compared and not timed: twice the timed ones, and no more than so many."""
MOVED = 3
"""Verdicts that change from one run to the next."""
CLASSES = (
    ("rounding", "tight", ""), ("convention", "differs", "eps_clip=1e-7"), ("accuracy", "differs", ""),
    ("range", "differs", ""),
)  # fmt: skip
SHARES = (0.93, 0.04, 0.02, 0.01)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What each run of a folder measures. timed: so many of the cells, from the first on, in every visit."""

    cells: tuple[Cell, ...]
    timed: int
    visits: int
    losses: dict[str, Loss]

    @classmethod
    def of(cls, timed: int, visits: int) -> Plan:
        losses = dict(catalogue.load(backend="").losses)
        places = [
            (loss, binding.name, binding.backend, mode)
            for loss in losses.values()
            for binding in loss.bindings
            for mode in synthetic_run.MODES[binding.backend]
        ]
        cells = list(itertools.islice(_timed(places), timed))
        cells += itertools.islice(_answered(places), min(2 * timed, ANSWERED))
        return cls(cells=tuple(cells), timed=len(cells[:timed]), visits=visits, losses=losses)


def _timed(places: list[tuple[Loss, str, str, str]]) -> Iterator[Cell]:
    for seed, dtype, shape, label, operation in itertools.product(
        range(1000), ("float32", "float64"), SHAPES, LABELS, ("grad", "value")
    ):
        for loss, binding, backend, mode in places:
            yield _cell(loss, binding, backend, mode, shape, dtype, "typical", seed, label, operation)


def _answered(places: list[tuple[Loss, str, str, str]]) -> Iterator[Cell]:
    for dtype, regime in itertools.product(("float32", "float64", "bfloat16", "float16"), REGIMES):
        for loss, binding, backend, mode in places:
            if mode == "eager":
                yield _cell(loss, binding, backend, mode, (24, 8), dtype, regime, 0, "", "grad")


def _cell(loss: Loss, binding: str, backend: str, mode: Any, shape: Any, dtype: str, regime: str, seed: int,
          label: str, operation: Any) -> Cell:  # fmt: skip
    params = tuple(sorted(loss.params.items()))
    case = Case(loss=loss.name, params=params, shape=shape, dtype=dtype, regime=regime, seed=seed)
    return Cell(
        case=case, binding=binding, lane=Lane(backend=backend, mode=mode, label=label), operation=operation
    )  # fmt: skip


def write(results: Path, *, rows: int, runs: int = 1, visits: int = 4, first: int = 0, drawn: int = 1000) -> list[Path]:
    """So many measurement rows over so many runs; at least one cell a run is timed. first: number of the first run.

    drawn: of how many losses there are curves and maps.
    """
    plan = Plan.of(max(1, rows // runs // visits), visits)
    common = _common(plan, drawn)
    folders = []
    for number in range(first, first + runs):
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)
        folder = results / f"{at:%Y%m%dT%H%M%SZ}-{number:06x}"
        folder.mkdir(parents=True)
        tables = common | {"agreement": _agreement(plan, number), "measurements": _measurements(plan, number)}
        for name, content in tables.items():
            frames.write_parquet(folder / f"{name}.parquet", content)
        manifest = {"id": folder.name, "schema_version": SCHEMA_VERSION, "created_utc": at.isoformat()}
        (folder / "run.json").write_text(json.dumps(manifest | {"state": "finished", "request": {}}))
        folders.append(folder)
    return folders


def _table(table: Table, columns: dict[str, Any], rows: int) -> pa.Table:
    """Columns that are not given hold what a row holds where it does not say."""
    schema = frames.schema(table)
    arrays = []
    for column, field in zip(table.columns, schema, strict=True):
        given = columns.get(column.name)
        if given is None:
            default = DEFAULTS[column.type]
            given = pa.repeat(pa.scalar(list(default) if isinstance(default, tuple) else default, field.type), rows)
        arrays.append(given if isinstance(given, pa.Array) else pa.array(given, field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def _identity(cells: tuple[Cell, ...]) -> dict[str, pa.Array]:
    found = {
        "cell": [c.id for c in cells], "case": [c.case.id for c in cells], "loss": [c.case.loss for c in cells],
        "lane": [c.lane.id for c in cells], "backend": [c.lane.backend for c in cells],
        "binding": [c.binding for c in cells], "operation": [c.operation for c in cells],
        "dtype": [c.case.dtype for c in cells], "regime": [c.case.regime for c in cells],
    }  # fmt: skip
    return {name: pa.array(values, pa.string()) for name, values in found.items()}


def _common(plan: Plan, drawn: int) -> dict[str, pa.Table]:
    """What is alike in all runs: cells, work, claims, curves, maps, facts."""
    n, timed = len(plan.cells), plan.timed
    named = _identity(plan.cells)
    cells = named | {
        "shape": [list(c.case.shape) for c in plan.cells], "mode": [c.lane.mode for c in plan.cells],
        "device": ["cpu"] * n, "label": [c.lane.label for c in plan.cells], "threads": [1] * n,
        "params": [json.dumps(dict(c.case.params)) for c in plan.cells], "timed": [i < timed for i in range(n)],
        "status": ["ok"] * n, "compile_seconds": [0.4] * n, "first_call_seconds": [0.01] * n,
        "peak_bytes": [10**9] * n, "own_kernels": [7] * n, "own_bytes": [10**6] * n, "counted_by": ["somebody"] * n,
    }  # fmt: skip
    work = {name: column[:timed] for name, column in named.items()} | {
        "read_bytes": [10**6] * timed, "limit_seconds": [1e-5] * timed, "limited_by": ["memory"] * timed,
    }  # fmt: skip
    some = dict(itertools.islice(plan.losses.items(), drawn))
    facts = synthetic_run.FACTS | {"machine.architecture": "x86_64", "machine.cores": "2"}
    return {
        "cells": _table(TABLES["cells"], cells, n),
        "work": _table(TABLES["work"], work, timed),
        "claims": _table(TABLES["claims"], {}, 0),
        "curves": _framed("curves", synthetic_run.curves(some)),
        "maps": _framed("maps", synthetic_run.maps(some)),
        "custom": _table(TABLES["custom"], {}, 0),
        "facts": _table(TABLES["facts"], {"key": list(facts), "value": list(facts.values())}, len(facts)),
    }


def _framed(name: str, frame: Any) -> pa.Table:
    return _table(TABLES[name], {column: frame[column].tolist() for column in frame.columns}, len(frame))


def _agreement(plan: Plan, number: int) -> pa.Table:
    """Value and gradient of each cell against the exact result; of every other one also against another lane."""
    rng = np.random.default_rng(0)
    n = len(plan.cells)
    kinds = rng.choice(len(CLASSES), (n, 2), p=SHARES)
    for day in range(number + 1):
        late = np.random.default_rng(1000 + day)
        kinds[late.integers(0, n, MOVED), late.integers(0, 2, MOVED)] = late.integers(0, len(CLASSES))
    rows = np.concatenate([np.repeat(np.arange(n), 2), np.arange(0, n, 2)])
    quantity = np.concatenate([np.tile([0, 1], n), np.ones(len(rows) - 2 * n, int)])
    kind = kinds[rows, quantity]
    ulp = np.array([0.8, 3e5, 4e3, np.inf])[kind] * (1 + 0.3 * rng.random(len(rows)))
    place = pa.array(rows)
    other = pa.array([f"{c.lane.id}/{c.binding}" for c in plan.cells]).take(pa.array(np.roll(rows, 7)))
    against = pa.chunked_array([pa.repeat("oracle", 2 * n), other[2 * n :]]).combine_chunks()
    columns = {name: column.take(place) for name, column in _identity(plan.cells).items()} | {
        "quantity": pa.array(["value", "grad"]).take(pa.array(quantity)), "against": against,
        "verdict": _picked(1, kind), "class": _picked(0, kind), "convention": _picked(2, kind),
        "max_ulp": ulp, "median_ulp": np.minimum(ulp, 0.5), "max_rel": ulp * 6e-8, "worst_index": _worst(len(rows)),
        "worst_y_true": np.ones(len(rows)), "worst_y_pred": rng.normal(size=len(rows)),
        "got": rng.normal(size=len(rows)), "expected": rng.normal(size=len(rows)),
        "reason": pa.array([f"{name}: so many ulp from exact" for name, _, _ in CLASSES]).take(pa.array(kind)),
    }  # fmt: skip
    return _table(TABLES["agreement"], columns, len(rows))


def _picked(place: int, kind: Any) -> pa.Array:
    return pa.array([each[place] for each in CLASSES]).take(pa.array(kind))


def _worst(rows: int) -> pa.Array:
    return pa.repeat("3,1", rows)


def _measurements(plan: Plan, number: int) -> pa.Table:
    """Visit after visit, all cells in turn; the speeds are the plan's, the moods and the noise the run's."""
    n, visits = plan.timed, plan.visits
    base = 10 ** np.random.default_rng(1).uniform(-5, -2, n)
    rng = np.random.default_rng(2 + number)
    moods = rng.lognormal(0, 0.1, (visits, 1))
    speed = (base * moods * rng.lognormal(0, 0.03, (visits, n))).ravel()
    samples = speed[:, None] * rng.lognormal(0, 0.05, (n * visits, ROUNDS))
    ends = pa.array(np.arange(0, ROUNDS * n * visits + 1, ROUNDS), pa.int32())
    place = pa.array(np.tile(np.arange(n), visits))
    named = _identity(plan.cells[:n])
    columns = {name: named[name].take(place) for name in named if name not in ("dtype", "regime")} | {
        "visit": np.repeat(np.arange(visits), n), "position": np.arange(n * visits),
        "started_seconds": 1.8e9 + np.cumsum(speed), "status": pa.repeat("ok", n * visits),
        "loops": np.full(n * visits, 10), "seconds_per_call": pa.ListArray.from_arrays(ends, pa.array(samples.ravel())),
        "latency_seconds": 1.1 * speed, "opening_seconds": 1.5 * speed, "peak_bytes": np.full(n * visits, 10**9),
    }  # fmt: skip
    return _table(TABLES["measurements"], columns, n * visits)
