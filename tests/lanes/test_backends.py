"""Each framework offers the whole vocabulary in the dtype under test, and the gradient of the sum."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from probe_suite import BATCH, ELEMENT, ROW

from lossbench.lanes.backends import installed_backends
from lossbench.lanes.measurement import Answer
from lossbench.lanes.process import LaneProcess
from lossbench.spec.case import Case, Cell, Lane
from lossbench.spec.formats import FORMATS, round_to

SUITE = Path(__file__).parent / "probe_suite.py"
Y = np.array([[0.25, 1.0, 2.5, 0.125], [3.0, 0.5, 0.75, 1.5], [2.0, 4.0, 0.0625, 1.25]])
P = np.array([[0.25, -1.25, 2.125, 0.5], [-0.75, 0.875, -2.25, 1.125], [0.0625, -0.625, 1.75, -3.125]])
# dyadic, so that sums and products are exact whatever their order
PROBES = [(unit, op) for unit, probes in (("element", ELEMENT), ("row", ROW), ("batch", BATCH)) for op in probes]
NUMPY = {**ELEMENT, **ROW, **BATCH}


@pytest.fixture(scope="module")
def lanes() -> Iterator[dict[str, LaneProcess]]:
    lanes = {name: LaneProcess(Lane(backend=name), [SUITE], builtin=False) for name in installed_backends()}
    for lane in lanes.values():
        lane.start()
    yield lanes
    for lane in lanes.values():
        lane.close()


@pytest.fixture(params=["torch", "jax", "tensorflow"])
def lane(request: pytest.FixtureRequest, lanes: dict[str, LaneProcess]) -> LaneProcess:
    if request.param not in lanes:
        pytest.skip(f"{request.param} is not installed")
    return lanes[request.param]


def given(
    lane: LaneProcess, loss: str, dtype: str, operation: str = "value", y: Any = Y, p: Any = P, **params: Any
) -> Answer:
    return lane.answer_given(loss, "formula", params, {"y_true": y, "y_pred": p}, dtype, operation, 120)


def test_the_vocabulary_means_what_numpy_means(lane: LaneProcess) -> None:
    y, p = round_to(Y, "float64"), round_to(P, "float64")
    for unit, op in PROBES:
        answer = given(lane, f"probe_{unit}", "float64", op=op)
        assert answer.status == "ok", (op, answer.reason)
        assert answer.value is not None
        assert answer.result_dtype == "float64", op
        np.testing.assert_allclose(answer.value, NUMPY[op][1](y, p), rtol=8 * np.finfo(float).eps, atol=0, err_msg=op)


@pytest.mark.parametrize("dtype", list(FORMATS))
def test_results_stay_in_the_dtype_under_test(lane: LaneProcess, dtype: str) -> None:
    for op in ("arithmetic", "where", "where_scalars", "constant", "maximum_scalar", "power"):
        answer = given(lane, "probe_element", dtype, "grad" if op == "arithmetic" else "value", op=op)
        assert (answer.status, answer.result_dtype) == ("ok", dtype), (op, answer.reason)
        assert answer.value is not None
        assert answer.value.dtype == FORMATS[dtype].carrier
        assert np.array_equal(answer.value, round_to(answer.value, dtype)), "the carrier holds numbers of the format"


@pytest.mark.parametrize("dtype", list(FORMATS))
def test_extreme_inputs_arrive_exactly(lane: LaneProcess, dtype: str) -> None:
    fmt = FORMATS[dtype]
    p = np.array([[fmt.smallest, -fmt.max, fmt.tiny, 0.0], [-0.0, np.inf, -np.inf, np.nan], [1.0, fmt.eps, 3.0, -7.0]])
    answer = given(lane, "probe_element", dtype, p=p, op="moveaxis")
    assert answer.status == "ok", answer.reason
    assert answer.value is not None
    assert np.array_equal(answer.value, round_to(p, dtype), equal_nan=True)


def test_the_gradient_is_of_the_sum(lane: LaneProcess) -> None:
    answer = given(lane, "probe_element", "float64", "grad", op="square")
    assert answer.grad is not None
    assert np.array_equal(answer.grad, 2 * P)
    answer = given(lane, "probe_batch", "float64", "grad", op="mean_axes")
    assert answer.grad is not None
    np.testing.assert_allclose(answer.grad, np.full((3, 4), 1 / 12), rtol=2e-16)


def test_the_gradient_by_the_target(lane: LaneProcess) -> None:
    answer = given(lane, "probe_element", "float64", "grad_target", op="arithmetic")
    assert answer.status == "ok", answer.reason
    assert answer.grad is not None
    np.testing.assert_allclose(answer.grad, -(1 - P) / Y**2 - 2 * Y, rtol=1e-15)
    unmoved = given(lane, "probe_element", "float64", "grad_target", op="square")
    if lane.lane.backend == "jax":  # JAX calls that gradient zero
        assert unmoved.grad is not None
        assert not unmoved.grad.any()
    else:
        assert unmoved.status == "unsupported"
        assert "no gradient by the target" in unmoved.reason


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_forward_mode_gives_the_gradient(lane: LaneProcess, dtype: str) -> None:
    """Of elements, rows and the whole batch; what is due is written here."""
    share = np.exp(P) / np.exp(P).sum(axis=-1, keepdims=True)
    due = {("element", "square"): 2 * P, ("row", "logsumexp"): share, ("batch", "mean_axes"): np.full(P.shape, 1 / 12)}
    for (unit, op), slope in due.items():
        answer = given(lane, f"probe_{unit}", dtype, "jvp", op=op)
        assert answer.status == "ok", (op, answer.reason)
        assert answer.grad is not None
        np.testing.assert_allclose(answer.grad, slope, rtol=8 * FORMATS[dtype].eps, err_msg=op)


def test_forward_mode_has_a_largest_size(lane: LaneProcess) -> None:
    answer = given(lane, "probe_element", "float32", "jvp", y=np.ones((40, 40)), p=np.ones((40, 40)), op="square")
    assert answer.status == "unsupported"
    assert "each of 1600 numbers" in answer.reason


def test_a_loss_that_ignores_the_prediction(lane: LaneProcess) -> None:
    answer = given(lane, "probe_batch", "float32", "grad", op="ignores")
    if lane.lane.backend == "jax":  # JAX calls that gradient zero
        assert answer.grad is not None
        assert not answer.grad.any()
    else:
        assert answer.status == "failed"
        assert "gradient is None" in answer.reason


def test_a_wrong_shape_is_not_broadcast_away(lane: LaneProcess) -> None:
    answer = given(lane, "narrow", "float32")
    assert answer.status == "failed"
    assert "(3, 1)" in answer.reason


def compiled(
    lane: LaneProcess,
    loss: str,
    mode: str,
    operation: str,
    params: tuple[tuple[str, str], ...] = (),
    shape: tuple[int, ...] = (3, 4),
) -> Answer:
    case = Case(loss=loss, shape=shape, params=params)
    there = Lane(backend=lane.lane.backend, mode=mode)  # type: ignore[arg-type]
    return lane.answer(Cell(case=case, binding="formula", lane=there, operation=operation), 300)  # type: ignore[arg-type]


def test_a_framework_that_compiles_eager_calls_says_so(lane: LaneProcess) -> None:
    first, second = (compiled(lane, "probe_element", "eager", "grad", (("op", "square"),), (7, 5)) for _ in range(2))
    assert (first.compile_seconds > 0) == (lane.lane.backend == "jax"), "of operations on a shape not seen before"
    assert second.compile_seconds == 0
    assert second.first_call_seconds > 0


def test_compiled_modes_compute_the_same(lane: LaneProcess) -> None:
    params = (("op", "square"),)
    plain = compiled(lane, "probe_element", "eager", "grad", params)
    modes = [mode for mode in lane.ready()["modes"] if mode != "eager"]
    assert modes
    for mode in modes:
        answer = compiled(lane, "probe_element", mode, "grad", params)
        assert answer.status == "ok", (mode, answer.reason)
        assert answer.digest == plain.digest
        assert answer.compile_seconds > 0
        assert np.array_equal(np.asarray(answer.value), np.asarray(plain.value))
        assert np.array_equal(np.asarray(answer.grad), np.asarray(plain.grad))
        assert "graph" not in answer.facts, "what the harness puts around a loss must not break its graph"


def test_python_branches_are_compiled_where_the_framework_can(lane: LaneProcess) -> None:
    answer = compiled(lane, "branching", "compiled", "value")
    backend = lane.lane.backend
    if backend == "jax":
        assert answer.status == "failed"
        assert "TracerBoolConversionError" in answer.reason
    else:
        assert answer.status == "ok", answer.reason
        assert answer.facts[{"torch": "graph", "tensorflow": "autograph"}[backend]] in ("broken", "on")


def test_a_wrong_shape_is_found_by_the_compiler_too(lane: LaneProcess) -> None:
    if lane.lane.backend == "torch":
        pytest.skip("its compiler takes seconds a function; the path is the one of the test above")
    answer = compiled(lane, "narrow", "compiled", "value")
    assert answer.status == "failed"
    assert "(3, 1)" in answer.reason


def test_keras_works_in_the_dtype_under_test(lanes: dict[str, LaneProcess]) -> None:
    if "tensorflow" not in lanes:
        pytest.skip("tensorflow is not installed")
    for dtype in ("float64", "float32", "bfloat16"):
        answer = given(lanes["tensorflow"], "keras_default", dtype)
        assert (answer.status, answer.result_dtype) == ("ok", dtype), answer.reason


def test_public_losses_are_enumerated_from_the_package(lanes: dict[str, LaneProcess]) -> None:
    expected = {
        "tensorflow": {"tf.keras.losses.Huber": "class", "tf.nn.log_poisson_loss": "function"},
        "torch": {"torch.nn.functional.huber_loss": "function", "torch.nn.CTCLoss": "class"},
        "jax": {"optax.losses.huber_loss": "function"},
    }
    for name, lane in lanes.items():
        public = lane.public_losses()
        assert expected[name].items() <= public.items()
        assert not any(part.startswith("_") for path in public for part in path.split("."))
