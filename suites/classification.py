"""Losses of a predicted class: cross-entropies, focal and generalised forms, from probabilities and from logits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from lossbench import Binding, Definition, Domain, Loss, domains

from ._native import compat, formula, held_in, keras, keras_call, native, optax

BINARY_PROBABILITY: Final = {"y_true": domains.BINARY, "y_pred": domains.PROBABILITY}
BINARY_LOGITS: Final = {"y_true": domains.BINARY, "y_pred": domains.LOGITS}
ONE_HOT_SIMPLEX: Final = {"y_true": domains.ONE_HOT, "y_pred": domains.SIMPLEX}
ONE_HOT_LOGITS: Final = {"y_true": domains.ONE_HOT, "y_pred": domains.LOGITS}
INDEX_SIMPLEX: Final = {"y_true": domains.CLASS_INDEX, "y_pred": domains.SIMPLEX}
INDEX_LOGITS: Final = {"y_true": domains.CLASS_INDEX, "y_pred": domains.LOGITS}

COX: Final = "D. R. Cox, The regression analysis of binary sequences, J. R. Stat. Soc. B 20 (1958) 215-242"
GOOD: Final = "I. J. Good, Rational decisions, J. R. Stat. Soc. B 14 (1952) 107-114"
BRIDLE: Final = (
    "J. S. Bridle, Probabilistic interpretation of feedforward classification network outputs, "
    "Neurocomputing, NATO ASI F 68 (1990) 227-236"
)
FOCAL: Final = "T.-Y. Lin et al., Focal loss for dense object detection, ICCV 2017, arXiv:1708.02002"

EPSILON: Final = 1e-7
CLIPS: Final = {
    # Keras' bounds 1e-7 and 1 - 1e-7, as written and as the formats hold them: in 16 bit the upper one is 1
    "1e-7": None,
    "float32(1e-7)": (1.0000000116860974e-07, 1.0 - 2.0**-23),
    "bfloat16(1e-7)": (1.0011717677116394e-07, 1.0),
    "float16(1e-7)": (1.1920928955078125e-07, 1.0),
}
CLIP: Final = "eps_clip=1e-7"
NORMALISED_CLIP: Final = "normalised_eps_clip=1e-7"

Call = Callable[..., Any]
Clip = Callable[[Any, Any], Any]
"""(namespace, probabilities) -> the probabilities that are used in their place."""


# --- targets, probabilities and weights -----------------------------------------------------------


def smooth_binary(y_true: Any, label_smoothing: float) -> Any:
    """Labels drawn towards 1/2."""
    return y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing if label_smoothing else y_true


def smooth_rows(y_true: Any, label_smoothing: float) -> Any:
    """Labels drawn towards 1/C; classes on the last axis."""
    return y_true * (1.0 - label_smoothing) + label_smoothing / y_true.shape[-1] if label_smoothing else y_true


def classes_last(m: Any, a: Any, axis: int) -> Any:
    """With the class axis moved to the end."""
    return a if axis in (-1, len(a.shape) - 1) else m.moveaxis(a, axis, -1)


def divided_by_sum(m: Any, p: Any) -> Any:
    """Rows made to sum to 1."""
    return p / m.sum(p, axis=-1, keepdims=True)


def unclipped(m: Any, p: Any) -> Any:  # noqa: ARG001 - one of several `Clip`
    return p


def exactly_clipped(m: Any, p: Any) -> Any:
    """p in [1e-7, 1 - 1e-7], the upper bound without the rounding of 1 - 1e-7."""
    low = m.constant(EPSILON, p)
    return m.minimum(m.maximum(p, low), 1.0 - low)


def clipped_to(bounds: tuple[float, float] | None) -> Clip:
    """p in the given bounds; None stands for [1e-7, 1 - 1e-7]."""
    return exactly_clipped if bounds is None else lambda m, p: m.minimum(m.maximum(p, bounds[0]), bounds[1])


def clip(m: Any, p: Any) -> Any:
    """As a user of a framework writes it."""
    return m.clip(p, EPSILON, 1.0 - EPSILON)


def weighted_in(m: Any, losses: Any, *, reduction: str, class_weights: Any = None, valid: Any = None) -> Any:
    """Losses that already carry their class weights, reduced where a reduction divides by something of its own.

    class_weights: of each sample; valid: 1 where the sample counts, 0 where it is ignored.
    """
    if valid is not None:
        losses = m.where(valid > 0.0, losses, 0.0)
    weights = valid
    if reduction == "weighted_mean" and class_weights is not None:
        weights = class_weights if valid is None else valid * class_weights
    if reduction in ("weighted_mean", "mean_over_valid"):
        return m.mean(losses) if weights is None else m.sum(losses) / m.sum(weights)
    return {"mean": m.mean, "sum": m.sum}.get(reduction, lambda unreduced: unreduced)(losses)


# --- binary cross-entropy from probabilities ------------------------------------------------------


def exact_binary(clipping: Clip = unclipped) -> Call:
    """-[w y log p + (1-y) log(1-p)] in extended reals, of probabilities or logits."""

    def reference(
        x: Any,
        y_true: Any,
        y_pred: Any,
        *,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        pos_weight: Any = 1.0,
    ) -> Any:
        y = smooth_binary(y_true, label_smoothing)
        if from_logits:
            return exact_binary_logits(x, y, y_pred, pos_weight=pos_weight)
        p = clipping(x, y_pred)
        return -(x.xlogy(y, p) * pos_weight + x.xlog1py(1.0 - y, -p))

    return reference


def exact_binary_logits(
    x: Any, y_true: Any, y_pred: Any, *, label_smoothing: float = 0.0, pos_weight: Any = 1.0
) -> Any:
    """With log sigmoid z = -softplus(-z); a label of 0 takes its term away even where that is infinite."""
    y = smooth_binary(y_true, label_smoothing)
    return x.weigh(y, x.softplus(-y_pred)) * pos_weight + x.weigh(1.0 - y, x.softplus(y_pred))


def binary(
    m: Any,
    y_true: Any,
    y_pred: Any,
    *,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    pos_weight: Any = None,
) -> Any:
    y = smooth_binary(y_true, label_smoothing)
    p = m.sigmoid(y_pred) if from_logits else y_pred
    gain = y * m.log(p)
    return -((gain if pos_weight is None else gain * pos_weight) + (1.0 - y) * m.log(1.0 - p))


def binary_guarded(
    m: Any,
    y_true: Any,
    y_pred: Any,
    *,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    pos_weight: Any = None,
) -> Any:
    """log1p(-p) keeps the digits of a small p; terms of weight 0 are left out before the logarithm."""
    y = smooth_binary(y_true, label_smoothing)
    if from_logits:
        return binary_logits_stable(m, y, y_pred, pos_weight=pos_weight)
    some, other = y > 0.0, y < 1.0
    gain = m.where(some, y * m.log(m.where(some, y_pred, 0.5)), 0.0)
    rest = m.where(other, (1.0 - y) * m.log1p(-m.where(other, y_pred, 0.5)), 0.0)
    return -((gain if pos_weight is None else gain * pos_weight) + rest)


def binary_clipped(
    m: Any,
    y_true: Any,
    y_pred: Any,
    *,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    pos_weight: Any = None,
) -> Any:
    p = m.sigmoid(y_pred) if from_logits else y_pred
    return binary(m, y_true, clip(m, p), label_smoothing=label_smoothing, pos_weight=pos_weight)


def log_clamped(x: Any, y_true: Any, y_pred: Any, *, pos_weight: Any = 1.0, **_: Any) -> Any:
    """PyTorch's value: logarithms not below -100."""
    gain = y_true * x.maximum(x.log(y_pred), -100.0)
    return -(gain * pos_weight + (1.0 - y_true) * x.maximum(x.log1p(-y_pred), -100.0))


def floored_slope(x: Any, y_true: Any, y_pred: Any, **_: Any) -> Any:
    """The function whose derivative is (p - y) / max(p (1 - p), 1e-12)."""
    inside = y_pred * (1.0 - y_pred) > 1e-12
    straight = (0.5 * y_pred * y_pred - y_true * y_pred) / 1e-12
    return x.where(inside, exact_binary()(x, y_true, y_pred), straight)


def added(eps: float, *, clipping: Clip = unclipped) -> Call:
    """-[y log(p + eps) + (1-y) log(1 - p + eps)] with a fixed eps."""

    def reference(x: Any, y_true: Any, y_pred: Any, **_: Any) -> Any:
        p = clipping(x, y_pred)
        return -(x.xlogy(y_true, p + eps) + x.xlogy(1.0 - y_true, 1.0 - p + eps))

    return reference


BINARY_CLIPS: Final = tuple(
    Definition(
        name=f"eps_clip={text}",
        dtypes=held_in(text),
        reference=exact_binary(clipped_to(bounds)),
        where=f"Keras moves probabilities into [eps, 1 - eps], eps = {text}; shows at 0 and 1",
        backend="tensorflow",
    )
    for text, bounds in CLIPS.items()
)
LOG_CLAMP: Final = Definition(
    name="log_clamp=-100",
    reference=log_clamped,
    where="torch.nn.functional.binary_cross_entropy keeps each logarithm at -100 or more; shows at exactly 0 and 1",
    backend="torch",
)
SLOPE_FLOOR: Final = Definition(
    name="grad_floor=1e-12",
    reference=floored_slope,
    where="the gradient of torch.nn.functional.binary_cross_entropy is (p - y) / max(p (1 - p), 1e-12), which is not "
    "the derivative of its value; shows within 1e-12 of 0 and 1",
    backend="torch",
)
BINARY_DEFINITIONS: Final = (*BINARY_CLIPS, LOG_CLAMP, SLOPE_FLOOR)


def torch_binary(m: Any, y_true: Any, y_pred: Any, *, reduction: str = "mean", from_logits: bool = False) -> Any:
    function = m.F.binary_cross_entropy_with_logits if from_logits else m.F.binary_cross_entropy
    return function(y_pred, y_true, reduction=native(reduction))


TORCH_BINARY: Final = Binding(
    backend="torch",
    name="functional",
    call=torch_binary,
    docs=("torch.nn.functional.binary_cross_entropy", "torch.nn.BCELoss"),
    accepts=("reduction", "from_logits"),
    differs="keeps each logarithm at -100 or more and divides the gradient by p (1 - p) of at least 1e-12",
    definition="log_clamp=-100",
)
KERAS_CLIPS: Final = "moves probabilities into [1e-7, 1 - 1e-7] first, with a gradient of 0 outside"
BINARY_OPTIONS: Final = ("from_logits", "label_smoothing", "pos_weight")

binary_crossentropy = Loss(
    name="binary_crossentropy",
    title="Binary cross-entropy",
    summary="Negative log-likelihood of a yes-or-no label under the predicted probability.",
    formula=r"\ell(y, p) = -\bigl[y \log p + (1 - y) \log(1 - p)\bigr]",
    source=GOOD,
    aliases=("BinaryCrossentropy", "bce", "BCE", "BCELoss", "log_loss", "binary_cross_entropy"),
    documented_in=("S1", "S2", "S4"),
    inputs=BINARY_PROBABILITY,
    accepts=BINARY_OPTIONS,
    reference=exact_binary(),
    definitions=BINARY_DEFINITIONS,
    bindings=(
        keras(
            "BinaryCrossentropy",
            "binary_crossentropy",
            accepts=("from_logits", "label_smoothing"),
            differs=KERAS_CLIPS,
            definition=CLIP,
        ),
        TORCH_BINARY,
        *formula(binary, accepts=BINARY_OPTIONS, differs="0 log 0 is NaN, and 1 - p drops the digits of a small p"),
        *formula(binary_guarded, name="stable", accepts=BINARY_OPTIONS),
    ),
)

binary_crossentropy_keras = Loss(
    name="binary_crossentropy_keras",
    title="Binary cross-entropy, clipped",
    summary="Binary cross-entropy of the probability moved into [1e-7, 1 - 1e-7].",
    formula=r"\ell(y, p) = -\bigl[y \log q + (1 - y) \log(1 - q)\bigr],\ "
    r"q = \min(\max(p, 10^{-7}), 1 - 10^{-7})",
    source="Keras 3 documentation of BinaryCrossentropy and its backend function (2023)",
    inputs=BINARY_PROBABILITY,
    accepts=BINARY_OPTIONS,
    reference=exact_binary(exactly_clipped),
    kinks=lambda **_: (EPSILON, 1.0 - EPSILON),
    kink_of="prediction",
    definitions=(
        Definition(
            name="unclipped",
            reference=exact_binary(),
            where="from logits nothing is clipped; shows at probabilities within 1e-7 of 0 and 1",
        ),
        *BINARY_CLIPS[1:],
    ),
    bindings=(
        keras("BinaryCrossentropy", "binary_crossentropy", accepts=("from_logits", "label_smoothing")),
        *formula(binary_clipped, accepts=BINARY_OPTIONS),
    ),
)


# --- binary cross-entropy from logits -------------------------------------------------------------


def binary_logits(m: Any, y_true: Any, y_pred: Any, *, label_smoothing: float = 0.0, pos_weight: Any = None) -> Any:
    return binary(m, y_true, m.sigmoid(y_pred), label_smoothing=label_smoothing, pos_weight=pos_weight)


def binary_logits_stable(
    m: Any, y_true: Any, y_pred: Any, *, label_smoothing: float = 0.0, pos_weight: Any = None
) -> Any:
    """max(z, 0) - z y + log(1 + exp(-|z|)), and its weighted form.

    max(z, 0) and -|z| are written as choices, so that their derivatives at 0 fit together.
    """
    y = smooth_binary(y_true, label_smoothing)
    above = y_pred > 0.0
    tail = m.log1p(m.exp(m.where(above, -y_pred, y_pred)))
    if pos_weight is None:
        return m.where(above, y_pred, 0.0) - y_pred * y + tail
    return (1.0 - y) * y_pred + (y * (pos_weight - 1.0) + 1.0) * (tail + m.where(above, 0.0, -y_pred))


def torch_binary_logits(m: Any, y_true: Any, y_pred: Any, *, reduction: str = "mean", pos_weight: Any = None) -> Any:
    weight = m.constant(pos_weight, y_pred) if isinstance(pos_weight, int | float) else pos_weight
    return m.F.binary_cross_entropy_with_logits(y_pred, y_true, pos_weight=weight, reduction=native(reduction))


def tf_binary_logits(m: Any, y_true: Any, y_pred: Any) -> Any:
    return m.tf.nn.sigmoid_cross_entropy_with_logits(labels=y_true, logits=y_pred)


def tf_weighted_logits(m: Any, y_true: Any, y_pred: Any, *, pos_weight: Any) -> Any:
    return m.tf.nn.weighted_cross_entropy_with_logits(labels=y_true, logits=y_pred, pos_weight=pos_weight)


def keras_binary_logits(m: Any, y_true: Any, y_pred: Any, **params: Any) -> Any:
    return keras_call("BinaryCrossentropy")(m, y_true, y_pred, from_logits=True, **params)


TORCH_BINARY_LOGITS: Final = Binding(
    backend="torch",
    name="functional",
    call=torch_binary_logits,
    docs=("torch.nn.functional.binary_cross_entropy_with_logits", "torch.nn.BCEWithLogitsLoss"),
    accepts=("reduction", "pos_weight"),
)
NAIVE_LOGITS: Final = "the sigmoid rounds to 0 or 1 before its logarithm is taken"

binary_crossentropy_logits = Loss(
    name="binary_crossentropy_logits",
    title="Binary cross-entropy from logits",
    summary="Binary cross-entropy of the sigmoid of the prediction, computed without the sigmoid.",
    formula=r"\ell(y, z) = \max(z, 0) - z y + \log\bigl(1 + e^{-|z|}\bigr)",
    source=COX,
    aliases=("BinaryCrossentropyLogits", "sigmoid_cross_entropy", "BCEWithLogitsLoss", "bce_logits"),
    documented_in=("S1", "S2", "S4"),
    inputs=BINARY_LOGITS,
    accepts=("label_smoothing", "pos_weight"),
    reference=exact_binary_logits,
    bindings=(
        Binding(
            backend="tensorflow",
            name="keras",
            call=keras_binary_logits,
            docs=("tf.keras.losses.BinaryCrossentropy", "tf.keras.losses.binary_crossentropy"),
            accepts=("reduction", "label_smoothing"),
        ),
        Binding(
            backend="tensorflow",
            name="tf.nn",
            call=tf_binary_logits,
            docs=("tf.nn.sigmoid_cross_entropy_with_logits",),
        ),
        compat("sigmoid_cross_entropy", accepts=("label_smoothing",)),
        TORCH_BINARY_LOGITS,
        optax("sigmoid_binary_cross_entropy"),
        *formula(binary_logits, accepts=("label_smoothing", "pos_weight"), differs=NAIVE_LOGITS),
        *formula(binary_logits_stable, name="stable", accepts=("label_smoothing", "pos_weight")),
    ),
)


# --- weighted binary cross-entropy ----------------------------------------------------------------

KING_ZENG: Final = "G. King and L. Zeng, Logistic regression in rare events data, Political Analysis 9 (2001) 137-163"

weighted_binary_crossentropy = Loss(
    name="weighted_binary_crossentropy",
    title="Weighted binary cross-entropy",
    summary="Binary cross-entropy in which a positive label counts w times.",
    formula=r"\ell(y, p) = -\bigl[w\, y \log p + (1 - y) \log(1 - p)\bigr]",
    source=KING_ZENG,
    aliases=("weighted_bce", "WeightedBinaryCrossentropy"),
    documented_in=("S1",),
    inputs=BINARY_PROBABILITY,
    params={"pos_weight": 2.0},
    accepts=("from_logits", "label_smoothing"),
    reference=exact_binary(),
    definitions=BINARY_CLIPS,
    bindings=(
        *formula(binary, accepts=BINARY_OPTIONS, differs="0 log 0 is NaN, and 1 - p drops the digits of a small p"),
        *formula(binary_guarded, name="stable", accepts=BINARY_OPTIONS),
    ),
)

weighted_binary_crossentropy_logits = Loss(
    name="weighted_binary_crossentropy_logits",
    title="Weighted binary cross-entropy from logits",
    summary="Weighted binary cross-entropy of the sigmoid of the prediction.",
    formula=r"\ell(y, z) = (1 - y) z + (1 + (w - 1) y)\bigl[\log(1 + e^{-|z|}) + \max(-z, 0)\bigr]",
    source=KING_ZENG,
    aliases=("weighted_cross_entropy_with_logits",),
    documented_in=("S1",),
    inputs=BINARY_LOGITS,
    params={"pos_weight": 2.0},
    accepts=("label_smoothing",),
    reference=exact_binary_logits,
    bindings=(
        Binding(
            backend="tensorflow",
            name="tf.nn",
            call=tf_weighted_logits,
            docs=("tf.nn.weighted_cross_entropy_with_logits",),
            accepts=("pos_weight",),
        ),
        TORCH_BINARY_LOGITS,
        *formula(binary_logits, accepts=("label_smoothing", "pos_weight"), differs=NAIVE_LOGITS),
        *formula(binary_logits_stable, name="stable", accepts=("label_smoothing", "pos_weight")),
    ),
)


# --- log loss with an epsilon ---------------------------------------------------------------------


def exact_log_loss_add(x: Any, y_true: Any, y_pred: Any, *, eps: float) -> Any:
    return added(eps)(x, y_true, y_pred)


def exact_log_loss_clip_add(x: Any, y_true: Any, y_pred: Any, *, eps: float) -> Any:
    low = x.constant(eps, y_pred)
    return added(eps)(x, y_true, x.minimum(x.maximum(y_pred, low), 1.0 - low))


def log_loss_with_eps(m: Any, y_true: Any, y_pred: Any, *, eps: float) -> Any:
    return -(y_true * m.log(y_pred + eps) + (1.0 - y_true) * m.log(1.0 - y_pred + eps))


def log_loss_clipped(m: Any, y_true: Any, y_pred: Any, *, eps: float) -> Any:
    return log_loss_with_eps(m, y_true, m.clip(y_pred, eps, 1.0 - eps), eps=eps)


_COMPAT_LOG_LOSS: Final = compat("log_loss")


def compat_log_loss(m: Any, y_true: Any, y_pred: Any, *, eps: float, reduction: str = "mean") -> Any:
    return _COMPAT_LOG_LOSS.call(m, y_true, y_pred, reduction=reduction, epsilon=eps)


COMPAT_LOG_LOSS: Final = replace(_COMPAT_LOG_LOSS, call=compat_log_loss, accepts=("reduction", "eps"))

log_loss_add = Loss(
    name="log_loss_add",
    title="Log loss with an added epsilon",
    summary="Binary cross-entropy with a small number added inside the logarithms and nothing clipped.",
    formula=r"\ell(y, p) = -\bigl[y \log(p + \epsilon) + (1 - y) \log(1 - p + \epsilon)\bigr]",
    source="common practice; as in the TensorFlow 1 documentation of tf.losses.log_loss (2016)",
    aliases=("LogLossAdd",),
    documented_in=("S4",),
    inputs=BINARY_PROBABILITY,
    params={"eps": EPSILON},
    reference=exact_log_loss_add,
    definitions=(
        Definition(
            name="no_eps",
            reference=lambda x, y_true, y_pred, **_: exact_binary()(x, y_true, y_pred),
            where="binary cross-entropy as it is written; shows at probabilities below about 1e-3",
        ),
        *(
            Definition(
                name=f"eps_add={text}",
                dtypes=held_in(text),
                reference=added(value),
                where=f"the epsilon as the format holds it, {text}",
            )
            for text, value in (
                ("float32(1e-7)", 1.0000000116860974e-07),
                ("bfloat16(1e-7)", 1.0011717677116394e-07),
                ("float16(1e-7)", 1.1920928955078125e-07),
            )
        ),
    ),
    bindings=(
        COMPAT_LOG_LOSS,
        *formula(log_loss_with_eps, accepts=("eps",)),
    ),
)

log_loss_clip_add = Loss(
    name="log_loss_clip_add",
    title="Log loss, clipped, with an added epsilon",
    summary="Log loss of the probability moved into [eps, 1 - eps], with eps added inside the logarithms as well.",
    formula=r"\ell(y, p) = -\bigl[y \log(q + \epsilon) + (1 - y) \log(1 - q + \epsilon)\bigr],\ "
    r"q = \min(\max(p, \epsilon), 1 - \epsilon)",
    source="an article on loss functions in TensorFlow (2021), its sign mended",
    aliases=("log_loss_clipped",),
    documented_in=("S4",),
    inputs=BINARY_PROBABILITY,
    params={"eps": EPSILON},
    reference=exact_log_loss_clip_add,
    kinks=lambda eps=EPSILON, **_: (eps, 1.0 - eps),
    kink_of="prediction",
    definitions=tuple(
        Definition(
            name=f"eps_clip_add={text}",
            dtypes=held_in(text),
            reference=added(bounds[0], clipping=clipped_to(bounds)),
            where=f"clip and addend as the format holds them, {text}; shows at 0 and 1",
        )
        for text, bounds in CLIPS.items()
        if bounds is not None
    ),
    bindings=formula(log_loss_clipped, accepts=("eps",)),
)


# --- categorical cross-entropy from probabilities -------------------------------------------------


def exact_categorical(clipping: Clip = unclipped, *, normalise: bool = False) -> Call:
    """-sum_i y_i log p_i over the class axis, in extended reals, of probabilities or logits."""

    def reference(
        x: Any,
        y_true: Any,
        y_pred: Any,
        *,
        axis: int = -1,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        normalize: bool = False,
        class_weight: Any = None,
    ) -> Any:
        y = smooth_rows(classes_last(x, y_true, axis), label_smoothing)
        scores = classes_last(x, y_pred, axis)
        if from_logits:
            terms = x.weigh(y, x.log_softmax(scores))
        else:
            p = divided_by_sum(x, scores) if normalise or normalize else scores
            terms = x.xlogy(y, clipping(x, p))
        if class_weight is None:
            return -x.sum(terms, axis=-1)
        losses = -x.sum(x.weigh(class_weight, terms), axis=-1)
        return x.weighted(losses, weights=x.sum(y * class_weight, axis=-1), valid=True)

    return reference


def categorical(
    m: Any,
    y_true: Any,
    y_pred: Any,
    *,
    axis: int = -1,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    normalize: bool = False,
    class_weight: Any = None,
    reduction: str = "mean",
    clipping: Clip = unclipped,
) -> Any:
    y = smooth_rows(classes_last(m, y_true, axis), label_smoothing)
    scores = classes_last(m, y_pred, axis)
    p = m.softmax(scores, axis=-1) if from_logits else scores
    p = clipping(m, divided_by_sum(m, p) if normalize else p)
    return of_log_probabilities(m, y, m.log(p), class_weight, reduction)


def categorical_guarded(
    m: Any,
    y_true: Any,
    y_pred: Any,
    *,
    axis: int = -1,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    normalize: bool = False,
    class_weight: Any = None,
    reduction: str = "mean",
) -> Any:
    """Classes of weight 0 are left out before the logarithm."""
    y = smooth_rows(classes_last(m, y_true, axis), label_smoothing)
    scores = classes_last(m, y_pred, axis)
    if from_logits:
        log_p = m.log_softmax(scores, axis=-1)
    else:
        p = divided_by_sum(m, scores) if normalize else scores
        log_p = m.log(m.where(y > 0.0, p, 1.0))
    return of_log_probabilities(m, y, m.where(y > 0.0, log_p, 0.0), class_weight, reduction)


def of_log_probabilities(m: Any, y: Any, log_p: Any, class_weight: Any, reduction: str) -> Any:
    """-sum_i w_i y_i log p_i; classes on the last axis."""
    if class_weight is None:
        return weighted_in(m, -m.sum(y * log_p, axis=-1), reduction=reduction)
    losses = -m.sum(y * log_p * class_weight, axis=-1)
    return weighted_in(m, losses, reduction=reduction, class_weights=m.sum(y * class_weight, axis=-1))


def categorical_clipped(m: Any, y_true: Any, y_pred: Any, **params: Any) -> Any:
    return categorical(m, y_true, y_pred, clipping=clip, **params)


CATEGORICAL_OPTIONS: Final = ("axis", "from_logits", "label_smoothing", "normalize", "class_weight")
KERAS_ROWS: Final = "divides rows by their sum, then moves them into [1e-7, 1 - 1e-7]"


def row_definitions(reference: Callable[..., Call]) -> tuple[Definition, ...]:
    """Rows divided by their sum, clipped, and both; clips as each format holds them."""
    return (
        Definition(
            name="normalised",
            reference=reference(normalise=True),
            where="rows divided by their sum first; shows where they do not sum to 1",
        ),
        *(
            Definition(
                name=f"{prefix}eps_clip={text}",
                dtypes=held_in(text),
                reference=reference(clipped_to(bounds), normalise=bool(prefix)),
                where=f"probabilities {'divided by their sum, then ' if prefix else ''}moved into [eps, 1 - eps], "
                f"eps = {text}; shows near 0 and 1",
            )
            for prefix in ("normalised_", "")
            for text, bounds in CLIPS.items()
        ),
    )


KERAS_CATEGORICAL: Final = ("axis", "from_logits", "label_smoothing", "normalize")

categorical_crossentropy = Loss(
    name="categorical_crossentropy",
    title="Categorical cross-entropy",
    summary="Negative log-likelihood of a one-hot label, or of a distribution, under the predicted probabilities.",
    formula=r"\ell(y, p) = -\sum_i y_i \log p_i",
    source=GOOD,
    aliases=("CategoricalCrossentropy", "cce", "CCE", "cross_entropy"),
    documented_in=("S0", "S1", "S2", "S3", "S4"),
    inputs=ONE_HOT_SIMPLEX,
    accepts=CATEGORICAL_OPTIONS,
    reference=exact_categorical(),
    unit="row",
    definitions=row_definitions(exact_categorical),
    bindings=(
        keras(
            "CategoricalCrossentropy",
            "categorical_crossentropy",
            unit="row",
            accepts=KERAS_CATEGORICAL,
            ignore=("normalize",),
            differs=KERAS_ROWS,
            definition=NORMALISED_CLIP,
        ),
        *formula(categorical, unit="row", accepts=("reduction", *CATEGORICAL_OPTIONS), differs="0 log 0 is NaN"),
        *formula(categorical_guarded, name="stable", unit="row", accepts=("reduction", *CATEGORICAL_OPTIONS)),
    ),
)

categorical_crossentropy_keras = Loss(
    name="categorical_crossentropy_keras",
    title="Categorical cross-entropy, clipped",
    summary="Categorical cross-entropy of probabilities moved into [1e-7, 1 - 1e-7].",
    formula=r"\ell(y, p) = -\sum_i y_i \log \min(\max(p_i, 10^{-7}), 1 - 10^{-7})",
    source="Keras 3 documentation of CategoricalCrossentropy and its backend function (2023)",
    inputs=ONE_HOT_SIMPLEX,
    accepts=CATEGORICAL_OPTIONS,
    reference=exact_categorical(exactly_clipped),
    unit="row",
    kinks=lambda **_: (EPSILON, 1.0 - EPSILON),
    kink_of="prediction",
    definitions=tuple(d for d in row_definitions(exact_categorical) if d.name != CLIP),
    bindings=(
        keras(
            "CategoricalCrossentropy",
            "categorical_crossentropy",
            unit="row",
            accepts=KERAS_CATEGORICAL,
            ignore=("normalize",),
            differs="divides rows by their sum first",
            definition=NORMALISED_CLIP,
        ),
        *formula(categorical_clipped, unit="row", accepts=("reduction", *CATEGORICAL_OPTIONS)),
    ),
)


# --- categorical cross-entropy from logits --------------------------------------------------------


def exact_categorical_logits(x: Any, y_true: Any, y_pred: Any, **params: Any) -> Any:
    return exact_categorical()(x, y_true, y_pred, from_logits=True, **params)


def categorical_logits(m: Any, y_true: Any, y_pred: Any, **params: Any) -> Any:
    return categorical(m, y_true, y_pred, from_logits=True, **params)


def categorical_logits_stable(m: Any, y_true: Any, y_pred: Any, **params: Any) -> Any:
    return categorical_guarded(m, y_true, y_pred, from_logits=True, **params)


def keras_categorical_logits(m: Any, y_true: Any, y_pred: Any, **params: Any) -> Any:
    return keras_call("CategoricalCrossentropy", unit="row")(m, y_true, y_pred, from_logits=True, **params)


def tf_categorical_logits(m: Any, y_true: Any, y_pred: Any, *, axis: int = -1) -> Any:
    return m.tf.nn.softmax_cross_entropy_with_logits(labels=y_true, logits=y_pred, axis=axis)


def torch_cross_entropy(
    m: Any,
    y_true: Any,
    y_pred: Any,
    *,
    axis: int = -1,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    class_weight: Any = None,
) -> Any:
    logits, target = classes_second(m, y_pred, axis), classes_second(m, y_true, axis)
    return m.F.cross_entropy(
        logits, target, weight=class_weight, label_smoothing=label_smoothing, reduction=native(reduction)
    )


def classes_second(m: Any, a: Any, axis: int = -1) -> Any:
    """torch wants the class axis second, after the batch."""
    rank = len(a.shape)
    return a if rank < 2 or axis % rank == 1 else m.torch.movedim(a, axis, 1)


LOGITS_OPTIONS: Final = ("axis", "label_smoothing", "class_weight")
NAIVE_SOFTMAX: Final = "the softmax rounds to 0 before its logarithm is taken"

categorical_crossentropy_logits = Loss(
    name="categorical_crossentropy_logits",
    title="Categorical cross-entropy from logits",
    summary="Categorical cross-entropy of the softmax of the prediction, computed without the softmax.",
    formula=r"\ell(y, z) = \sum_i y_i \Bigl[\log \sum_j e^{z_j} - z_i\Bigr]",
    source=BRIDLE,
    aliases=("CategoricalCrossentropyLogits", "softmax_cross_entropy", "CrossEntropyLoss"),
    documented_in=("S0", "S1", "S2", "S3", "S4"),
    inputs=ONE_HOT_LOGITS,
    accepts=LOGITS_OPTIONS,
    reference=exact_categorical_logits,
    unit="row",
    bindings=(
        Binding(
            backend="tensorflow",
            name="keras",
            call=keras_categorical_logits,
            docs=("tf.keras.losses.CategoricalCrossentropy", "tf.keras.losses.categorical_crossentropy"),
            unit="row",
            accepts=("reduction", "axis", "label_smoothing"),
        ),
        Binding(
            backend="tensorflow",
            name="tf.nn",
            call=tf_categorical_logits,
            docs=("tf.nn.softmax_cross_entropy_with_logits",),
            unit="row",
            accepts=("axis",),
        ),
        replace(compat("softmax_cross_entropy", accepts=("label_smoothing",)), unit="row"),
        Binding(
            backend="torch",
            name="functional",
            call=torch_cross_entropy,
            docs=("torch.nn.functional.cross_entropy", "torch.nn.CrossEntropyLoss"),
            unit="row",
            accepts=("reduction", *LOGITS_OPTIONS),
        ),
        optax("softmax_cross_entropy", unit="row", accepts=("axis",)),
        Binding(
            backend="jax",
            name="optax.safe",
            call=lambda m, y_true, y_pred: m.optax.losses.safe_softmax_cross_entropy(y_pred, y_true),
            docs=("optax.losses.safe_softmax_cross_entropy",),
            unit="row",
            differs="a label of 0 takes its term away even where the logit is minus infinity",
        ),
        *formula(categorical_logits, unit="row", accepts=("reduction", *LOGITS_OPTIONS), differs=NAIVE_SOFTMAX),
        *formula(categorical_logits_stable, name="stable", unit="row", accepts=("reduction", *LOGITS_OPTIONS)),
    ),
)


# --- sparse categorical cross-entropy -------------------------------------------------------------


def picked(m: Any, rows: Any, labels: Any, ignore_index: int | None) -> tuple[Any, Any]:
    """The label's number of each row, and 1.0 where the label counts (None where all do)."""
    if ignore_index is None:
        return m.take_class(rows, labels), None
    counts = labels != ignore_index
    chosen = m.take_class(rows, m.where(counts, labels, labels * 0))
    return chosen, m.where(counts, 1.0, 0.0)


def sample_weights(m: Any, labels: Any, class_weight: Any, like: Any) -> Any:
    """Each sample's class weight; 0 where the label is no class."""
    return m.sum(m.one_hot(labels, like.shape[-1], like) * class_weight, axis=-1)


def exact_sparse(clipping: Clip = unclipped, *, normalise: bool = False, clip_then_normalise: bool = False) -> Call:
    """-log p[y] of probabilities or logits, in extended reals."""

    def reference(
        x: Any,
        y_true: Any,
        y_pred: Any,
        *,
        from_logits: bool = False,
        normalize: bool = False,
        ignore_index: int | None = None,
        class_weight: Any = None,
        label_smoothing: float = 0.0,
    ) -> Any:
        if from_logits:
            log_p = x.log_softmax(y_pred)
        else:
            p = clipping(x, divided_by_sum(x, y_pred) if normalise or normalize else y_pred)
            log_p = x.log(divided_by_sum(x, p) if clip_then_normalise else p)
        if label_smoothing or class_weight is not None:
            return _exact_weighted(x, y_true, log_p, ignore_index, class_weight, label_smoothing)
        chosen, valid = picked(x, log_p, y_true, ignore_index)
        return -chosen if valid is None else x.weighted(-x.weigh(valid, chosen), weights=valid)

    return reference


def _exact_weighted(
    x: Any, labels: Any, log_p: Any, ignore_index: int | None, class_weight: Any, label_smoothing: float
) -> Any:
    """Torch's documented form: w_y on the label's term, every class's weight on its share of the smoothing."""
    rows = x.one_hot(labels, log_p.shape[-1], log_p)
    terms = x.weigh(smooth_rows(rows, label_smoothing), log_p)
    weights = x.sum(rows if class_weight is None else rows * class_weight, axis=-1)
    losses = -x.sum(terms if class_weight is None else x.weigh(class_weight, terms), axis=-1)
    if ignore_index is None:
        return x.weighted(losses, weights=weights, valid=True)
    counts = labels != ignore_index
    return x.weighted(x.where(counts, losses, 0.0), weights=x.where(counts, weights, 0.0), valid=counts)


def sparse(
    m: Any,
    y_true: Any,
    y_pred: Any,
    *,
    from_logits: bool = False,
    normalize: bool = False,
    ignore_index: int | None = None,
    class_weight: Any = None,
    reduction: str = "mean",
    clipping: Clip = unclipped,
) -> Any:
    p = m.softmax(y_pred, axis=-1) if from_logits else y_pred
    chosen, valid = picked(m, clipping(m, divided_by_sum(m, p) if normalize else p), y_true, ignore_index)
    weights = None if class_weight is None else sample_weights(m, y_true, class_weight, y_pred)
    losses = -m.log(chosen) if weights is None else -m.log(chosen) * weights
    return weighted_in(m, losses, reduction=reduction, class_weights=weights, valid=valid)


def sparse_clipped(m: Any, y_true: Any, y_pred: Any, **params: Any) -> Any:
    return sparse(m, y_true, y_pred, clipping=clip, **params)


def torch_nll(
    m: Any,
    y_true: Any,
    y_pred: Any,
    *,
    reduction: str = "mean",
    ignore_index: int | None = None,
    class_weight: Any = None,
    logarithm: Call | None = None,
) -> Any:
    """Log probabilities into nll_loss, as its documentation says."""
    log_p = m.torch.log(y_pred) if logarithm is None else logarithm(m, y_pred)
    return _torch_sparse(
        m, m.F.nll_loss, y_true, log_p, reduction=reduction, ignore_index=ignore_index, class_weight=class_weight
    )


def _torch_sparse(
    m: Any,
    function: Call,
    y_true: Any,
    y_pred: Any,
    *,
    reduction: str,
    ignore_index: int | None,
    class_weight: Any,
    **options: float,
) -> Any:
    """torch's mean divides by the gathered class weights of the samples that count: our `weighted_mean`."""
    plain = class_weight is None and ignore_index is None
    own_mean = reduction == "weighted_mean" or (reduction == "mean_over_valid" and class_weight is None)
    asked = native(reduction) if plain or reduction != "mean" else "none"
    losses = function(
        classes_second(m, y_pred),
        y_true.long(),
        weight=class_weight,
        ignore_index=-100 if ignore_index is None else ignore_index,
        reduction="mean" if own_mean else asked,
        **options,
    )
    if reduction == "mean" and not plain:
        return m.mean(losses)
    if reduction == "mean_over_valid" and not own_mean:
        return m.mean(losses) if ignore_index is None else m.sum(losses) / (y_true != ignore_index).sum()
    return losses


SPARSE_OPTIONS: Final = ("from_logits", "normalize", "ignore_index", "class_weight")
KERAS_SPARSE: Final = "moves probabilities into [1e-7, 1 - 1e-7], then divides rows by their sum"
KERAS_LABELS: Final = "labels pass through the loss's float type: in 16 bit a large class index is rounded"
SPARSE_CLIPS: Final = tuple(
    Definition(
        name=f"eps_clip_normalised={text}",
        dtypes=held_in(text),
        reference=exact_sparse(clipped_to(bounds), clip_then_normalise=True),
        where=f"Keras moves probabilities into [eps, 1 - eps], eps = {text}, and takes the softmax of their logs; "
        "shows near 0 and 1 and where rows do not sum to 1",
        backend="tensorflow",
    )
    for text, bounds in CLIPS.items()
)


def keras_sparse(m: Any, y_true: Any, y_pred: Any, *, ignore_index: int | None = None, **params: Any) -> Any:
    options = params if ignore_index is None else {**params, "ignore_class": ignore_index}
    return keras_call("SparseCategoricalCrossentropy", unit="row")(m, y_true, y_pred, **options)


def over_valid(reference: Call) -> Call:
    """Losses scaled so that their mean is the mean over the samples that are not ignored."""

    def scaled(x: Any, y_true: Any, y_pred: Any, *, ignore_index: int | None = None, **params: Any) -> Any:
        found = reference(x, y_true, y_pred, ignore_index=ignore_index, **params)
        if ignore_index is None:
            return found
        counts = x.where(y_true != ignore_index, x.constant(1.0), 0.0)
        return found.losses / x.mean(counts)

    return scaled


MEAN_OVER_VALID: Final = "Keras' mean divides by the samples that are not ignored; shows where one is ignored"
KERAS_SPARSE_DOCS: Final = (
    "tf.keras.losses.SparseCategoricalCrossentropy",
    "tf.keras.losses.sparse_categorical_crossentropy",
)

VALID_CLIPS: Final = tuple(
    Definition(
        name=f"mean_over_valid_{definition.name}",
        reference=over_valid(definition.reference),
        where=f"{MEAN_OVER_VALID}. {definition.where}",
    )
    for definition in SPARSE_CLIPS
)

sparse_categorical_crossentropy = Loss(
    name="sparse_categorical_crossentropy",
    title="Sparse categorical cross-entropy",
    summary="Negative logarithm of the probability that the prediction gives to the label's class.",
    formula=r"\ell(y, p) = -\log p_y",
    source=GOOD,
    aliases=("SparseCategoricalCrossentropy", "scce", "SCCE", "nll", "NLLLoss"),
    documented_in=("S0", "S1", "S2", "S3", "S4"),
    inputs=INDEX_SIMPLEX,
    accepts=SPARSE_OPTIONS,
    reference=exact_sparse(),
    unit="row",
    definitions=(*row_definitions(exact_sparse), *SPARSE_CLIPS, *VALID_CLIPS),
    bindings=(
        Binding(
            backend="tensorflow",
            name="keras",
            call=keras_sparse,
            docs=KERAS_SPARSE_DOCS,
            unit="row",
            accepts=("reduction", "from_logits", "ignore_index"),
            differs=f"{KERAS_SPARSE}; {KERAS_LABELS}",
            definition="eps_clip_normalised=1e-7",
        ),
        Binding(
            backend="torch",
            name="functional",
            call=torch_nll,
            docs=("torch.nn.functional.nll_loss", "torch.nn.NLLLoss"),
            unit="row",
            accepts=("reduction", "ignore_index", "class_weight"),
        ),
        *formula(sparse, unit="row", accepts=("reduction", *SPARSE_OPTIONS)),
    ),
)

sparse_categorical_crossentropy_keras = Loss(
    name="sparse_categorical_crossentropy_keras",
    title="Sparse categorical cross-entropy, clipped",
    summary="Sparse categorical cross-entropy of probabilities moved into [1e-7, 1 - 1e-7].",
    formula=r"\ell(y, p) = -\log \min(\max(p_y, 10^{-7}), 1 - 10^{-7})",
    source="Keras 3 documentation of SparseCategoricalCrossentropy and its backend function (2023)",
    inputs=INDEX_SIMPLEX,
    accepts=SPARSE_OPTIONS,
    reference=exact_sparse(exactly_clipped),
    unit="row",
    kinks=lambda **_: (EPSILON, 1.0 - EPSILON),
    kink_of="prediction",
    definitions=(*(d for d in row_definitions(exact_sparse) if d.name != CLIP), *SPARSE_CLIPS, *VALID_CLIPS),
    bindings=(
        Binding(
            backend="tensorflow",
            name="keras",
            call=keras_sparse,
            docs=KERAS_SPARSE_DOCS,
            unit="row",
            accepts=("reduction", "from_logits", "ignore_index"),
            differs=f"divides rows by their sum after the clip; {KERAS_LABELS}",
            definition="eps_clip_normalised=1e-7",
        ),
        *formula(sparse_clipped, unit="row", accepts=("reduction", *SPARSE_OPTIONS)),
    ),
)


# --- sparse categorical cross-entropy from logits -------------------------------------------------


def exact_sparse_logits(x: Any, y_true: Any, y_pred: Any, **params: Any) -> Any:
    return exact_sparse()(x, y_true, y_pred, from_logits=True, **params)


def sparse_logits(m: Any, y_true: Any, y_pred: Any, **params: Any) -> Any:
    return _sparse_of_logs(m, y_true, m.log(m.softmax(y_pred, axis=-1)), **params)


def sparse_logits_stable(m: Any, y_true: Any, y_pred: Any, **params: Any) -> Any:
    return _sparse_of_logs(m, y_true, m.log_softmax(y_pred, axis=-1), **params)


def _sparse_of_logs(
    m: Any,
    y_true: Any,
    log_p: Any,
    *,
    ignore_index: int | None = None,
    class_weight: Any = None,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Any:
    chosen, valid = picked(m, log_p, y_true, ignore_index)
    weights = None if class_weight is None else sample_weights(m, y_true, class_weight, log_p)
    losses = -chosen if weights is None else -chosen * weights
    if label_smoothing:
        everywhere = -m.mean(log_p if class_weight is None else log_p * class_weight, axis=-1)
        losses = (1.0 - label_smoothing) * losses + label_smoothing * everywhere
    return weighted_in(m, losses, reduction=reduction, class_weights=weights, valid=valid)


def keras_sparse_logits(m: Any, y_true: Any, y_pred: Any, **params: Any) -> Any:
    return keras_sparse(m, y_true, y_pred, from_logits=True, **params)


def tf_sparse_logits(m: Any, y_true: Any, y_pred: Any) -> Any:
    return m.tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y_true, logits=y_pred)


def torch_sparse_logits(
    m: Any,
    y_true: Any,
    y_pred: Any,
    *,
    reduction: str = "mean",
    ignore_index: int | None = None,
    class_weight: Any = None,
    label_smoothing: float = 0.0,
) -> Any:
    return _torch_sparse(
        m,
        m.F.cross_entropy,
        y_true,
        y_pred,
        reduction=reduction,
        ignore_index=ignore_index,
        class_weight=class_weight,
        label_smoothing=label_smoothing,
    )


def torch_nll_logits(m: Any, y_true: Any, y_pred: Any, **params: Any) -> Any:
    return torch_nll(m, y_true, y_pred, logarithm=lambda m, z: m.F.log_softmax(z, dim=-1), **params)


SPARSE_LOGITS_OPTIONS: Final = ("ignore_index", "class_weight", "label_smoothing")

sparse_categorical_crossentropy_logits = Loss(
    name="sparse_categorical_crossentropy_logits",
    title="Sparse categorical cross-entropy from logits",
    summary="Negative log-softmax of the prediction at the label's class.",
    formula=r"\ell(y, z) = \log \sum_j e^{z_j} - z_y",
    source=BRIDLE,
    aliases=("SparseCategoricalCrossentropyLogits", "sparse_softmax_cross_entropy"),
    documented_in=("S0", "S1", "S2", "S3", "S4"),
    inputs=INDEX_LOGITS,
    accepts=SPARSE_LOGITS_OPTIONS,
    reference=exact_sparse_logits,
    unit="row",
    definitions=(Definition(name="mean_over_valid", reference=over_valid(exact_sparse_logits), where=MEAN_OVER_VALID),),
    bindings=(
        Binding(
            backend="tensorflow",
            name="keras",
            call=keras_sparse_logits,
            docs=KERAS_SPARSE_DOCS,
            unit="row",
            accepts=("reduction", "ignore_index"),
            differs=KERAS_LABELS,
        ),
        Binding(
            backend="tensorflow",
            name="tf.nn",
            call=tf_sparse_logits,
            docs=("tf.nn.sparse_softmax_cross_entropy_with_logits",),
            unit="row",
        ),
        replace(compat("sparse_softmax_cross_entropy"), unit="row"),
        Binding(
            backend="torch",
            name="functional",
            call=torch_sparse_logits,
            docs=("torch.nn.functional.cross_entropy", "torch.nn.CrossEntropyLoss"),
            unit="row",
            accepts=("reduction", *SPARSE_LOGITS_OPTIONS),
        ),
        Binding(
            backend="torch",
            name="nll_loss",
            call=torch_nll_logits,
            docs=("torch.nn.functional.nll_loss", "torch.nn.functional.log_softmax"),
            unit="row",
            accepts=("reduction", "ignore_index", "class_weight"),
        ),
        Binding(
            backend="jax",
            name="optax",
            call=lambda m, y_true, y_pred: m.optax.losses.softmax_cross_entropy_with_integer_labels(y_pred, y_true),
            docs=("optax.losses.softmax_cross_entropy_with_integer_labels",),
            unit="row",
        ),
        *formula(sparse_logits, unit="row", accepts=("reduction", *SPARSE_LOGITS_OPTIONS), differs=NAIVE_SOFTMAX),
        *formula(sparse_logits_stable, name="stable", unit="row", accepts=("reduction", *SPARSE_LOGITS_OPTIONS)),
    ),
)


# --- focal ----------------------------------------------------------------------------------------


def _balance(y: Any, alpha: float | None) -> Any:
    """alpha_t: alpha for the positive class, 1 - alpha for the negative."""
    return 1.0 if alpha is None else y * alpha + (1.0 - y) * (1.0 - alpha)


def _modulated(x: Any, missing: Any, gamma: float, losses: Any) -> Any:
    """missing**gamma * losses; both vanish together, and then so do the product and, for gamma > 0, its derivative."""
    if gamma == 0:
        return losses
    right = missing == 0.0
    return x.where(right, 0.0, x.power(x.where(right, 1.0, missing), gamma) * x.where(right, 0.0, losses))


def exact_binary_focal(clipping: Clip = unclipped, *, factor_clipped: bool = False) -> Call:
    """alpha_t (1 - p_t)^gamma times the binary cross-entropy, p_t = y p + (1-y)(1-p)."""

    def reference(
        x: Any,
        y_true: Any,
        y_pred: Any,
        *,
        gamma: float = 2.0,
        alpha: float | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
    ) -> Any:
        y = smooth_binary(y_true, label_smoothing)
        if from_logits and clipping is unclipped:
            p, q = x.sigmoid(y_pred), x.sigmoid(-y_pred)
            entropy = exact_binary_logits(x, y, y_pred)
        else:
            given = x.sigmoid(y_pred) if from_logits else y_pred
            entropy = exact_binary(clipping)(x, y, given)
            p = clipping(x, given) if factor_clipped else given
            q = 1.0 - p
        return _modulated(x, y * q + (1.0 - y) * p, gamma, entropy) * _balance(y, alpha)

    return reference


def binary_focal_formula(
    m: Any,
    y_true: Any,
    y_pred: Any,
    *,
    gamma: float = 2.0,
    alpha: float | None = None,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    clipping: Clip = unclipped,
) -> Any:
    y = smooth_binary(y_true, label_smoothing)
    p = m.sigmoid(y_pred) if from_logits else y_pred
    p_t = y * p + (1.0 - y) * (1.0 - p)
    return m.power(1.0 - p_t, gamma) * binary(m, y, clipping(m, p)) * _balance(y, alpha)


def binary_focal_stable(
    m: Any,
    y_true: Any,
    y_pred: Any,
    *,
    gamma: float = 2.0,
    alpha: float | None = None,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> Any:
    """1 - p_t without the subtraction from 1; where it is 0 the power is not taken."""
    y = smooth_binary(y_true, label_smoothing)
    if from_logits:
        missing = y * m.sigmoid(-y_pred) + (1.0 - y) * m.sigmoid(y_pred)
        entropy = binary_logits_stable(m, y, y_pred)
    else:
        missing = y * (1.0 - y_pred) + (1.0 - y) * y_pred
        entropy = binary_guarded(m, y, y_pred)
    if gamma:
        right = missing <= 0.0
        entropy = m.where(right, 0.0 * missing, m.power(m.where(right, 1.0, missing), gamma) * entropy)
    return entropy * _balance(y, alpha)


def keras_focal(m: Any, y_true: Any, y_pred: Any, *, alpha: float | None = None, **params: Any) -> Any:
    options = params if alpha is None else {**params, "alpha": alpha, "apply_class_balancing": True}
    return keras_call("BinaryFocalCrossentropy")(m, y_true, y_pred, **options)


def keras_focal_logits(m: Any, y_true: Any, y_pred: Any, **params: Any) -> Any:
    return keras_focal(m, y_true, y_pred, from_logits=True, **params)


FOCAL_OPTIONS: Final = ("gamma", "alpha", "from_logits", "label_smoothing")
KERAS_FOCAL_DOCS: Final = ("tf.keras.losses.BinaryFocalCrossentropy", "tf.keras.losses.binary_focal_crossentropy")
FOCAL_CLIPS: Final = tuple(
    Definition(
        name=f"eps_clip={text}",
        dtypes=held_in(text),
        reference=exact_binary_focal(clipped_to(bounds)),
        where=f"Keras moves the probability into [eps, 1 - eps], eps = {text}, for the cross-entropy and not for the "
        "focal factor; shows at 0 and 1",
        backend="tensorflow",
    )
    for text, bounds in CLIPS.items()
)

binary_focal = Loss(
    name="binary_focal",
    title="Binary focal loss",
    summary="Binary cross-entropy in which well classified samples count little.",
    formula=r"\ell(y, p) = -\alpha_t (1 - p_t)^\gamma \log p_t,\ p_t = y p + (1 - y)(1 - p)",
    source=FOCAL,
    aliases=("BinaryFocalCrossentropy", "binary_focal_crossentropy", "focal"),
    documented_in=("S1",),
    inputs=BINARY_PROBABILITY,
    params={"gamma": 2.0},
    accepts=("alpha", "from_logits", "label_smoothing"),
    reference=exact_binary_focal(),
    definitions=(
        *FOCAL_CLIPS,
        Definition(
            name="eps_clip_everywhere=1e-7",
            reference=exact_binary_focal(exactly_clipped, factor_clipped=True),
            where="the probability moved into [1e-7, 1 - 1e-7] before anything else; shows at 0 and 1",
        ),
    ),
    bindings=(
        Binding(
            backend="tensorflow",
            name="keras",
            call=keras_focal,
            docs=KERAS_FOCAL_DOCS,
            accepts=("reduction", *FOCAL_OPTIONS),
            differs="the cross-entropy, not the focal factor, is of the probability moved into [1e-7, 1 - 1e-7]",
            definition=CLIP,
        ),
        *formula(
            binary_focal_formula, accepts=FOCAL_OPTIONS, differs="0 log 0 is NaN; 1 - p_t drops the digits of a small p"
        ),
        *formula(binary_focal_stable, name="stable", accepts=FOCAL_OPTIONS),
    ),
)

LOGITS_FOCAL: Final = ("gamma", "alpha", "label_smoothing")

binary_focal_logits = Loss(
    name="binary_focal_logits",
    title="Binary focal loss from logits",
    summary="Focal loss of the sigmoid of the prediction.",
    formula=r"\ell(y, z) = -\alpha_t (1 - p_t)^\gamma \log p_t,\ p_t = y \sigma(z) + (1 - y) \sigma(-z)",
    source=FOCAL,
    aliases=("sigmoid_focal_loss", "sigmoid_focal"),
    documented_in=("S1",),
    inputs=BINARY_LOGITS,
    params={"gamma": 2.0},
    accepts=("alpha", "label_smoothing"),
    reference=lambda x, y_true, y_pred, **params: exact_binary_focal()(x, y_true, y_pred, from_logits=True, **params),
    definitions=tuple(
        Definition(
            name=f"eps_clip={text}",
            dtypes=held_in(text),
            reference=lambda x, y_true, y_pred, _bounds=bounds, **params: exact_binary_focal(clipped_to(_bounds))(
                x, y_true, y_pred, from_logits=True, **params
            ),
            where=f"Keras clips the sigmoid to [eps, 1 - eps], eps = {text}; shows past logits of 16",
            backend="tensorflow",
        )
        for text, bounds in CLIPS.items()
    ),
    bindings=(
        Binding(
            backend="tensorflow",
            name="keras",
            call=keras_focal_logits,
            docs=KERAS_FOCAL_DOCS,
            accepts=("reduction", *LOGITS_FOCAL),
            differs="takes the sigmoid first, then the cross-entropy of it moved into [1e-7, 1 - 1e-7]",
            definition=CLIP,
        ),
        optax("sigmoid_focal_loss", accepts=("gamma", "alpha"), differs="the focal factor is exp(gamma log(1 - p_t))"),
        *formula(
            lambda m, y_true, y_pred, **params: binary_focal_formula(m, y_true, y_pred, from_logits=True, **params),
            accepts=LOGITS_FOCAL,
            differs=NAIVE_LOGITS,
        ),
        *formula(
            lambda m, y_true, y_pred, **params: binary_focal_stable(m, y_true, y_pred, from_logits=True, **params),
            name="stable",
            accepts=LOGITS_FOCAL,
        ),
    ),
)


def _per_class(m: Any, alpha: Any, like: Any) -> Any:
    """A weight for all classes, or a list with one each, on the last axis."""
    return m.stack([m.constant(a, like) for a in alpha]) if isinstance(alpha, tuple | list) else alpha


def exact_categorical_focal(clipping: Clip = unclipped, *, normalise: bool = False) -> Call:
    """sum_i alpha_i (1 - p_i)^gamma (-y_i log p_i) over the class axis."""

    def reference(
        x: Any,
        y_true: Any,
        y_pred: Any,
        *,
        gamma: float = 2.0,
        alpha: Any = 1.0,
        axis: int = -1,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        normalize: bool = False,
    ) -> Any:
        y = smooth_rows(classes_last(x, y_true, axis), label_smoothing)
        p = classes_last(x, y_pred, axis)
        p = x.softmax(p) if from_logits else p
        p = clipping(x, divided_by_sum(x, p) if normalise or normalize else p)
        terms = _modulated(x, 1.0 - p, gamma, -x.xlogy(y, p)) * _per_class(x, alpha, y_pred)
        return x.sum(terms, axis=-1)

    return reference


def categorical_focal_formula(
    m: Any,
    y_true: Any,
    y_pred: Any,
    *,
    gamma: float = 2.0,
    alpha: Any = 1.0,
    axis: int = -1,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    normalize: bool = False,
    clipping: Clip = unclipped,
) -> Any:
    y = smooth_rows(classes_last(m, y_true, axis), label_smoothing)
    p = classes_last(m, y_pred, axis)
    p = m.softmax(p, axis=-1) if from_logits else p
    p = clipping(m, divided_by_sum(m, p) if normalize else p)
    return m.sum(_per_class(m, alpha, y_pred) * m.power(1.0 - p, gamma) * (-y * m.log(p)), axis=-1)


def categorical_focal_guarded(
    m: Any,
    y_true: Any,
    y_pred: Any,
    *,
    gamma: float = 2.0,
    alpha: Any = 1.0,
    axis: int = -1,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    normalize: bool = False,
) -> Any:
    """Classes of weight 0 are left out before the logarithm, classes of probability 1 before the power."""
    y = smooth_rows(classes_last(m, y_true, axis), label_smoothing)
    scores = classes_last(m, y_pred, axis)
    p = m.softmax(scores, axis=-1) if from_logits else scores
    p = divided_by_sum(m, p) if normalize else p
    named = y > 0.0
    logs = m.log_softmax(scores, axis=-1) if from_logits else m.log(m.where(named, p, 1.0))
    terms = m.where(named, -y * logs, 0.0)
    if gamma:
        right = p >= 1.0
        terms = m.where(right, 0.0 * p, m.power(1.0 - m.where(right, 0.0, p), gamma) * terms)
    return m.sum(_per_class(m, alpha, y_pred) * terms, axis=-1)


CATEGORICAL_FOCAL: Final = ("gamma", "alpha", "axis", "from_logits", "label_smoothing", "normalize")

categorical_focal = Loss(
    name="categorical_focal",
    title="Categorical focal loss",
    summary="Categorical cross-entropy in which well classified samples count little.",
    formula=r"\ell(y, p) = -\sum_i \alpha\, (1 - p_i)^\gamma\, y_i \log p_i",
    source=FOCAL,
    aliases=("CategoricalFocalCrossentropy", "categorical_focal_crossentropy"),
    documented_in=("S1",),
    inputs=ONE_HOT_SIMPLEX,
    params={"gamma": 2.0, "alpha": 1.0},
    accepts=("axis", "from_logits", "label_smoothing", "normalize"),
    reference=exact_categorical_focal(),
    unit="row",
    definitions=row_definitions(exact_categorical_focal),
    bindings=(
        keras(
            "CategoricalFocalCrossentropy",
            "categorical_focal_crossentropy",
            unit="row",
            accepts=CATEGORICAL_FOCAL,
            ignore=("normalize",),
            differs=KERAS_ROWS,
            definition=NORMALISED_CLIP,
        ),
        *formula(categorical_focal_formula, unit="row", accepts=CATEGORICAL_FOCAL, differs="0 log 0 is NaN"),
        *formula(categorical_focal_guarded, name="stable", unit="row", accepts=CATEGORICAL_FOCAL),
    ),
)


binary_focal_keras = replace(
    binary_focal,
    name="binary_focal_keras",
    title="Binary focal loss, clipped",
    summary="Binary focal loss whose cross-entropy is of the probability moved into [1e-7, 1 - 1e-7], its factor not.",
    formula=r"\ell(y, p) = -\alpha_t (1 - p_t)^\gamma \log q_t,\ q = \min(\max(p, 10^{-7}), 1 - 10^{-7})",
    source="Keras 3 documentation of BinaryFocalCrossentropy and its code (2023)",
    aliases=("binary_focal_crossentropy_keras",),
    reference=exact_binary_focal(exactly_clipped),
    definitions=(
        Definition(name="unclipped", reference=exact_binary_focal(), where="nothing is clipped; shows at 0 and 1"),
        *FOCAL_CLIPS[1:],
    ),
    bindings=(
        replace(binary_focal.bindings[0], definition="exact", differs=""),
        *formula(
            lambda m, y_true, y_pred, **params: binary_focal_formula(m, y_true, y_pred, clipping=clip, **params),
            accepts=FOCAL_OPTIONS,
        ),
    ),
)

categorical_focal_keras = replace(
    categorical_focal,
    name="categorical_focal_keras",
    title="Categorical focal loss, clipped",
    summary="Categorical focal loss of probabilities moved into [1e-7, 1 - 1e-7].",
    formula=r"\ell(y, p) = -\sum_i \alpha (1 - q_i)^\gamma y_i \log q_i,\ q_i = \min(\max(p_i, 10^{-7}), 1 - 10^{-7})",
    source="Keras 3 documentation of CategoricalFocalCrossentropy and its code (2023)",
    aliases=("categorical_focal_crossentropy_keras",),
    reference=exact_categorical_focal(exactly_clipped),
    definitions=tuple(d for d in row_definitions(exact_categorical_focal) if d.name != CLIP),
    bindings=(
        replace(categorical_focal.bindings[0], differs="divides rows by their sum first"),
        *formula(
            lambda m, y_true, y_pred, **params: categorical_focal_formula(m, y_true, y_pred, clipping=clip, **params),
            unit="row",
            accepts=CATEGORICAL_FOCAL,
        ),
    ),
)


# --- generalised, polynomial and matrix-based cross-entropies -------------------------------------


def label_probability(m: Any, y_true: Any, y_pred: Any) -> Any:
    """p_y, for class indices and for one-hot rows."""
    if len(y_true.shape) == len(y_pred.shape):
        return m.sum(y_true * y_pred, axis=-1)
    return m.take_class(y_pred, y_true)


def generalised(m: Any, y_true: Any, y_pred: Any, *, q: float = 0.7) -> Any:
    return (1.0 - m.power(label_probability(m, y_true, y_pred), q)) / q


def generalised_stable(m: Any, y_true: Any, y_pred: Any, *, q: float = 0.7) -> Any:
    """expm1 keeps the digits of a loss near 0."""
    return -m.expm1(q * m.log(label_probability(m, y_true, y_pred))) / q


generalized_crossentropy = Loss(
    name="generalized_crossentropy",
    title="Generalised cross-entropy",
    summary="Between cross-entropy (q to 0) and the absolute error of the label's probability (q = 1); robust to "
    "wrong labels.",
    formula=r"\ell(y, p) = \frac{1 - p_y^{\,q}}{q}",
    source="Z. Zhang and M. R. Sabuncu, Generalized cross entropy loss for training deep neural networks with noisy "
    "labels, NeurIPS 2018, arXiv:1805.07836",
    aliases=("CategoricalGeneralizedCrossEntropy", "categorical_generalized_cross_entropy", "gce"),
    documented_in=("S4",),
    inputs=INDEX_SIMPLEX,
    params={"q": 0.7},
    reference=generalised,
    unit="row",
    bindings=(
        keras(
            "CategoricalGeneralizedCrossEntropy",
            "categorical_generalized_cross_entropy",
            unit="row",
            accepts=("q",),
            differs=KERAS_LABELS,
        ),
        *formula(generalised, unit="row", accepts=("q",)),
        *formula(generalised_stable, name="stable", unit="row", accepts=("q",)),
    ),
)


def exact_poly(x: Any, y_true: Any, y_pred: Any, *, eps: float) -> Any:
    return exact_categorical_logits(x, y_true, y_pred) + eps * x.sum(y_true * (1.0 - x.softmax(y_pred)), axis=-1)


def poly(m: Any, y_true: Any, y_pred: Any, *, eps: float) -> Any:
    p = m.softmax(y_pred, axis=-1)
    return -m.sum(y_true * m.log(p), axis=-1) + eps * m.sum(y_true * (1.0 - p), axis=-1)


def poly_stable(m: Any, y_true: Any, y_pred: Any, *, eps: float) -> Any:
    log_p = m.log_softmax(y_pred, axis=-1)
    return m.sum(m.where(y_true > 0.0, -y_true * (log_p + eps * m.expm1(log_p)), 0.0), axis=-1)


poly_crossentropy_logits = Loss(
    name="poly_crossentropy_logits",
    title="Poly-1 cross-entropy from logits",
    summary="Cross-entropy with the first term of its expansion in 1 - p weighted anew.",
    formula=r"\ell(y, z) = -\sum_i y_i \log p_i + \epsilon \sum_i y_i (1 - p_i),\ p = \mathrm{softmax}(z)",
    source="Z. Leng et al., PolyLoss: a polynomial expansion perspective of classification loss functions, ICLR 2022, "
    "arXiv:2204.12511",
    aliases=("poly_loss_cross_entropy", "poly_loss"),
    inputs=ONE_HOT_LOGITS,
    params={"eps": 2.0},
    reference=exact_poly,
    unit="row",
    bindings=(
        Binding(
            backend="jax",
            name="optax",
            call=lambda m, y_true, y_pred, *, eps: m.optax.losses.poly_loss_cross_entropy(y_pred, y_true, epsilon=eps),
            docs=("optax.losses.poly_loss_cross_entropy",),
            unit="row",
            accepts=("eps",),
        ),
        *formula(poly, unit="row", accepts=("eps",), differs=NAIVE_SOFTMAX),
        *formula(poly_stable, name="stable", unit="row", accepts=("eps",)),
    ),
)

LOG_2: Final = 0.6931471805599453


def exact_matrix(x: Any, y_true: Any, y_pred: Any, *, A: Any) -> Any:  # noqa: N803 - the matrix's name in its source
    likeness = x.matmul(y_true, x.transpose(A))
    entropy = x.xlogy(y_true, y_pred) / x.log(x.constant(2.0, y_pred))
    return x.sum((likeness - y_true) * x.exp(y_pred) - entropy, axis=-1)


def matrix(m: Any, y_true: Any, y_pred: Any, *, A: Any) -> Any:  # noqa: N803
    likeness = m.matmul(y_true, m.transpose(A))
    growth = m.exp(y_pred)
    return m.sum(-y_true * m.log(y_pred) / LOG_2 + likeness * growth - y_true * growth, axis=-1)


def matrix_guarded(m: Any, y_true: Any, y_pred: Any, *, A: Any) -> Any:  # noqa: N803
    """Classes of weight 0 are left out before the logarithm."""
    named = y_true > 0.0
    entropy = m.where(named, y_true * m.log(m.where(named, y_pred, 1.0)), 0.0) / LOG_2
    likeness = m.matmul(y_true, m.transpose(A))
    return m.sum((likeness - y_true) * m.exp(y_pred) - entropy, axis=-1)


matrix_crossentropy = Loss(
    name="matrix_crossentropy",
    title="Matrix-based cross-entropy",
    summary="Cross-entropy in bits with a penalty on the classes that a matrix says are mistaken for the label's.",
    formula=r"\ell(y, p) = \sum_i \bigl[-y_i \log_2 p_i + (A y)_i\, e^{p_i} - y_i\, e^{p_i}\bigr]",
    source="a study at Duke University quoted in an article on loss functions in TensorFlow (2021); its rule for "
    "updating A is not given there, so A is an input",
    aliases=("matrix_based_crossentropy",),
    documented_in=("S4",),
    inputs={**ONE_HOT_SIMPLEX, "A": Domain(kind="weight", extent="square")},
    reference=exact_matrix,
    unit="row",
    bindings=(
        *formula(matrix, unit="row", accepts=("A",), differs="0 log 0 is NaN"),
        *formula(matrix_guarded, name="stable", unit="row", accepts=("A",)),
    ),
)
