"""A run that never happened: tables with the columns and the kinds of content of a real one, made from a seed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lossbench import Binding, Loss, domains
from lossbench.record import frames
from lossbench.record.frames import Tables
from lossbench.record.tables import CURVES, MAPS, SCHEMA_VERSION, TABLES, Table
from lossbench.spec.formats import FORMATS

BACKENDS = ("tensorflow", "torch", "jax")
MODES = {"tensorflow": ("eager", "compiled", "xla"), "torch": ("eager", "compiled"), "jax": ("eager", "compiled")}
DTYPES = ("float64", "float32")
REGIMES = ("typical", "saturated", "tiny", "huge", "edges", "equal")


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    losses: Mapping[str, Loss]

    def family(self, name: str) -> str:
        return f"family {name[-1]}"


def squared(m: Any, y_true: Any, y_pred: Any) -> Any:
    return m.square(y_pred - y_true)


def make_loss(name: str, *, title: str = "", formula: str = r"\ell(y, p) = (p - y)^2", **more: Any) -> Loss:
    bindings = tuple(
        Binding(backend=backend, name=spelling, call=squared, docs=(f"{backend}.{spelling}.{name}",), **more)
        for backend in BACKENDS
        for spelling in ("native", "formula")
    )
    return Loss(
        name=name,
        title=title or name.replace("_", " ").capitalize(),
        summary=f"What {name} measures.",
        formula=formula,
        source="A. Author, A Journal 1 (1970) 1-2",
        inputs={"y_true": domains.REAL, "y_pred": domains.REAL},
        reference=squared,
        bindings=bindings,
    )


def catalogue(count: int) -> Catalogue:
    return Catalogue(losses={f"loss_{i:02d}": make_loss(f"loss_{i:02d}") for i in range(count)})


def _frame(table: Table, rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame([table.row(row) for row in rows], columns=[c.name for c in table.columns])


def _class(rng: np.random.Generator, regime: str, binding: str, quantity: str) -> tuple[str, str, float]:
    """class, convention, ulp; decided by what a run of this kind usually shows."""
    draw = rng.random()
    if regime in ("typical", "equal") or binding == "formula" or draw < 0.85:
        return "rounding", "", float(rng.choice([0.0, 0.5, 0.8, 1.2, 2.4]))
    if draw < 0.93:
        return "convention", "eps_clip=1e-7", 3.2e5 * rng.random()
    if draw < 0.96:
        return "accuracy", "", 10 ** (2 + 5 * rng.random())
    if draw < 0.98 or quantity == "value":
        return "range", "", math.inf
    return "defect", "", 10 ** (6 + 3 * rng.random())


def make(losses: Mapping[str, Loss], *, seed: int = 0, visits: int = 8) -> Tables:
    """Every loss, binding, mode, dtype and regime; one shape is timed."""
    rng = np.random.default_rng(seed)
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    for loss in losses.values():
        base = 10 ** rng.uniform(-3.6, -2)
        for backend in BACKENDS:
            for place, binding in enumerate(loss.bindings_of(backend)):
                for mode in MODES[backend]:
                    speed = base * rng.lognormal(0, 0.4) * (1.6 if mode == "eager" else 0.7)
                    _binding(rng, rows, loss, backend, binding.name, mode, speed * (1 + 0.2 * place), visits)
    rows["claims"] = _claims(rng, losses)
    rows["facts"] = [{"key": key, "value": value} for key, value in FACTS.items()]
    frames = {name: _frame(TABLES[name], rows[name]) for name in TABLES}
    return Tables(**{**frames, "curves": curves(losses), "maps": maps(losses)})


def record(
    results: Path, tables: Tables, *, name: str = "20261122T140300Z-abc123", suites: tuple[str, ...] = ()
) -> Path:
    """The same as a finished run's folder."""
    folder = results / name
    folder.mkdir(parents=True)
    for table in TABLES.values():
        rows = ({str(k): v for k, v in row.items()} for row in getattr(tables, table.name).to_dict("records"))
        frames.write_parquet(folder / f"{table.name}.parquet", frames.arrow(table, rows))
    manifest = {"id": name, "schema_version": SCHEMA_VERSION, "state": "finished", "request": {"suites": list(suites)}}
    (folder / "run.json").write_text(json.dumps(manifest))
    return folder


def _binding(
    rng: np.random.Generator,
    rows: dict[str, list[dict[str, Any]]],
    loss: Loss,
    backend: str,
    binding: str,
    mode: str,
    speed: float,
    visits: int,
) -> None:
    lane = f"{backend}-cpu-{mode}"
    uncompilable = mode != "eager" and rng.random() < 0.03
    for dtype in DTYPES:
        for regime in REGIMES:
            case = f"{loss.name}[{FORMATS[dtype].short},16x8,{regime},s0]"
            common = {"case": case, "loss": loss.name, "lane": lane, "backend": backend, "binding": binding}
            for operation in ("value", "grad"):
                cell = f"{case}@{lane}/{binding}:{operation}"
                why = "the graph breaks on a data-dependent branch" if uncompilable else ""
                rows["cells"].append(
                    {**common, "cell": cell, "operation": operation, "shape": (16, 8), "dtype": dtype, "regime": regime}
                    | {"device": "cpu", "mode": mode, "status": "failed" if uncompilable else "ok", "reason": why}
                )
                if uncompilable:
                    continue
                kind, convention, ulp = _class(rng, regime, binding, operation)
                rows["agreement"].append(
                    {**common, "cell": cell, "operation": operation, "dtype": dtype, "regime": regime}
                    | {"quantity": operation, "against": "oracle", "verdict": "tight", "class": kind}
                    | {"convention": convention, "max_ulp": ulp, "median_ulp": min(ulp, 0.5), "max_rel": ulp * 6e-8}
                    | {"worst_index": "3,1", "worst_y_true": 1.0, "worst_y_pred": float(np.float32(rng.normal()))}
                    | {"got": float(np.float32(rng.normal())), "expected": float(np.float32(rng.normal()))}
                    | {"reason": f"{kind}: {ulp:.3g} ulp from the exact {operation}"}
                )
    if not uncompilable:
        _timed(rng, rows, loss, lane, backend, binding, mode, speed, visits)


def _timed(
    rng: np.random.Generator,
    rows: dict[str, list[dict[str, Any]]],
    loss: Loss,
    lane: str,
    backend: str,
    binding: str,
    mode: str,
    speed: float,
    visits: int,
) -> None:
    case = f"{loss.name}[f32,2048x128,typical,s0]"
    cell = f"{case}@{lane}/{binding}:grad"
    common = {"case": case, "loss": loss.name, "lane": lane, "backend": backend, "binding": binding, "cell": cell}
    size = 2048 * 128 * 4
    rows["cells"].append(
        {**common, "operation": "grad", "shape": (2048, 128), "dtype": "float32", "regime": "typical", "device": "cpu"}
        | {
            "mode": mode,
            "timed": True,
            "status": "ok",
            "compile_seconds": 0.4,
            "first_call_seconds": 0.01,
            "own_kernels": 7,
            "own_bytes": 5 * size,
            "counted_by": "somebody",
        }
    )
    rows["work"].append(
        {"cell": cell, "loss": loss.name, "lane": lane, "backend": backend, "binding": binding, "operation": "grad"}
        | {"read_bytes": 2 * size, "written_bytes": size, "operations": 10**6, "limit_seconds": 1e-4}
        | {"limited_by": "memory"}
    )
    for visit in range(visits):
        samples = tuple(speed * rng.lognormal(0, 0.05, 5))
        rows["measurements"].append(
            {**common, "operation": "grad", "visit": visit, "status": "ok", "loops": 10, "seconds_per_call": samples}
            | {"latency_seconds": 1.1 * speed, "opening_seconds": 1.5 * speed}
        )


def _claims(rng: np.random.Generator, losses: Mapping[str, Loss]) -> list[dict[str, Any]]:
    rows = []
    for number, loss in enumerate(list(losses.values())[:10], start=1):
        wrong = number in (6, 10)
        for backend in BACKENDS:
            claimed = f"{rng.random():.4f}"
            measured = "0.38875" if wrong else claimed
            rows.append(
                {"claim": f"E{number}", "loss": loss.name, "source": f"S{number % 4}", "claimed": claimed}
                | {"backend": backend, "binding": "native", "lane": f"{backend}-cpu-eager", "measured": measured}
                | {"oracle": measured, "holds": "no" if wrong else "yes", "runs_as_written": "yes"}
                | {"reason": f"claimed {claimed}, measured {measured}"}
            )
    return rows


def curves(losses: Mapping[str, Loss], *, points: int = 61) -> pd.DataFrame:
    """Squared error and its gradient, with errors of at most an ulp."""
    rng = np.random.default_rng(1)
    x = np.linspace(-3, 3, points)
    frames = [
        pd.DataFrame(
            {"loss": loss.name, "backend": backend, "binding": loss.bindings_of(backend)[0].name, "dtype": "float32"}
            | {"target": 0.0, "x": x, "value": x**2, "grad": 2 * x, "oracle_value": x**2, "oracle_grad": 2 * x}
            | {"value_ulp": rng.uniform(-1, 1, points), "grad_ulp": rng.uniform(-0.5, 0.5, points)},
            columns=[c.name for c in CURVES.columns],
        )
        for loss in losses.values()
        for backend in BACKENDS
        if loss.bindings_of(backend)
    ]
    return pd.concat(frames, ignore_index=True)


def maps(losses: Mapping[str, Loss], *, side: int = 43) -> pd.DataFrame:
    """Squares that overflow far out, a band of lost digits, and some noise."""
    rng = np.random.default_rng(2)
    axis = np.concatenate([-np.geomspace(1e38, 1e-3, side // 2), [0.0], np.geomspace(1e-3, 1e38, side // 2)])
    far = np.abs(axis)[:, None] + np.abs(axis)[None, :]
    rows = []
    for loss in losses.values():
        for backend in (*BACKENDS, ""):
            for quantity in ("value", "grad"):
                ulp = np.where(
                    far > 1e19, np.inf, rng.choice([0.5, 1.5, 4.0, 40.0], far.shape, p=[0.6, 0.3, 0.08, 0.02])
                )
                binding = loss.bindings_of(backend)[0].name if backend else ""
                place = {"loss": loss.name, "backend": backend, "binding": binding, "dtype": "float32"}
                axes = {"x_name": "prediction", "y_name": "target", "x": axis, "y": axis, "at_x": 1e19, "at_y": 0.0}
                why = "more than 10 ulp apart on 12% of the plane, farthest at prediction 1e+19, target 0: inf"
                rows.append({**place, **axes, "quantity": quantity, "ulp": ulp.ravel(), "reason": why})
    return _frame(MAPS, rows)


FACTS = {
    "machine.cpu": "Some CPU @ 2.60GHz",
    "machine.threads_allowed": "2",
    "machine.memory_bytes": str(23 * 2**30),
    "machine.load_1min": "0.31",
    "ceiling.threads1.add.1048576.bytes_per_second": "4.5e+10",
    "ceiling.threads1.add.268435456.bytes_per_second": "9.5e+09",
    "ceiling.threads1.matmul.float32.operations_per_second": "8.1e+10",
    "conditions.timing.others_share": "0.34",
    "version.tensorflow-cpu": "2.21.0",
    "version.keras": "3.15.0",
    "version.torch": "2.13.0",
    "version.jax": "0.10.2",
    "version.optax": "0.2.8",
    "commit.id": "abc1234def5678",
    "commit.dirty": "no",
    "profile": "standard",
    "python.version": "3.11.9",
    "wall.start_up_seconds": "31.2",
    "wall.compile_seconds": "118.4",
    "wall.timed_seconds": "291.0",
    "wall.answers_seconds": "44.0",
    "wall.other_seconds": "21.5",
}
