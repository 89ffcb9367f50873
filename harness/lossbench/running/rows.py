"""Cells, answers, blocks and verdicts as rows of the tables."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from lossbench.lanes.measurement import Answer, Block
from lossbench.spec.case import Cell


def _identity(cell: Cell) -> dict[str, Any]:
    """The columns by which every table is joined and filtered."""
    return {
        "cell": cell.id,
        "case": cell.case.id,
        "loss": cell.case.loss,
        "lane": cell.lane.id,
        "backend": cell.lane.backend,
        "binding": cell.binding,
        "operation": cell.operation,
    }


def of_answer(cell: Cell, answer: Answer, *, timed: bool) -> dict[str, Any]:
    """A row of `cells`."""
    case, lane = cell.case, cell.lane
    return _identity(cell) | {
        "params": json.dumps(dict(case.params)),
        "shape": case.shape,
        "dtype": case.dtype,
        "regime": case.regime,
        "seed": case.seed,
        "device": lane.device,
        "mode": lane.mode,
        "interpreter": lane.interpreter,
        "threads": lane.threads,
        "label": lane.label,
        "timed": timed,
        "status": answer.status,
        "reason": answer.reason,
        "traceback": answer.traceback,
        "digest": answer.digest,
        "result_dtype": answer.result_dtype,
        "prepare_seconds": answer.prepare_seconds,
        "compile_seconds": answer.compile_seconds,
        "first_call_seconds": answer.first_call_seconds,
        "own_kernels": answer.own_kernels,
        "own_bytes": answer.own_bytes,
        "own_operations": answer.own_operations,
        "counted_by": answer.counted_by,
        "printed": answer.printed,
        "facts": json.dumps(dict(answer.facts)) if answer.facts else "",
    }


def of_block(cell: Cell, block: Block, *, visit: int, position: int, started_seconds: float) -> dict[str, Any]:
    """A row of `measurements`."""
    return _identity(cell) | {
        "visit": visit,
        "position": position,
        "started_seconds": started_seconds,
        "status": block.status,
        "reason": block.reason,
        "loops": block.loops,
        "seconds_per_call": block.seconds_per_call,
        "latency_seconds": _known(block.latency_seconds),
        "opening_seconds": _known(block.opening_seconds),
        "peak_bytes": block.peak_bytes,
    }


def _known(seconds: float) -> float | None:
    """A time that was not measured is null in the table, not NaN."""
    return None if math.isnan(seconds) else seconds


def of_verdict(cell: Cell, verdict: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `agreement` with the identity filled in."""
    identity = _identity(cell) | {"dtype": cell.case.dtype, "regime": cell.case.regime}
    return identity | _worst(str(verdict.get("worst_inputs", ""))) | dict(verdict)


def _worst(inputs: str) -> dict[str, Any]:
    """Target and prediction at the worst element, as columns of their own where each is one number."""
    found: dict[str, Any] = {}
    if inputs:
        named = json.loads(inputs)
        for name in ("y_true", "y_pred"):
            if isinstance(value := named.get(name), int | float | str):
                found[f"worst_{name}"] = float(value)
    return found
