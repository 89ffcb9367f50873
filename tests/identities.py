"""Identities between losses, as data: away from every clip and threshold, so that no convention is at work."""

from __future__ import annotations

from typing import Any

import numpy as np

from lossbench.judge.identities import Identity, Side

_RNG = np.random.default_rng(20)
ROWS, CLASSES = 4, 4
N = ROWS * CLASSES

Y = _RNG.normal(size=(ROWS, CLASSES))
P = Y + _RNG.choice([-1, 1], (ROWS, CLASSES)) * _RNG.uniform(0.1, 3, (ROWS, CLASSES))
Z = _RNG.uniform(-2, 2, (ROWS, CLASSES))
BITS = _RNG.integers(0, 2, (ROWS, CLASSES)).astype(float)
CHANCES = _RNG.uniform(0.05, 0.95, (ROWS, CLASSES))
LABELS = _RNG.integers(0, CLASSES, ROWS)
ONE_HOT = np.eye(CLASSES)[LABELS]
SOFTMAX = np.exp(Z) / np.exp(Z).sum(-1, keepdims=True)
SHARES = _RNG.dirichlet(np.full(CLASSES, 4.0), ROWS)
SIGNS = 2 * BITS - 1
COUNTS = _RNG.integers(0, 6, (ROWS, CLASSES)).astype(float)
EIGHTHS = _RNG.integers(1, 8, ROWS) / 8  # 1 - p is exact
FAR = _RNG.uniform(0.5, 3, (ROWS, CLASSES))
ONES, ZEROS = np.ones((ROWS, CLASSES)), np.zeros((ROWS, CLASSES))


def side(loss: str, y_true: Any, y_pred: Any, **params: Any) -> Side:
    return Side(loss=loss, arrays={"y_true": y_true, "y_pred": y_pred}, params=params)


def times(factor: float) -> dict[str, Any]:
    """left = factor * right, gradients too."""
    return {"value": lambda right: factor * right, "grad": lambda _, slope: factor * slope}


def _gradient(_: Any, slope: Any) -> Any:
    return slope


def _mirrored(_: Any, slope: Any) -> Any:
    return -slope


_ENTROPY = -(SHARES * np.log(SHARES)).sum(-1)

REDUCED = {
    "mae": (Y, P),
    "mse": (Y, P),
    "huber": (Y, P),
    "binary_crossentropy_logits": (BITS, Z),
    "categorical_crossentropy": (ONE_HOT, SHARES),
    "sparse_categorical_crossentropy_logits": (LABELS, Z),
    "poisson": (COUNTS, CHANCES),
    "kl_divergence": (SHARES, SOFTMAX),
    "hinge": (SIGNS, P),
    "cosine_similarity": (Y, P),
}
"""Losses whose sum must be their mean times the number of their units, and inputs for it."""


def _units(loss: str) -> int:
    return ROWS if any(word in loss for word in ("categorical", "kl_", "cosine")) else N


IDENTITIES: tuple[Identity, ...] = (
    Identity(
        name="cross-entropy of logits is that of their softmax",
        left=side("categorical_crossentropy_logits", ONE_HOT, Z),
        right=side("categorical_crossentropy", ONE_HOT, SOFTMAX),
    ),
    Identity(
        name="sparse cross-entropy of logits is the one-hot one",
        left=side("sparse_categorical_crossentropy_logits", LABELS, Z),
        right=side("categorical_crossentropy_logits", ONE_HOT, Z),
        grad=_gradient,
    ),
    Identity(
        name="sparse cross-entropy of probabilities is the one-hot one",
        left=side("sparse_categorical_crossentropy", LABELS, SHARES),
        right=side("categorical_crossentropy", ONE_HOT, SHARES),
        grad=_gradient,
    ),
    Identity(
        name="binary cross-entropy of x and 1 is that of -x and 0",
        left=side("binary_crossentropy_logits", ONES, Z),
        right=side("binary_crossentropy_logits", ZEROS, -Z),
        grad=_mirrored,
    ),
    Identity(
        name="binary cross-entropy of logits is that of their sigmoid",
        left=side("binary_crossentropy_logits", BITS, Z),
        right=side("binary_crossentropy", BITS, 1 / (1 + np.exp(-Z))),
    ),
    Identity(
        name="binary cross-entropy is the categorical one of two classes",
        left=side("binary_crossentropy", LABELS % 2, EIGHTHS),
        right=side(
            "categorical_crossentropy",
            np.stack([1 - LABELS % 2, LABELS % 2], -1),
            np.stack([1 - EIGHTHS, EIGHTHS], -1),
        ),
    ),
    Identity(
        name="weighted binary cross-entropy with weight 1 is the plain one",
        left=side("weighted_binary_crossentropy_logits", BITS, Z, pos_weight=1.0),
        right=side("binary_crossentropy_logits", BITS, Z),
        grad=_gradient,
    ),
    Identity(
        name="binary focal loss at gamma 0 is cross-entropy",
        left=side("binary_focal", BITS, CHANCES, gamma=0.0),
        right=side("binary_crossentropy", BITS, CHANCES),
        grad=_gradient,
    ),
    Identity(
        name="binary focal loss of logits at gamma 0 is cross-entropy",
        left=side("binary_focal_logits", BITS, Z, gamma=0.0),
        right=side("binary_crossentropy_logits", BITS, Z),
        grad=_gradient,
    ),
    Identity(
        name="categorical focal loss at gamma 0 is cross-entropy",
        left=side("categorical_focal", ONE_HOT, SHARES, gamma=0.0),
        right=side("categorical_crossentropy", ONE_HOT, SHARES),
        grad=_gradient,
    ),
    Identity(
        name="poly-1 cross-entropy at eps 0 is cross-entropy",
        left=side("poly_crossentropy_logits", ONE_HOT, Z, eps=0.0),
        right=side("categorical_crossentropy_logits", ONE_HOT, Z),
        grad=_gradient,
    ),
    Identity(
        name="generalised cross-entropy at q 1 is half the absolute error of a row",
        left=side("generalized_crossentropy", LABELS, SHARES, q=1.0),
        right=side("mae", ONE_HOT, SHARES),
        value=lambda right: right.sum(-1) / 2,
    ),
    Identity(
        name="Kullback-Leibler divergence is cross-entropy less entropy",
        left=side("kl_divergence", SHARES, SOFTMAX),
        right=side("categorical_crossentropy", SHARES, SOFTMAX),
        value=lambda right: right - _ENTROPY,
        grad=_gradient,
    ),
    Identity(
        name="divergence of logarithms is that of probabilities",
        left=side("kl_divergence_log_targets", np.log(SHARES), np.log(SOFTMAX)),
        right=side("kl_divergence", SHARES, SOFTMAX),
    ),
    Identity(
        name="Poisson loss of a log rate is that of the rate",
        left=side("poisson", COUNTS, Z, log_input=True),
        right=side("poisson", COUNTS, np.exp(Z), log_input=False),
    ),
    Identity(
        name="Huber is smooth L1 times its threshold",
        left=side("huber", Y, P, delta=1.5),
        right=side("smooth_l1", Y, P, beta=1.5),
        **times(1.5),
    ),
    Identity(
        name="Huber with a large threshold is half the squared error",
        left=side("huber", Y, P, delta=1024.0),
        right=side("half_mse", Y, P),
        grad=_gradient,
    ),
    Identity(
        name="squared error is twice its half", left=side("mse", Y, P), right=side("half_mse", Y, P), **times(2.0)
    ),
    Identity(
        name="asymmetric squared error with equal weights is the symmetric one",
        left=side("asymmetric_mse", Y, P, under=1.0, over=1.0),
        right=side("mse", Y, P),
        grad=_gradient,
    ),
    Identity(
        name="squared error does not tell its arguments apart",
        left=side("mse", Y, P),
        right=side("mse", P, Y),
        grad=_mirrored,
    ),
    Identity(
        name="mean squared error is the square of its root",
        left=side("mse", Y, P, reduction="mean"),
        right=side("rmse", Y, P, reduction="mean"),
        value=lambda right: right**2,
        grad=lambda root, slope: 2 * root * slope,
    ),
    Identity(
        name="squared hinge is the square of hinge",
        left=side("squared_hinge", SIGNS, P),
        right=side("hinge", SIGNS, P),
        value=lambda right: right**2,
        grad=lambda hinge, slope: 2 * hinge * slope,
    ),
    Identity(
        name="log-cosh is even",
        left=side("log_cosh", ZEROS, FAR),
        right=side("log_cosh", ZEROS, -FAR),
        grad=_mirrored,
    ),
    Identity(
        name="cosine similarity does not see the length of a vector",
        left=side("cosine_similarity", Y, P),
        right=side("cosine_similarity", Y, 4 * P),
        grad=lambda _, slope: 4 * slope,
    ),
    Identity(
        name="Dice is Tversky with equal halves",
        left=side("dice", BITS, CHANCES),
        right=side("tversky", BITS, CHANCES, alpha=0.5, beta=0.5),
        grad=_gradient,
    ),
    *(
        Identity(
            name=f"the sum of {loss} is its mean times {_units(loss)}",
            left=side(loss, *inputs, reduction="sum"),
            right=side(loss, *inputs, reduction="mean"),
            **times(float(_units(loss))),
        )
        for loss, inputs in REDUCED.items()
    ),
)
