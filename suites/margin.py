"""Losses of a margin: hinge and its square for signs, categorical hinge for one-hot classes."""

from __future__ import annotations

import math
from typing import Any, Final

from lossbench import Binding, Definition, Loss, domains

from ._native import compat, formula, keras, native, optax

SIGN_AND_SCORE: Final = {"y_true": domains.SIGN, "y_pred": domains.REAL}
ONE_HOT_AND_SCORES: Final = {"y_true": domains.ONE_HOT, "y_pred": domains.REAL}
CLASSES: Final = {"small": (16, 8), "large": (2048, 128)}


def signs(m: Any, y_true: Any) -> Any:
    """Labels as -1 and 1: 2 y - 1 where every label is 0 or 1, else the labels as they are."""
    neither = m.sum(m.abs(y_true * (y_true - 1.0)))
    return m.where(neither > 0, y_true, 2.0 * y_true - 1.0)


def hinge_error(m: Any, y_true: Any, y_pred: Any, *, map_01_labels: bool = False) -> Any:
    labels = signs(m, y_true) if map_01_labels else y_true
    return m.maximum(1.0 - labels * y_pred, 0.0)


def squared_hinge_error(m: Any, y_true: Any, y_pred: Any, *, map_01_labels: bool = False) -> Any:
    return m.square(hinge_error(m, y_true, y_pred, map_01_labels=map_01_labels))


def _mapped_hinge(x: Any, y_true: Any, y_pred: Any, **_: Any) -> Any:
    return hinge_error(x, y_true, y_pred, map_01_labels=True)


def _mapped_squared_hinge(x: Any, y_true: Any, y_pred: Any, **_: Any) -> Any:
    return squared_hinge_error(x, y_true, y_pred, map_01_labels=True)


def _unmapped_hinge(x: Any, y_true: Any, y_pred: Any, **_: Any) -> Any:
    return hinge_error(x, y_true, y_pred)


def _unmapped_squared_hinge(x: Any, y_true: Any, y_pred: Any, **_: Any) -> Any:
    return squared_hinge_error(x, y_true, y_pred)


def _doubled_hinge(x: Any, y_true: Any, y_pred: Any, **_: Any) -> Any:
    return hinge_error(x, 2.0 * y_true - 1.0, y_pred)


def _compat_hinge(m: Any, y_true: Any, y_pred: Any, *, reduction: str = "mean") -> Any:
    return _zero_one_hinge(m, 0.5 * (y_true + 1.0), y_pred, reduction=reduction)


def _embedding_hinge(m: Any, y_true: Any, y_pred: Any, *, reduction: str = "mean") -> Any:
    margin = y_true * y_pred
    return m.F.hinge_embedding_loss(margin, -m.torch.ones_like(margin), reduction=native(reduction))


_zero_one_hinge = compat("hinge_loss").call
_KERAS_MAPS: Final = "maps labels to -1 and 1 by itself where all of them are 0 or 1"

hinge = Loss(
    name="hinge",
    title="Hinge loss",
    summary="Linear in how far the score falls short of a margin of one on the label's side.",
    formula=r"\ell(y, p) = \max(0, 1 - y p), \quad y \in \{-1, 1\}",
    source="C. Cortes and V. Vapnik, Support-vector networks, Machine Learning 20 (1995) 273-297",
    aliases=("Hinge", "hinge_loss"),
    documented_in=("S1", "S2"),
    inputs=SIGN_AND_SCORE,
    params={"map_01_labels": False},
    reference=hinge_error,
    kinks=lambda **_: (1.0,),
    kink_of="margin",
    definitions=(
        Definition(
            name="map_01_labels",
            reference=_mapped_hinge,
            where="Keras turns labels into 2 y - 1 where all are 0 or 1; shows on such labels",
        ),
        Definition(
            name="labels_unmapped",
            reference=_unmapped_hinge,
            where="optax takes labels as they are; shows on 0/1 labels where a mapping is asked for",
        ),
        Definition(
            name="labels_always_mapped",
            reference=_doubled_hinge,
            where="tf.compat.v1.losses.hinge_loss computes 2 y - 1 for any label; shows on -1/1 labels",
        ),
    ),
    bindings=(
        keras(
            "Hinge",
            "hinge",
            accepts=("map_01_labels",),
            ignore=("map_01_labels",),
            differs=_KERAS_MAPS,
            definition="map_01_labels",
        ),
        Binding(
            backend="tensorflow",
            name="tf.compat",
            call=_compat_hinge,
            docs=("tf.compat.v1.losses.hinge_loss",),
            accepts=("reduction",),
            differs="computes in float32 whatever the inputs' dtype; takes labels 0 and 1, given here (y + 1) / 2",
        ),
        Binding(
            backend="torch",
            name="functional",
            call=_embedding_hinge,
            docs=("torch.nn.functional.hinge_embedding_loss", "torch.nn.HingeEmbeddingLoss"),
            accepts=("reduction",),
            differs="the embedding hinge of y p with targets -1, since PyTorch has no hinge of its own",
        ),
        optax("hinge_loss"),
        *formula(hinge_error, accepts=("map_01_labels",)),
    ),
)

squared_hinge = Loss(
    name="squared_hinge",
    title="Squared hinge loss",
    summary="The hinge loss of each element squared: smooth at the margin, harsher far inside it.",
    formula=r"\ell(y, p) = \max(0, 1 - y p)^2, \quad y \in \{-1, 1\}",
    source="Y. Tang, Deep learning using linear support vector machines (2013), equation 5",
    aliases=("SquaredHinge",),
    documented_in=("S2",),
    inputs=SIGN_AND_SCORE,
    params={"map_01_labels": False},
    reference=squared_hinge_error,
    kinks=lambda **_: (1.0,),
    kink_of="margin",
    definitions=(
        Definition(
            name="map_01_labels",
            reference=_mapped_squared_hinge,
            where="Keras turns labels into 2 y - 1 where all are 0 or 1; shows on such labels",
        ),
        Definition(
            name="labels_unmapped",
            reference=_unmapped_squared_hinge,
            where="labels taken as they are; shows on 0/1 labels where a mapping is asked for",
        ),
    ),
    bindings=(
        keras(
            "SquaredHinge",
            "squared_hinge",
            accepts=("map_01_labels",),
            ignore=("map_01_labels",),
            differs=_KERAS_MAPS,
            definition="map_01_labels",
        ),
        *formula(squared_hinge_error, accepts=("map_01_labels",)),
    ),
)


# --- one-hot classes ------------------------------------------------------------------------------


def categorical_hinge_error(m: Any, y_true: Any, y_pred: Any) -> Any:
    positive = m.sum(y_true * y_pred, axis=-1)
    negative = m.max((1.0 - y_true) * y_pred, axis=-1)
    return m.maximum(negative - positive + 1.0, 0.0)


def crammer_singer_error(m: Any, y_true: Any, y_pred: Any) -> Any:
    positive = m.sum(y_true * y_pred, axis=-1)
    negative = m.max(m.where(y_true > 0, -math.inf, y_pred), axis=-1)
    return m.maximum(negative - positive + 1.0, 0.0)


def _optax_multiclass(m: Any, y_true: Any, y_pred: Any) -> Any:
    return m.optax.losses.multiclass_hinge_loss(y_pred, m.jnp.argmax(y_true, axis=-1))


categorical_hinge = Loss(
    name="categorical_hinge",
    title="Categorical hinge loss",
    summary="Hinge of the true class's score against the best of the others, the true one counting there as zero.",
    formula=r"\ell(y, p) = \max\Bigl(0, 1 + \max_i (1 - y_i) p_i - \sum_i y_i p_i\Bigr)",
    source="F. Chollet et al., Keras (2015), losses: categorical hinge; after K. Crammer and Y. Singer (2001)",
    aliases=("CategoricalHinge",),
    documented_in=("S2",),
    inputs=ONE_HOT_AND_SCORES,
    unit="row",
    shapes=CLASSES,
    reference=categorical_hinge_error,
    definitions=(
        Definition(
            name="wrong_classes_only",
            reference=crammer_singer_error,
            where="Crammer and Singer's maximum over the wrong classes; shows where all wrong scores are negative",
        ),
    ),
    bindings=(
        keras("CategoricalHinge", "categorical_hinge", unit="row"),
        *formula(categorical_hinge_error, unit="row"),
    ),
)

categorical_hinge_crammer_singer = Loss(
    name="categorical_hinge_crammer_singer",
    title="Categorical hinge loss, wrong classes only",
    summary="Hinge of the true class's score against the best score of a wrong class.",
    formula=r"\ell(y, p) = \max\Bigl(0, 1 + \max_{i : y_i = 0} p_i - \sum_i y_i p_i\Bigr)",
    source="K. Crammer and Y. Singer, On the algorithmic implementation of multiclass kernel-based vector machines, "
    "Journal of Machine Learning Research 2 (2001) 265-292",
    aliases=("multiclass_hinge", "crammer_singer"),
    inputs=ONE_HOT_AND_SCORES,
    unit="row",
    shapes=CLASSES,
    reference=crammer_singer_error,
    definitions=(
        Definition(
            name="true_class_counts_as_zero",
            reference=categorical_hinge_error,
            where="Keras' categorical hinge; shows where all wrong scores are negative",
        ),
    ),
    bindings=(
        Binding(
            backend="jax",
            name="optax",
            call=_optax_multiclass,
            docs=("optax.losses.multiclass_hinge_loss",),
            unit="row",
            differs="takes class indices, and (p + 1 - y) - p of the true class, whose digits go at large scores",
        ),
        *formula(crammer_singer_error, unit="row"),
    ),
)
