"""Losses of direction: cosine similarity of two vectors, Circle over all pairs of a batch of embeddings."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Final

from lossbench import Binding, Definition, Domain, Loss, domains

from ._native import formula, keras, keras_call, native

NEGATIVE: Final = "negative"
COSINE_PARAMS: Final = ("axis", "sign", "distance")


def oriented(cosine: Any, sign: str, distance: bool) -> Any:
    """The cosine as the loss that was asked for: its negative, itself, or one minus it."""
    if distance:
        return 1.0 - cosine
    return cosine if sign == "positive" else -cosine


def cosine_formula(
    m: Any,
    y_true: Any,
    y_pred: Any,
    *,
    axis: int = -1,
    sign: str = NEGATIVE,
    distance: bool = False,
    eps: float = 0.0,
) -> Any:
    norm_true = m.maximum(m.sqrt(m.sum(m.square(y_true), axis=axis)), eps)
    norm_pred = m.maximum(m.sqrt(m.sum(m.square(y_pred), axis=axis)), eps)
    return oriented(m.sum(y_true * y_pred, axis=axis) / (norm_true * norm_pred), sign, distance)


def _unit(m: Any, a: Any, axis: int) -> Any:
    largest = m.max(m.abs(a), axis=axis, keepdims=True)
    scaled = a / m.where(largest > 0, largest, 1.0)
    length = m.sum(m.square(scaled), axis=axis, keepdims=True)
    some = length > 0
    return m.where(some, scaled / m.sqrt(m.where(some, length, 1.0)), 0.0)  # a zero vector has no direction to change


def scaled_cosine(
    m: Any, y_true: Any, y_pred: Any, *, axis: int = -1, sign: str = NEGATIVE, distance: bool = False
) -> Any:
    return oriented(m.sum(_unit(m, y_true, axis) * _unit(m, y_pred, axis), axis=axis), sign, distance)


def exact_cosine(
    x: Any,
    y_true: Any,
    y_pred: Any,
    *,
    axis: int = -1,
    sign: str = NEGATIVE,
    distance: bool = False,
    eps: float = 0.0,
) -> Any:
    """A zero vector is as similar as an orthogonal one: cosine 0, with no derivative where the prediction is zero."""
    norm_true, norm_pred = x.norm(y_true, axis), x.norm(y_pred, axis)
    if eps > 0:
        norm_true, norm_pred = x.maximum(norm_true, eps), x.maximum(norm_pred, eps)
    cosine = x.safe_divide(x.sum(y_true * y_pred, axis=axis), norm_true * norm_pred, 0.0)
    leap = x.where(x.logical_and(norm_pred == 0, norm_true > 0), x.sqrt(norm_pred), 0.0)
    return oriented(cosine + leap, sign, distance)


def _floored(floor: float) -> Any:
    def reference(x: Any, y_true: Any, y_pred: Any, **params: Any) -> Any:
        return exact_cosine(x, y_true, y_pred, **{**params, "eps": floor})

    return reference


def _no_zero_rule(x: Any, y_true: Any, y_pred: Any, **params: Any) -> Any:
    axis = params.get("axis", -1)
    cosine = x.sum(y_true * y_pred, axis=axis) / (x.norm(y_true, axis) * x.norm(y_pred, axis))
    return oriented(cosine, params.get("sign", NEGATIVE), params.get("distance", False))


def _keras_cosine(
    m: Any,
    y_true: Any,
    y_pred: Any,
    *,
    reduction: str = "mean",
    axis: int = -1,
    sign: str = NEGATIVE,
    distance: bool = False,
) -> Any:
    if distance and native(reduction) == "sum":
        return m.tf.reduce_sum(1.0 + _keras_negative(m, y_true, y_pred, reduction="none", axis=axis))
    negative = _keras_negative(m, y_true, y_pred, reduction=reduction, axis=axis)
    return oriented(-negative, sign, distance)


def _tf_nn_cosine(
    m: Any, y_true: Any, y_pred: Any, *, axis: int = -1, sign: str = NEGATIVE, distance: bool = False
) -> Any:
    true, pred = m.tf.nn.l2_normalize(y_true, axis=axis), m.tf.nn.l2_normalize(y_pred, axis=axis)
    return oriented(m.tf.reduce_sum(true * pred, axis=axis), sign, distance)


def _compat_cosine(
    m: Any, y_true: Any, y_pred: Any, *, axis: int = -1, sign: str = NEGATIVE, distance: bool = False
) -> Any:
    losses = m.tf.compat.v1.losses
    true, pred = m.tf.nn.l2_normalize(y_true, axis=axis), m.tf.nn.l2_normalize(y_pred, axis=axis)
    kept = losses.cosine_distance(true, pred, axis=axis, reduction=losses.Reduction.NONE)
    apart = m.tf.squeeze(kept, axis=axis)
    return apart if distance else oriented(1.0 - apart, sign, distance)


def _functional_cosine(
    m: Any,
    y_true: Any,
    y_pred: Any,
    *,
    axis: int = -1,
    sign: str = NEGATIVE,
    distance: bool = False,
    eps: float = 1e-8,
) -> Any:
    return oriented(m.F.cosine_similarity(y_pred, y_true, dim=axis, eps=eps), sign, distance)


def _optax_cosine(
    m: Any,
    y_true: Any,
    y_pred: Any,
    *,
    axis: int = -1,
    sign: str = NEGATIVE,
    distance: bool = False,
    eps: float = 0.0,
) -> Any:
    # optax floors the squared norm
    if distance:
        return m.optax.losses.cosine_distance(y_pred, y_true, axis=axis, epsilon=eps * eps)
    return oriented(m.optax.losses.cosine_similarity(y_pred, y_true, axis=axis, epsilon=eps * eps), sign, distance)


_keras_negative = keras_call("CosineSimilarity", unit="row")

cosine_similarity = Loss(
    name="cosine_similarity",
    title="Cosine similarity",
    summary="Negative cosine of the angle between target and prediction: -1 is most similar, 0 orthogonal.",
    formula=r"\ell(y, p) = - \frac{\sum_i y_i p_i}{\lVert y \rVert_2 \, \lVert p \rVert_2}",
    source="G. Salton and M. J. McGill, Introduction to Modern Information Retrieval (1983), chapter 4",
    aliases=("CosineSimilarity", "cosine_similarity_loss", "cosine_distance"),
    documented_in=("S2",),
    inputs={"y_true": domains.REAL, "y_pred": domains.REAL},
    params={"axis": -1, "sign": NEGATIVE, "distance": False},
    accepts=("eps",),
    unit="row",
    reference=exact_cosine,
    definitions=(
        Definition(
            name="norm_floor=1e-7",
            reference=_floored(1e-7),
            where="Keras takes norms as 1e-7 at least; shows on vectors shorter than that",
            backend="tensorflow",
        ),
        Definition(
            name="norm_floor=1e-8",
            reference=_floored(1e-8),
            where="PyTorch takes norms as 1e-8 at least; shows on vectors shorter than that",
            backend="torch",
        ),
        Definition(
            name="norm_floor=1e-6",
            reference=_floored(1e-6),
            where="tf.nn.l2_normalize takes squared norms as 1e-12 at least; shows on vectors shorter than 1e-6",
            backend="tensorflow",
        ),
        Definition(
            name="zero_vector_undefined",
            reference=_no_zero_rule,
            where="optax divides by the norms as they are; shows on zero vectors, as NaN",
            backend="jax",
        ),
    ),
    bindings=(
        Binding(
            backend="tensorflow",
            name="keras",
            call=_keras_cosine,
            docs=("tf.keras.losses.CosineSimilarity", "tf.keras.losses.cosine_similarity"),
            unit="row",
            accepts=("reduction", *COSINE_PARAMS),
            differs="takes norms as 1e-7 at least",
            definition="norm_floor=1e-7",
        ),
        Binding(
            backend="tensorflow",
            name="tf.nn",
            call=_tf_nn_cosine,
            docs=("tf.nn.l2_normalize",),
            unit="row",
            accepts=COSINE_PARAMS,
            differs="takes squared norms as 1e-12 at least",
            definition="norm_floor=1e-6",
        ),
        Binding(
            backend="tensorflow",
            name="tf.compat",
            call=_compat_cosine,
            docs=("tf.compat.v1.losses.cosine_distance",),
            unit="row",
            accepts=COSINE_PARAMS,
            differs="computes in float32 whatever the inputs' dtype; a distance of vectors normalised beforehand, "
            "whose squared norms count as 1e-12 at least",
            definition="norm_floor=1e-6",
        ),
        Binding(
            backend="torch",
            name="functional",
            call=_functional_cosine,
            docs=("torch.nn.functional.cosine_similarity", "torch.nn.CosineSimilarity"),
            unit="row",
            accepts=(*COSINE_PARAMS, "eps"),
            differs="positive sign, negated here; takes norms as 1e-8 at least",
            definition="norm_floor=1e-8",
        ),
        Binding(
            backend="jax",
            name="optax",
            call=_optax_cosine,
            docs=("optax.losses.cosine_similarity", "optax.losses.cosine_distance"),
            unit="row",
            accepts=(*COSINE_PARAMS, "eps"),
            differs="positive sign, negated here; no floor on the norms, so a zero vector gives NaN",
            definition="zero_vector_undefined",
        ),
        *formula(
            cosine_formula,
            unit="row",
            accepts=(*COSINE_PARAMS, "eps"),
            differs="squares overflow and underflow; a zero vector gives NaN",
            definition="zero_vector_undefined",
        ),
        *formula(scaled_cosine, name="stable", unit="row", accepts=COSINE_PARAMS),
    ),
)

cosine_similarity_keras = replace(
    cosine_similarity,
    name="cosine_similarity_keras",
    title="Cosine similarity, norms floored",
    summary="Negative cosine of the angle between target and prediction, with norms that count as 1e-7 at least.",
    formula=r"\ell(y, p) = - \frac{\sum_i y_i p_i}{\lVert y \rVert_\varepsilon \lVert p \rVert_\varepsilon},\ "
    r"\lVert v \rVert_\varepsilon = \max(\lVert v \rVert_2, \varepsilon)",
    source="Keras 3 documentation of CosineSimilarity and its normalisation (2023)",
    aliases=(),
    params={**cosine_similarity.params, "eps": 1e-7},
    accepts=(),
    definitions=tuple(d for d in cosine_similarity.definitions if d.name != "norm_floor=1e-7"),
    bindings=(
        replace(
            cosine_similarity.bindings[0],
            call=lambda m, y_true, y_pred, *, eps=1e-7, **params: _keras_cosine(m, y_true, y_pred, **params),  # noqa: ARG005
            accepts=("reduction", *COSINE_PARAMS, "eps"),
            differs="the floor is keras.config.epsilon(), 1e-7 unless set otherwise",
            definition="exact",
        ),
        *formula(cosine_formula, unit="row", accepts=(*COSINE_PARAMS, "eps")),
    ),
)


# --- Circle ---------------------------------------------------------------------------------------


def circle_rows(
    m: Any, y_true: Any, y_pred: Any, *, gamma: float = 80.0, margin: float = 0.4, remove_diagonal: bool = True
) -> Any:
    """One loss a row of embeddings (batch, width), against every other row; y_true: class labels (batch,)."""
    same = m.abs(m.expand_dims(y_true, 1) - m.expand_dims(y_true, 0)) <= 0
    distance = m.maximum(1.0 - m.matmul(y_pred, m.transpose(y_pred)), 0.0)
    positive = gamma * (margin + distance) * (distance - margin)
    negative = gamma * m.maximum(1.0 + margin - distance, 0.0) * (1.0 - margin - distance)
    if remove_diagonal:
        positive = m.where(_diagonal(m, distance) > 0, -math.inf, positive)
    near = m.logsumexp(m.where(same, positive, -math.inf), axis=1)
    far = m.logsumexp(m.where(same, -math.inf, negative), axis=1)
    return m.softplus(near + far)


def _diagonal(m: Any, square: Any) -> Any:
    """The identity of `square`'s shape (n, n): rows of a one and n zeros, laid end to end and cut anew into n."""
    n = square.shape[0]
    zeros = m.where(square > math.inf, square, 0.0)
    ones = m.index(zeros, (slice(None), slice(0, 1))) + 1.0
    flat = m.reshape(m.concat([ones, zeros], axis=1), (n * (n + 1),))
    return m.reshape(m.index(flat, slice(0, n * n)), (n, n))


def _mean_over_positive(x: Any, y_true: Any, y_pred: Any, **params: Any) -> Any:
    losses = circle_rows(x, y_true, y_pred, **params)
    counted = x.sum(x.where(losses > 0, 1.0, 0.0))
    return losses * (losses.shape[0] / counted)


circle = Loss(
    name="circle",
    title="Circle loss",
    summary="Pulls embeddings of one class together and pushes classes apart, each pair weighted by how far it is off.",
    formula=r"\ell_i = \log\Bigl(1 + \sum_{j \in N_i} e^{\gamma [1 + m - d_{ij}]_+ (1 - m - d_{ij})}"
    r" \sum_{k \in P_i} e^{\gamma (m + d_{ik}) (d_{ik} - m)}\Bigr), \quad d_{ij} = [1 - p_i \cdot p_j]_+",
    source="Y. Sun et al., Circle loss: a unified perspective of pair similarity optimization, CVPR (2020), "
    "written in cosine distances as Keras does",
    aliases=("Circle", "circle_loss"),
    documented_in=("S4",),
    inputs={
        "y_true": Domain(kind="class_index", extent="rows", note="class labels, one a row"),
        "y_pred": Domain(kind="real", note="embeddings, meant to have length one"),
    },
    params={"gamma": 80.0, "margin": 0.4, "remove_diagonal": True},
    unit="row",
    shapes={"small": (16, 8), "large": (512, 64)},
    reference=circle_rows,
    definitions=(
        Definition(
            name="mean_over_positive",
            reference=_mean_over_positive,
            where="Keras masks rows whose loss is 0 out of the mean; shows where a row has no partner in its class",
        ),
    ),
    bindings=(
        keras(
            "Circle",
            "circle",
            unit="row",
            accepts=("gamma", "margin", "remove_diagonal"),
            differs="the mean is taken over the rows with a loss above 0, which its documentation does not say",
        ),
        *formula(circle_rows, unit="row", accepts=("gamma", "margin", "remove_diagonal")),
    ),
)
