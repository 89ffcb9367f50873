"""Losses of a distribution: Poisson counts, Kullback-Leibler divergence of rows of probabilities."""

from __future__ import annotations

from typing import Any, Final

from lossbench import Binding, Definition, Loss, domains

from ._native import formula, keras, native

TWO_PI: Final = 6.283185307179586
KERAS_EPS: Final = 1e-7
POISSON_PARAMS: Final = ("log_input", "full")


# --- Poisson --------------------------------------------------------------------------------------


def _stirling(m: Any, y_true: Any, two_pi: Any = TWO_PI) -> Any:
    """log y! by Stirling's formula, for counts above 1; 0 otherwise, where log y! is 0."""
    count = m.where(y_true > 1, y_true, 1.0)
    return m.where(y_true > 1, count * m.log(count) - count + 0.5 * m.log(two_pi * count), 0.0)


def poisson_formula(
    m: Any, y_true: Any, y_pred: Any, *, log_input: bool = False, full: bool = False, eps: float = 0.0
) -> Any:
    rate = y_pred + eps if eps else y_pred
    loss = m.exp(y_pred) - y_true * y_pred if log_input else y_pred - y_true * m.log(rate)
    return loss + _stirling(m, y_true) if full else loss


def guarded_poisson(
    m: Any, y_true: Any, y_pred: Any, *, log_input: bool = False, full: bool = False, eps: float = 0.0
) -> Any:
    """A count of 0 drops the logarithm, in the value and in the gradient."""
    if log_input:
        return poisson_formula(m, y_true, y_pred, log_input=True, full=full)
    rate = m.where(y_true > 0, y_pred + eps if eps else y_pred, 1.0)
    loss = y_pred - y_true * m.log(rate)
    return loss + _stirling(m, y_true) if full else loss


def exact_poisson(
    x: Any, y_true: Any, y_pred: Any, *, log_input: bool = False, full: bool = False, eps: float = 0.0
) -> Any:
    loss = x.exp(y_pred) - y_true * y_pred if log_input else y_pred - x.xlogy(y_true, y_pred + eps)
    return loss + _stirling(x, y_true, 2.0 * x.pi) if full else loss


def _poisson_eps(default: float) -> Any:
    def reference(x: Any, y_true: Any, y_pred: Any, **params: Any) -> Any:
        return exact_poisson(x, y_true, y_pred, **{"eps": default, **params})

    return reference


def _log_of_target(x: Any, y_true: Any, y_pred: Any, **_: Any) -> Any:
    return y_pred - x.xlogy(y_true, y_true)


def _tf_nn_poisson(m: Any, y_true: Any, y_pred: Any, *, log_input: bool = False, full: bool = False) -> Any:
    log_rate = y_pred if log_input else m.tf.math.log(y_pred)
    return m.tf.nn.log_poisson_loss(y_true, log_rate, compute_full_loss=full)


def _functional_poisson(
    m: Any,
    y_true: Any,
    y_pred: Any,
    *,
    reduction: str = "mean",
    log_input: bool = False,
    full: bool = False,
    eps: float = 1e-8,
) -> Any:
    return m.F.poisson_nll_loss(y_pred, y_true, log_input=log_input, full=full, eps=eps, reduction=native(reduction))


def _xlogy_poisson(xlogy: str) -> Any:
    """p - y log p with the framework's own 0 log 0 = 0; `xlogy` is where that function stands."""

    def call(m: Any, y_true: Any, y_pred: Any) -> Any:
        module: Any = m
        for part in xlogy.split("."):
            module = getattr(module, part)
        return y_pred - module(y_true, y_pred)

    return call


POISSON_SOURCE: Final = "P. McCullagh and J. A. Nelder, Generalized Linear Models, 2nd edition (1989), chapter 6"
POISSON_DEFINITIONS: Final = (
    Definition(
        name="eps=1e-7",
        reference=_poisson_eps(KERAS_EPS),
        where="Keras adds 1e-7 inside the logarithm; shows at rates of about that size and below",
        backend="tensorflow",
    ),
    Definition(
        name="eps=1e-8",
        reference=_poisson_eps(1e-8),
        where="PyTorch adds 1e-8 inside the logarithm; shows at rates of about that size and below",
        backend="torch",
    ),
    Definition(
        name="eps=float16(1e-7)",
        dtypes=("float16",),
        reference=_poisson_eps(1.1920928955078125e-07),
        where="Keras' 1e-7 as float16 holds it; shows at small rates",
        backend="tensorflow",
    ),
    Definition(
        name="log_of_target",
        reference=_log_of_target,
        where="S2's prose: p - y log y; shows wherever target and prediction differ",
    ),
)

poisson = Loss(
    name="poisson",
    title="Poisson loss",
    summary="Negative log-likelihood of a count under a Poisson rate, without the term of the count alone.",
    formula=r"\ell(y, p) = p - y \log p",
    source=POISSON_SOURCE,
    aliases=("Poisson", "poisson_nll_loss", "PoissonNLLLoss", "log_poisson_loss"),
    documented_in=("S2",),
    inputs={"y_true": domains.COUNT, "y_pred": domains.POSITIVE},
    params={"log_input": False, "full": False},
    accepts=("eps",),
    reference=exact_poisson,
    definitions=POISSON_DEFINITIONS,
    bindings=(
        keras("Poisson", "poisson", differs="adds 1e-7 inside the logarithm", definition="eps=1e-7"),
        Binding(
            backend="tensorflow",
            name="tf.nn",
            call=_tf_nn_poisson,
            docs=("tf.nn.log_poisson_loss",),
            accepts=POISSON_PARAMS,
            differs="takes log p, so p itself makes the way through log and exp; NaN at a count and a rate of 0",
        ),
        Binding(
            backend="tensorflow",
            name="tf.math",
            call=_xlogy_poisson("tf.math.xlogy"),
            docs=("tf.math.xlogy",),
        ),
        Binding(
            backend="torch",
            name="functional",
            call=_functional_poisson,
            docs=("torch.nn.functional.poisson_nll_loss", "torch.nn.PoissonNLLLoss"),
            accepts=("reduction", *POISSON_PARAMS, "eps"),
            differs="adds 1e-8 inside the logarithm",
            definition="eps=1e-8",
        ),
        Binding(
            backend="torch",
            name="torch.special",
            call=_xlogy_poisson("torch.special.xlogy"),
            docs=("torch.special.xlogy",),
        ),
        Binding(
            backend="jax",
            name="jax.scipy",
            call=_xlogy_poisson("jax.scipy.special.xlogy"),
            docs=("jax.scipy.special.xlogy",),
        ),
        *formula(
            poisson_formula,
            accepts=(*POISSON_PARAMS, "eps"),
            differs="0 log 0 is NaN",
        ),
        *formula(guarded_poisson, name="stable", accepts=(*POISSON_PARAMS, "eps")),
    ),
)


def keras_poisson(m: Any, y_true: Any, y_pred: Any, *, eps: float = KERAS_EPS) -> Any:
    return y_pred - y_true * m.log(y_pred + eps)


poisson_keras = Loss(
    name="poisson_keras",
    title="Poisson loss with 1e-7 inside the logarithm",
    summary="The Poisson loss as Keras computes it, with 1e-7 added to the rate rather than as its floor.",
    formula=r"\ell(y, p) = p - y \log(p + \varepsilon)",
    source=POISSON_SOURCE + "; epsilon as in F. Chollet et al., Keras (2015)",
    documented_in=("S2",),
    inputs={"y_true": domains.COUNT, "y_pred": domains.POSITIVE},
    params={"eps": KERAS_EPS},
    reference=lambda x, y_true, y_pred, *, eps=KERAS_EPS: exact_poisson(x, y_true, y_pred, eps=eps),
    definitions=(
        Definition(
            name="no_eps",
            reference=lambda x, y_true, y_pred, **_: exact_poisson(x, y_true, y_pred),
            where="the formula without an epsilon; shows at rates of about 1e-7 and below",
        ),
        Definition(
            name="value_floor=1e-7",
            reference=lambda x, y_true, y_pred, *, eps=KERAS_EPS: exact_poisson(x, y_true, x.maximum(y_pred, eps)),
            where="the rate raised to 1e-7 instead, as Keras does elsewhere; shows at rates of about 1e-7 and below",
        ),
        POISSON_DEFINITIONS[2],
    ),
    bindings=(
        keras(
            "Poisson",
            "poisson",
            accepts=("eps",),
            ignore=("eps",),
            differs="epsilon is keras.config.epsilon(), 1e-7 unless set otherwise",
        ),
        *formula(keras_poisson, accepts=("eps",)),
    ),
)


# --- Kullback-Leibler -----------------------------------------------------------------------------


def kl_formula(m: Any, y_true: Any, y_pred: Any, *, log_pred: bool = False, axis: int = -1) -> Any:
    ratio = m.log(y_true) - y_pred if log_pred else m.log(y_true / y_pred)
    return m.sum(y_true * ratio, axis=axis)


def guarded_kl(m: Any, y_true: Any, y_pred: Any, *, log_pred: bool = False, axis: int = -1) -> Any:
    """A target of 0 contributes 0, in the value and in the gradient."""
    some = y_true > 0
    target = m.where(some, y_true, 1.0)
    if log_pred:
        ratio = m.log(target) - m.where(some, y_pred, 0.0)
    else:
        never = m.logical_and(some, y_pred <= 0)  # apart, since the quotient's derivative there is 0 times infinity
        prediction = m.where(m.logical_and(some, y_pred > 0), y_pred, 1.0)
        ratio = m.where(never, -m.log(m.where(never, y_pred, 1.0)), m.log(target / prediction))
    return m.sum(m.where(some, y_true * ratio, 0.0), axis=axis)


def exact_kl(x: Any, y_true: Any, y_pred: Any, *, log_pred: bool = False, axis: int = -1) -> Any:
    """0 log 0 = 0; a target where the prediction is 0 costs infinity."""
    if log_pred:
        return x.sum(x.xlogy(y_true, y_true) - x.where(x.abs(y_true) > 0, y_true * y_pred, 0.0), axis=axis)
    both = x.logical_and(y_true > 0, y_pred > 0)  # the logarithm of the quotient owes less than two logarithms do
    quotient = x.where(both, y_true, 1.0) / x.where(both, y_pred, 1.0)
    terms = x.where(both, y_true * x.log(quotient), x.xlogy(y_true, y_true) - x.xlogy(y_true, y_pred))
    return x.sum(terms, axis=axis)


def clipped_kl(m: Any, y_true: Any, y_pred: Any, *, eps: float = KERAS_EPS, axis: int = -1) -> Any:
    target, prediction = m.clip(y_true, eps, 1.0), m.clip(y_pred, eps, 1.0)
    return m.sum(target * m.log(target / prediction), axis=axis)


def _clipped(floor: float) -> Any:
    def reference(x: Any, y_true: Any, y_pred: Any, *, log_pred: bool = False, axis: int = -1, **_: Any) -> Any:
        return clipped_kl(x, y_true, x.exp(y_pred) if log_pred else y_pred, eps=floor, axis=axis)

    return reference


def _element_mean(x: Any, y_true: Any, y_pred: Any, *, log_pred: bool = False, axis: int = -1) -> Any:
    return exact_kl(x, y_true, y_pred, log_pred=log_pred, axis=axis) / y_pred.shape[axis]


def _reversed(x: Any, y_true: Any, y_pred: Any, *, log_pred: bool = False, axis: int = -1) -> Any:
    return exact_kl(x, x.exp(y_pred) if log_pred else y_pred, y_true, axis=axis)


def _negated(x: Any, y_true: Any, y_pred: Any, **params: Any) -> Any:
    return -exact_kl(x, y_true, y_pred, **params)


def _functional_kl_rows(
    m: Any, y_true: Any, log_pred: Any, *, reduction: str, axis: int, log_target: bool = False
) -> Any:
    asked = native(reduction)
    if asked == "sum":
        return m.F.kl_div(log_pred, y_true, reduction="sum", log_target=log_target)
    if asked == "mean" and log_pred.ndim == 2 and axis in (-1, 1):
        # documented: "batchmean" is the mathematical definition, "mean" divides by the classes as well
        return m.F.kl_div(log_pred, y_true, reduction="batchmean", log_target=log_target)
    rows = m.F.kl_div(log_pred, y_true, reduction="none", log_target=log_target).sum(axis)
    return rows.mean() if asked == "mean" else rows


def _functional_kl(
    m: Any, y_true: Any, y_pred: Any, *, reduction: str = "mean", log_pred: bool = False, axis: int = -1
) -> Any:
    logarithm = y_pred if log_pred else m.torch.log(y_pred)
    return _functional_kl_rows(m, y_true, logarithm, reduction=reduction, axis=axis)


def _optax_kl(m: Any, y_true: Any, y_pred: Any, *, log_pred: bool = False, axis: int = -1) -> Any:
    return m.optax.losses.kl_divergence(y_pred if log_pred else m.jnp.log(y_pred), y_true, axis=axis)


def _jax_rel_entr(m: Any, y_true: Any, y_pred: Any, *, axis: int = -1) -> Any:
    return m.jnp.sum(m.jax.scipy.special.rel_entr(y_true, y_pred), axis=axis)


def _tf_xlogy_kl(m: Any, y_true: Any, y_pred: Any, *, axis: int = -1) -> Any:
    return m.tf.reduce_sum(m.tf.math.xlogy(y_true, y_true) - m.tf.math.xlogy(y_true, y_pred), axis=axis)


KL_SOURCE: Final = (
    "S. Kullback and R. A. Leibler, On information and sufficiency, Annals of Mathematical Statistics 22 (1951) 79-86"
)
KL_FORMULA: Final = r"\ell(y, p) = \sum_i y_i \log \frac{y_i}{p_i}"
KL_DEFINITIONS: Final = (
    Definition(
        name="clip=1e-7",
        reference=_clipped(KERAS_EPS),
        where="Keras clips targets and predictions to [1e-7, 1]; shows at and near 0, above all on zero rows",
        backend="tensorflow",
    ),
    Definition(
        name="clip=float16(1e-7)",
        dtypes=("float16",),
        reference=_clipped(1.1920928955078125e-07),
        where="Keras' 1e-7 as float16 holds it; shows at and near 0",
        backend="tensorflow",
    ),
    Definition(
        name="mean_over_elements",
        reference=_element_mean,
        where="PyTorch's reduction 'mean' divides by the classes as well ('batchmean' does not); shows everywhere",
        backend="torch",
    ),
    Definition(
        name="arguments_swapped",
        reference=_reversed,
        where="the divergence the other way round; shows wherever the distributions differ",
    ),
)

kl_divergence = Loss(
    name="kl_divergence",
    title="Kullback-Leibler divergence",
    summary="Information lost when the prediction stands for the target distribution, one number a row.",
    formula=KL_FORMULA,
    source=KL_SOURCE,
    aliases=("kld", "KLD", "kullback_leibler_divergence", "KLDivergence", "kl_div", "KLDivLoss"),
    documented_in=("S2",),
    inputs={"y_true": domains.SIMPLEX, "y_pred": domains.SIMPLEX},
    params={"log_pred": False, "axis": -1},
    unit="row",
    reference=exact_kl,
    definitions=(
        *KL_DEFINITIONS,
        Definition(name="negated", reference=_negated, where="a minus sign too many; shows everywhere"),
    ),
    bindings=(
        keras(
            "KLDivergence",
            "kl_divergence",
            unit="row",
            aliases=("KLD", "kld", "kullback_leibler_divergence"),
            differs="clips targets and predictions to [1e-7, 1]",
            definition="clip=1e-7",
        ),
        Binding(
            backend="tensorflow",
            name="tf.math",
            call=_tf_xlogy_kl,
            docs=("tf.math.xlogy",),
            unit="row",
            accepts=("axis",),
            differs="y log y - y log p: close distributions cancel",
        ),
        Binding(
            backend="torch",
            name="functional",
            call=_functional_kl,
            docs=("torch.nn.functional.kl_div", "torch.nn.KLDivLoss"),
            unit="row",
            accepts=("reduction", "log_pred", "axis"),
            differs="takes log p, and the other argument order; its 'batchmean' is the mean over rows",
        ),
        Binding(
            backend="jax",
            name="optax",
            call=_optax_kl,
            docs=("optax.losses.kl_divergence",),
            unit="row",
            accepts=("log_pred", "axis"),
            differs="takes log p, and the other argument order; 0 (log 0 - log 0) is NaN",
        ),
        Binding(
            backend="jax",
            name="jax.scipy",
            call=_jax_rel_entr,
            docs=("jax.scipy.special.rel_entr",),
            unit="row",
            accepts=("axis",),
        ),
        *formula(kl_formula, unit="row", accepts=("log_pred", "axis"), differs="0 log 0 is NaN"),
        *formula(guarded_kl, name="stable", unit="row", accepts=("log_pred", "axis")),
    ),
)

kl_divergence_keras = Loss(
    name="kl_divergence_keras",
    title="Kullback-Leibler divergence, clipped",
    summary="Kullback-Leibler divergence of values clipped to [1e-7, 1] first, as Keras documents it.",
    formula=r"\ell(y, p) = \sum_i c(y_i) \log \frac{c(y_i)}{c(p_i)}, \quad c(v) = \min(\max(v, \varepsilon), 1)",
    source=KL_SOURCE + "; clipped as in F. Chollet et al., Keras (2015)",
    documented_in=("S2",),
    inputs={"y_true": domains.SIMPLEX, "y_pred": domains.SIMPLEX},
    params={"eps": KERAS_EPS},
    unit="row",
    reference=clipped_kl,
    definitions=(
        Definition(
            name="no_clip",
            reference=lambda x, y_true, y_pred, **_: exact_kl(x, y_true, y_pred),
            where="the formula without clipping; shows at and near 0",
        ),
        KL_DEFINITIONS[1],
    ),
    bindings=(
        keras(
            "KLDivergence",
            "kl_divergence",
            unit="row",
            aliases=("KLD", "kld", "kullback_leibler_divergence"),
            accepts=("eps",),
            ignore=("eps",),
            differs="the floor is keras.config.epsilon(), 1e-7 unless set otherwise",
        ),
        *formula(clipped_kl, unit="row", accepts=("eps",)),
    ),
)


def kl_log_targets_formula(m: Any, y_true: Any, y_pred: Any, *, axis: int = -1) -> Any:
    return m.sum(m.exp(y_true) * (y_true - y_pred), axis=axis)


def exact_kl_log_targets(x: Any, y_true: Any, y_pred: Any, *, axis: int = -1) -> Any:
    some = x.exp(y_true) > 0
    return x.sum(x.where(some, x.exp(y_true) * (y_true - y_pred), 0.0), axis=axis)


def _functional_kl_log_targets(m: Any, y_true: Any, y_pred: Any, *, reduction: str = "mean", axis: int = -1) -> Any:
    return _functional_kl_rows(m, y_true, y_pred, reduction=reduction, axis=axis, log_target=True)


def _optax_kl_log_targets(m: Any, y_true: Any, y_pred: Any, *, axis: int = -1) -> Any:
    return m.optax.losses.kl_divergence_with_log_targets(y_pred, y_true, axis=axis)


def _log_element_mean(x: Any, y_true: Any, y_pred: Any, *, axis: int = -1) -> Any:
    return exact_kl_log_targets(x, y_true, y_pred, axis=axis) / y_pred.shape[axis]


kl_divergence_log_targets = Loss(
    name="kl_divergence_log_targets",
    title="Kullback-Leibler divergence of logarithms",
    summary="Kullback-Leibler divergence where target and prediction are both given as log-probabilities.",
    formula=r"\ell(y, p) = \sum_i e^{y_i} (y_i - p_i)",
    source=KL_SOURCE,
    aliases=("kl_divergence_with_log_targets",),
    inputs={"y_true": domains.LOG_SIMPLEX, "y_pred": domains.LOG_SIMPLEX},
    params={"axis": -1},
    unit="row",
    reference=exact_kl_log_targets,
    definitions=(
        Definition(
            name="mean_over_elements",
            reference=_log_element_mean,
            where="PyTorch's reduction 'mean' divides by the classes as well ('batchmean' does not); shows everywhere",
            backend="torch",
        ),
    ),
    bindings=(
        Binding(
            backend="torch",
            name="functional",
            call=_functional_kl_log_targets,
            docs=("torch.nn.functional.kl_div", "torch.nn.KLDivLoss"),
            unit="row",
            accepts=("reduction", "axis"),
            differs="the other argument order; its 'batchmean' is the mean over rows",
        ),
        Binding(
            backend="jax",
            name="optax",
            call=_optax_kl_log_targets,
            docs=("optax.losses.kl_divergence_with_log_targets",),
            unit="row",
            accepts=("axis",),
            differs="the other argument order",
        ),
        *formula(kl_log_targets_formula, unit="row", accepts=("axis",)),
    ),
)
