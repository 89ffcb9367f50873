"""Regression, margin, similarity and probabilistic losses: every binding runs, agrees with formulas written here
by hand, and keeps the identities between losses.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import special

from lossbench import Binding, Loss, domains
from suites import margin, probabilistic, regression, similarity

Array = npt.NDArray[Any]
MODULES = (regression, margin, similarity, probabilistic)
LOSSES = {v.name: v for module in MODULES for v in vars(module).values() if isinstance(v, Loss)}
NAMES = """
mae mse half_mse rmse huber huber_s4 smooth_l1 log_cosh msle mape msle_keras mape_keras asymmetric_mse
initial_state_penalty unsupervised_mse hinge squared_hinge categorical_hinge categorical_hinge_crammer_singer
cosine_similarity circle poisson kl_divergence kl_divergence_log_targets kl_divergence_keras poisson_keras
cosine_similarity_keras
"""
SHAPE = (6, 4)
EPS = {"float32": 2.0**-23, "float64": 2.0**-52}
UNDOCUMENTED = {("log_cosh", "keras"): "log_2_rounded_to_float32"}  # what it computes, against its own documentation


@pytest.fixture(scope="module")
def backends() -> Iterator[Mapping[str, Any]]:
    """The three frameworks, imported once."""
    classes = (("tensorflow", "TensorFlowBackend"), ("torch", "TorchBackend"), ("jax", "JaxBackend"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the frameworks' own imports
        made = {name: getattr(import_module(f"lossbench.lanes.backends.{name}"), cls)() for name, cls in classes}
    yield made
    for backend in made.values():
        backend.begin("float32")


def drawn(domain: domains.Domain, seed: int, dtype: str) -> Array:
    """Values of a domain, away from kinks and from 0, exact in float32."""
    rng = np.random.default_rng(seed)
    shape = SHAPE if domain.extent == "same" else SHAPE[:-1]
    positive = rng.integers(1, 64, shape) / 16.0 + seed / 128.0  # no two seeds share a value, so no error is 0 or 1
    match domain.kind:
        case "class_index":
            return rng.integers(0, 2, shape).astype(np.int32)
        case "sign":
            values = np.where(rng.random(shape) < 0.5, -1.0, 1.0)
        case "one_hot":
            values = np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]
        case "count":
            values = rng.integers(1, 5, shape).astype(float)
        case "simplex":
            values = positive / positive.sum(-1, keepdims=True)
        case "log_simplex":
            values = np.log(positive / positive.sum(-1, keepdims=True))
        case "positive" | "nonnegative":
            values = positive
        case _:
            values = positive - 2.0
    return np.asarray(values.astype(np.float32).astype(dtype))


def inputs(loss: Loss, dtype: str = "float64") -> tuple[Array, Array]:
    """y_true, y_pred"""
    first = drawn(loss.inputs["y_true"], 1, dtype)
    return first, drawn(loss.inputs["y_pred"], 2, dtype)


def run(backends: Mapping[str, Any], binding: Binding, y_true: Array, y_pred: Array, **params: Any) -> Array:
    """The binding's result for arrays of numbers, in y_pred's dtype."""
    backend = backends[binding.backend]
    dtype = y_pred.dtype.name
    backend.begin(dtype)
    result = binding.call(backend.namespace, backend.array(y_true, dtype), backend.array(y_pred, dtype), **params)
    return np.asarray(backend.numpy(result))


def unreduced(backends: Mapping[str, Any], binding: Binding, y_true: Array, y_pred: Array, **params: Any) -> Array:
    native = {"reduction": "none"} if "reduction" in binding.accepts else {}
    return run(backends, binding, y_true, y_pred, **native, **params)


def binding_of(loss: Loss, backend: str, name: str = "formula") -> Binding:
    return next(b for b in loss.bindings_of(backend) if b.name == name)


def definition(loss: Loss, binding: Binding) -> str:
    """The definition that the binding really follows."""
    return UNDOCUMENTED.get((loss.name, binding.name), binding.definition)


def takes(binding: Binding, *names: str) -> bool:
    return set(names) <= set(binding.accepts)


# --- the catalogue --------------------------------------------------------------------------------


def test_all_losses_are_there_under_their_names() -> None:
    assert sorted(LOSSES) == sorted(NAMES.split())


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_no_backend_is_empty_and_every_name_resolves(loss: Loss) -> None:
    definitions = [d.name for d in loss.definitions]
    assert len(set(definitions)) == len(definitions)
    for backend in ("tensorflow", "torch", "jax"):
        assert "formula" in [b.name for b in loss.bindings_of(backend)]
    for binding in loss.bindings:
        assert binding.unit == loss.unit
        assert binding.definition in ("exact", *definitions)
        assert set(binding.accepts) <= set(loss.known_params)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_every_binding_runs_and_they_agree(backends: Mapping[str, Any], loss: Loss, dtype: str) -> None:
    y_true, y_pred = inputs(loss, dtype)
    shapes = {"element": SHAPE, "row": SHAPE[:-1], "batch": ()}
    want = unreduced(backends, binding_of(loss, "jax"), y_true.astype("float64"), y_pred.astype("float64"))
    for binding in loss.bindings:
        got = unreduced(backends, binding, y_true, y_pred)
        name = f"{binding.backend}/{binding.name}"
        single = binding.name == "tf.compat"
        assert got.shape == shapes[loss.unit], name
        assert got.dtype.name == ("float32" if single else dtype), name
        eps = EPS["float32"] if single else EPS[dtype]
        # epsilons of 1e-7 show by less than 1e-6 here; Circle raises e to tens
        rounding = 4000 * eps if loss.name == "circle" else 64 * eps
        rtol = max(rounding, 0.0 if definition(loss, binding) in ("exact", "map_01_labels") else 1e-6)
        np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol, err_msg=name)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_gradients_are_the_differences(backends: Mapping[str, Any], loss: Loss) -> None:
    y_true, y_pred = inputs(loss)
    step = 2.0**-20
    direction = np.random.default_rng(3).choice([-1.0, 1.0], y_pred.shape)
    for binding in loss.bindings:
        if binding.name == "tf.compat":  # float32 inside: too coarse for a difference
            continue
        backend = backends[binding.backend]
        backend.begin("float64")
        native = {"reduction": "none"} if "reduction" in binding.accepts else {}
        m = backend.namespace

        def fn(true: Any, pred: Any, call: Any = binding.call, m: Any = m, native: Any = native) -> Any:
            return call(m, true, pred, **native)

        arrays = (backend.array(y_true, "float64"), backend.array(y_pred, "float64", differentiable=True))
        _, gradient = backend.value_and_grad(fn)(*arrays)
        above = unreduced(backends, binding, y_true, y_pred + step * direction).sum()
        below = unreduced(backends, binding, y_true, y_pred - step * direction).sum()
        slope = (above - below) / (2 * step)
        got = float((backend.numpy(gradient) * direction).sum())
        assert got == pytest.approx(slope, rel=2e-5, abs=1e-6), f"{binding.backend}/{binding.name}"


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_native_reductions_are_the_sums_and_means_of_the_unreduced(backends: Mapping[str, Any], loss: Loss) -> None:
    y_true, y_pred = inputs(loss)
    for binding in loss.bindings:
        if not takes(binding, "reduction"):
            continue
        eps = EPS["float32"] if binding.name == "tf.compat" else EPS["float64"]
        losses = run(backends, binding, y_true, y_pred, reduction="none")
        for reduction, want in (("mean", losses.mean()), ("sum", losses.sum()), ("batchmean", losses)):
            got = run(backends, binding, y_true, y_pred, reduction=reduction)
            np.testing.assert_allclose(got, want, rtol=32 * eps, err_msg=f"{binding.backend}/{binding.name}")


# --- formulas by hand -----------------------------------------------------------------------------


def rows(values: Array) -> Array:
    return np.asarray(values.sum(-1))


def hand_circle(y: Array, p: Array) -> Array:
    out = []
    for i in range(len(p)):
        positive, negative = 0.0, 0.0
        for j in range(len(p)):
            d = max(0.0, 1.0 - float(p[i] @ p[j]))
            if y[i] == y[j] and i != j:
                positive += np.exp(80 * (0.4 + d) * (d - 0.4))
            if y[i] != y[j]:
                negative += np.exp(80 * max(0.0, 1.4 - d) * (0.6 - d))
        out.append(np.log1p(positive * negative))
    return np.asarray(out)


BY_HAND: dict[str, Callable[[Array, Array], Array]] = {
    "mae": lambda y, p: np.abs(p - y),
    "mse": lambda y, p: (p - y) ** 2,
    "half_mse": lambda y, p: (p - y) ** 2 / 2,
    "unsupervised_mse": lambda y, p: (p - y) ** 2,
    "initial_state_penalty": lambda y, p: (p - y) ** 2 / 2,
    "rmse": lambda y, p: np.sqrt(np.mean((p - y) ** 2)),
    "huber": lambda y, p: special.huber(1.0, p - y),
    "huber_s4": lambda y, p: np.where(np.abs(p - y) <= 1, (p - y) ** 2, np.abs(p - y) - 0.5),
    "smooth_l1": lambda y, p: special.huber(1.0, p - y),
    "log_cosh": lambda y, p: np.log((np.exp(p - y) + np.exp(y - p)) / 2),
    "msle": lambda y, p: np.log((1 + p) / (1 + y)) ** 2,
    "mape": lambda y, p: 100 * np.abs(1 - p / y),
    "asymmetric_mse": lambda y, p: (p - y) ** 2 * np.where(p < y, 1.5, 0.5),
    "hinge": lambda y, p: np.maximum(0, 1 - y * p),
    "squared_hinge": lambda y, p: np.where(y * p < 1, (1 - y * p) ** 2, 0),
    "categorical_hinge": lambda y, p: np.maximum(0, 1 + np.where(y == 1, 0, p).max(-1) - p[y == 1]),
    "categorical_hinge_crammer_singer": lambda y, p: np.maximum(0, 1 + np.where(y == 1, -99, p).max(-1) - p[y == 1]),
    "cosine_similarity": lambda y, p: -rows(y * p) / np.sqrt(rows(y * y) * rows(p * p)),
    "poisson": lambda y, p: p - y * np.log(p),
    "kl_divergence": lambda y, p: rows(special.rel_entr(y, p)),
    "kl_divergence_log_targets": lambda y, p: rows(special.rel_entr(np.exp(y), np.exp(p))),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_formulas_are_what_is_written_here(backends: Mapping[str, Any], name: str) -> None:
    loss = LOSSES[name]
    y_true, y_pred = inputs(loss)
    want = BY_HAND[name](y_true, y_pred)
    for binding in loss.bindings:
        same_here = definition(loss, binding) in ("exact", "map_01_labels", "zero_vector_undefined")
        if same_here and binding.name != "tf.compat":
            got = unreduced(backends, binding, y_true, y_pred)
            np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-14, err_msg=f"{binding.backend}/{binding.name}")


def test_circle_is_the_double_sum(backends: Mapping[str, Any]) -> None:
    y_true, y_pred = inputs(LOSSES["circle"])
    y_pred = y_pred / np.sqrt(rows(y_pred**2))[:, None]
    want = hand_circle(y_true, y_pred)
    for binding in LOSSES["circle"].bindings:
        got = unreduced(backends, binding, y_true, y_pred)
        np.testing.assert_allclose(got, want, rtol=1e-12, err_msg=f"{binding.backend}/{binding.name}")


# --- parameters -----------------------------------------------------------------------------------

PARAMS: list[tuple[str, dict[str, Any], Callable[[Array, Array], Array]]] = [
    ("huber", {"delta": 0.25}, lambda y, p: special.huber(0.25, p - y)),
    ("smooth_l1", {"beta": 0.25}, lambda y, p: special.huber(0.25, p - y) / 0.25),
    ("huber_s4", {"delta": 2.0}, lambda y, p: np.where(abs(p - y) <= 2, (p - y) ** 2, 2 * abs(p - y) - 2)),
    ("asymmetric_mse", {"under": 3.0, "over": 2.0}, lambda y, p: (p - y) ** 2 * np.where(p < y, 3.0, 2.0)),
    ("initial_state_penalty", {"w": 6.0}, lambda y, p: 3 * (p - y) ** 2),
    ("msle", {"eps": 2.0}, lambda y, p: (np.log(np.maximum(p, 2) + 1) - np.log(np.maximum(y, 2) + 1)) ** 2),
    ("mape", {"eps": 2.0}, lambda y, p: 100 * abs(p - y) / np.maximum(y, 2)),
    ("cosine_similarity", {"axis": 0}, lambda y, p: BY_HAND["cosine_similarity"](y.T, p.T)),
    ("cosine_similarity", {"sign": "positive"}, lambda y, p: -BY_HAND["cosine_similarity"](y, p)),
    ("cosine_similarity", {"distance": True}, lambda y, p: 1 + BY_HAND["cosine_similarity"](y, p)),
    ("poisson", {"log_input": True}, lambda y, p: np.exp(p) - y * p),
    (
        "poisson",
        {"full": True},
        lambda y, p: p - y * np.log(p) + (y > 1) * (y * np.log(y) - y + np.log(2 * np.pi * y) / 2),
    ),
    ("poisson", {"eps": 0.5}, lambda y, p: p - y * np.log(p + 0.5)),
    ("kl_divergence", {"log_pred": True}, lambda y, p: rows(special.rel_entr(y, np.exp(p)))),
]


@pytest.mark.parametrize(("name", "params", "by_hand"), PARAMS, ids=[f"{n}-{'-'.join(p)}" for n, p, _ in PARAMS])
def test_parameters_mean_what_they_say(
    backends: Mapping[str, Any], name: str, params: dict[str, Any], by_hand: Callable[[Array, Array], Array]
) -> None:
    y_true, y_pred = inputs(LOSSES[name])
    chosen = [b for b in LOSSES[name].bindings if takes(b, *params) and b.name != "tf.compat"]
    assert {b.backend for b in chosen} == {"tensorflow", "torch", "jax"}
    for binding in chosen:
        got = unreduced(backends, binding, y_true, y_pred, **params)
        rtol = 1e-13 if binding.definition == "exact" or "eps" in params else 1e-6
        np.testing.assert_allclose(
            got, by_hand(y_true, y_pred), rtol=rtol, atol=1e-13, err_msg=f"{binding.backend}/{binding.name}"
        )
        for reduction, reduce in (("sum", np.sum), ("mean", np.mean)):
            if takes(binding, "reduction"):
                reduced = run(backends, binding, y_true, y_pred, reduction=reduction, **params)
                np.testing.assert_allclose(reduced, reduce(got), rtol=1e-12)


@pytest.mark.parametrize("name", ["hinge", "squared_hinge"])
def test_labels_0_and_1_are_mapped_where_that_is_asked_for(backends: Mapping[str, Any], name: str) -> None:
    loss = LOSSES[name]
    signs, scores = inputs(loss)
    for binding in loss.bindings:
        if takes(binding, "map_01_labels"):
            want = BY_HAND[name](signs, scores)
            for labels in (signs, (signs + 1) / 2):
                got = unreduced(backends, binding, labels, scores, map_01_labels=True)
                np.testing.assert_array_equal(got, want)


# --- identities -----------------------------------------------------------------------------------


def everywhere(backends: Mapping[str, Any], name: str, y_true: Array, y_pred: Array, **params: Any) -> dict[str, Array]:
    """Backend -> the formula's losses."""
    loss = LOSSES[name]
    return {b: unreduced(backends, binding_of(loss, b), y_true, y_pred, **params) for b in backends}


def assert_same(left: dict[str, Array], right: dict[str, Array], factor: float = 1.0) -> None:
    for backend, values in left.items():
        np.testing.assert_allclose(values, factor * right[backend], rtol=1e-14, atol=1e-15, err_msg=backend)


@pytest.mark.parametrize("delta", [0.25, 1.0, 3.0])
def test_huber_is_delta_times_smooth_l1(backends: Mapping[str, Any], delta: float) -> None:
    pair = inputs(LOSSES["huber"])
    assert_same(
        everywhere(backends, "huber", *pair, delta=delta), everywhere(backends, "smooth_l1", *pair, beta=delta), delta
    )


def test_half_mse_is_half_of_mse(backends: Mapping[str, Any]) -> None:
    pair = inputs(LOSSES["mse"])
    assert_same(everywhere(backends, "half_mse", *pair), everywhere(backends, "mse", *pair), 0.5)


def test_smooth_l1_with_beta_0_is_mae(backends: Mapping[str, Any]) -> None:
    pair = inputs(LOSSES["mae"])
    assert_same(everywhere(backends, "smooth_l1", *pair, beta=0.0), everywhere(backends, "mae", *pair))


def test_equal_weights_make_the_asymmetric_loss_symmetric(backends: Mapping[str, Any]) -> None:
    pair = inputs(LOSSES["mse"])
    assert_same(everywhere(backends, "asymmetric_mse", *pair, under=1.0, over=1.0), everywhere(backends, "mse", *pair))


def test_squared_hinge_is_the_square_of_each_element(backends: Mapping[str, Any]) -> None:
    pair = inputs(LOSSES["hinge"])
    squares = {b: v**2 for b, v in everywhere(backends, "hinge", *pair).items()}
    assert_same(everywhere(backends, "squared_hinge", *pair), squares)


def test_the_categorical_hinges_part_only_where_every_wrong_score_is_negative(backends: Mapping[str, Any]) -> None:
    y_true = np.eye(3)[[0, 0]]
    y_pred = np.array([[0.5, 0.25, -1.0], [-2.0, -3.0, -4.0]])
    for backend, values in everywhere(backends, "categorical_hinge", y_true, y_pred).items():
        np.testing.assert_array_equal(values, [0.75, 3.0], err_msg=backend)
    for backend, values in everywhere(backends, "categorical_hinge_crammer_singer", y_true, y_pred).items():
        np.testing.assert_array_equal(values, [0.75, 0.0], err_msg=backend)


def test_kl_of_log_targets_is_kl_of_their_exponentials(backends: Mapping[str, Any]) -> None:
    y_true, y_pred = inputs(LOSSES["kl_divergence_log_targets"])
    assert_same(
        everywhere(backends, "kl_divergence_log_targets", y_true, y_pred),
        everywhere(backends, "kl_divergence", np.exp(y_true), y_pred, log_pred=True),
    )


def test_poisson_of_a_log_rate_is_poisson_of_the_rate(backends: Mapping[str, Any]) -> None:
    y_true, y_pred = inputs(LOSSES["poisson"])
    assert_same(
        everywhere(backends, "poisson", y_true, np.log(y_pred), log_input=True),
        everywhere(backends, "poisson", y_true, y_pred),
    )


# --- edges where a stable spelling must hold and a plain one does not -----------------------------


def stable(backends: Mapping[str, Any], name: str, y_true: Array, y_pred: Array) -> dict[str, Array]:
    loss = LOSSES[name]
    return {b: unreduced(backends, binding_of(loss, b, "stable"), y_true, y_pred) for b in backends}


def test_stable_spellings_keep_digits_and_range(backends: Mapping[str, Any]) -> None:
    def f32(*values: float) -> Array:
        return np.array([values], dtype=np.float32)

    big = f32(1e30, 1e30)
    for values in stable(backends, "log_cosh", f32(0.0, 0.0, 0.0), f32(2.0**-20, 500.0, 1.0)).values():
        np.testing.assert_allclose(values, [[2.0**-41, 500 - np.log(2), np.log(np.cosh(1.0))]], rtol=5e-7)
    for values in stable(backends, "rmse", 0 * big, big).values():
        np.testing.assert_allclose(values, 1e30, rtol=5e-7)
    for values in stable(backends, "cosine_similarity", np.vstack([big, 0 * big]), np.vstack([big, big])).values():
        np.testing.assert_allclose(values, [-1.0, 0.0], rtol=5e-7)
    for values in stable(backends, "poisson", f32(0.0, 2.0), f32(0.0, 1.0)).values():
        np.testing.assert_array_equal(values, [[0.0, 1.0]])
    for values in stable(backends, "kl_divergence", f32(0.0, 1.0), f32(0.0, 0.5)).values():
        np.testing.assert_allclose(values, [np.log(2)], rtol=5e-7)


# --- definitions ----------------------------------------------------------------------------------

NUMBERS = SimpleNamespace(
    abs=np.abs, exp=np.exp, log=np.log, log1p=np.log1p, sqrt=np.sqrt, square=np.square, where=np.where,
    maximum=np.maximum, minimum=np.minimum, clip=np.clip, sum=np.sum, mean=np.mean, max=np.max, xlogy=special.xlogy,
    logical_and=np.logical_and, matmul=np.matmul, transpose=np.transpose, expand_dims=np.expand_dims,
    reshape=np.reshape, concat=np.concatenate,
    index=lambda a, key: a[key], softplus=lambda a: np.logaddexp(0, a),
    logsumexp=lambda a, axis: special.logsumexp(a, axis=axis),
    pi=np.pi, logcosh=lambda a: np.logaddexp(a, -a) - np.log(2), norm=lambda a, axis: np.sqrt((a * a).sum(axis)),
    safe_divide=lambda a, b, zero: np.where(b == 0, zero, a / np.where(b == 0, 1, b)),
)  # fmt: skip


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_references_and_definitions_evaluate_on_plain_numbers(backends: Mapping[str, Any], loss: Loss) -> None:
    y_true, y_pred = inputs(loss)
    params = dict(loss.params)
    want = unreduced(backends, binding_of(loss, "torch"), y_true, y_pred)
    np.testing.assert_allclose(loss.reference(NUMBERS, y_true, y_pred, **params), want, rtol=1e-12, atol=1e-13)
    for other in loss.definitions:
        value = other.reference(NUMBERS, y_true, y_pred, **params)
        assert np.shape(value) == want.shape, other.name


EDGES: dict[str, tuple[Array, Array]] = {
    "msle": (np.array([[0.0, 0.0, 1e-9, 2.0]]), np.array([[0.0, 1e-3, 1e-8, 0.0]])),
    "log_cosh": (np.array([[0.0, 1.0, -3.0, 1.0]]), np.array([[0.5, -2.0, 4.0, 100.0]])),
    "mape": (np.array([[1e-9, 1e-8, 2.0, -1e-7]]), np.array([[1e-8, 1e-9, 1.0, 1e-7]])),
    "poisson": (np.array([[0.0, 1.0, 2.0, 3.0]]), np.array([[0.0, 1e-8, 1e-7, 1.0]])),
    "kl_divergence": (np.array([[0.0, 1.0], [0.0, 0.0], [1e-9, 0.5]]), np.array([[0.5, 0.5], [0.4, 0.8], [0.5, 0.0]])),
    "cosine_similarity": (np.array([[3e-9, 4e-9], [3e-8, 4e-8], [3e-7, 0.0], [1.0, 2.0]]), np.ones((4, 2))),
    "hinge": (np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[0.5, 0.25], [-0.5, 2.0]])),
    "squared_hinge": (np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[0.5, 0.25], [-0.5, 2.0]])),
}


@pytest.mark.parametrize("name", EDGES)
def test_what_a_binding_says_it_computes_is_what_it_computes(backends: Mapping[str, Any], name: str) -> None:
    loss = LOSSES[name]
    y_true, y_pred = EDGES[name]
    told = [b for b in loss.bindings if definition(loss, b) not in ("exact", "zero_vector_undefined")]
    told = [b for b in told if b.name != "tf.compat"]  # float32 inside
    assert told
    with np.errstate(all="ignore"):
        exact = loss.reference(NUMBERS, y_true, y_pred, **loss.params)
    for binding in told:
        got = unreduced(backends, binding, y_true, y_pred)
        want = loss.definition(definition(loss, binding))(NUMBERS, y_true, y_pred, **loss.params)
        np.testing.assert_allclose(got, want, rtol=1e-11, err_msg=f"{binding.backend}/{binding.name}")
        assert not np.allclose(got, exact, rtol=1e-10, atol=0.0), "these inputs do not tell the definitions apart"


def test_keras_leaves_rows_without_a_partner_out_of_the_circle_mean(backends: Mapping[str, Any]) -> None:
    y_true, y_pred = np.array([0, 0, 1], dtype=np.int32), np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    loss = LOSSES["circle"]
    losses = unreduced(backends, binding_of(loss, "tensorflow"), y_true, y_pred)
    assert losses[2] == 0.0
    got = run(backends, binding_of(loss, "tensorflow", "keras"), y_true, y_pred, reduction="mean")
    assert got == pytest.approx((losses[0] + losses[1]) / 2, rel=1e-14)
