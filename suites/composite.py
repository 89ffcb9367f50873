"""Losses made of losses: a data loss with a penalty on weights, and a weighted sum over several outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Final

from lossbench import BadInput, Binding, Definition, Domain, Loss, domains

from . import classification, generative, margin, probabilistic, regression, segmentation, similarity
from ._native import formula, held_in, keras_call, native
from .classification import (
    BINARY_DEFINITIONS,
    CLIP,
    CLIPS,
    LOG_CLAMP,
    SLOPE_FLOOR,
    Clip,
    binary,
    clipped_to,
    exact_binary,
)

Call = Callable[..., Any]
RIDGE: Final = "A. E. Hoerl and R. W. Kennard, Ridge regression, Technometrics 12 (1970) 55-67"
WEIGHTS: Final = Domain(kind="real", extent="square", note="one layer; a case file may give a list of layers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A loss that others are made of, its formula, and the names of Keras' class and torch's function."""

    loss: Loss
    binding: Binding
    keras: str = ""
    functional: str = ""

    def exact(self, x: Any, y_true: Any, y_pred: Any, **params: Any) -> Any:
        """Its losses in exact arithmetic; every number among the parameters becomes exact."""
        values = {**self.loss.params, **params}
        numbers = {n: x.constant(v) if isinstance(v, float) else v for n, v in values.items()}
        return self.loss.reference(x, y_true, y_pred, **numbers)

    def formula(self, m: Any, y_true: Any, y_pred: Any, **params: Any) -> Any:
        """Its unreduced losses. BadInput for a parameter that the formula does not take."""
        values = {**self.loss.params, **params}
        if unknown := [name for name in params if name not in self.binding.accepts]:
            raise BadInput(
                subject=f"parameter of {self.loss.name} within another loss",
                expected=f"one of {', '.join(self.binding.accepts)}",
                received=unknown[0],
                remedy="drop it",
            )
        taken = {name: value for name, value in values.items() if name in self.binding.accepts}
        options = {"reduction": "none"} if "reduction" in self.binding.accepts else {}
        return self.binding.call(m, y_true, y_pred, **taken, **options)


NATIVE: Final[Mapping[str, tuple[str, str]]] = {
    "mse": ("MeanSquaredError", "mse_loss"),
    "mae": ("MeanAbsoluteError", "l1_loss"),
    "binary_crossentropy": ("BinaryCrossentropy", "binary_cross_entropy"),
    "binary_crossentropy_logits": ("", "binary_cross_entropy_with_logits"),
    "categorical_crossentropy": ("CategoricalCrossentropy", ""),
    "categorical_crossentropy_logits": ("", "cross_entropy"),
    "sparse_categorical_crossentropy": ("SparseCategoricalCrossentropy", ""),
}
"""Part -> the names of Keras' class and torch's function."""

FAMILIES: Final = (regression, classification, probabilistic, margin, similarity, generative, segmentation)


def _parts() -> dict[str, Part]:
    """Every loss of the other families that needs no further arrays, by name and alias, in its guarded formula."""
    found: dict[str, Part] = {}
    losses = [v for family in FAMILIES for v in vars(family).values() if isinstance(v, Loss) and len(v.inputs) == 2]
    for loss in losses:
        spelt = {b.name: b for b in loss.bindings_of("torch")}
        guarded = loss.name in GUARDED
        binding = spelt.get("stable", spelt.get("formula")) if guarded else spelt.get("formula")
        if binding is not None:
            native_names = NATIVE.get(loss.name, ("", ""))
            part = Part(loss=loss, binding=binding, keras=native_names[0], functional=native_names[1])
            found |= dict.fromkeys((loss.name, *loss.aliases), part)
    return found


GUARDED: Final = (
    "binary_crossentropy_logits",
    "categorical_crossentropy_logits",
    "sparse_categorical_crossentropy_logits",
)
"""Parts whose plain formula loses what their name promises."""


def part(name: str) -> Part:
    """A part by name or alias. BadInput for one that is not known."""
    if name not in PARTS:
        raise BadInput(
            subject="loss of a composite",
            expected=f"one of {', '.join(dict.fromkeys(known.loss.name for known in PARTS.values()))}",
            received=repr(name),
            remedy="choose one of these",
        )
    return PARTS[name]


PARTS: Final[Mapping[str, Part]] = _parts()


# --- data loss and penalty ------------------------------------------------------------------------


def layers(weights: Any) -> tuple[Any, ...]:
    """One array, or one a layer."""
    return tuple(weights) if isinstance(weights, tuple | list) else (weights,)


def sum_of_squares(m: Any, weights: Any) -> Any:
    """Over every weight of every layer."""
    first, *others = [m.sum(m.square(layer)) for layer in layers(weights)]
    return sum(others, first)


def exact_with_l2(fixed: str = "") -> Call:
    """The data loss of every sample, and the penalty once whatever the reduction."""

    def reference(
        x: Any, y_true: Any, y_pred: Any, *, weights: Any, l2: Any = 0.01, data_loss: str = "binary_crossentropy"
    ) -> Any:
        listed = layers(weights)
        exact = tuple(x.constant(layer) for layer in listed)
        return x.plus(part(fixed or data_loss).exact(x, y_true, y_pred), l2 * sum_of_squares(x, exact))

    return reference


def with_l2(fixed: str = "") -> Call:
    """The formula of the data loss plus l2 times the sum of squares."""

    def call(
        m: Any, y_true: Any, y_pred: Any, *, weights: Any, l2: float = 0.01, data_loss: str = "binary_crossentropy"
    ) -> Any:
        return part(fixed or data_loss).formula(m, y_true, y_pred), l2 * sum_of_squares(m, weights)

    return call


def _native_with_l2(data: Call, penalty: Call, fixed: str) -> Call:
    """A native data loss, reduced natively, and a penalty."""

    def call(
        m: Any,
        y_true: Any,
        y_pred: Any,
        *,
        weights: Any,
        l2: float = 0.01,
        data_loss: str = "binary_crossentropy",
        reduction: str = "mean",
    ) -> Any:
        penalties = [penalty(m, layer, l2) for layer in layers(weights)]
        return data(m, fixed or data_loss, y_true, y_pred, reduction), sum(penalties[1:], penalties[0])

    return call


def reduced(m: Any, losses: Any, reduction: str) -> Any:
    """The mean or the sum; unreduced for every other reduction."""
    return {"mean": m.mean, "sum": m.sum}.get(reduction, lambda unreduced: unreduced)(losses)


def keras_data(m: Any, name: str, y_true: Any, y_pred: Any, reduction: str) -> Any:
    known = part(name)
    if not known.keras:
        return reduced(m, known.formula(m, y_true, y_pred), reduction)
    unit = "row" if "ategorical" in known.keras else "element"
    return keras_call(known.keras, unit=unit)(m, y_true, y_pred, reduction=reduction)  # type: ignore[arg-type]


def torch_data(m: Any, name: str, y_true: Any, y_pred: Any, reduction: str) -> Any:
    known = part(name)
    if not known.functional:
        return reduced(m, known.formula(m, y_true, y_pred), reduction)
    return getattr(m.F, known.functional)(y_pred, y_true, reduction=native(reduction))


def optax_data(m: Any, name: str, y_true: Any, y_pred: Any, reduction: str) -> Any:
    of_mse = name == "mse"
    losses = m.optax.losses.squared_error(y_pred, y_true) if of_mse else part(name).formula(m, y_true, y_pred)
    return reduced(m, losses, reduction)


def keras_penalty(m: Any, layer: Any, l2: float) -> Any:
    return m.keras.regularizers.L2(l2)(layer)


def torch_penalty(m: Any, layer: Any, l2: float) -> Any:
    return l2 * m.torch.sum(layer * layer)


def optax_penalty(m: Any, layer: Any, l2: float) -> Any:
    return l2 * m.jnp.vdot(layer, layer)


L2_OPTIONS: Final = ("l2", "weights")
KERAS_CLIPPED: Final = "cross-entropies move probabilities into [1e-7, 1 - 1e-7] first"


KERAS_SINGLE: Final = "the factor l2 is rounded to float32, whatever the weights' dtype"
L2_SINGLE: Final = "l2_in_float32"


FACTORS: Final[Mapping[float, float]] = {
    # usual factors as float32 holds them
    0.01: 0.009999999776482582, 0.001: 0.0010000000474974513, 0.0001: 9.999999747378752e-05,
    1e-05: 9.999999747378752e-06,
    0.1: 0.10000000149011612, 0.02: 0.019999999552965164, 0.05: 0.05000000074505806, 0.005: 0.004999999888241291,
    0.0005: 0.0005000000237487257, 0.002: 0.0020000000949949026, 0.2: 0.20000000298023224, 0.3: 0.30000001192092896,
}  # fmt: skip


def in_single(x: Any, l2: Any) -> Any:
    """The factor as float32 holds it, of the usual ones."""
    for written, held in FACTORS.items():
        l2 = x.where(l2 == written, held, l2)
    return l2


def l2_definitions(fixed: str = "") -> tuple[Definition, ...]:
    """Keras' penalty, with its factor as float32 holds it, and its clipped cross-entropies."""

    def single(clipping: Clip | None) -> Call:
        def reference(x: Any, y_true: Any, y_pred: Any, *, l2: Any = 0.01, **params: Any) -> Any:
            factor, data = in_single(x, l2), params.get("data_loss")
            clipped = {"binary_crossentropy": exact_binary, "categorical_crossentropy": _normalised}.get(str(data))
            if clipping is not None and clipped is not None:
                penalty = sum_of_squares(x, tuple(x.constant(layer) for layer in layers(params["weights"])))
                return x.plus(clipped(clipping)(x, y_true, y_pred), factor * penalty)
            return exact_with_l2(fixed)(x, y_true, y_pred, l2=factor, **params)

        return reference

    def of_binary(data: Definition) -> Call:
        """The penalty beside torch's binary cross-entropy; another data loss has nothing of it."""

        def reference(x: Any, y_true: Any, y_pred: Any, *, weights: Any, l2: Any = 0.01, **params: Any) -> Any:
            if params.get("data_loss", "binary_crossentropy") != "binary_crossentropy":
                return exact_with_l2(fixed)(x, y_true, y_pred, weights=weights, l2=l2, **params)
            penalty = sum_of_squares(x, tuple(x.constant(layer) for layer in layers(weights)))
            return x.plus(data.reference(x, y_true, y_pred), l2 * penalty)

        return reference

    where = "Keras rounds the factor to float32; shows in float64"
    plain = Definition(name=L2_SINGLE, reference=single(None), where=where)
    if fixed:
        return (plain,)
    clipped = f"{where}. Its cross-entropy clips probabilities to [eps, 1 - eps]; shows at 0 and 1"
    return (
        plain,
        *(
            Definition(
                name=f"{L2_SINGLE}_eps_clip={text}",
                reference=single(clipped_to(bounds)),
                dtypes=held_in(text),
                where=clipped,
            )
            for text, bounds in CLIPS.items()
        ),
        *(replace(data, reference=of_binary(data)) for data in (LOG_CLAMP, SLOPE_FLOOR)),
    )


def _normalised(clipping: Clip) -> Call:
    return classification.exact_categorical(clipping, normalise=True)


def l2_bindings(fixed: str = "") -> tuple[Binding, ...]:
    """Each framework's own data loss with its own way of writing the penalty, then the formulas."""
    accepts = L2_OPTIONS if fixed else (*L2_OPTIONS, "data_loss")
    of_mse = fixed == "mse"
    return (
        Binding(
            backend="tensorflow",
            name="keras",
            call=_native_with_l2(keras_data, keras_penalty, fixed),
            docs=(
                "tf.keras.regularizers.L2",
                f"tf.keras.losses.{'MeanSquaredError' if of_mse else 'BinaryCrossentropy'}",
            ),
            accepts=("reduction", *accepts),
            differs=KERAS_SINGLE if of_mse else f"{KERAS_CLIPPED}; {KERAS_SINGLE}",
            definition=L2_SINGLE,
        ),
        Binding(
            backend="torch",
            name="functional",
            call=_native_with_l2(torch_data, torch_penalty, fixed),
            docs=("torch.nn.functional.mse_loss" if of_mse else "torch.nn.functional.binary_cross_entropy",),
            accepts=("reduction", *accepts),
            differs="" if of_mse else "the binary cross-entropy keeps each logarithm at -100 or more",
        ),
        Binding(
            backend="jax",
            name="optax",
            call=_native_with_l2(optax_data, optax_penalty, fixed),
            docs=("optax.losses.squared_error", "jax.numpy.vdot") if of_mse else ("jax.numpy.vdot",),
            accepts=("reduction", *accepts),
        ),
        *formula(with_l2(fixed), accepts=accepts),
    )


loss_plus_l2 = Loss(
    name="loss_plus_l2",
    title="Data loss with an L2 penalty",
    summary="Any loss plus a multiple of the sum of squared weights of the regularised layers.",
    formula=r"\ell(y, p) = \ell_{\text{data}}(y, p) + \lambda \sum_k \lVert W_k \rVert_2^2",
    source=f"{RIDGE}; as Keras adds a layer's kernel_regularizer to the reported loss",
    aliases=("l2_regularized",),
    documented_in=("S1",),
    inputs={"y_true": domains.BINARY, "y_pred": domains.PROBABILITY, "weights": WEIGHTS},
    params={"data_loss": "binary_crossentropy", "l2": 0.01},
    reference=exact_with_l2(),
    definitions=l2_definitions(),
    bindings=l2_bindings(),
)

mse_plus_l2 = Loss(
    name="mse_plus_l2",
    title="Mean squared error with an L2 penalty",
    summary="Squared error plus a multiple of the sum of squared weights of the regularised layers.",
    formula=r"\ell(y, p) = (p - y)^2 + \lambda \sum_k \lVert W_k \rVert_2^2",
    source=RIDGE,
    aliases=("ridge",),
    documented_in=("S1",),
    inputs={"y_true": domains.REAL, "y_pred": domains.REAL, "weights": WEIGHTS},
    params={"l2": 0.01},
    reference=exact_with_l2("mse"),
    definitions=l2_definitions("mse"),
    bindings=l2_bindings("mse"),
)


# --- several outputs ------------------------------------------------------------------------------


def halves(m: Any, a: Any) -> tuple[Any, Any]:
    """The two outputs that share the last axis."""
    middle = a.shape[-1] // 2
    return m.index(a, (Ellipsis, slice(None, middle))), m.index(a, (Ellipsis, slice(middle, None)))


def two_outputs(of_first: Call, of_second: Call) -> Call:
    """Each row: the mean loss of the first output plus the weighted mean loss of the second."""

    def call(
        m: Any, y_true: Any, y_pred: Any, *, first_weight: float = 1.0, second_weight: float = 0.5, outputs: Any = None
    ) -> Any:
        if outputs is not None:
            return listed(m, y_pred, outputs)
        (y_first, y_second), (p_first, p_second) = halves(m, y_true), halves(m, y_pred)
        first = m.mean(of_first(m, y_first, p_first), axis=-1)
        return first_weight * first + second_weight * m.mean(of_second(m, y_second, p_second), axis=-1)

    return call


def exact_outputs(x: Any, y_true: Any, y_pred: Any, *, outputs: Any = None, **params: Any) -> Any:
    if outputs is None:
        return two_outputs(regression.squared_error, exact_binary())(x, y_true, y_pred, **params)
    exact = [{**o, "weight": x.constant(o["weight"]), "y_true": exactly(x, o["y_true"])} for o in outputs]
    return _sum_of(x, y_pred, exact, lambda known, *args, **options: known.exact(x, *args, **options))


def outputs_under(definition: Definition) -> Definition:
    """The same where the second output's loss is one of the definitions of the binary cross-entropy."""

    def reference(x: Any, y_true: Any, y_pred: Any, *, outputs: Any = None, **params: Any) -> Any:
        if outputs is not None:
            return exact_outputs(x, y_true, y_pred, outputs=outputs)
        return two_outputs(regression.squared_error, definition.reference)(x, y_true, y_pred, **params)

    return replace(definition, reference=reference)


def exactly(x: Any, y_true: Any) -> Any:
    """Class indices stay what they are."""
    return y_true if y_true.dtype.kind in "iu" else x.constant(y_true)


def listed(m: Any, y_pred: Any, outputs: Any) -> Any:
    """The weighted sum of the reduced loss of every output of a case file; y_pred holds them end to end."""
    return _sum_of(m, y_pred, outputs, lambda known, *args, **options: known.formula(m, *args, **options))


def _sum_of(m: Any, y_pred: Any, outputs: Any, losses_of: Call) -> Any:
    terms, start = [], 0
    for output in outputs:
        params = dict(output["params"])
        reduction = params.pop("reduction", "mean")
        if reduction not in ("mean", "sum"):
            raise BadInput(
                subject="reduction of an output", expected="mean or sum", received=repr(reduction), remedy="use one"
            )
        shape = tuple(output["shape"])
        size = prod(shape)
        part_of = m.reshape(m.index(y_pred, (slice(start, start + size),)), shape)
        losses = losses_of(part(output["loss"]), output["y_true"], part_of, **params)
        terms.append(reduced(m, losses, reduction) * output["weight"])
        start += size
    return sum(terms[1:], terms[0])


def keras_two(
    m: Any, y_true: Any, y_pred: Any, *, first_weight: float = 1.0, second_weight: float = 0.5, reduction: str = "mean"
) -> Any:
    if reduction != "mean":
        losses = TWO_FORMULA(m, y_true, y_pred, first_weight=first_weight, second_weight=second_weight)
        return m.sum(losses) if reduction == "sum" else losses
    (y_first, y_second), (p_first, p_second) = halves(m, y_true), halves(m, y_pred)
    first = keras_call("MeanSquaredError")(m, y_first, p_first, reduction="mean")
    return first_weight * first + second_weight * keras_call("BinaryCrossentropy")(m, y_second, p_second)


def torch_two(
    m: Any, y_true: Any, y_pred: Any, *, first_weight: float = 1.0, second_weight: float = 0.5, reduction: str = "mean"
) -> Any:
    if reduction != "mean":
        losses = TWO_FORMULA(m, y_true, y_pred, first_weight=first_weight, second_weight=second_weight)
        return m.sum(losses) if reduction == "sum" else losses
    (y_first, y_second), (p_first, p_second) = halves(m, y_true), halves(m, y_pred)
    return first_weight * m.F.mse_loss(p_first, y_first) + second_weight * m.F.binary_cross_entropy(p_second, y_second)


TWO_FORMULA: Final = two_outputs(regression.squared_error, binary)
TWO_WEIGHTS: Final = ("first_weight", "second_weight")

multi_output = Loss(
    name="multi_output",
    title="Weighted sum over several outputs",
    summary="Squared error of the first half of the prediction plus half the binary cross-entropy of the second half; "
    "a case file lists outputs of its own.",
    formula=r"\ell(y, p) = w_1\, \overline{(p^{(1)} - y^{(1)})^2} + "
    r"w_2\, \overline{-\bigl[y^{(2)} \log p^{(2)} + (1 - y^{(2)}) \log(1 - p^{(2)})\bigr]}",
    source="R. Caruana, Multitask learning, Machine Learning 28 (1997) 41-75; Keras, loss_weights of Model.compile",
    aliases=("multitask",),
    documented_in=("S1",),
    inputs={"y_true": domains.BINARY, "y_pred": domains.PROBABILITY},
    params={"first_weight": 1.0, "second_weight": 0.5},
    accepts=("outputs",),
    reference=exact_outputs,
    definitions=tuple(map(outputs_under, BINARY_DEFINITIONS)),
    unit="row",
    bindings=(
        Binding(
            backend="tensorflow",
            name="keras",
            call=keras_two,
            docs=("tf.keras.losses.MeanSquaredError", "tf.keras.losses.BinaryCrossentropy"),
            unit="row",
            accepts=("reduction", *TWO_WEIGHTS),
            differs="the binary cross-entropy moves probabilities into [1e-7, 1 - 1e-7] first",
            definition=CLIP,
        ),
        Binding(
            backend="torch",
            name="functional",
            call=torch_two,
            docs=("torch.nn.functional.mse_loss", "torch.nn.functional.binary_cross_entropy"),
            unit="row",
            accepts=("reduction", *TWO_WEIGHTS),
            differs="the binary cross-entropy keeps each logarithm at -100 or more",
            definition="log_clamp=-100",
        ),
        *formula(TWO_FORMULA, unit="row", accepts=(*TWO_WEIGHTS, "outputs")),
    ),
)
