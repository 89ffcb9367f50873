"""Defects planted into losses of a predicted class."""

# A table: one line a mutant, each change with the arguments that all changes take.
# ruff: noqa: ARG001, ARG005, E501

from __future__ import annotations

from functools import partial
from typing import Any

from . import _planting as p
from ._planting import Mutant


def _bce(m: Any, y: Any, z: Any) -> Any:
    return -(y * m.log(z) + (1.0 - y) * m.log1p(-z))


def _log_of_rest(m: Any, y: Any, z: Any, **_: Any) -> Any:
    """log(1 - p) in place of log1p(-p), guarded like the stable form."""
    gain = m.where(y > 0.0, y * m.log(m.where(y > 0.0, z, 0.5)), 0.0)
    rest = m.where(y < 1.0, (1.0 - y) * m.log(1.0 - m.where(y < 1.0, z, 0.5)), 0.0)
    return -(gain + rest)


def _clipped(low: float, high: float | None) -> Any:
    def change(m: Any, y: Any, z: Any) -> tuple[Any, Any]:
        raised = m.maximum(z, low)
        return y, raised if high is None else m.minimum(raised, high)

    return change


def _weight_on_both(m: Any, y: Any, z: Any, *, pos_weight: float = 2.0, **_: Any) -> Any:
    return pos_weight * _bce(m, y, z)


def _weight_on_negatives(m: Any, y: Any, z: Any, *, pos_weight: Any = None, **_: Any) -> Any:
    w = 1.0 if pos_weight is None else pos_weight
    return -(y * m.log(z) + w * (1.0 - y) * m.log1p(-z))


def _sigmoid_first(m: Any, y: Any, z: Any, **_: Any) -> Any:
    s = m.sigmoid(z)
    return -(y * m.log(s) + (1.0 - y) * m.log(1.0 - s))


def _naive_softplus(m: Any, y: Any, z: Any) -> Any:
    return m.log(1.0 + m.exp(z)) - y * z


def _without_log1p(m: Any, y: Any, z: Any) -> Any:
    return m.maximum(z, 0.0) - z * y + m.log(1.0 + m.exp(-m.abs(z)))


def _logits_bce(m: Any, y: Any, z: Any) -> Any:
    return m.maximum(z, 0.0) - z * y + m.log1p(m.exp(-m.abs(z)))


def _through_sigmoid(m: Any, y: Any, z: Any, each: Any) -> Any:
    """A sigmoid's derivative taken twice."""
    s = p.stop(m, m.sigmoid(z))
    return p.scaled_gradient(m, each, s * (1.0 - s))


def _naive_rows(m: Any, y: Any, z: Any, **_: Any) -> Any:
    return p.naive_logsumexp(m, z) - m.sum(y * z, axis=-1)


def _naive_labels(m: Any, y: Any, z: Any, **_: Any) -> Any:
    return p.naive_logsumexp(m, z) - m.take_class(z, y)


def _over_batch(m: Any, y: Any, z: Any) -> tuple[Any, Any]:
    """Scores whose softmax is taken over the batch: what a wrong axis leaves of them."""
    return y, m.log_softmax(z, axis=0)


def _largest_dropped(m: Any, y: Any, z: Any, each: Any) -> Any:
    largest = m.max(z, axis=-1)
    return each + m.where(largest > 50.0, 0.01 * largest, 0.0)


def _shifted(m: Any, y: Any, z: Any) -> tuple[Any, Any]:
    classes = int(z.shape[-1])
    return m.where(y == classes - 1, y * 0, y + 1), z


def _last_class_lost(m: Any, y: Any, z: Any) -> tuple[Any, Any]:
    last = int(z.shape[-1]) - 1
    return m.where(y == last, y * 0 + max(last - 1, 0), y), z


def _guarded(m: Any, z: Any) -> Any:
    return m.log(m.maximum(z, 1e-30))


def _focal(m: Any, y: Any, z: Any, *, gamma: float = 2.0, stopped: bool = False, **_: Any) -> Any:
    right = y * z + (1.0 - y) * (1.0 - z)
    factor = m.power(1.0 - right, gamma)
    return -(p.stop(m, factor) if stopped else factor) * m.log(right)


def _unmodulated(m: Any, y: Any, z: Any, **_: Any) -> Any:
    return _logits_bce(m, y, z)


def _generalised(m: Any, y: Any, z: Any, *, q: float = 0.7) -> Any:
    return 1.0 - m.power(m.take_class(z, y), q)


def _poly(m: Any, y: Any, z: Any, *, eps: float = 2.0) -> Any:
    logs = m.log_softmax(z)
    return -m.sum(y * logs, axis=-1) - eps * (1.0 - m.sum(y * m.exp(logs), axis=-1))


def _transposed(m: Any, y: Any, z: Any, *, A: Any) -> Any:  # noqa: N803
    return -m.sum(m.matmul(y, m.transpose(A)) * m.log(z), axis=-1)


def _no_matrix(m: Any, y: Any, z: Any, *, A: Any) -> Any:  # noqa: N803
    return -m.sum(y * m.log(z), axis=-1)


def _ties_twice(m: Any, y: Any, z: Any, each: Any) -> Any:
    largest = m.max(z, axis=-1, keepdims=True)
    tied = m.sum(m.where(z == largest, z * 0.0 + 1.0, z * 0.0), axis=-1)
    return each + m.where(tied > 1.5, 0.001 * each, 0.0)


tensorflow, torch, jax = (partial(Mutant, backend=name) for name in ("tensorflow", "torch", "jax"))
BCE, BCE_LOGITS = "binary_crossentropy", "binary_crossentropy_logits"
CCE, CCE_LOGITS = "categorical_crossentropy", "categorical_crossentropy_logits"
SPARSE, SPARSE_LOGITS = "sparse_categorical_crossentropy", "sparse_categorical_crossentropy_logits"

CLASSES = (
    torch(loss=BCE, base="functional", name="swapped", kind="swapped", plant=p.arguments(lambda m, y, z: (z, 0.98 * y + 0.01))),
    tensorflow(loss=BCE, base="keras", name="clip_1e-3", kind="clip", plant=p.arguments(_clipped(1e-3, 1.0 - 1e-3))),
    jax(loss=BCE, base="stable", name="clip_1e-7", kind="clip", plant=p.arguments(_clipped(1e-7, 1.0 - 1e-7))),
    torch(loss=BCE, base="stable", name="log_of_rest", kind="unstable", plant=p.instead(_log_of_rest)),
    tensorflow(loss=BCE, base="stable", name="smoothing_off", kind="parameter", plant=p.forced(label_smoothing=0.0)),
    jax(loss=BCE, base="stable", name="weight_on_negatives", kind="parameter", plant=p.instead(_weight_on_negatives)),
    tensorflow(loss=BCE, base="formula", name="one_label", kind="formula", plant=p.losses(lambda m, y, z, e: -y * m.log(z))),
    torch(
        loss="binary_crossentropy_keras", base="formula", name="clip_below_only", kind="clip",
        plant=p.instead(lambda m, y, z, **_: _bce(m, y, m.maximum(z, 1e-7))),
    ),
    jax(
        loss="binary_crossentropy_keras", base="formula", name="clip_straight_through", kind="gradient",
        plant=p.arguments(lambda m, y, z: (y, p.straight_through(m, m.clip(z, 1e-7, 1.0 - 1e-7), z))),
    ),
    torch(loss=BCE_LOGITS, base="functional", name="sigmoid_first", kind="unstable", plant=p.instead(_sigmoid_first)),
    jax(loss=BCE_LOGITS, base="optax", name="naive_softplus", kind="unstable", plant=p.instead(_naive_softplus)),
    tensorflow(loss=BCE_LOGITS, base="tf.nn", name="without_log1p", kind="unstable", plant=p.instead(_without_log1p)),
    torch(loss=BCE_LOGITS, base="stable", name="sigmoid_twice", kind="gradient", plant=p.losses(_through_sigmoid)),
    tensorflow(
        loss=BCE_LOGITS, base="keras", name="labels_flipped", kind="swapped", plant=p.arguments(lambda m, y, z: (1.0 - y, z)),
    ),
    jax(
        loss=BCE_LOGITS, base="stable", name="saturated_frozen", kind="gradient",
        plant=p.losses(lambda m, y, z, e: p.frozen_where(m, m.abs(z) > 15.0, e)),
    ),
    torch(
        loss=BCE_LOGITS, base="functional", name="bfloat16_logits", kind="cast",
        plant=p.arguments(lambda m, y, z: (y, p.narrow(m, z, "bfloat16"))),
    ),
    torch(
        loss="weighted_binary_crossentropy_logits", base="functional", name="weight_ignored", kind="parameter",
        plant=p.forced(pos_weight=None),
    ),
    tensorflow(
        loss="weighted_binary_crossentropy", base="stable", name="weight_on_both", kind="parameter",
        plant=p.instead(_weight_on_both),
    ),
    tensorflow(
        loss=CCE, base="keras", name="clip_1e-3", kind="clip",
        plant=p.arguments(lambda m, y, z: (y, m.maximum(z, 1e-3))),
    ),
    torch(loss=CCE, base="stable", name="by_class", kind="factor", plant=p.losses(lambda m, y, z, e: e / float(z.shape[-1]))),
    jax(
        loss=CCE, base="stable", name="swapped", kind="swapped",
        plant=p.instead(lambda m, y, z, **_: -m.sum(z * m.log(0.98 * y + 0.01), axis=-1)),
    ),
    tensorflow(loss=CCE, base="stable", name="smoothing_off", kind="parameter", plant=p.forced(label_smoothing=0.0)),
    torch(loss=CCE, base="stable", name="axis_ignored", kind="axis", plant=p.forced(axis=-1)),
    torch(loss=CCE_LOGITS, base="functional", name="over_batch", kind="axis", plant=p.arguments(_over_batch)),
    tensorflow(loss=CCE_LOGITS, base="tf.nn", name="unshifted", kind="unstable", plant=p.instead(_naive_rows)),
    torch(loss=CCE_LOGITS, base="functional", name="smoothing_off", kind="parameter", plant=p.forced(label_smoothing=0.0)),
    jax(loss=CCE_LOGITS, base="optax", name="large_logits", kind="region", plant=p.losses(_largest_dropped)),
    jax(loss=CCE_LOGITS, base="stable", name="ties_twice", kind="ties", plant=p.losses(_ties_twice)),
    tensorflow(
        loss=CCE_LOGITS, base="keras", name="bfloat16_logits", kind="cast",
        plant=p.arguments(lambda m, y, z: (y, p.narrow(m, z, "bfloat16"))),
    ),
    torch(loss=SPARSE_LOGITS, base="functional", name="next_class", kind="off_by_one", plant=p.arguments(_shifted)),
    jax(loss=SPARSE_LOGITS, base="optax", name="last_class", kind="off_by_one", plant=p.arguments(_last_class_lost)),
    tensorflow(loss=SPARSE_LOGITS, base="tf.nn", name="unshifted", kind="unstable", plant=p.instead(_naive_labels)),
    torch(
        loss=SPARSE_LOGITS, base="functional", name="ignored_counted", kind="mask",
        plant=p.params(lambda given: {**given, "reduction": "mean" if given.get("reduction") == "mean_over_valid" else given.get("reduction", "mean")}),
    ),
    tensorflow(loss=SPARSE_LOGITS, base="stable", name="mask_lost", kind="mask", plant=p.forced(ignore_index=None)),
    torch(
        loss=SPARSE_LOGITS, base="stable", name="half_gradient", kind="gradient",
        plant=p.arguments(lambda m, y, z: (y, p.scaled_gradient(m, z, 0.5))),
    ),
    torch(
        loss=SPARSE, base="functional", name="eps_inside", kind="epsilon", plant=p.arguments(lambda m, y, z: (y, z + 1e-5)),
    ),
    jax(loss=SPARSE, base="formula", name="clip_1e-7", kind="clip", plant=p.arguments(lambda m, y, z: (y, m.maximum(z, 1e-7)))),
    torch(loss="binary_focal", base="stable", name="gamma_ignored", kind="parameter", plant=p.forced(gamma=2.0)),
    jax(loss="binary_focal", base="stable", name="factor_stopped", kind="gradient", plant=p.instead(partial(_focal, stopped=True))),
    tensorflow(loss="binary_focal", base="keras", name="alpha_ignored", kind="parameter", plant=p.forced(alpha=None)),
    jax(loss="binary_focal_logits", base="optax", name="unmodulated", kind="formula", plant=p.instead(_unmodulated)),
    tensorflow(loss="categorical_focal", base="stable", name="alpha_ignored", kind="parameter", plant=p.forced(alpha=1.0)),
    torch(loss="generalized_crossentropy", base="stable", name="not_divided", kind="factor", plant=p.instead(_generalised)),
    jax(loss="poly_crossentropy_logits", base="optax", name="eps_negative", kind="sign", plant=p.instead(_poly)),
    torch(loss="matrix_crossentropy", base="stable", name="transposed", kind="axis", plant=p.instead(_transposed)),
    tensorflow(loss="matrix_crossentropy", base="stable", name="no_matrix", kind="parameter", plant=p.instead(_no_matrix)),
)  # fmt: skip
