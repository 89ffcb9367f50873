"""What a loss must touch whoever computes it, and how long that takes at the machine's limits at least.

Each input is read once and each result written once, in the dtype under test; the operations are those of the
formula, see `counting`. A value with its gradient is counted as twice the value's operations: of each operation one
more product, by the chain rule. Both are lower bounds, so that a fraction of the limit is never flattered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Final

import numpy as np

from lossbench.judge.counting import CountingOps, Tally, Traced
from lossbench.lanes import evaluation
from lossbench.lanes.backends.base import UnsupportedError
from lossbench.record.ceilings import Ceilings
from lossbench.spec import draw
from lossbench.spec.case import Case, Cell
from lossbench.spec.errors import BadInput
from lossbench.spec.inputs import class_axis, classes_last
from lossbench.spec.loss import Binding, Loss

NUMBER_BYTES: Final = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}
INDEX_BYTES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """operations: 0 where the formula cannot be counted, being written in a framework's own words."""

    read_bytes: int
    written_bytes: int
    operations: int

    @property
    def touched_bytes(self) -> int:
        return self.read_bytes + self.written_bytes


def must_touch(loss: Loss, case: Case, operation: str) -> Work:
    """Of one call: `value`, or `grad`, the value with its gradient by the prediction."""
    params = {**loss.params, **dict(case.params)}
    shape = classes_last(case.shape, class_axis(params, len(case.shape)))
    shapes = {name: draw.extent(domain, shape) for name, domain in loss.inputs.items()}
    each = NUMBER_BYTES[case.dtype]
    read = sum(prod(shapes[name]) * (INDEX_BYTES if domain.integer else each) for name, domain in loss.inputs.items())
    value, operations = _value(loss, case, shapes | {"y_pred": case.shape})
    gradient = operation != "value"
    written = each * (prod(value) + (prod(case.shape) if gradient else 0))
    return Work(read_bytes=read, written_bytes=written, operations=operations * (2 if gradient else 1))


def _value(loss: Loss, case: Case, shapes: Mapping[str, tuple[int, ...]]) -> tuple[tuple[int, ...], int]:
    """Shape of the value, and the operations of the first spelling that the vocabulary alone can say."""
    for binding in sorted(loss.bindings, key=lambda b: b.name != "formula"):
        tally = Tally()
        try:
            value = _traced(loss, binding, case, shapes, tally)
        except (AttributeError, TypeError, ValueError, BadInput, UnsupportedError, evaluation.WrongOutput):
            continue  # in a framework's own words, or not for these parameters
        return value.shape, tally.operations
    return (), 0


def _traced(loss: Loss, binding: Binding, case: Case, shapes: Mapping[str, tuple[int, ...]], tally: Tally) -> Traced:
    given = {name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes.items()}  # of any size, one number
    further = {name: array for name, array in given.items() if name not in ("y_true", "y_pred")}
    plan = evaluation.plan(loss, binding, {**dict(case.params), **further})
    m: Any = CountingOps(tally)
    program = evaluation.Program(loss, binding, m, plan, given["y_true"], given["y_pred"])
    value: Traced = program.checked(remember=False)(*(Traced(np.shape(a), tally) for a in program.handed_over()))
    return value


def row(cell: Cell, work: Work, ceilings: Ceilings) -> dict[str, Any]:
    """A row of the work table."""
    memory = work.touched_bytes / ceilings.bytes_per_second(work.touched_bytes, writes=cell.operation != "value")
    arithmetic = work.operations / ceilings.operations_per_second(cell.case.dtype)
    return {
        "cell": cell.id,
        "loss": cell.case.loss,
        "lane": cell.lane.id,
        "backend": cell.lane.backend,
        "binding": cell.binding,
        "operation": cell.operation,
        "read_bytes": work.read_bytes,
        "written_bytes": work.written_bytes,
        "operations": work.operations,
        "limit_seconds": max(memory, arithmetic),
        "limited_by": "memory" if memory >= arithmetic else "arithmetic",
    }
