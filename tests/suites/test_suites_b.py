"""Classification, generative, segmentation, sequence and composite losses: every binding runs, agrees with
formulas written here by hand, and keeps the identities between losses.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import special

from lossbench import Binding, Domain, Loss
from suites import classification, composite, generative, segmentation, sequence

Array = npt.NDArray[Any]
Backends = Mapping[str, Any]
Side = tuple[str, dict[str, Array], dict[str, Any]]
MODULES = (classification, generative, segmentation, sequence, composite)
LOSSES = {v.name: v for module in MODULES for v in vars(module).values() if isinstance(v, Loss)}
NAMES = """
binary_crossentropy binary_crossentropy_keras binary_crossentropy_logits weighted_binary_crossentropy
weighted_binary_crossentropy_logits log_loss_add log_loss_clip_add categorical_crossentropy
categorical_crossentropy_keras categorical_crossentropy_logits sparse_categorical_crossentropy
sparse_categorical_crossentropy_keras sparse_categorical_crossentropy_logits binary_focal binary_focal_logits
categorical_focal generalized_crossentropy poly_crossentropy_logits matrix_crossentropy vae_kl vae_reconstruction
vae_total dice dice_keras tversky tversky_keras
binary_focal_keras categorical_focal_keras binary_dice_logits ctc loss_plus_l2 mse_plus_l2 multi_output
"""
EPS = {"float32": 2.0**-23, "float64": 2.0**-52}
IN_SINGLE = {("ctc", "keras"), ("loss_plus_l2", "keras"), ("mse_plus_l2", "keras")}
"""Keras computes these, or a part of them, in float32; so does all of tf.compat."""
BY_FRAMEWORK = ("tensorflow", "torch", "jax")


@pytest.fixture(scope="module")
def backends() -> Iterator[Backends]:
    """The three frameworks, imported once."""
    classes = (("tensorflow", "TensorFlowBackend"), ("torch", "TorchBackend"), ("jax", "JaxBackend"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the frameworks' own imports
        made = {name: getattr(import_module(f"lossbench.lanes.backends.{name}"), cls)() for name, cls in classes}
    yield made
    for backend in made.values():
        backend.begin("float32")


def shape_of(loss: Loss) -> tuple[int, ...]:
    return (3, 5, 4) if loss.name == "ctc" else (6, 4)


def drawn(domain: Domain, seed: int, shape: tuple[int, ...], dtype: str) -> Array:
    """Values of a domain, well inside it and exact in float32; probabilities within [0.06, 0.97]."""
    rng = np.random.default_rng(seed)
    if domain.extent == "labels":
        return np.array([[1, 2, 2], [3, 1, 0], [2, 0, 0]], dtype=np.int32)  # a repetition, and two padded
    shape = {"same": shape, "rows": shape[:-1], "square": (shape[-1], shape[-1])}[domain.extent]
    positive = rng.integers(1, 30, shape) / 32.0 + seed / 256.0
    match domain.kind:
        case "class_index":
            return rng.integers(0, 4, shape).astype(np.int32)
        case "one_hot":
            values = np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]
        case "binary":
            values = rng.integers(0, 2, shape).astype(float)
        case "simplex":
            values = positive / positive.sum(-1, keepdims=True)
        case "logits" | "real":
            values = 4.0 * positive - 2.0
        case _:
            values = positive
    return np.asarray(values.astype(np.float32).astype(dtype))


def inputs(loss: Loss, dtype: str = "float64") -> dict[str, Array]:
    """Every input of the loss by name."""
    return {name: drawn(d, seed, shape_of(loss), dtype) for seed, (name, d) in enumerate(loss.inputs.items(), start=1)}


def run(backends: Backends, binding: Binding, arrays: Mapping[str, Array], **params: Any) -> Array:
    """The binding's result for arrays of numbers, in y_pred's dtype; arrays among the parameters become tensors.

    A penalty that a binding hands over beside its losses is added to them."""
    return sum(parts(backends, binding, arrays, **params), np.float32(0))


def parts(backends: Backends, binding: Binding, arrays: Mapping[str, Array], **params: Any) -> list[Array]:
    """The losses, and what comes on top once, where there is something."""
    backend = backends[binding.backend]
    dtype = arrays["y_pred"].dtype.name
    backend.begin(dtype)
    given = {**arrays, **params}
    tensors = {k: backend.array(v, dtype) if isinstance(v, np.ndarray) else v for k, v in given.items()}
    y_true, y_pred = tensors.pop("y_true"), tensors.pop("y_pred")
    found = binding.call(backend.namespace, y_true, y_pred, **tensors)
    return [np.asarray(backend.numpy(part)) for part in (found if isinstance(found, tuple) else (found,))]


def handed(loss: Loss, binding: Binding, **params: Any) -> dict[str, Any]:
    """What lossbench hands over: the loss's own parameters where they are accepted, losses left unreduced."""
    native = {"reduction": "none"} if "reduction" in binding.accepts else {}
    return {**native, **{k: v for k, v in loss.params.items() if k in binding.accepts}, **params}


def unreduced(backends: Backends, name: str, binding: Binding, arrays: Mapping[str, Array], **params: Any) -> Array:
    return run(backends, binding, arrays, **handed(LOSSES[name], binding, **params))


def binding_of(name: str, backend: str, spelling: str = "formula") -> Binding:
    return next(b for b in LOSSES[name].bindings_of(backend) if b.name == spelling)


def single(loss: Loss, binding: Binding) -> bool:
    return binding.name == "tf.compat" or (loss.name, binding.name) in IN_SINGLE


def runnable(binding: Binding, dtype: str) -> bool:
    return not (dtype == "float64" and binding.docs == ("tf.nn.ctc_loss",))


# --- the catalogue --------------------------------------------------------------------------------


def test_all_losses_are_there_under_their_names() -> None:
    assert sorted(LOSSES) == sorted(NAMES.split())


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_no_backend_is_empty_and_every_name_resolves(loss: Loss) -> None:
    definitions = [d.name for d in loss.definitions]
    assert len(set(definitions)) == len(definitions)
    for backend in BY_FRAMEWORK:
        assert "formula" in [b.name for b in loss.bindings_of(backend)]
        assert loss.bindings_of(backend)[0].docs or all(b.docs == () for b in loss.bindings_of(backend))
    for binding in loss.bindings:
        assert binding.unit == loss.unit
        assert binding.definition in ("exact", *definitions)
        assert set(binding.accepts) <= {*loss.known_params, *loss.inputs}
        assert set(loss.params) - set(binding.accepts) <= {"pos_weight", "gamma", "alpha", "beta"}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_every_binding_runs_and_they_agree(backends: Backends, loss: Loss, dtype: str) -> None:
    arrays = inputs(loss, dtype)
    shape = shape_of(loss)
    shapes = {"element": shape, "row": shape[:1], "batch": ()}
    wide = {k: v.astype("float64") if v.dtype.kind == "f" else v for k, v in arrays.items()}
    want = unreduced(backends, loss.name, binding_of(loss.name, "jax"), wide)
    for binding in (b for b in loss.bindings if runnable(b, dtype)):
        got = unreduced(backends, loss.name, binding, arrays)
        name = f"{binding.backend}/{binding.name}"
        assert got.shape == shapes[loss.unit], name
        assert got.dtype.name == dtype or binding.name == "tf.compat", name
        eps = EPS["float32"] if single(loss, binding) else EPS[dtype]
        # epsilons of 1e-7 and rows that sum to 1 within a rounding show by less than 1e-6 here
        rtol = max(64 * eps, 0.0 if binding.definition == "exact" else 1e-6)
        np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol, err_msg=name)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_gradients_are_the_differences(backends: Backends, loss: Loss) -> None:
    arrays = inputs(loss)
    step = 2.0**-20
    direction = np.random.default_rng(3).choice([-1.0, 1.0], arrays["y_pred"].shape)
    for binding in (b for b in loss.bindings if runnable(b, "float64")):
        if binding.name == "tf.compat" or (loss.name, binding.name) == ("ctc", "keras"):
            continue  # float32 inside: too coarse for a difference
        if not binding.docs and binding.backend != "torch":
            continue  # the same formula in another framework
        backend = backends[binding.backend]
        backend.begin("float64")
        tensors = {k: backend.array(v, "float64", differentiable=k == "y_pred") for k, v in arrays.items()}
        y_true, y_pred = tensors.pop("y_true"), tensors.pop("y_pred")
        params = {**handed(loss, binding), **tensors}

        def fn(true: Any, pred: Any, b: Binding = binding, m: Any = backend.namespace, params: Any = params) -> Any:
            found = b.call(m, true, pred, **params)
            return found[0] + found[1] if isinstance(found, tuple) else found

        _, gradient = backend.value_and_grad(fn)(y_true, y_pred)
        above = {**arrays, "y_pred": arrays["y_pred"] + step * direction}
        below = {**arrays, "y_pred": arrays["y_pred"] - step * direction}
        ends = [unreduced(backends, loss.name, binding, end).sum() for end in (above, below)]
        got = float((backend.numpy(gradient) * direction).sum())
        assert got == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=2e-5, abs=1e-6), binding


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_native_reductions_are_the_sums_and_means_of_the_unreduced(backends: Backends, loss: Loss) -> None:
    arrays = inputs(loss)
    for binding in loss.bindings:
        if "reduction" not in binding.accepts:
            continue
        eps = EPS["float32"] if single(loss, binding) else EPS["float64"]
        losses = unreduced(backends, loss.name, binding, arrays)
        total = unreduced(backends, loss.name, binding, arrays, reduction="sum")
        mean = unreduced(backends, loss.name, binding, arrays, reduction="mean")
        lengths = np.array([3, 2, 1]) if binding.definition == "per_label" else 1
        _, *added = parts(backends, binding, arrays, **handed(loss, binding))
        once = sum(added, np.zeros(()))  # a penalty comes on top of the sum once, not once a loss
        np.testing.assert_allclose(
            total, (losses - once).sum() + once, rtol=32 * eps, err_msg=f"{binding.backend}/{binding.name}"
        )
        np.testing.assert_allclose(mean, np.mean(losses / lengths), rtol=32 * eps, err_msg=binding.name)


# --- formulas by hand -----------------------------------------------------------------------------


def entropy(y: Array, p: Array, w: float = 1.0) -> Array:
    return np.asarray(np.where(y == 1, -w * np.log(p), -np.log(1 - p)))


def softmax_of_label(y: Array, z: Array) -> Array:
    return np.asarray(np.exp(z)[np.arange(len(z)), y] / np.exp(z).sum(-1))


def ctc_by_enumeration(labels: Array, z: Array) -> Array:
    """Every path of classes through the frames, collapsed; the definition itself."""
    p = np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    out = []
    for row, want in zip(p, labels, strict=True):
        likelihood = 0.0
        for path in itertools.product(range(z.shape[-1]), repeat=z.shape[1]):
            collapsed = [c for c, before in zip(path, (0, *path), strict=False) if c != 0 and c != before]
            if collapsed == [c for c in want if c]:
                likelihood += np.prod(row[np.arange(len(path)), path])
        out.append(-np.log(likelihood))
    return np.array(out)


BY_HAND: dict[str, Callable[..., Array]] = {
    "binary_crossentropy": entropy,
    "binary_crossentropy_logits": lambda y, z: np.where(y == 1, np.log1p(np.exp(-z)), np.log1p(np.exp(z))),
    "weighted_binary_crossentropy": lambda y, p: entropy(y, p, 2.0),
    "weighted_binary_crossentropy_logits": lambda y, z: entropy(y, special.expit(z), 2.0),
    "log_loss_add": lambda y, p: entropy(y, np.where(y == 1, p + 1e-7, p - 1e-7)),
    "log_loss_clip_add": lambda y, p: entropy(y, np.where(y == 1, p + 1e-7, p - 1e-7)),
    "categorical_crossentropy": lambda y, p: -np.log(p[y == 1]),
    "categorical_crossentropy_logits": lambda y, z: -np.log(softmax_of_label(y.argmax(-1), z)),
    "sparse_categorical_crossentropy": lambda y, p: -np.log(p[np.arange(len(p)), y]),
    "sparse_categorical_crossentropy_logits": lambda y, z: -np.log(softmax_of_label(y, z)),
    "binary_focal": lambda y, p: np.where(y == 1, -((1 - p) ** 2) * np.log(p), -(p**2) * np.log(1 - p)),
    "binary_focal_logits": lambda y, z: entropy(y, special.expit(z)) * (y - special.expit(z)) ** 2,
    "categorical_focal": lambda y, p: -((1 - p[y == 1]) ** 2) * np.log(p[y == 1]),
    "generalized_crossentropy": lambda y, p: (1 - p[np.arange(len(p)), y] ** 0.7) / 0.7,
    "poly_crossentropy_logits": lambda y, z: (
        -np.log(softmax_of_label(y.argmax(-1), z)) + 2 - 2 * softmax_of_label(y.argmax(-1), z)
    ),
    "matrix_crossentropy": lambda y, p, A: np.array(  # noqa: N803 - the matrix's name in its source
        [
            sum(-y[n, i] * np.log2(p[n, i]) + (A[i] @ y[n] - y[n, i]) * np.exp(p[n, i]) for i in range(p.shape[1]))
            for n in range(len(p))
        ]
    ),
    "vae_kl": lambda mu, v: (mu**2 + np.exp(v) - v - 1) / 2,
    "vae_reconstruction": lambda y, p: (p - y) ** 2,
    "vae_total": lambda y, p, mean, logvar: (p - y) ** 2 + 0.005 * np.mean(mean**2 + np.exp(logvar) - logvar - 1),
    "dice": lambda y, p: 1 - 2 * p[y == 1].sum() / (y.sum() + p.sum()),
    "tversky": lambda y, p: 1 - p[y == 1].sum() / (p[y == 1].sum() + p[y == 0].sum() / 2 + (1 - p[y == 1]).sum() / 2),
    "binary_dice_logits": lambda y, z: (
        1 - ((y * special.expit(z)).sum(-1) + 1) / (y.sum(-1) / 2 + special.expit(z).sum(-1) / 2 + 1)
    ),
    "ctc": ctc_by_enumeration,
    "loss_plus_l2": lambda y, p, weights: entropy(y, p) + 0.01 * np.linalg.norm(weights) ** 2,
    "mse_plus_l2": lambda y, p, weights: (p - y) ** 2 + 0.01 * np.linalg.norm(weights) ** 2,
    "multi_output": lambda y, p: ((p - y)[:, :2] ** 2).mean(-1) + 0.5 * entropy(y[:, 2:], p[:, 2:]).mean(-1),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_formulas_are_what_is_written_here(backends: Backends, name: str) -> None:
    loss = LOSSES[name]
    arrays = inputs(loss)
    want = BY_HAND[name](*list(arrays.values())[:2], **dict(list(arrays.items())[2:]))
    for binding in (b for b in loss.bindings if runnable(b, "float64") and not single(loss, b)):
        if binding.definition in ("exact", "per_label"):
            got = unreduced(backends, name, binding, arrays)
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14, err_msg=f"{binding.backend}/{binding.name}")


# --- parameters -----------------------------------------------------------------------------------


def smoothed(y: Array, amount: float) -> Array:
    return np.asarray(y * (1 - amount) + amount / y.shape[-1])


def soft_entropy(y: Array, p: Array) -> Array:
    return np.asarray(-y * np.log(p) - (1 - y) * np.log(1 - p))


def log_softmax(z: Array) -> Array:
    return np.asarray(z - np.log(np.exp(z).sum(-1, keepdims=True)))


CLASS_WEIGHT = np.array([0.5, 2.0, 1.0, 4.0])
PARAMS: list[tuple[str, dict[str, Any], Callable[..., Array]]] = [
    ("binary_crossentropy", {"label_smoothing": 0.25}, lambda y, p: soft_entropy(y * 0.75 + 0.125, p)),
    ("binary_crossentropy", {"pos_weight": 3.0}, lambda y, p: entropy(y, p, 3.0)),
    ("binary_crossentropy", {"from_logits": True}, lambda y, p: entropy(y, special.expit(p))),
    ("binary_crossentropy_logits", {"pos_weight": 3.0}, lambda y, z: entropy(y, special.expit(z), 3.0)),
    ("binary_crossentropy_logits", {"label_smoothing": 0.5}, lambda y, z: soft_entropy(y / 2 + 0.25, special.expit(z))),
    ("log_loss_add", {"eps": 0.25}, lambda y, p: np.where(y == 1, -np.log(p + 0.25), -np.log(1.25 - p))),
    (
        "log_loss_clip_add",
        {"eps": 0.25},
        lambda y, p: np.where(y == 1, -np.log(p.clip(0.25, 0.75) + 0.25), -np.log(1.25 - p.clip(0.25, 0.75))),
    ),
    ("categorical_crossentropy", {"axis": 0}, lambda y, p: -(y * np.log(p)).sum(0)),
    ("categorical_crossentropy", {"label_smoothing": 0.2}, lambda y, p: -(smoothed(y, 0.2) * np.log(p)).sum(-1)),
    ("categorical_crossentropy", {"from_logits": True}, lambda y, p: -(y * log_softmax(p)).sum(-1)),
    ("categorical_crossentropy", {"class_weight": CLASS_WEIGHT}, lambda y, p: -(y * np.log(p)) @ CLASS_WEIGHT),
    ("categorical_crossentropy_logits", {"axis": 0}, lambda y, z: -(y * log_softmax(z.T).T).sum(0)),
    (
        "categorical_crossentropy_logits",
        {"class_weight": CLASS_WEIGHT, "label_smoothing": 0.2},
        lambda y, z: -(smoothed(y, 0.2) * log_softmax(z)) @ CLASS_WEIGHT,
    ),
    (
        "sparse_categorical_crossentropy_logits",
        {"class_weight": CLASS_WEIGHT, "label_smoothing": 0.2},
        lambda y, z: -(smoothed(np.eye(4)[y], 0.2) * log_softmax(z)) @ CLASS_WEIGHT,
    ),
    ("binary_focal", {"gamma": 1.0, "alpha": 0.25}, lambda y, p: entropy(y, p) * abs(y - p) * (0.75 - 0.5 * y)),
    ("binary_focal_logits", {"gamma": 0.0, "alpha": 0.25}, lambda y, z: entropy(y, special.expit(z)) * (0.75 - y / 2)),
    ("categorical_focal", {"gamma": 1.0, "alpha": 1.0}, lambda y, p: (-y * (1 - p) * np.log(p)).sum(-1)),
    ("categorical_focal", {"alpha": (1.0, 2.0, 3.0, 4.0)}, lambda y, p: -y * (1 - p) ** 2 * np.log(p) @ [1, 2, 3, 4]),
    ("generalized_crossentropy", {"q": 0.5}, lambda y, p: 2 - 2 * np.sqrt(p[np.arange(len(p)), y])),
    ("vae_reconstruction", {"recon": "binary_crossentropy"}, soft_entropy),
    ("tversky", {"alpha": 0.3, "beta": 0.9}, lambda y, p: 1 - p[y == 1].sum()
     / (p[y == 1].sum() + 0.3 * p[y == 0].sum() + 0.9 * (1 - p[y == 1]).sum())),
    ("dice", {"smooth": 1.0}, lambda y, p: 1 - (2 * p[y == 1].sum() + 1) / (y.sum() + p.sum() + 1)),
    ("dice", {"eps": 1.0}, lambda y, p: 1 - 2 * p[y == 1].sum() / (y.sum() + p.sum() + 1)),
    ("dice", {"axis": -1}, lambda y, p: 1 - 2 * (y * p).sum(-1) / (y.sum(-1) + p.sum(-1))),
    ("loss_plus_l2", {"data_loss": "mae", "l2": 0.5}, lambda y, p, weights: abs(p - y) + (weights**2).sum() / 2),
]  # fmt: skip


@pytest.mark.parametrize(("name", "params", "hand"), PARAMS, ids=[f"{n}-{'-'.join(p)}" for n, p, _ in PARAMS])
def test_parameters_mean_what_is_written_here(
    backends: Backends, name: str, params: dict[str, Any], hand: Callable[..., Array]
) -> None:
    loss = LOSSES[name]
    arrays = inputs(loss)
    want = hand(*list(arrays.values())[:2], **dict(list(arrays.items())[2:]))
    taking = [b for b in loss.bindings if set(params) <= set(b.accepts) and not single(loss, b)]
    assert {b.backend for b in taking} == set(BY_FRAMEWORK)
    for binding in taking:
        if binding.name != "keras" or binding.definition == "exact":
            optax_smooth = name == "dice" and "smooth" in params and binding.name == "optax"
            if optax_smooth:
                continue  # optax adds it to half of both parts
            got = unreduced(backends, name, binding, arrays, **params)
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14, err_msg=f"{binding.backend}/{binding.name}")


def test_rows_are_divided_by_their_sum(backends: Backends) -> None:
    y_true, p = inputs(LOSSES["categorical_crossentropy"]).values()
    arrays = {"y_true": y_true, "y_pred": 3.0 * p}
    for name, labels in (
        ("categorical_crossentropy", y_true),
        ("sparse_categorical_crossentropy", y_true.argmax(-1).astype(np.int32)),
    ):
        for binding in LOSSES[name].bindings:
            if "normalize" in binding.accepts:
                got = unreduced(backends, name, binding, {**arrays, "y_true": labels}, normalize=True)
                np.testing.assert_allclose(got, -np.log((p / p.sum(-1, keepdims=True))[y_true == 1]), rtol=1e-12)


@pytest.mark.parametrize("name", ["sparse_categorical_crossentropy", "sparse_categorical_crossentropy_logits"])
def test_ignored_samples_count_in_no_divisor(backends: Backends, name: str) -> None:
    arrays = inputs(LOSSES[name])
    labels = np.array([0, -1, 3, 1, -1, 2], dtype=np.int32)
    p = arrays["y_pred"] if "logits" not in name else special.softmax(arrays["y_pred"], -1)
    counted = labels >= 0
    losses = np.where(counted, -np.log(p[np.arange(6), labels]), 0.0)
    weights = np.where(counted, CLASS_WEIGHT[labels], 0.0)
    expected = {
        "none": losses,
        "sum": losses.sum(),
        "mean_over_valid": losses.sum() / 4,
        "weighted_mean": (losses * weights).sum() / weights.sum(),
    }
    for binding in LOSSES[name].bindings:
        for reduction, want in expected.items():
            weighted = {"class_weight": CLASS_WEIGHT} if reduction == "weighted_mean" else {}
            params = {"ignore_index": -1, "reduction": reduction, **weighted}
            if set(params) <= set(binding.accepts) and binding.name != "keras":
                got = unreduced(backends, name, binding, {**arrays, "y_true": labels}, **params)
                np.testing.assert_allclose(got, want, rtol=1e-12, err_msg=f"{binding.backend} {reduction}")


def test_keras_ignores_a_class(backends: Backends) -> None:
    name = "sparse_categorical_crossentropy_logits"
    arrays = {**inputs(LOSSES[name]), "y_true": np.array([0, 2, 3, 1, 2, 0], dtype=np.int32)}
    got = unreduced(backends, name, binding_of(name, "tensorflow", "keras"), arrays, ignore_index=2)
    np.testing.assert_array_equal(got == 0, [False, True, False, False, True, False])


# --- identities -----------------------------------------------------------------------------------


def same(backends: Backends, left: Side, right: Side) -> None:
    """Two losses give the same in every backend, by their formulas."""
    for backend in BY_FRAMEWORK:
        (name, arrays, params), (other, others, more) = left, right
        a = unreduced(backends, name, binding_of(name, backend), arrays, **params)
        b = unreduced(backends, other, binding_of(other, backend), others, **more)
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14, err_msg=backend)


def test_cross_entropy_of_logits_is_that_of_their_softmax(backends: Backends) -> None:
    arrays = inputs(LOSSES["categorical_crossentropy_logits"])
    soft = {**arrays, "y_pred": special.softmax(arrays["y_pred"], -1)}
    same(backends, ("categorical_crossentropy_logits", arrays, {}), ("categorical_crossentropy", soft, {}))


def test_sparse_is_one_hot(backends: Backends) -> None:
    for suffix in ("", "_logits", "_keras"):
        arrays = inputs(LOSSES[f"sparse_categorical_crossentropy{suffix}"])
        rows = {**arrays, "y_true": np.eye(4)[arrays["y_true"]]}
        sparse: Side = (f"sparse_categorical_crossentropy{suffix}", arrays, {})
        same(backends, sparse, (f"categorical_crossentropy{suffix}", rows, {}))


def test_logits_change_sign_with_the_label(backends: Backends) -> None:
    arrays = inputs(LOSSES["binary_crossentropy_logits"])
    mirrored = {"y_true": 1 - arrays["y_true"], "y_pred": -arrays["y_pred"]}
    same(backends, ("binary_crossentropy_logits", arrays, {}), ("binary_crossentropy_logits", mirrored, {}))


def test_focal_without_focus_is_cross_entropy(backends: Backends) -> None:
    arrays = inputs(LOSSES["binary_focal"])
    same(backends, ("binary_focal", arrays, {"gamma": 0.0}), ("binary_crossentropy", arrays, {}))
    rows = inputs(LOSSES["categorical_focal"])
    same(backends, ("categorical_focal", rows, {"gamma": 0.0, "alpha": 1.0}), ("categorical_crossentropy", rows, {}))


def test_generalised_cross_entropy_at_q_1_is_the_missing_probability(backends: Backends) -> None:
    arrays = inputs(LOSSES["generalized_crossentropy"])
    want = 1 - arrays["y_pred"][np.arange(6), arrays["y_true"]]
    for binding in LOSSES["generalized_crossentropy"].bindings:
        if binding.name != "keras":  # which wants q below 1
            got = unreduced(backends, "generalized_crossentropy", binding, arrays, q=1.0)
            np.testing.assert_allclose(got, want, rtol=1e-13)


def test_dice_is_tversky_of_halves(backends: Backends) -> None:
    arrays = inputs(LOSSES["dice"])
    same(backends, ("dice", arrays, {}), ("tversky", arrays, {"alpha": 0.5, "beta": 0.5}))


def test_ctc_of_one_label_and_one_frame_is_cross_entropy(backends: Backends) -> None:
    z = np.array([[0.5, -1.0, 2.0], [1.0, 0.25, -0.5]])
    labels = np.array([1, 2], dtype=np.int32)
    long: Side = ("ctc", {"y_true": labels[:, None], "y_pred": z[:, None, :]}, {})
    same(backends, long, ("sparse_categorical_crossentropy_logits", {"y_true": labels, "y_pred": z}, {}))


# --- where frameworks differ ----------------------------------------------------------------------


def test_keras_swaps_alpha_and_beta_of_tversky(backends: Backends) -> None:
    arrays = inputs(LOSSES["tversky"])
    keras = unreduced(backends, "tversky", binding_of("tversky", "tensorflow", "keras"), arrays, alpha=0.3, beta=0.9)
    formula = unreduced(backends, "tversky", binding_of("tversky", "tensorflow"), arrays, alpha=0.9, beta=0.3)
    assert keras == pytest.approx(formula, rel=1e-6)


def test_stable_spellings_stay_finite_at_the_ends(backends: Backends) -> None:
    ends = np.array([[0.0, 1.0], [1.0, 0.0]], dtype=np.float32)
    labels = ends.argmax(-1).astype(np.int32)
    far = (ends - 0.5) * 2e4
    cases = [(n, ends, ends) for n in ("binary_crossentropy", "binary_focal", "categorical_crossentropy")]
    cases += [("categorical_focal", ends, ends), ("binary_crossentropy_logits", ends, far)]
    cases += [(n, ends, far) for n in ("binary_focal_logits", "categorical_crossentropy_logits")]
    cases += [("sparse_categorical_crossentropy_logits", labels, far)]
    for name, y_true, y_pred in cases:
        for binding in (b for b in LOSSES[name].bindings if b.name == "stable"):
            got = unreduced(backends, name, binding, {"y_true": y_true, "y_pred": y_pred})
            np.testing.assert_array_equal(got, np.zeros_like(got), err_msg=f"{name} {binding.backend}")


@pytest.mark.parametrize("name", ["loss_plus_l2", "vae_reconstruction"])
def test_an_unknown_part_is_bad_input(backends: Backends, name: str) -> None:
    loss = LOSSES[name]
    params = {"data_loss": "no_such"} if name == "loss_plus_l2" else {"recon": "no_such"}
    with pytest.raises(Exception, match="no_such") as caught:
        unreduced(backends, name, binding_of(name, "torch"), inputs(loss), **params)
    assert type(caught.value).__name__ == "BadInput"
