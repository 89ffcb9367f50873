"""Losses of a predicted region: overlap ratios over the whole batch, or over given axes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from lossbench import Binding, Definition, Loss, domains

from ._native import formula, keras

MASKS: Final = {"y_true": domains.BINARY, "y_pred": domains.PROBABILITY}
MASK_LOGITS: Final = {"y_true": domains.BINARY, "y_pred": domains.LOGITS}
MILLETARI: Final = (
    "F. Milletari, N. Navab and S.-A. Ahmadi, V-Net: fully convolutional neural networks for volumetric medical image "
    "segmentation, 3DV 2016, arXiv:1606.04797"
)
SALEHI: Final = (
    "S. S. M. Salehi, D. Erdogmus and A. Gholipour, Tversky loss function for image segmentation using 3D fully "
    "convolutional deep networks, MLMI 2017, arXiv:1706.05721"
)

Call = Callable[..., Any]
Axes = int | tuple[int, ...] | None


def _axes(axis: Any) -> Axes:
    """Axes as given in a case file: whole numbers may come as a list."""
    return axis if axis is None or isinstance(axis, int) else tuple(int(a) for a in axis)


def reduced(m: Any, losses: Any, reduction: str) -> Any:
    """Over given axes there are several losses; without them one, which every reduction leaves as it is."""
    return {"mean": m.mean, "sum": m.sum}.get(reduction, lambda unreduced: unreduced)(losses)


# --- Dice -----------------------------------------------------------------------------------------


def exact_dice(eps_added: float = 0.0) -> Call:
    """1 - (2 sum y p + smooth) / (sum y + sum p + smooth + eps); where nothing is there, nothing overlaps: 1."""

    def reference(x: Any, y_true: Any, y_pred: Any, *, axis: Any = None, smooth: Any = 0.0, eps: Any = 0.0) -> Any:
        over = _axes(axis)
        overlap = 2.0 * x.sum(y_true * y_pred, axis=over) + smooth
        sizes = x.sum(y_true, axis=over) + x.sum(y_pred, axis=over) + smooth + eps + eps_added
        return 1.0 - x.safe_divide(overlap, sizes, when_zero=0.0)

    return reference


def dice_formula(
    m: Any,
    y_true: Any,
    y_pred: Any,
    *,
    axis: Any = None,
    smooth: float = 0.0,
    eps: float = 0.0,
    reduction: str = "mean",
) -> Any:
    over = _axes(axis)
    overlap = 2.0 * m.sum(y_true * y_pred, axis=over) + smooth
    sizes = m.sum(y_true, axis=over) + m.sum(y_pred, axis=over) + smooth + eps
    return reduced(m, 1.0 - overlap / sizes, reduction)


def dice_of_misses(
    m: Any,
    y_true: Any,
    y_pred: Any,
    *,
    axis: Any = None,
    smooth: float = 0.0,
    eps: float = 0.0,
    reduction: str = "mean",
) -> Any:
    """What does not overlap, over all: keeps the digits of a small loss."""
    over = _axes(axis)
    apart = m.sum(y_true * (1.0 - y_pred), axis=over) + m.sum(y_pred * (1.0 - y_true), axis=over)
    sizes = m.sum(y_true, axis=over) + m.sum(y_pred, axis=over) + smooth + eps
    return reduced(m, (apart + eps) / sizes, reduction)


def optax_overlap(
    m: Any, y_true: Any, y_pred: Any, *, alpha: float = 0.5, beta: float = 0.5, smooth: float = 0.0
) -> Any:
    """optax wants classes that sum to 1: the region and its complement, of which the region's loss is kept."""
    classes = m.jnp.stack([y_pred, 1.0 - y_pred], axis=-1)
    targets = m.jnp.stack([y_true, 1.0 - y_true], axis=-1)
    losses = m.optax.losses.dice_loss(
        classes,
        targets,
        smooth=smooth,
        alpha=alpha,
        beta=beta,
        apply_softmax=False,
        reduction="none",
        axis=tuple(range(y_pred.ndim)),
    )
    return losses[0]


OPTAX_OVERLAP: Final = (
    "checks with Python that probabilities sum to 1, so that it cannot be compiled; adds smooth (1 unless set) to the "
    "overlap and to half the sizes, twice as much as others do"
)
DICE_EPS: Final = Definition(
    name="eps_add=1e-7",
    reference=lambda x, y_true, y_pred, **params: exact_dice(1e-7)(x, y_true, y_pred, **params),
    where="Keras adds 1e-7 to the divisor; shows where target and prediction are nearly empty",
)

SMOOTH_TWICE: Final = Definition(
    name="smooth_twice",
    reference=lambda x, y_true, y_pred, *, smooth=0.0, **params: exact_dice()(
        x, y_true, y_pred, smooth=2.0 * smooth, **params
    ),
    where="optax adds smooth to the overlap and to half the sizes, so that it counts twice; shows where it is not 0",
    backend="jax",
)

dice = Loss(
    name="dice",
    title="Dice loss",
    summary="One minus twice the overlap of prediction and target over the sum of their sizes.",
    formula=r"\ell(y, p) = 1 - \frac{2 \sum_i y_i p_i}{\sum_i y_i + \sum_i p_i}",
    source=MILLETARI,
    aliases=("Dice", "dice_loss"),
    documented_in=("S4",),
    inputs=MASKS,
    accepts=("axis", "smooth", "eps"),
    reference=exact_dice(),
    unit="batch",
    definitions=(DICE_EPS, SMOOTH_TWICE),
    bindings=(
        keras(
            "Dice",
            "dice",
            unit="batch",
            accepts=("axis",),
            differs="adds 1e-7 to the divisor",
            definition="eps_add=1e-7",
        ),
        Binding(
            backend="jax",
            name="optax",
            call=optax_overlap,
            docs=("optax.losses.dice_loss",),
            unit="batch",
            accepts=("smooth",),
            differs=OPTAX_OVERLAP,
        ),
        *formula(dice_formula, unit="batch", accepts=("reduction", "axis", "smooth", "eps")),
        *formula(dice_of_misses, name="misses", unit="batch", accepts=("reduction", "axis", "smooth", "eps")),
    ),
)


# --- Tversky --------------------------------------------------------------------------------------


def exact_tversky(*, eps_added: float = 0.0, swapped: bool = False) -> Call:
    """1 - (TP + smooth) / (TP + alpha FP + beta FN + smooth + eps)."""

    def reference(
        x: Any,
        y_true: Any,
        y_pred: Any,
        *,
        alpha: Any = 0.5,
        beta: Any = 0.5,
        axis: Any = None,
        smooth: Any = 0.0,
        eps: Any = 0.0,
    ) -> Any:
        over = _axes(axis)
        hits = x.sum(y_true * y_pred, axis=over)
        false_alarms = x.sum((1.0 - y_true) * y_pred, axis=over)
        misses = x.sum(y_true * (1.0 - y_pred), axis=over)
        if swapped:
            false_alarms, misses = misses, false_alarms
        whole = hits + alpha * false_alarms + beta * misses + smooth + eps + eps_added
        return 1.0 - x.safe_divide(hits + smooth, whole, when_zero=0.0)

    return reference


def tversky_formula(
    m: Any,
    y_true: Any,
    y_pred: Any,
    *,
    alpha: float = 0.5,
    beta: float = 0.5,
    axis: Any = None,
    smooth: float = 0.0,
    eps: float = 0.0,
    reduction: str = "mean",
) -> Any:
    over = _axes(axis)
    hits = m.sum(y_true * y_pred, axis=over)
    false_alarms = m.sum((1.0 - y_true) * y_pred, axis=over)
    misses = m.sum(y_true * (1.0 - y_pred), axis=over)
    whole = hits + alpha * false_alarms + beta * misses + smooth + eps
    return reduced(m, 1.0 - (hits + smooth) / whole, reduction)


TVERSKY_OPTIONS: Final = ("alpha", "beta", "axis", "smooth", "eps")

tversky = Loss(
    name="tversky",
    title="Tversky loss",
    summary="Dice loss in which false positives (alpha) and false negatives (beta) weigh differently.",
    formula=r"\ell(y, p) = 1 - \frac{\sum_i y_i p_i}"
    r"{\sum_i y_i p_i + \alpha \sum_i (1 - y_i) p_i + \beta \sum_i y_i (1 - p_i)}",
    source=SALEHI,
    aliases=("Tversky", "tversky_loss"),
    documented_in=("S4",),
    inputs=MASKS,
    params={"alpha": 0.5, "beta": 0.5},
    accepts=("axis", "smooth", "eps"),
    reference=exact_tversky(),
    unit="batch",
    definitions=(
        Definition(
            name="eps_add=1e-7",
            reference=exact_tversky(eps_added=1e-7),
            where="1e-7 added to the divisor; shows where target and prediction are nearly empty",
        ),
        Definition(
            name="alpha_of_misses",
            reference=exact_tversky(swapped=True),
            where="alpha weighs false negatives and beta false positives; shows where alpha and beta differ",
        ),
        Definition(
            name="alpha_of_misses_eps_add=1e-7",
            reference=exact_tversky(eps_added=1e-7, swapped=True),
            where="Keras: documented as here, but alpha weighs false negatives; and 1e-7 is added to the divisor",
        ),
    ),
    bindings=(
        keras(
            "Tversky",
            "tversky",
            unit="batch",
            accepts=("alpha", "beta", "axis"),
            differs="adds 1e-7 to the divisor; alpha weighs false negatives, though its documentation says positives",
            definition="eps_add=1e-7",
        ),
        Binding(
            backend="jax",
            name="optax",
            call=optax_overlap,
            docs=("optax.losses.dice_loss",),
            unit="batch",
            accepts=("alpha", "beta", "smooth"),
            differs=OPTAX_OVERLAP,
        ),
        *formula(tversky_formula, unit="batch", accepts=("reduction", *TVERSKY_OPTIONS)),
    ),
)


# --- with Keras' epsilon --------------------------------------------------------------------------

dice_keras = replace(
    dice,
    name="dice_keras",
    title="Dice loss with 1e-7 in the divisor",
    summary="The Dice loss as Keras computes it: 1e-7 is added to the sizes.",
    formula=r"\ell(y, p) = 1 - \frac{2 \sum_i y_i p_i}{\sum_i y_i + \sum_i p_i + 10^{-7}}",
    source=f"{MILLETARI}; epsilon as in Keras 3 (2023)",
    aliases=(),
    params={"eps": 1e-7},
    accepts=("axis", "smooth"),
    definitions=(),
    bindings=(
        keras("Dice", "dice", unit="batch", accepts=("axis", "eps"), ignore=("eps",)),
        *formula(dice_formula, unit="batch", accepts=("reduction", "axis", "smooth", "eps")),
    ),
)

tversky_keras = replace(
    tversky,
    name="tversky_keras",
    title="Tversky loss with 1e-7 in the divisor",
    summary="The Tversky loss with 1e-7 added to the divisor, alpha on the false positives as Keras documents it.",
    formula=r"\ell(y, p) = 1 - \frac{\sum_i y_i p_i}"
    r"{\sum_i y_i p_i + \alpha \sum_i (1 - y_i) p_i + \beta \sum_i y_i (1 - p_i) + 10^{-7}}",
    source=f"{SALEHI}; epsilon as in Keras 3 (2023)",
    aliases=(),
    params={**tversky.params, "eps": 1e-7},
    accepts=("axis", "smooth"),
    definitions=tuple(d for d in tversky.definitions if d.name.startswith("alpha_of_misses")),
    bindings=(
        keras(
            "Tversky",
            "tversky",
            unit="batch",
            accepts=("alpha", "beta", "axis", "eps"),
            ignore=("eps",),
            differs="alpha weighs false negatives, though its documentation says positives",
        ),
        *formula(tversky_formula, unit="batch", accepts=("reduction", *TVERSKY_OPTIONS)),
    ),
)


# --- from logits ----------------------------------------------------------------------------------


def exact_dice_logits(x: Any, y_true: Any, y_pred: Any, *, smooth: Any) -> Any:
    p = x.sigmoid(y_pred)
    overlap = 2.0 * x.sum(y_true * p, axis=-1) + 2.0 * smooth
    sizes = x.sum(y_true, axis=-1) + x.sum(p, axis=-1) + 2.0 * smooth
    return 1.0 - x.safe_divide(overlap, sizes, when_zero=0.0)


def dice_logits_formula(m: Any, y_true: Any, y_pred: Any, *, smooth: float) -> Any:
    p = m.sigmoid(y_pred)
    hits = m.sum(y_true * p, axis=-1)
    return 1.0 - (hits + smooth) / (0.5 * m.sum(y_true, axis=-1) + 0.5 * m.sum(p, axis=-1) + smooth)


def optax_dice_logits(m: Any, y_true: Any, y_pred: Any, *, smooth: float) -> Any:
    return m.optax.losses.binary_dice_loss(y_pred[..., None], y_true[..., None], smooth=smooth)


binary_dice_logits = Loss(
    name="binary_dice_logits",
    title="Binary Dice loss from logits, per sample",
    summary="Dice loss of each row of logits, with 1 added to the overlap and to the mean size.",
    formula=r"\ell(y, z) = 1 - \frac{\sum_i y_i \sigma(z_i) + s}"
    r"{\tfrac12 \sum_i y_i + \tfrac12 \sum_i \sigma(z_i) + s}",
    source=f"{MILLETARI}; smoothed as in the optax documentation (2025)",
    aliases=("binary_dice_loss",),
    inputs=MASK_LOGITS,
    params={"smooth": 1.0},
    reference=exact_dice_logits,
    unit="row",
    bindings=(
        Binding(
            backend="jax",
            name="optax",
            call=optax_dice_logits,
            docs=("optax.losses.binary_dice_loss", "optax.losses.dice_loss"),
            unit="row",
            accepts=("smooth",),
        ),
        *formula(dice_logits_formula, unit="row", accepts=("smooth",)),
    ),
)
