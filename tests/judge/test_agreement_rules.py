"""The rules of agreement on hand-made answers; every expected number is written here."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossbench import Binding, Definition, Loss, domains
from lossbench.judge.agreement import judge, judge_one
from lossbench.judge.elements import ulp_distance
from lossbench.judge.reference import Reference
from lossbench.judge.verdict import Verdict, rank
from lossbench.lanes.measurement import Answer
from lossbench.spec import catalogue

CELL = "case@torch-cpu-eager/functional:grad"
EPS32 = 2.0**-23


def _absent(*_: Any, **__: Any) -> Any:
    raise AssertionError("a framework's spelling is not called here")


def _bce(x: Any, y_true: Any, y_pred: Any, **_: Any) -> Any:
    return -(y_true * x.log(y_pred) + (1 - y_true) * x.log(1 - y_pred))


def _bce_clipped(x: Any, y_true: Any, y_pred: Any, **_: Any) -> Any:
    return _bce(x, y_true, x.clip(y_pred, 1e-7, 1 - 1e-7))


def _mae(x: Any, y_true: Any, y_pred: Any, **_: Any) -> Any:
    return x.abs(y_pred - y_true)


def _loss(reference: Any, definitions: tuple[Definition, ...] = (), y_pred: Any = domains.REAL) -> Loss:
    return Loss(
        name="probe",
        title="Probe",
        summary="A loss of the tests.",
        formula="l",
        source="these tests",
        inputs={"y_true": domains.REAL, "y_pred": y_pred},
        reference=reference,
        definitions=definitions,
        bindings=(Binding(backend="torch", name="functional", call=_absent, docs=()),),
    )


MAE = _loss(_mae)
CLIP = Definition(name="eps_clip=1e-7", reference=_bce_clipped, where="the tests")
BCE = _loss(_bce, (CLIP,), domains.PROBABILITY)


def arrays(y_true: Any, y_pred: Any, dtype: Any = np.float32) -> dict[str, Any]:
    return {"y_true": np.asarray(y_true, dtype), "y_pred": np.asarray(y_pred, dtype)}


def judged(
    loss: Loss, given_arrays: dict[str, Any], *, value: Any = None, grad: Any = None, dtype: str = "float32",
    reduction: str = "none", **more: Any,
) -> dict[str, Verdict]:  # fmt: skip
    carrier = np.float64 if dtype == "float64" else np.float32
    answer = Answer(
        status=more.pop("status", "ok"),
        value=None if value is None else np.asarray(value, carrier),
        grad=None if grad is None else np.asarray(grad, carrier),
        **more,
    )
    rows = judge(loss, {"reduction": reduction}, given_arrays, dtype, {CELL: answer})
    return {row.quantity: row for row in rows}


def test_the_right_answer_is_tight() -> None:
    rows = judged(MAE, arrays([1, 5], [2, 3]), value=[1, 2], grad=[1, -1])
    for row in rows.values():
        assert (row.verdict, row.klass, row.max_ulp, row.right) == ("tight", "rounding", 0.0, True)


@pytest.mark.parametrize(("ulps", "verdict"), [(1, "tight"), (4, "tight"), (5, "stable"), (9, "differs")])
def test_levels_by_distance(ulps: int, verdict: str) -> None:
    """|1.5 - 0.5| = 1 exactly; the formula owes one rounding of the difference, times 8 at most."""
    row = judged(MAE, arrays([0.5], [1.5]), value=[1 + ulps * EPS32], grad=[1.0])["value"]
    assert row.verdict == verdict
    assert row.max_ulp == ulps
    assert row.klass == ("rounding" if verdict != "differs" else "accuracy")


def test_float64_distances_are_measured_beyond_float64() -> None:
    """Of log 2 in float64: rounding to nearest leaves 0.21 ulp, its upper neighbour is less than 1.5 ulp away."""
    given_arrays = arrays([1.0], [0.5], np.float64)
    near, next_up = math.log(2), np.nextafter(math.log(2), 1)
    row = judged(BCE, given_arrays, value=[near], grad=[-2.0], dtype="float64")["value"]
    assert 0 < row.max_ulp < 0.5
    row = judged(BCE, given_arrays, value=[next_up], grad=[-2.0], dtype="float64")["value"]
    assert 0.5 < row.max_ulp < 1.5


def test_a_planted_clip_is_named_in_value_and_gradient() -> None:
    """p = 0 where y = 1: exact is infinite; clipped at 1e-7 the value is -log(1e-7) and the slope 0."""
    given_arrays = arrays([1, 0, 1], [0, 0.25, 0.5])
    low = float(np.float32(1e-7))
    rows = judged(BCE, given_arrays, value=[-math.log(low), -math.log(0.75), math.log(2)], grad=[0, 4 / 3, -2])
    assert (rows["value"].klass, rows["value"].convention) == ("convention", "eps_clip=1e-7")
    assert (rows["grad"].klass, rows["grad"].convention) == ("convention", "eps_clip=1e-7")


def test_infinity_is_right_where_the_exact_result_is_infinite() -> None:
    row = judged(BCE, arrays([1, 0], [0, 0.25]), value=[math.inf, -math.log(0.75)])["value"]
    assert (row.verdict, row.klass) == ("tight", "rounding")


def test_infinity_where_the_result_fits_is_range() -> None:
    row = judged(MAE, arrays([0, 0], [3e38, 1]), value=[math.inf, 1])["value"]
    assert (row.verdict, row.klass, row.worst_index) == ("differs", "range", "0")
    assert row.max_ulp == math.inf


def test_infinity_is_right_where_the_dtype_overflows() -> None:
    row = judged(MAE, arrays([-3e38], [3e38]), value=[math.inf])["value"]
    assert row.verdict == "tight"
    row = judged(MAE, arrays([-60000], [60000]), value=[math.inf], dtype="float16")["value"]
    assert row.verdict == "tight"


def test_nan_never_agrees_unless_the_inputs_hold_it() -> None:
    assert judged(MAE, arrays([0], [1]), value=[math.nan])["value"].klass == "range"
    assert judged(MAE, arrays([0], [math.nan]), value=[math.nan])["value"].verdict == "tight"
    assert not judged(MAE, arrays([0], [math.nan]), value=[0.0])["value"].right


def test_nan_where_nothing_is_right_is_no_agreement() -> None:
    """log(1 - p) of p = 1.5 with weight 1: there is no exact result, and the prediction is outside the domain."""
    row = judged(BCE, arrays([0, 1], [1.5, 0.5]), value=[math.nan, math.log(2)])["value"]
    assert (row.verdict, row.klass, row.right) == ("undefined", "domain", False)


def test_a_factor_is_a_defect() -> None:
    rows = judged(MAE, arrays([1, 5, 2], [2, 3, 9]), value=[0.5, 1, 3.5], grad=[0.5, -0.5, 0.5])
    assert rows["value"].klass == "defect"
    assert "0.5 times" in rows["value"].reason
    assert rows["grad"].klass == "defect"
    scalar = judged(MAE, arrays([1, 5, 2], [2, 3, 9]), value=5 / 3, grad=[1 / 3, -1 / 3, 1 / 3], reduction="mean")
    assert scalar["value"].klass == "defect"
    assert scalar["grad"].right


def test_a_few_alike_rounding_errors_are_no_factor() -> None:
    """Twenty ulp off in two elements alike is chance, in all of ten it is a factor of 1.0000024."""
    y_pred = np.linspace(1, 10, 10)
    off = y_pred.astype(np.float32) * np.float32(1 + 20 * EPS32)
    two = np.where(np.arange(10) < 2, off, y_pred)
    assert judged(MAE, arrays(0 * y_pred, y_pred), value=two)["value"].klass == "accuracy"
    assert judged(MAE, arrays(0 * y_pred, y_pred), value=off)["value"].klass == "defect"


def test_a_factor_at_a_jump_or_of_flushed_numbers_is_none() -> None:
    """The wrong side of a jump is twice or minus the slope of the right one, and so is a subnormal difference of 0."""
    wrong_side = judged(MAE, arrays([1.0, 1.0], [1 + EPS32, 2.0]), value=[EPS32, 1.0], grad=[-1.0, 1.0])["grad"]
    assert (wrong_side.klass, wrong_side.convention) == ("kink", "side chosen by rounding")
    flushed = judged(MAE, arrays([1e-39, 0.0], [2e-39, 1.0]), value=[1e-39, 1.0], grad=[-1.0, 1.0])["grad"]
    assert flushed.klass == "range"


def test_on_a_bound_as_float64_rounds_it_the_side_is_chance_and_no_lack_of_digits() -> None:
    """1 - 1e-7 rounds to a number 5e-17 above it, where the clipped slope is 0; as float32 rounds it, it is below."""
    loss = catalogue.load().losses["categorical_crossentropy_keras"]
    bound, inside = 1 - 1e-7, 1.0005e-7  # inside the bounds, yet not inside those that 16-bit formats hold
    given_arrays = arrays([[0, 1], [1, 0], [1, 0]], [[1e-7, bound], [0.5, 0.5], [inside, 1 - inside]], np.float64)
    value = [-math.log(bound), math.log(2), -math.log(inside)]
    grad = np.array([[0, -1 / bound], [-2, 0], [-1 / inside, 0]])
    row = judged(loss, given_arrays, value=value, grad=grad, dtype="float64")["grad"]
    assert (row.klass, row.convention) == ("kink", "side chosen by rounding")
    single = grad.astype(np.float32) * np.float32(1 + EPS32)
    row = judged(loss, given_arrays, value=value, grad=single, dtype="float64")["grad"]
    assert (row.klass, row.reason.partition(":")[0]) == ("accuracy", "is computed in float32")


def test_a_single_number_is_a_whole_multiple_or_none() -> None:
    """In bfloat16 any number is nearly a whole multiple of any other, so that says nothing there."""
    for times, klass in ((2.0, "defect"), (1 / 3, "defect"), (-1.0, "defect"), (2.1, "accuracy")):
        row = judged(MAE, arrays([1.0], [1 + 2.0**-20]), value=[times * 2.0**-20])["value"]
        assert row.klass == klass, row.reason
    row = judged(MAE, arrays([1.0], [1 + 2.0**-6]), value=[3 * 2.0**-6], dtype="bfloat16")["value"]
    assert row.klass == "accuracy"


@pytest.mark.parametrize(("slope", "chosen"), [(0, "zero"), (1, "high"), (-1, "low"), (0.5, "0.75 of the way")])
def test_any_subgradient_at_a_kink(slope: float, chosen: str) -> None:
    row = judged(MAE, arrays([1, 5], [1, 3]), value=[0, 2], grad=[slope, -1])["grad"]
    assert (row.verdict, row.klass, row.right) == ("kink", "kink", True)
    assert row.convention == f"subgradient {chosen}"


@pytest.mark.parametrize("slope", [1.1, -1.1, math.nan, math.inf])
def test_no_subgradient(slope: float) -> None:
    row = judged(MAE, arrays([1, 5], [1, 3]), value=[0, 2], grad=[slope, -1])["grad"]
    assert row.verdict == "differs"
    assert row.worst_index == "0"


def test_lost_digits_are_said() -> None:
    """Of inputs next to each other the formula owes the rounding of the inputs' difference: none. Of a mean of
    cancelling logarithms it owes much: a result inside, yet 2% off, is lost digits."""

    def near_one(x: Any, y_true: Any, y_pred: Any, **_: Any) -> Any:
        return x.exp(y_pred) - x.exp(y_true)

    loss = _loss(near_one)
    exact = math.exp(1.0 + 2**-18) - math.e
    row = judged(loss, arrays([1.0], [1.0 + 2**-18]), value=[exact * 1.02])["value"]
    assert (row.verdict, row.klass) == ("digits_lost", "accuracy")


def test_outside_the_domain() -> None:
    row = judged(BCE, arrays([1, 1], [1.5, 0.5]), value=[0.25, math.log(2)])["value"]
    assert row.klass == "domain"
    assert "y_pred" in row.reason


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"status": "failed", "reason": "no kernel"}, "no kernel"),
        ({"value": [1, 2, 3]}, "shape"),
        ({"value": [1, 2], "grad": None}, "None"),
        ({"value": [1, 2], "grad": [1, -1], "result_dtype": "torch.float64"}, "float64"),
        ({"value": [1, 2], "grad": [1, -1], "result_dtype": "bfloat16"}, "bfloat16"),
    ],
)
def test_an_unusable_answer_is_api(answer: dict[str, Any], said: str) -> None:
    rows = judged(MAE, arrays([1, 5], [2, 3]), **answer)
    assert any(row.klass == "api" and said in row.reason for row in rows.values())


def test_an_absent_spelling_is_no_difference() -> None:
    row = judged(MAE, arrays([1], [2]), status="absent", reason="no such loss")["value"]
    assert (row.verdict, row.klass) == ("absent", "")


def test_other_inputs_are_found_out() -> None:
    reference = Reference(loss=MAE, params={}, arrays=arrays([1], [2]), dtype="float32", digest="aa")
    row = judge_one(reference, CELL, Answer(status="ok", value=np.float32(1), digest="bb"), "value")
    assert (row.verdict, row.klass) == ("invalid", "api")


def test_flushed_subnormals_are_range() -> None:
    row = judged(MAE, arrays([0, 0], [1e-40, 1]), value=[0, 1])["value"]
    assert row.klass == "range"


def test_the_oracle_is_asked_once_per_case_and_definition() -> None:
    asked = []

    def counting(*args: Any, definition: str, grad: bool) -> Any:
        from lossbench.judge.oracle import evaluate

        asked.append((definition, args[2]["y_pred"].tobytes()))
        return evaluate(*args, definition=definition, grad=grad)

    inputs = arrays([1, 0], [0.5, 0.25])
    reference = Reference(loss=BCE, params={}, arrays=inputs, dtype="float32", grad=True, evaluate=counting)
    wrong = Answer(status="ok", value=np.float32(7), grad=np.zeros(2, np.float32))
    answers = {f"case@{lane}-cpu-eager/b:grad": wrong for lane in ("torch", "jax", "tensorflow")}
    judge(BCE, {}, inputs, "float32", answers, reference=reference)
    assert len(asked) == len(set(asked))
    here = arrays([1, 0], [0.5, 0.25])["y_pred"].tobytes()
    assert sorted(name for name, at in asked if at == here) == ["eps_clip=1e-7", "exact"]


def test_backends_are_compared_with_each_other() -> None:
    one, two = np.array([1.0, 2.0], np.float32), np.array([1.0, 2.0 + 6 * EPS32], np.float32)
    answers = {
        "case@torch-cpu-eager/a:value": Answer(status="ok", value=one),
        "case@torch-cpu-eager/b:value": Answer(status="ok", value=one),
        "case@jax-cpu-eager/c:value": Answer(status="ok", value=two),
    }
    pairs = [row for row in judge(MAE, {"reduction": "none"}, arrays([0, 0], [1, 2]), "float32", answers)
             if row.against != "oracle"]  # fmt: skip
    assert [(row.against, row.max_ulp, row.worst_index) for row in pairs] == [("jax-cpu-eager/c", 3.0, "1")]


def test_classes_are_ordered_from_harmless_to_worst() -> None:
    assert rank("tight", "rounding") < rank("stable", "rounding") < rank("differs", "convention")
    assert rank("differs", "convention") < rank("differs", "accuracy") < rank("differs", "defect")


STORED = {"float64": np.float64, "float32": np.float32, "float16": np.float16}


@given(
    name=st.sampled_from(sorted(STORED)),
    start=st.floats(allow_nan=False, allow_infinity=False, width=16),
    steps=st.integers(0, 40),
)
def test_ulp_distance_counts_neighbours(name: str, start: float, steps: int) -> None:
    stored = STORED[name]
    here = there = stored(start)
    taken = 0
    for _ in range(steps):
        further = np.nextafter(there, stored(np.inf))
        if np.isinf(further):
            break
        there, taken = further, taken + 1
    carrier = np.float64 if name == "float64" else np.float32
    a, b = np.array([here], carrier), np.array([there], carrier)
    assert ulp_distance(a, b, name)[0] == taken
    assert ulp_distance(b, a, name)[0] == taken


@given(start=st.floats(width=16, allow_nan=False, allow_infinity=False), steps=st.integers(0, 100))
def test_ulp_distance_of_bfloat16(start: float, steps: int) -> None:
    """Its numbers are the float32 ones whose lower 16 bits are 0."""
    here = (np.array([start], np.float32).view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    there = (here.view(np.uint32) + np.uint32(steps << 16)).view(np.float32)  # away from 0
    assert ulp_distance(here, there, "bfloat16")[0] == steps


def test_ulp_distance_of_the_ends() -> None:
    top = np.array([np.finfo(np.float64).max])
    assert ulp_distance(top, -top, "float64")[0] == 2 * float(0x7FEFFFFFFFFFFFFF)
    specials = np.array([np.inf, np.nan, 1.0, np.inf, 0.0])
    assert ulp_distance(specials, np.array([1.0, np.nan, np.nan, np.inf, -0.0]), "float64").tolist() == [
        math.inf, math.inf, math.inf, 0, 0,
    ]  # fmt: skip
