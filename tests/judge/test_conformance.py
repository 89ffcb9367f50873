"""`check` on cases of somebody else: what the file means, what the oracle says of it, what each record says.

Expected numbers are worked out here, by hand or with mpmath, never by the oracle.
"""

from __future__ import annotations

import dataclasses
import json
import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest

from lossbench.bench.pool import Pool
from lossbench.judge import conformance
from lossbench.judge.oracle import evaluate
from lossbench.judge.reference import Reference
from lossbench.lanes.measurement import Answer
from lossbench.spec import casefile, catalogue
from lossbench.spec.case import Lane
from lossbench.spec.errors import BadInput

LOG_2 = math.log(2.0)
DIVIDED = "mean_with_sample_weight"
CATALOGUE = catalogue.load()


def case(folder: Path, loss: str, y_true: Any, y_pred: Any, **keys: Any) -> conformance.Prepared:
    path = folder / "case.json"
    path.write_text(json.dumps([{"id": "a", "loss": loss, "y_true": y_true, "y_pred": y_pred, **keys}]))
    return conformance.prepare(casefile.read(path)[0], CATALOGUE)


def oracle(prepared: conformance.Prepared) -> tuple[Any, Any]:
    assert not prepared.fault, prepared.fault
    found = evaluate(prepared.loss, prepared.params, prepared.arrays, prepared.case.dtype)
    assert found.grad is not None
    return found.value.reported("float64").tolist(), found.grad.reported("float64").tolist()


MEANINGS = [
    # one weight a sample: rows of elements, and their mean first
    ("mse", [[0, 0], [0, 0]], [[1, 3], [2, 4]], {"sample_weight": [2, 1], "reduction": "sum"}, 40.0),
    ("mse", [[0, 0], [0, 0]], [[1, 3], [2, 4]], {"sample_weight": [[2], [1]], "per_sample": "mean_last"}, 10.0),
    ("mse", [[0, 0], [0, 0]], [[1, 3], [2, 4]], {"sample_weight": [2, 1], "reduction": DIVIDED}, 20 / 3),
    ("mse", [[0, 0], [0, 0]], [[1, 3], [2, 4]], {"sample_weight": [2, 0], "reduction": "sum_by_nonzero_weights"}, 10.0),
    ("mse", [[0, 0]], [[1, 3]], {"sample_weight": 0, "reduction": "sum_by_nonzero_weights"}, 0.0),
    ("mse", [[0, 0]], [[1, 3]], {"sample_weight": 3, "reduction": DIVIDED}, 5.0),
    ("mse", [[0, 0], [0, 0]], [[1, 3], [2, 4]], {"reduction": "batchmean"}, 15.0),
    # a class of weight 0 still counts as valid, an ignored one does not
    ("sparse_categorical_crossentropy", [0, 1, -1], [[.5, .5]] * 3,
     {"class_weight": [0, 2], "ignore_index": -1, "reduction": "mean_over_valid"}, LOG_2),
    ("sparse_categorical_crossentropy", [0, 1, -1], [[.5, .5]] * 3,
     {"class_weight": [1, 2], "ignore_index": -1, "reduction": "weighted_mean"}, LOG_2),
    ("sparse_categorical_crossentropy", [[0], [1]], [[.5, .5]] * 2, {}, LOG_2),
    ("binary_crossentropy", [1, 0], [[.5], [.5]], {"from_logits": False, "label_smoothing": 0}, LOG_2),
    ("binary_crossentropy", True, .5, {}, LOG_2),
    ("mse", [1], [[1, 2], [3, 4]], {}, 3.5),
    ("categorical_focal", [[0, 1]], [[.5, .5]], {}, .25 * LOG_2),
    # a penalty comes on top once, whatever the reduction
    ("loss_plus_l2", [0, 0], [1, 3], {"data_loss": "mse", "l2": 1, "weights": [[1], [1]], "reduction": "sum"}, 12.0),
    ("loss_plus_l2", [0, 0], [1, 3], {"data_loss": "mae", "l2": 1, "weights": [2], "sample_weight": [1, 0]}, 4.5),
    ("loss_plus_l2", [1], [[.5, .5]], {"data_loss": "sparse_categorical_crossentropy", "weights": [0]}, LOG_2),
    ("vae_total", [0, 0], [1, 3], {"mean": [1, 1], "logvar": [0, 0], "beta": 2, "reduction": "sum"}, 11.0),
    ("cosine_similarity", [0, 0], [1, 2], {"distance": True}, 1.0),
    ("hinge", [0, 1], [.5, .5], {"map_01_labels": True}, 1.0),
    ("matrix_crossentropy", [[1, 0]], [[.5, .5]], {"A": [[1, 0], [1, 0]]}, 1 + math.exp(.5)),
    ("huber_s4", [0], [1], {}, 1.0),
]  # fmt: skip


@pytest.mark.parametrize(("loss", "y_true", "y_pred", "params", "value"), MEANINGS)
def test_what_a_parameter_means(
    tmp_path: Path, loss: str, y_true: Any, y_pred: Any, params: dict[str, Any], value: float
) -> None:
    prepared = case(tmp_path, loss, y_true, y_pred, params=params, dtype="float64")
    assert oracle(prepared)[0] == pytest.approx(value, rel=1e-15)


OUTPUTS = {
    "outputs": [
        {"loss": "MSE", "weight": 2, "y_true": [[0, 1]], "y_pred": [[1, 3]]},
        {"loss": "sparse_categorical_crossentropy", "y_true": [1], "y_pred": [[0.5, 0.25]]},
        {"loss": "mae", "y_true": 1, "y_pred": 0.5},
    ]
}


def test_several_outputs_are_one_sum_with_one_row_of_derivatives(tmp_path: Path) -> None:
    value, grad = oracle(case(tmp_path, "multi_output", None, None, params=OUTPUTS, dtype="float64"))
    assert value == pytest.approx(5 + math.log(4) + 0.5, rel=1e-15)
    assert grad == pytest.approx([2, 4, 0, -4, -1])
    summed, _ = oracle(
        case(tmp_path, "multi_output", None, None, params={**OUTPUTS, "reduction": "sum"}, dtype="float64")
    )
    assert summed == pytest.approx(10 + math.log(4) + 0.5, rel=1e-15)


@pytest.mark.parametrize(
    ("loss", "y_true", "y_pred", "grad"),
    [
        ("mae", [0, 1], [1, 1], [0.5, "nan"]),
        ("huber_s4", [0], [1], ["nan"]),  # the loss jumps there
        ("cosine_similarity", [1, 0], [0, 0], ["nan", "nan"]),
        ("cosine_similarity", [0, 0], [1, 1], [0, 0]),
        ("hinge", [1], [1], ["nan"]),
        ("binary_crossentropy", [1, 0], [0, 0], ["-inf", 0.5]),
        ("smooth_l1", [0, 0], [1, 0.5], [0.5, 0.25]),
    ],
)
def test_derivatives_at_corners(tmp_path: Path, loss: str, y_true: Any, y_pred: Any, grad: list[Any]) -> None:
    prepared = case(tmp_path, loss, y_true, y_pred, dtype="float64", expected_grad=grad)
    np.testing.assert_array_equal(oracle(prepared)[1], [float(g) for g in grad])
    assert verdict(prepared) == "met"


def verdict(prepared: conformance.Prepared) -> str:
    lanes = {"torch-cpu-eager": Silent()}
    return str(next(conformance.records([prepared], lanes))["expected_verdict"])


class Silent:
    """A lane that computes nothing."""

    def answer_given(self, *_: Any) -> Answer:
        return Answer(status="failed", reason="says nothing")


def half_precision(expected: mpmath.mpf, ulps: float) -> float:
    return float(expected + ulps * mpmath.mpf(2) ** (mpmath.floor(mpmath.log(expected, 2)) - 10))


@pytest.mark.parametrize(("ulps", "met"), [(0, True), (0.49, True), (-0.49, True), (0.51, False), (-2, False)])
def test_an_expected_value_is_met_within_half_an_ulp_of_the_dtype(tmp_path: Path, ulps: float, met: bool) -> None:
    exact = mpmath.log(mpmath.cosh(mpmath.mpf(0.5)))
    prepared = case(tmp_path, "log_cosh", [0], [0.5], dtype="float16", expected=half_precision(exact, ulps))
    assert (verdict(prepared) == "met") == met
    wide = case(tmp_path, "log_cosh", [0], [0.5], dtype="float16", expected=float(exact) * 1.01, tol={"rel": 0.02})
    assert verdict(wide) == "met"


@pytest.mark.parametrize("expected", ["inf", 1e6])
def test_beyond_the_range_of_the_dtype_both_the_number_and_infinity_are_right(tmp_path: Path, expected: Any) -> None:
    assert verdict(case(tmp_path, "mse", [0], [1000], dtype="float16", expected=expected)) == "met"
    assert verdict(case(tmp_path, "mse", [0], [1000], dtype="float16", expected=2e6)).startswith("differs")


def test_a_name_nobody_knows_stops_and_a_foreign_parameter_costs_its_case(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="delta"):
        case(tmp_path, "huber", [0], [1], params={"detla": 1})
    with pytest.raises(BadInput, match="did you mean"):
        case(tmp_path, "hubert", [0], [1])
    foreign = case(tmp_path, "huber", [0], [1], params={"beta": 1})
    record = next(conformance.records([foreign], {"torch-cpu-eager": Silent()}))
    assert "received beta" in record["reason"]
    assert conformance.exit_status([record]) == 1


def test_every_suffixed_name_exists_or_is_refused_by_name() -> None:
    suffixed = {name for name in CATALOGUE.losses if name.endswith("_keras")}
    assert {"msle_keras", "mape_keras", "binary_focal_keras", "cosine_similarity_keras", "dice_keras"} <= suffixed
    with pytest.raises(BadInput, match="mse_keras"):
        CATALOGUE.find("mse_keras")


# --- three frameworks, started once ---------------------------------------------------------------


@pytest.fixture(scope="module")
def lanes() -> Iterator[dict[str, Any]]:
    wanted = [Lane(backend=backend) for backend in ("tensorflow", "torch", "jax")]
    with Pool() as pool:
        pool.start(wanted)
        yield {lane.id: pool.lane(lane) for lane in wanted}


def test_records_and_classes(tmp_path: Path, lanes: dict[str, Any]) -> None:
    asked = [
        ("multi_output", None, None, {"params": OUTPUTS}),
        ("loss_plus_l2", [0, 1], [0.25, 0.5], {"params": {"weights": [[[1, 2]], [3]], "reduction": "sum"}}),
        ("mse", [[0, 0]] * 3, [[1, 3]] * 3, {"params": {"sample_weight": [2, 1, 1], "reduction": DIVIDED}}),
        ("binary_crossentropy", [0, 1], [1, 1], {}),
        ("dice", [[1, 0]], [[0.5, 0.5]], {"params": {"axis": [0], "reduction": "none"}}),
        ("mae", [0], [1], {"params": {"reduction": "nonsense"}}),
        ("sparse_categorical_crossentropy_logits", [0, 9], [[1, 2], [3, 4]], {"params": {"ignore_index": 9}}),
    ]  # fmt: skip
    prepared = [case(tmp_path, loss, y, p, **keys) for loss, y, p, keys in asked]
    found = list(conformance.records(prepared, lanes))
    by_loss: dict[str, list[dict[str, Any]]] = {}
    for record in found:
        by_loss.setdefault(record["loss"], []).append(record)
    offered = [r for r in by_loss["multi_output"] if r["value_verdict"] != "absent"]
    assert {r["backend"] for r in offered} == {"tensorflow", "torch", "jax"}
    assert {(r["value_class"], r["grad_class"]) for r in offered} == {("rounding", "rounding")}
    assert {r["value_class"] for r in by_loss["loss_plus_l2"]} == {"rounding"}
    assert {r["value_class"] for r in by_loss["mse"] if r["binding"] != "tf.compat"} == {"rounding"}
    clamped = [r for r in by_loss["binary_crossentropy"] if r["binding"] in ("keras", "functional")]
    assert [r["value_class"] for r in clamped] == ["convention", "convention"]
    assert {r["value_class"] for r in by_loss["dice"] if r["binding"] == "formula"} == {"rounding"}
    assert {r["status"] for r in by_loss["mae"]} == {"failed"}
    ignoring = {
        r["binding"]: r for r in by_loss["sparse_categorical_crossentropy_logits"] if r["backend"] == "tensorflow"
    }
    assert ignoring["keras"]["convention"] == "mean_over_valid"
    assert not [r for r in found if "defect" in (r["value_class"], r["grad_class"])]


def test_a_parameter_that_a_binding_does_not_take_is_absent(tmp_path: Path, lanes: dict[str, Any]) -> None:
    prepared = case(tmp_path, "categorical_crossentropy_logits", [[0, 1]], [[1, 2]], params={"class_weight": [1, 2]})
    found = {f"{r['backend']}/{r['binding']}": r for r in conformance.records([prepared], lanes)}
    assert found["jax/optax"]["value_verdict"] == "absent"
    assert found["jax/optax"]["value_class"] == ""
    assert found["torch/functional"]["value_class"] == "rounding"


class Meeting(Silent):
    """A lane that answers once all three are at work at the same time."""

    def __init__(self, together: threading.Barrier) -> None:
        self._together = together

    def answer_given(self, *_: Any) -> Answer:
        self._together.wait(timeout=20)
        return Answer(status="failed", reason="met the others")


def test_lanes_work_side_by_side_and_records_keep_the_order_of_the_file(tmp_path: Path) -> None:
    prepared = [case(tmp_path, loss, [0], [1]) for loss in ("huber_s4", "asymmetric_mse", "huber_s4")]
    together = threading.Barrier(3)
    waiting = {f"{backend}-cpu-eager": Meeting(together) for backend in ("tensorflow", "torch", "jax")}
    found = list(conformance.records(prepared, waiting))
    assert [record["loss"] for record in found] == ["huber_s4"] * 3 + ["asymmetric_mse"] * 3 + ["huber_s4"] * 3
    assert {record["reason"].partition("met")[1] for record in found} == {"met"}


def test_the_example_of_the_documentation_is_met() -> None:
    path = Path(catalogue.builtin_suites()).parent / "docs" / "cases-example.json"
    prepared = [conformance.prepare(given, CATALOGUE) for given in casefile.read(path)]
    assert len(prepared) > 5
    assert {r["expected_verdict"] for r in conformance.records(prepared, {"torch-cpu-eager": Silent()})} == {"met"}


BY_HAND = casefile.read(Path(__file__).parent / "cases" / "by-hand.json")


@pytest.mark.parametrize("given", BY_HAND, ids=lambda given: given.id)
def test_the_oracle_meets_what_was_worked_out_elsewhere(given: casefile.GivenCase) -> None:
    """The file's numbers come from mpmath with 80 digits and formulas of its own, derivatives from differences."""
    prepared = conformance.prepare(given, CATALOGUE)
    known = conformance._known(prepared, Reference(
        loss=prepared.loss, params=prepared.params, arrays=prepared.arrays, dtype=given.dtype
    ))  # fmt: skip
    assert known.expected_verdict == "met"


def test_a_number_that_is_off_by_an_ulp_is_not_met() -> None:
    given = next(case for case in BY_HAND if case.id == "bcel-pos-weight")
    assert given.expected is not None
    off = dataclasses.replace(given, expected=np.nextafter(given.expected, np.inf))
    prepared = conformance.prepare(off, CATALOGUE)
    known = conformance._known(prepared, Reference(
        loss=prepared.loss, params=prepared.params, arrays=prepared.arrays, dtype=off.dtype
    ))  # fmt: skip
    assert known.expected_verdict.startswith("differs")


@dataclasses.dataclass
class Noting(Silent):
    """Says nothing, and notes what it was asked."""

    asked: list[tuple[str, str]] = dataclasses.field(default_factory=list)

    def answer_given(self, loss: str, *rest: Any, **_: Any) -> Answer:
        self.asked.append((loss, rest[3]))
        return Answer(status="skipped", reason="silent")


def test_a_second_worker_takes_every_other_loss_and_dtype(tmp_path: Path) -> None:
    wanted = [("mse", "float32"), ("mse", "float16"), ("mae", "float32"), ("mse", "float32"), ("mae", "float32")]
    prepared = [case(tmp_path, loss, [0], [1], dtype=dtype) for loss, dtype in wanted]
    first, second = Noting(), Noting()
    found = list(conformance.records(prepared, {"jax-cpu-eager": first}, second={"jax-cpu-eager": second}))

    assert set(first.asked) == {("mse", "float32"), ("mae", "float32")}
    assert set(second.asked) == {("mse", "float16")}
    assert [r["loss"] for r in found if r["binding"] == "formula"] == [loss for loss, _ in wanted]
