"""Losses of a real-valued prediction: absolute, squared, robust, logarithmic, relative and asymmetric errors."""

from __future__ import annotations

from typing import Any, Final

from lossbench import Binding, Definition, Domain, Loss, domains

from ._native import compat, formula, functional, held_in, keras, keras_call, native, optax

REAL_PAIR: Final = {"y_true": domains.REAL, "y_pred": domains.REAL}
NONNEGATIVE_PAIR: Final = {"y_true": domains.NONNEGATIVE, "y_pred": domains.NONNEGATIVE}
LOG_2: Final = 0.6931471805599453
LOG_2_SHORTFALL: Final = 1.904654299957767878541e-09  # float32(log 2) - log 2
FLOORS: Final = {
    # Keras' 1e-7 as the formats hold it; float16 has no number between 5.96e-8 and 1.19e-7
    "1e-7": 1e-7,
    "float32(1e-7)": 1.0000000116860974e-07,
    "bfloat16(1e-7)": 1.0011717677116394e-07,
    "float16(1e-7)": 1.1920928955078125e-07,
}


# --- absolute error -------------------------------------------------------------------------------


def absolute_error(m: Any, y_true: Any, y_pred: Any) -> Any:
    return m.abs(y_pred - y_true)


mae = Loss(
    name="mae",
    title="Mean absolute error",
    summary="Absolute difference of prediction and target; its minimiser is the median.",
    formula=r"\ell(y, p) = |p - y|",
    source="C. J. Willmott and K. Matsuura, Advantages of the mean absolute error (MAE) over the root mean square "
    "error (RMSE) in assessing average model performance, Climate Research 30 (2005) 79-82",
    aliases=("mean_absolute_error", "MAE", "MeanAbsoluteError", "l1_loss", "L1Loss"),
    documented_in=("S0", "S2", "S3", "S4"),
    inputs=REAL_PAIR,
    reference=absolute_error,
    kinks=lambda **_: (0.0,),
    bindings=(
        keras("MeanAbsoluteError", "mean_absolute_error", aliases=("MAE", "mae")),
        compat("absolute_difference"),
        functional("l1_loss", "L1Loss"),
        *formula(absolute_error),
    ),
)


# --- squared error --------------------------------------------------------------------------------


def squared_error(m: Any, y_true: Any, y_pred: Any) -> Any:
    return m.square(y_pred - y_true)


def half_squared_error(m: Any, y_true: Any, y_pred: Any) -> Any:
    return 0.5 * m.square(y_pred - y_true)


def _squared_difference(m: Any, y_true: Any, y_pred: Any) -> Any:
    return m.tf.math.squared_difference(y_pred, y_true)


def squared_error_bindings() -> tuple[Binding, ...]:
    """The spellings of the squared error; the unsupervised form differs from it in its target alone."""
    return (
        keras("MeanSquaredError", "mean_squared_error", aliases=("MSE", "mse")),
        compat("mean_squared_error"),
        Binding(backend="tensorflow", name="tf.math", call=_squared_difference, docs=("tf.math.squared_difference",)),
        functional("mse_loss", "MSELoss"),
        optax("squared_error"),
        *formula(squared_error),
    )


mse = Loss(
    name="mse",
    title="Mean squared error",
    summary="Squared difference of prediction and target; its minimiser is the mean.",
    formula=r"\ell(y, p) = (p - y)^2",
    source="C. F. Gauss, Theoria motus corporum coelestium (1809), book 2, section 3; "
    "T. Hastie, R. Tibshirani, J. Friedman, The Elements of Statistical Learning (2009), section 2.4",
    aliases=("mean_squared_error", "MSE", "MeanSquaredError", "mse_loss", "MSELoss", "squared_error"),
    documented_in=("S0", "S1", "S2", "S3", "S4"),
    inputs=REAL_PAIR,
    reference=squared_error,
    definitions=(
        Definition(
            name="half", reference=half_squared_error, where="C. M. Bishop's convention, halved; shows everywhere"
        ),
    ),
    bindings=squared_error_bindings(),
)

unsupervised_mse = Loss(
    name="unsupervised_mse",
    title="Mean squared error of a reconstruction",
    summary="Squared error of an autoencoder, whose own input is the target: y_true is x, y_pred is h(x).",
    formula=r"\ell(x, h(x)) = (x - h(x))^2",
    source="G. E. Hinton and R. R. Salakhutdinov, Reducing the dimensionality of data with neural networks, "
    "Science 313 (2006) 504-507",
    aliases=("reconstruction_mse",),
    documented_in=("S4",),
    inputs=REAL_PAIR,
    reference=squared_error,
    bindings=squared_error_bindings(),
)

_keras_mse = keras_call("MeanSquaredError")


def _half_keras(m: Any, y_true: Any, y_pred: Any, *, reduction: str = "mean") -> Any:
    return 0.5 * _keras_mse(m, y_true, y_pred, reduction=reduction)


def _half_functional(m: Any, y_true: Any, y_pred: Any, *, reduction: str = "mean") -> Any:
    return 0.5 * m.F.mse_loss(y_pred, y_true, reduction=native(reduction))


def _half_tf_nn(m: Any, y_true: Any, y_pred: Any, *, reduction: str = "mean") -> Any:
    error = y_pred - y_true
    if native(reduction) == "none":
        return half_squared_error(m, y_true, y_pred)
    total = m.tf.nn.l2_loss(error)
    return total if reduction == "sum" else total / m.tf.cast(m.tf.size(error), total.dtype)


half_mse = Loss(
    name="half_mse",
    title="Half the mean squared error",
    summary="Squared error halved, so that the gradient is the residual itself.",
    formula=r"\ell(y, p) = \tfrac12 (p - y)^2",
    source="C. M. Bishop, Pattern Recognition and Machine Learning (2006), equation 1.2",
    aliases=("l2_loss", "half_mean_squared_error"),
    inputs=REAL_PAIR,
    reference=half_squared_error,
    definitions=(
        Definition(name="unhalved", reference=squared_error, where="the mean squared error; shows everywhere"),
    ),
    bindings=(
        Binding(
            backend="tensorflow",
            name="tf.nn",
            call=_half_tf_nn,
            docs=("tf.nn.l2_loss",),
            accepts=("reduction",),
            differs="gives the sum alone: divided here by the size for the mean; unreduced losses are the formula's",
        ),
        Binding(
            backend="tensorflow",
            name="keras",
            call=_half_keras,
            docs=("tf.keras.losses.MeanSquaredError",),
            accepts=("reduction",),
            differs="half of the mean squared error",
        ),
        Binding(
            backend="torch",
            name="functional",
            call=_half_functional,
            docs=("torch.nn.functional.mse_loss",),
            accepts=("reduction",),
            differs="half of the mean squared error",
        ),
        optax("l2_loss"),
        *formula(half_squared_error),
    ),
)


# --- root mean squared error ----------------------------------------------------------------------


def root_mean_squared_error(m: Any, y_true: Any, y_pred: Any) -> Any:
    return m.sqrt(m.mean(m.square(y_pred - y_true)))


def scaled_root_mean_squared_error(m: Any, y_true: Any, y_pred: Any) -> Any:
    error = y_pred - y_true
    largest = m.max(m.abs(error))
    scale = m.where(largest > 0, 0.25 * largest, 1.0)  # a quarter: the derivative by the mean has room too
    return scale * m.sqrt(m.mean(m.square(error / scale)))


def _root_keras(m: Any, y_true: Any, y_pred: Any) -> Any:
    return m.tf.sqrt(_keras_mse(m, y_true, y_pred, reduction="mean"))


def _root_functional(m: Any, y_true: Any, y_pred: Any) -> Any:
    return m.torch.sqrt(m.F.mse_loss(y_pred, y_true))


def _root_optax(m: Any, y_true: Any, y_pred: Any) -> Any:
    return m.jnp.sqrt(m.jnp.mean(m.optax.losses.squared_error(y_pred, y_true)))


rmse = Loss(
    name="rmse",
    title="Root mean squared error",
    summary="Square root of the mean squared error of the whole batch, in the target's own unit.",
    formula=r"L(y, p) = \sqrt{\frac1n \sum_{i=1}^n (p_i - y_i)^2}",
    source="T. Chai and R. R. Draxler, Root mean square error (RMSE) or mean absolute error (MAE)?, "
    "Geoscientific Model Development 7 (2014) 1247-1250",
    aliases=("root_mean_squared_error", "RMSE", "RootMeanSquaredError"),
    documented_in=("S0", "S3"),
    inputs=REAL_PAIR,
    reference=root_mean_squared_error,
    unit="batch",
    bindings=(
        Binding(
            backend="tensorflow",
            name="keras",
            call=_root_keras,
            docs=("tf.keras.losses.MeanSquaredError", "tf.sqrt"),
            unit="batch",
        ),
        Binding(
            backend="torch",
            name="functional",
            call=_root_functional,
            docs=("torch.nn.functional.mse_loss", "torch.sqrt"),
            unit="batch",
        ),
        Binding(backend="jax", name="optax", call=_root_optax, docs=("optax.losses.squared_error",), unit="batch"),
        *formula(root_mean_squared_error, unit="batch"),
        *formula(
            scaled_root_mean_squared_error,
            name="stable",
            unit="batch",
            differs="divides by the largest error first, so that no square overflows or underflows",
        ),
    ),
)


# --- Huber and its relatives ----------------------------------------------------------------------


def huber_error(m: Any, y_true: Any, y_pred: Any, *, delta: float = 1.0) -> Any:
    error = m.abs(y_pred - y_true)
    return m.where(error <= delta, 0.5 * m.square(error), delta * (error - 0.5 * delta))


def huber_s4_error(m: Any, y_true: Any, y_pred: Any, *, delta: float = 1.0) -> Any:
    error = m.abs(y_pred - y_true)
    return m.where(error <= delta, m.square(error), delta * (error - 0.5 * delta))


def exact_huber_s4(x: Any, y_true: Any, y_pred: Any, *, delta: Any = 1.0) -> Any:
    """On the threshold itself the loss jumps: no number is its derivative, and none is wrong."""
    error = x.abs(y_pred - y_true)
    cliff = x.where(error == delta, x.sqrt(x.abs(error - delta)), 0.0)
    return huber_s4_error(x, y_true, y_pred, delta=delta) + cliff


def smooth_l1_error(m: Any, y_true: Any, y_pred: Any, *, beta: float = 1.0) -> Any:
    error = m.abs(y_pred - y_true)
    if beta == 0:
        return error
    return m.where(error < beta, 0.5 * m.square(error) / beta, error - 0.5 * beta)


def _threshold_kinks(*, delta: float = 1.0, **_: Any) -> tuple[float, ...]:
    return (-delta, delta)


huber = Loss(
    name="huber",
    title="Huber loss",
    summary="Half the squared error up to delta, linear beyond: one outlier costs no more than its distance.",
    formula=r"\ell_\delta(y, p) = \begin{cases} \tfrac12 e^2 & |e| \le \delta \\"
    r" \delta (|e| - \tfrac12 \delta) & |e| > \delta \end{cases}, \quad e = p - y",
    source="P. J. Huber, Robust estimation of a location parameter, Annals of Mathematical Statistics 35 (1964) 73-101",
    aliases=("huber_loss", "Huber", "HuberLoss"),
    documented_in=("S1", "S2", "S4"),
    inputs=REAL_PAIR,
    params={"delta": 1.0},
    reference=huber_error,
    kinks=_threshold_kinks,
    definitions=(
        Definition(
            name="without_half",
            reference=huber_s4_error,
            where="S4's code, whose inner branch lacks the 0.5; shows inside the threshold",
        ),
        Definition(
            name="divided_by_delta",
            reference=lambda x, y_true, y_pred, *, delta=1.0: smooth_l1_error(x, y_true, y_pred, beta=delta),
            where="smooth L1 (torch.nn.functional.smooth_l1_loss with beta = delta); shows wherever delta is not 1",
        ),
    ),
    bindings=(
        keras("Huber", "huber", accepts=("delta",)),
        compat("huber_loss", accepts=("delta",)),
        functional("huber_loss", "HuberLoss", accepts=("delta",)),
        optax("huber_loss", accepts=("delta",)),
        *formula(huber_error, accepts=("delta",)),
    ),
)

huber_s4 = Loss(
    name="huber_s4",
    title="Huber loss without the half",
    summary="The Huber loss as S4's code writes it: the inner branch lacks the 0.5, so the loss jumps at delta.",
    formula=r"\ell_\delta(y, p) = \begin{cases} e^2 & |e| \le \delta \\"
    r" \delta (|e| - \tfrac12 \delta) & |e| > \delta \end{cases}, \quad e = p - y",
    source="the code of source S4, an article on TensorFlow losses; the published form is P. J. Huber (1964)",
    documented_in=("S4",),
    inputs=REAL_PAIR,
    params={"delta": 1.0},
    reference=exact_huber_s4,
    kinks=_threshold_kinks,
    definitions=(
        Definition(name="with_half", reference=huber_error, where="P. J. Huber (1964); shows inside the threshold"),
    ),
    bindings=formula(huber_s4_error, accepts=("delta",)),
)


def _smooth_keras(m: Any, y_true: Any, y_pred: Any, *, reduction: str = "mean", beta: float = 1.0) -> Any:
    return _keras_huber(m, y_true, y_pred, reduction=reduction, delta=beta) / beta


def _smooth_optax(m: Any, y_true: Any, y_pred: Any, *, beta: float = 1.0) -> Any:
    return m.optax.losses.huber_loss(y_pred, y_true, delta=beta) / beta


_keras_huber = keras_call("Huber")

smooth_l1 = Loss(
    name="smooth_l1",
    title="Smooth L1 loss",
    summary="The Huber loss divided by its threshold: slope one in the tails whatever beta is.",
    formula=r"\ell_\beta(y, p) = \begin{cases} \tfrac{1}{2\beta} e^2 & |e| < \beta \\"
    r" |e| - \tfrac12 \beta & |e| \ge \beta \end{cases}, \quad e = p - y",
    source="R. Girshick, Fast R-CNN, ICCV (2015), equation 3",
    aliases=("smooth_l1_loss", "SmoothL1Loss"),
    inputs=REAL_PAIR,
    params={"beta": 1.0},
    reference=smooth_l1_error,
    kinks=lambda *, beta=1.0, **_: (-beta, beta) if beta else (0.0,),
    definitions=(
        Definition(
            name="times_beta",
            reference=lambda x, y_true, y_pred, *, beta=1.0: huber_error(x, y_true, y_pred, delta=beta),
            where="the Huber loss with delta = beta; shows wherever beta is not 1",
        ),
    ),
    bindings=(
        Binding(
            backend="tensorflow",
            name="keras",
            call=_smooth_keras,
            docs=("tf.keras.losses.Huber",),
            accepts=("reduction", "beta"),
            differs="Huber with delta = beta, divided by beta; beta = 0 gives NaN",
        ),
        functional("smooth_l1_loss", "SmoothL1Loss", accepts=("beta",)),
        Binding(
            backend="jax",
            name="optax",
            call=_smooth_optax,
            docs=("optax.losses.huber_loss",),
            accepts=("beta",),
            differs="Huber with delta = beta, divided by beta; beta = 0 gives NaN",
        ),
        *formula(smooth_l1_error, accepts=("beta",)),
    ),
)


# --- log-cosh -------------------------------------------------------------------------------------


def naive_log_cosh(m: Any, y_true: Any, y_pred: Any) -> Any:
    return m.log(m.cosh(y_pred - y_true))


def softplus_log_cosh(m: Any, y_true: Any, y_pred: Any) -> Any:
    error = m.abs(y_pred - y_true)
    return error + m.softplus(-2.0 * error) - LOG_2


def split_log_cosh(m: Any, y_true: Any, y_pred: Any) -> Any:
    """cosh e - 1 = (exp e - 1)^2 / (2 exp e) near zero, |e| + log1p((exp(-2|e|) - 1) / 2) elsewhere."""
    error = y_pred - y_true
    small = m.clip(error, -2.0, 2.0)  # wider than the branch: frameworks halve a gradient on the bound itself
    near = m.log1p(0.5 * m.square(m.expm1(small)) * m.exp(-small))
    size = m.abs(error)
    far = size + m.log1p(0.5 * m.expm1(-2.0 * size))
    return m.where(size <= 1.0, near, far)


log_cosh = Loss(
    name="log_cosh",
    title="Log-cosh loss",
    summary="Logarithm of the hyperbolic cosine of the error: half the square near zero, linear far away, smooth.",
    formula=r"\ell(y, p) = \log\cosh(p - y)",
    source="P. Chen, G. Chen, S. Zhang, Log hyperbolic cosine loss improves variational auto-encoder (2019)",
    aliases=("logcosh", "LogCosh"),
    documented_in=("S2",),
    inputs=REAL_PAIR,
    reference=lambda x, y_true, y_pred: x.logcosh(y_pred - y_true),
    definitions=(
        Definition(
            name="log_2_rounded_to_float32",
            reference=lambda x, y_true, y_pred: x.logcosh(y_pred - y_true) - LOG_2_SHORTFALL,
            where="Keras takes log 2 in float32 before it converts it; shows in float64, 1.9e-9 below the exact value",
            backend="tensorflow",
        ),
    ),
    bindings=(
        keras(
            "LogCosh",
            "log_cosh",
            aliases=("logcosh",),
            differs="subtracts log 2 rounded to float32 in every dtype",
            definition="log_2_rounded_to_float32",
        ),
        optax("log_cosh"),
        *formula(naive_log_cosh, differs="cosh overflows where the loss itself is moderate"),
        *formula(softplus_log_cosh, name="softplus", differs="loses the digits of small errors to the subtraction"),
        *formula(split_log_cosh, name="stable"),
    ),
)


# --- logarithmic and relative errors --------------------------------------------------------------


def squared_log_error(m: Any, y_true: Any, y_pred: Any, *, eps: float | None = None) -> Any:
    if eps is not None:
        y_true, y_pred = m.maximum(y_true, eps), m.maximum(y_pred, eps)
    return m.square(m.log(y_pred + 1.0) - m.log(y_true + 1.0))


def squared_log1p_error(m: Any, y_true: Any, y_pred: Any, *, eps: float | None = None) -> Any:
    if eps is not None:
        y_true, y_pred = m.maximum(y_true, eps), m.maximum(y_pred, eps)
    return m.square(m.log1p(y_pred) - m.log1p(y_true))


def ratio_log1p_error(m: Any, y_true: Any, y_pred: Any) -> Any:
    return m.square(m.log1p((y_pred - y_true) / (1.0 + y_true)))


def floored_squared_log_error(m: Any, y_true: Any, y_pred: Any, *, eps: float = 1e-7) -> Any:
    return squared_log_error(m, y_true, y_pred, eps=eps)


def floored_squared_log1p_error(m: Any, y_true: Any, y_pred: Any, *, eps: float = 1e-7) -> Any:
    return squared_log1p_error(m, y_true, y_pred, eps=eps)


def _floored_msle(floor: float) -> Any:
    return lambda x, y_true, y_pred, **_: squared_log1p_error(x, y_true, y_pred, eps=floor)


MSLE_SOURCE: Final = (
    "F. Chollet et al., Keras (2015), losses: mean squared logarithmic error; the root of its mean is the RMSLE of the "
    "Heritage Health Prize (2011)"
)
_FLOAT32_FLOOR: Final = "Keras 3.15 converts its epsilon to float32 whatever the dtype"
MSLE_FLOORS: Final = tuple(
    Definition(
        name=f"value_floor={text}",
        dtypes=held_in(text),
        reference=_floored_msle(floor),
        where=f"Keras raises targets and predictions to {text} first ({_FLOAT32_FLOOR}); shows at and below 1e-7",
        backend="tensorflow",
    )
    for text, floor in FLOORS.items()
)
_MSLE_DIFFERS: Final = "raises targets and predictions to 1e-7 first"

msle = Loss(
    name="msle",
    title="Mean squared logarithmic error",
    summary="Squared difference of log(1 + p) and log(1 + y): relative error for large targets.",
    formula=r"\ell(y, p) = \bigl(\log(1 + p) - \log(1 + y)\bigr)^2",
    source=MSLE_SOURCE,
    aliases=("mean_squared_logarithmic_error", "MSLE", "MeanSquaredLogarithmicError"),
    documented_in=("S4",),
    inputs=NONNEGATIVE_PAIR,
    accepts=("eps",),
    reference=squared_log1p_error,
    definitions=MSLE_FLOORS,
    bindings=(
        keras(
            "MeanSquaredLogarithmicError",
            "mean_squared_logarithmic_error",
            aliases=("MSLE", "msle"),
            differs=_MSLE_DIFFERS,
            definition="value_floor=1e-7",
        ),
        *formula(squared_log_error, accepts=("eps",), differs="1 + p drops the digits of a small p"),
        *formula(squared_log1p_error, name="log1p", accepts=("eps",)),
        *formula(
            ratio_log1p_error, name="stable", differs="one logarithm of the ratio, so that close values keep digits"
        ),
    ),
)

msle_keras = Loss(
    name="msle_keras",
    title="Mean squared logarithmic error, values floored",
    summary="Mean squared logarithmic error of values raised to 1e-7 first, as Keras documents it.",
    formula=r"\ell(y, p) = \bigl(\log(1 + \max(p, \varepsilon)) - \log(1 + \max(y, \varepsilon))\bigr)^2",
    source=MSLE_SOURCE,
    aliases=("mean_squared_logarithmic_error_keras",),
    documented_in=("S4",),
    inputs=NONNEGATIVE_PAIR,
    params={"eps": 1e-7},
    reference=floored_squared_log1p_error,
    definitions=(
        Definition(
            name="no_floor",
            reference=lambda x, y_true, y_pred, **_: squared_log1p_error(x, y_true, y_pred),
            where="the formula without a floor; shows at zero and below",
        ),
        *MSLE_FLOORS[1:],
    ),
    bindings=(
        keras(
            "MeanSquaredLogarithmicError",
            "mean_squared_logarithmic_error",
            aliases=("MSLE", "msle"),
            accepts=("eps",),
            ignore=("eps",),
            differs="the floor is keras.config.epsilon(), 1e-7 unless set otherwise",
        ),
        *formula(floored_squared_log_error, accepts=("eps",)),
        *formula(floored_squared_log1p_error, name="log1p", accepts=("eps",)),
    ),
)


def percentage_error(m: Any, y_true: Any, y_pred: Any, *, eps: float | None = None) -> Any:
    size = m.abs(y_true)
    return 100.0 * (m.abs(y_true - y_pred) / (size if eps is None else m.maximum(size, eps)))


def floored_percentage_error(m: Any, y_true: Any, y_pred: Any, *, eps: float = 1e-7) -> Any:
    return percentage_error(m, y_true, y_pred, eps=eps)


def _floored_mape(floor: float) -> Any:
    return lambda x, y_true, y_pred, **_: percentage_error(x, y_true, y_pred, eps=floor)


MAPE_SOURCE: Final = (
    "A. de Myttenaere, B. Golden, B. Le Grand, F. Rossi, Mean absolute percentage error for regression models, "
    "Neurocomputing 192 (2016) 38-48"
)
MAPE_FLOORS: Final = tuple(
    Definition(
        name=f"divisor_floor={text}",
        dtypes=held_in(text),
        reference=_floored_mape(floor),
        where=f"Keras divides by the larger of |y| and {text}; shows where the target is nearly zero",
        backend="tensorflow",
    )
    for text, floor in FLOORS.items()
)

mape = Loss(
    name="mape",
    title="Mean absolute percentage error",
    summary="Absolute error as a percentage of the target's size; undefined at a target of zero.",
    formula=r"\ell(y, p) = 100 \, \frac{|y - p|}{|y|}",
    source=MAPE_SOURCE,
    aliases=("mean_absolute_percentage_error", "MAPE", "MeanAbsolutePercentageError"),
    documented_in=("S4",),
    inputs={
        "y_true": Domain(kind="positive", note="any number but zero; drawn positive"),
        "y_pred": domains.REAL,
    },
    accepts=("eps",),
    reference=percentage_error,
    kinks=lambda **_: (0.0,),
    definitions=(
        *MAPE_FLOORS,
        Definition(
            name="fraction",
            reference=lambda x, y_true, y_pred, **_: percentage_error(x, y_true, y_pred) / 100.0,
            where="the error as a fraction of the target, not in per cent; shows everywhere",
        ),
    ),
    bindings=(
        keras(
            "MeanAbsolutePercentageError",
            "mean_absolute_percentage_error",
            aliases=("MAPE", "mape"),
            differs="divides by the larger of |y| and 1e-7",
            definition="divisor_floor=1e-7",
        ),
        *formula(percentage_error, accepts=("eps",)),
    ),
)

mape_keras = Loss(
    name="mape_keras",
    title="Mean absolute percentage error, divisor floored",
    summary="Absolute error as a percentage of the target's size, which counts as 1e-7 at least.",
    formula=r"\ell(y, p) = 100 \, \frac{|y - p|}{\max(|y|, \varepsilon)}",
    source=MAPE_SOURCE,
    aliases=("mean_absolute_percentage_error_keras",),
    documented_in=("S4",),
    inputs=REAL_PAIR,
    params={"eps": 1e-7},
    reference=floored_percentage_error,
    kinks=lambda **_: (0.0,),
    definitions=(
        Definition(
            name="no_floor",
            reference=lambda x, y_true, y_pred, **_: percentage_error(x, y_true, y_pred),
            where="the formula without a floor; shows where the target is nearly zero",
        ),
        *MAPE_FLOORS[1:],
    ),
    bindings=(
        keras(
            "MeanAbsolutePercentageError",
            "mean_absolute_percentage_error",
            aliases=("MAPE", "mape"),
            accepts=("eps",),
            ignore=("eps",),
            differs="the floor is keras.config.epsilon(), 1e-7 unless set otherwise",
        ),
        *formula(floored_percentage_error, accepts=("eps",)),
    ),
)


# --- weighted squares -----------------------------------------------------------------------------


def asymmetric_squared_error(m: Any, y_true: Any, y_pred: Any, *, under: float = 1.5, over: float = 0.5) -> Any:
    error = y_pred - y_true
    return under * m.square(m.maximum(-error, 0.0)) + over * m.square(m.maximum(error, 0.0))


asymmetric_mse = Loss(
    name="asymmetric_mse",
    title="Asymmetric squared error",
    summary="Squared error that costs an under-estimate more than an over-estimate of the same size.",
    formula=r"\ell(y, p) = u \max(0, y - p)^2 + o \max(0, p - y)^2",
    source="W. K. Newey and J. L. Powell, Asymmetric least squares estimation and testing, Econometrica 55 (1987) "
    "819-847; with u = 1.5, o = 0.5 the custom loss of source S1",
    aliases=("asymmetric_squared_error", "asymmetric_loss"),
    documented_in=("S1",),
    inputs=REAL_PAIR,
    params={"under": 1.5, "over": 0.5},
    reference=asymmetric_squared_error,
    kinks=lambda **_: (0.0,),
    definitions=(
        Definition(
            name="sides_swapped",
            reference=lambda x, y_true, y_pred, *, under=1.5, over=0.5: asymmetric_squared_error(
                x, y_true, y_pred, under=over, over=under
            ),
            where="target and prediction in the other order; shows everywhere",
        ),
    ),
    bindings=formula(asymmetric_squared_error, accepts=("under", "over")),
)


def weighted_half_squared_error(m: Any, y_true: Any, y_pred: Any, *, w: float = 1.0) -> Any:
    return m.square(y_pred - y_true) * w / 2.0


def _penalty_keras(m: Any, y_true: Any, y_pred: Any, *, reduction: str = "mean", w: float = 1.0) -> Any:
    return _keras_mse(m, y_true, y_pred, reduction=reduction) * w / 2.0


def _penalty_functional(m: Any, y_true: Any, y_pred: Any, *, reduction: str = "mean", w: float = 1.0) -> Any:
    return m.F.mse_loss(y_pred, y_true, reduction=native(reduction)) * w / 2.0


def _penalty_optax(m: Any, y_true: Any, y_pred: Any, *, w: float = 1.0) -> Any:
    return m.optax.losses.l2_loss(y_pred, y_true) * w


initial_state_penalty = Loss(
    name="initial_state_penalty",
    title="Initial-state penalty",
    summary="Holds a latent z near its start z0 while another loss guides it: y_true is z0, y_pred is z.",
    formula=r"\ell(z_0, z) = \tfrac{w}{2} (z - z_0)^2",
    source="K. Crowson et al., VQGAN-CLIP: open domain image generation and editing with natural language guidance, "
    "ECCV (2022); as written in source S4",
    documented_in=("S4",),
    inputs=REAL_PAIR,
    params={"w": 1.0},
    reference=weighted_half_squared_error,
    bindings=(
        Binding(
            backend="tensorflow",
            name="keras",
            call=_penalty_keras,
            docs=("tf.keras.losses.MeanSquaredError",),
            accepts=("reduction", "w"),
        ),
        Binding(
            backend="torch",
            name="functional",
            call=_penalty_functional,
            docs=("torch.nn.functional.mse_loss",),
            accepts=("reduction", "w"),
        ),
        Binding(backend="jax", name="optax", call=_penalty_optax, docs=("optax.losses.l2_loss",), accepts=("w",)),
        *formula(weighted_half_squared_error, accepts=("w",)),
    ),
)
