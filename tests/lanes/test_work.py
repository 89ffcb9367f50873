"""What a loss must touch, counted by hand; shapes of the whole vocabulary against numpy's."""

from __future__ import annotations

from typing import Any

import numpy as np
import probe_suite
import pytest

from lossbench import Binding, Loss, domains
from lossbench.judge.counting import CountingOps, Tally, Traced
from lossbench.judge.work import Work, must_touch, row
from lossbench.record.ceilings import Ceilings
from lossbench.spec.case import Case, Cell, Lane
from lossbench.spec.catalogue import load

Y = np.array([[0.25, 1.0, 2.5, 0.125], [3.0, 0.5, 0.75, 1.5], [2.0, 4.0, 0.0625, 1.25]])
PROBES = {**probe_suite.ELEMENT, **probe_suite.ROW, **probe_suite.BATCH}
CEILINGS = Ceilings(
    threads=1, add={2**10: 4e9, 2**20: 1e9}, dot={2**10: 8e9, 2**20: 2e9}, matmul={"float32": 1e9, "float64": 5e8}
)


@pytest.mark.parametrize("op", [op for op in PROBES if not op.startswith(("one_hot", "take_class"))])
def test_shapes_are_numpys(op: str) -> None:
    tally = Tally()
    traced = PROBES[op][0](CountingOps(tally), Traced(Y.shape, tally), Traced(Y.shape, tally))
    assert traced.shape == np.shape(PROBES[op][1](Y, Y))


@pytest.mark.parametrize(
    ("op", "operations"),
    [
        ("square", 12),
        ("arithmetic", 7 * 12),  # 1 - p, / y, 0.3 p, +, -y, ** 2, -
        ("softplus", 2 * 12),
        ("clip", 2 * 12),
        ("mean_axes", 12),
        ("max", 12),
        ("logsumexp", 4 * 12 + 3),  # largest, difference, exponential, sum; a logarithm a row
        ("log_softmax", 5 * 12 + 3),
        ("softmax", 5 * 12),
        ("matmul", 2 * 3 * 4 * 3 + 2 * 3 * 3 * 4),
        ("reshape", 0),
        ("moveaxis", 0),
    ],
)
def test_operations_counted_by_hand(op: str, operations: int) -> None:
    tally = Tally()
    PROBES[op][0](CountingOps(tally), Traced(Y.shape, tally), Traced(Y.shape, tally))
    assert tally.operations == operations


def squared(m: Any, y_true: Any, y_pred: Any) -> Any:
    return m.square(y_pred - y_true)


def indexed(m: Any, y_true: Any, y_pred: Any) -> Any:
    return -m.take_class(m.log_softmax(y_pred), y_true)


def a_loss(call: Any, *, name: str = "formula", **inputs: Any) -> Loss:
    given = inputs or {"y_true": domains.REAL, "y_pred": domains.REAL}
    unit: Any = "row" if inputs else "element"
    binding = Binding(backend="torch", name=name, call=call, docs=(), unit=unit)
    return Loss(
        name="a", title="a", summary="a", formula="a", source="a", inputs=given, reference=call, bindings=(binding,),
        unit=unit,
    )  # fmt: skip


def test_bytes_and_operations_of_a_squared_error() -> None:
    case = Case(loss="a", shape=(10, 100))
    # difference, square, mean: 3 a number; 4 bytes each of target and prediction, one mean
    assert must_touch(a_loss(squared), case, "value") == Work(read_bytes=8000, written_bytes=4, operations=3000)
    assert must_touch(a_loss(squared), case, "grad") == Work(read_bytes=8000, written_bytes=4004, operations=6000)
    half = Case(loss="a", shape=(10, 100), dtype="bfloat16", params=(("reduction", "none"),))
    assert must_touch(a_loss(squared), half, "value") == Work(read_bytes=4000, written_bytes=2000, operations=2000)


def test_an_index_has_four_bytes_whatever_the_dtype() -> None:
    labels = {"y_true": domains.Domain(kind="class_index", extent="rows"), "y_pred": domains.LOGITS}
    found = must_touch(a_loss(indexed, **labels), Case(loss="a", shape=(10, 100), dtype="float64"), "value")
    # log_softmax 5 a number and 1 a row; minus and mean 1 a row
    assert found == Work(read_bytes=10 * 4 + 1000 * 8, written_bytes=8, operations=5000 + 10 + 10 + 10)


def test_a_framework_s_own_words_have_bytes_and_no_operations() -> None:
    found = must_touch(a_loss(lambda m, y, p: m.torch.lerp(y, p)), Case(loss="a", shape=(10, 100)), "value")
    assert (found.touched_bytes, found.operations) == (8004, 0)


def test_every_built_in_loss_with_a_formula_is_counted() -> None:
    known = load(backend="")
    uncounted = []
    for loss in known.losses.values():
        case = Case(loss=loss.name, shape=loss.shapes["small"], params=tuple(sorted(loss.params.items())))
        found = must_touch(loss, case, "grad")
        assert found.written_bytes > found.read_bytes / 10 or loss.inputs.keys() - {"y_true", "y_pred"}, loss.name
        if not found.operations:
            uncounted.append(loss.name)
    assert uncounted == []


def test_the_limit_is_the_slower_of_memory_and_arithmetic() -> None:
    def limit(work: Work, operation: str, dtype: str = "float32") -> tuple[float, str]:
        case = Case(loss="a", shape=(1,), dtype=dtype)
        cell = Cell(case=case, binding="formula", lane=Lane(backend="torch"), operation=operation)  # type: ignore[arg-type]
        found = row(cell, work, CEILINGS)
        return found["limit_seconds"], found["limited_by"]

    streaming = Work(read_bytes=2**20, written_bytes=0, operations=1)
    assert limit(streaming, "value") == (2**20 / 2e9, "memory")
    assert limit(streaming, "grad") == (2**20 / 1e9, "memory")
    assert limit(Work(read_bytes=4, written_bytes=4, operations=10**9), "grad") == (1.0, "arithmetic")
    assert limit(Work(read_bytes=4, written_bytes=4, operations=10**9), "grad", "float64") == (2.0, "arithmetic")
