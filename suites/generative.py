"""Losses of generative models: the parts of a variational auto-encoder's objective and their weighted sum."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from lossbench import BadInput, Binding, Definition, Loss, domains

from ._native import formula, keras_call, native
from .classification import BINARY_DEFINITIONS, CLIP

KINGMA: Final = "D. P. Kingma and M. Welling, Auto-encoding variational Bayes, ICLR 2014, arXiv:1312.6114"
CHEONG: Final = "S. Y. Cheong, Hands-On Image Generation with TensorFlow, Packt 2020"
RECONSTRUCTIONS: Final = ("mse", "binary_crossentropy")
SHORT: Final = {"bce": "binary_crossentropy", "mean_squared_error": "mse"}
PIXELS: Final = {"y_true": domains.PROBABILITY, "y_pred": domains.PROBABILITY}

Call = Callable[..., Any]


# --- Kullback-Leibler term ------------------------------------------------------------------------


def kl_term(m: Any, y_true: Any, y_pred: Any) -> Any:
    return -0.5 * (1.0 + y_pred - m.square(y_true) - m.exp(y_pred))


def kl_term_stable(m: Any, y_true: Any, y_pred: Any) -> Any:
    """expm1 keeps the digits where the variance is nearly 1."""
    return 0.5 * (m.square(y_true) + (m.expm1(y_pred) - y_pred))


vae_kl = Loss(
    name="vae_kl",
    title="Kullback-Leibler term of a variational auto-encoder",
    summary="Divergence of a normal distribution with this mean and log-variance from the standard normal one.",
    formula=r"\ell(\mu, \lambda) = -\tfrac12 \bigl(1 + \lambda - \mu^2 - e^{\lambda}\bigr)",
    source=f"{KINGMA}; with the mean over the latent dimensions in {CHEONG}",
    aliases=("vae_kl_loss", "kl_loss"),
    documented_in=("S4",),
    inputs={"y_true": domains.REAL, "y_pred": domains.REAL},
    reference=kl_term,
    bindings=(
        *formula(kl_term, differs="where the variance is nearly 1 the terms cancel"),
        *formula(kl_term_stable, name="stable"),
    ),
)


# --- reconstruction -------------------------------------------------------------------------------


def _known(recon: str) -> str:
    recon = SHORT.get(recon, recon)
    if recon not in RECONSTRUCTIONS:
        raise BadInput(
            subject="recon", expected=" or ".join(RECONSTRUCTIONS), received=repr(recon), remedy="choose one of these"
        )
    return recon


def exact_reconstruction(x: Any, y_true: Any, y_pred: Any, *, recon: str = "mse") -> Any:
    if _known(recon) == "mse":
        return x.square(y_pred - y_true)
    return -(x.xlogy(y_true, y_pred) + x.xlog1py(1.0 - y_true, -y_pred))


def reconstruction_under(definition: Definition) -> Call:
    """The reconstruction where its cross-entropy is one of the known definitions."""

    def call(x: Any, y_true: Any, y_pred: Any, *, recon: str = "mse") -> Any:
        if _known(recon) == "mse":
            return exact_reconstruction(x, y_true, y_pred)
        return definition.reference(x, y_true, y_pred)

    return call


def reconstruction(m: Any, y_true: Any, y_pred: Any, *, recon: str = "mse") -> Any:
    if _known(recon) == "mse":
        return m.square(y_pred - y_true)
    return -(y_true * m.log(y_pred) + (1.0 - y_true) * m.log(1.0 - y_pred))


def keras_reconstruction(m: Any, y_true: Any, y_pred: Any, *, recon: str = "mse", reduction: str = "mean") -> Any:
    name = "MeanSquaredError" if _known(recon) == "mse" else "BinaryCrossentropy"
    return keras_call(name)(m, y_true, y_pred, reduction=reduction)


def torch_reconstruction(m: Any, y_true: Any, y_pred: Any, *, recon: str = "mse", reduction: str = "mean") -> Any:
    function = m.F.mse_loss if _known(recon) == "mse" else m.F.binary_cross_entropy
    return function(y_pred, y_true, reduction=native(reduction))


vae_reconstruction = Loss(
    name="vae_reconstruction",
    title="Reconstruction term of a variational auto-encoder",
    summary="Squared difference of the picture and its reconstruction, or their binary cross-entropy.",
    formula=r"\ell(y, p) = (p - y)^2 \ \text{ or } -\bigl[y \log p + (1 - y) \log(1 - p)\bigr]",
    source=f"{KINGMA}; {CHEONG}",
    aliases=("vae_rc_loss",),
    documented_in=("S4",),
    inputs=PIXELS,
    params={"recon": "mse"},
    reference=exact_reconstruction,
    definitions=tuple(replace(d, reference=reconstruction_under(d)) for d in BINARY_DEFINITIONS),
    bindings=(
        Binding(
            backend="tensorflow",
            name="keras",
            call=keras_reconstruction,
            docs=("tf.keras.losses.MeanSquaredError", "tf.keras.losses.BinaryCrossentropy"),
            accepts=("reduction", "recon"),
            differs="the binary cross-entropy moves probabilities into [1e-7, 1 - 1e-7] first",
            definition=CLIP,
        ),
        Binding(
            backend="torch",
            name="functional",
            call=torch_reconstruction,
            docs=("torch.nn.functional.mse_loss", "torch.nn.functional.binary_cross_entropy"),
            accepts=("reduction", "recon"),
            differs="the binary cross-entropy keeps each logarithm at -100 or more",
            definition="log_clamp=-100",
        ),
        *formula(reconstruction, accepts=("recon",)),
    ),
)


# --- total ----------------------------------------------------------------------------------------


def total(of_pixels: Call, of_latents: Call = kl_term) -> Call:
    """The reconstruction of every pixel, and beta times the mean divergence once."""

    def call(
        m: Any, y_true: Any, y_pred: Any, *, mean: Any, logvar: Any, beta: float = 0.01, recon: str = "mse"
    ) -> Any:
        return of_pixels(m, y_true, y_pred, recon=recon), beta * m.mean(of_latents(m, mean, logvar))

    return call


def exact_total(of_pixels: Call = exact_reconstruction) -> Call:
    return lambda x, y_true, y_pred, **params: x.plus(*total(of_pixels)(x, y_true, y_pred, **params))


def reduced(of_pixels: Call) -> Call:
    """The same around a native loss, which takes the reduction of the pixels itself."""

    def call(
        m: Any,
        y_true: Any,
        y_pred: Any,
        *,
        mean: Any,
        logvar: Any,
        beta: float = 0.01,
        recon: str = "mse",
        reduction: str = "mean",
    ) -> Any:
        return of_pixels(m, y_true, y_pred, recon=recon, reduction=reduction), beta * m.mean(kl_term(m, mean, logvar))

    return call


TOTAL_OPTIONS: Final = ("beta", "recon", "mean", "logvar")

vae_total = Loss(
    name="vae_total",
    title="Objective of a variational auto-encoder",
    summary="Reconstruction and a small multiple of the mean Kullback-Leibler term.",
    formula=r"\ell(y, p) = \beta\, \overline{-\tfrac12 (1 + \lambda - \mu^2 - e^{\lambda})} + (p - y)^2",
    source=f"{CHEONG}; the weight as in I. Higgins et al., beta-VAE, ICLR 2017",
    aliases=("vae_loss",),
    documented_in=("S4",),
    inputs={**PIXELS, "mean": domains.REAL, "logvar": domains.REAL},
    params={"beta": 0.01, "recon": "mse"},
    reference=exact_total(),
    definitions=tuple(replace(d, reference=exact_total(reconstruction_under(d))) for d in BINARY_DEFINITIONS),
    bindings=(
        Binding(
            backend="tensorflow",
            name="keras",
            call=reduced(keras_reconstruction),
            docs=("tf.keras.losses.MeanSquaredError", "tf.keras.losses.BinaryCrossentropy"),
            accepts=("reduction", *TOTAL_OPTIONS),
            differs="the binary cross-entropy moves probabilities into [1e-7, 1 - 1e-7] first",
            definition=CLIP,
        ),
        Binding(
            backend="torch",
            name="functional",
            call=reduced(torch_reconstruction),
            docs=("torch.nn.functional.mse_loss", "torch.nn.functional.binary_cross_entropy"),
            accepts=("reduction", *TOTAL_OPTIONS),
            differs="the binary cross-entropy keeps each logarithm at -100 or more",
            definition="log_clamp=-100",
        ),
        *formula(total(reconstruction), accepts=TOTAL_OPTIONS),
        *formula(total(reconstruction, kl_term_stable), name="stable", accepts=TOTAL_OPTIONS),
    ),
)
