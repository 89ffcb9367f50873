"""Defects planted into losses of distributions, margins, directions, regions, sequences and sums of losses."""

# A table: one line a mutant, each change with the arguments that all changes take.
# ruff: noqa: ARG005, E501

from __future__ import annotations

from functools import partial
from typing import Any

from . import _planting as p
from ._planting import Mutant


def _log_of_target(m: Any, y: Any, z: Any) -> Any:
    return z - y * m.log(m.maximum(y, 1e-30))


def _unguarded_kl(m: Any, y: Any, z: Any, *, axis: int = -1, **_: Any) -> Any:
    return m.sum(y * m.log(y / z), axis=axis)


def _kl(m: Any, y: Any, z: Any) -> Any:
    return m.sum(y * (m.log(y) - m.log(z)), axis=-1)


def _log_target_not_raised(m: Any, y: Any, z: Any, **_: Any) -> Any:
    return m.sum(m.exp(z) * (y - z), axis=-1)


def _perceptron(m: Any, y: Any, z: Any, **_: Any) -> Any:
    return m.maximum(-y * z, 0.0)


def _square_far_only(m: Any, y: Any, z: Any, **_: Any) -> Any:
    hinge = m.maximum(1.0 - y * z, 0.0)
    return m.where(hinge < 0.25, hinge, m.square(hinge))


def _all_classes(m: Any, y: Any, z: Any) -> Any:
    return m.maximum(m.max(z, axis=-1) - m.sum(y * z, axis=-1) + 1.0, 0.0)


def _every_tie(m: Any, y: Any, z: Any) -> Any:
    """The gradient of each of several equal largest classes in full."""
    wrong = m.where(y > 0, -1e30, z)
    largest = p.stop(m, m.max(wrong, axis=-1, keepdims=True))
    each = m.sum(m.where(wrong == largest, wrong - largest, 0.0 * wrong), axis=-1)
    return m.maximum(m.max(p.stop(m, wrong), axis=-1) + each - m.sum(y * z, axis=-1) + 1.0, 0.0)


def _plain_cosine(m: Any, y: Any, z: Any, *, floor: float = 0.0, **_: Any) -> Any:
    lengths = m.sqrt(m.sum(m.square(y), axis=-1)) * m.sqrt(m.sum(m.square(z), axis=-1))
    return -m.sum(y * z, axis=-1) / (lengths + floor)


def _dot(m: Any, y: Any, z: Any, **_: Any) -> Any:
    return -m.sum(y * z, axis=-1)


def _deviation(m: Any, y: Any, z: Any) -> Any:
    return 0.5 * (m.square(y) + m.expm1(2.0 * z) - 2.0 * z)


def _plain_kl_term(m: Any, y: Any, z: Any) -> Any:
    return -0.5 * (1.0 + z - m.square(y) - m.exp(z))


def _square_of_mean(m: Any, y: Any, z: Any, **_: Any) -> Any:
    return m.abs(z - y)


def _sizes_squared(m: Any, y: Any, z: Any, **_: Any) -> Any:
    return 1.0 - 2.0 * m.sum(y * z) / (m.sum(m.square(y)) + m.sum(m.square(z)))


def _no_two(m: Any, y: Any, z: Any, **_: Any) -> Any:
    return 1.0 - m.sum(y * z) / (m.sum(y) + m.sum(z) + 1e-7)


def _dice_eps(m: Any, y: Any, z: Any, **_: Any) -> Any:
    return 1.0 - 2.0 * m.sum(y * z) / (m.sum(y) + m.sum(z) + 1e-3)


def _misses_only(m: Any, y: Any, z: Any, *, alpha: float = 0.5, **_: Any) -> Any:
    hits = m.sum(y * z)
    return 1.0 - hits / (hits + alpha * m.sum(y * (1.0 - z)))


def _weights_swapped(given: dict[str, Any]) -> dict[str, Any]:
    return {**given, "alpha": given["beta"], "beta": given["alpha"]}


def _outputs_swapped(given: dict[str, Any]) -> dict[str, Any]:
    return {**given, "first_weight": given["second_weight"], "second_weight": given["first_weight"]}


def _half_l2(given: dict[str, Any]) -> dict[str, Any]:
    return {**given, "l2": 0.5 * given["l2"]}


def _square_root_beta(given: dict[str, Any]) -> dict[str, Any]:
    return {**given, "beta": given["beta"] ** 2}


tensorflow, torch, jax = (partial(Mutant, backend=name) for name in ("tensorflow", "torch", "jax"))

OTHERS = (
    torch(
        loss="poisson", base="functional", name="eps_1e-3", kind="epsilon",
        plant=p.params(lambda given: {**given, "eps": 1e-3}),
    ),
    tensorflow(loss="poisson", base="tf.math", name="log_of_target", kind="swapped", plant=p.instead(_log_of_target)),
    jax(loss="poisson", base="stable", name="zero_counts", kind="region", plant=p.losses(lambda m, y, z, e: m.where(y == 0, 0.0 * e, e))),
    torch(loss="poisson", base="stable", name="full_ignored", kind="parameter", plant=p.forced(full=False)),
    tensorflow(loss="poisson", base="keras", name="no_epsilon", kind="epsilon", plant=p.instead(lambda m, y, z: z - y * m.log(z))),
    jax(
        loss="poisson", base="jax.scipy", name="gradient_of_rate_only", kind="gradient",
        plant=p.losses(lambda m, y, z, e: p.straight_through(m, e, z)),
    ),
    torch(loss="kl_divergence", base="functional", name="swapped", kind="swapped", plant=p.arguments(lambda m, y, z: (z, y))),
    tensorflow(
        loss="kl_divergence", base="tf.math", name="axis_0", kind="axis",
        plant=p.arguments(lambda m, y, z: (y, z / m.sum(z, axis=0, keepdims=True))),
    ),
    jax(
        loss="kl_divergence", base="optax", name="by_class", kind="reduction",
        plant=p.losses(lambda m, y, z, e: e / float(z.shape[-1])),
    ),
    torch(loss="kl_divergence", base="stable", name="zero_log_zero", kind="unstable", plant=p.instead(_unguarded_kl)),
    tensorflow(
        loss="kl_divergence", base="keras", name="clip_1e-3", kind="clip",
        plant=p.arguments(lambda m, y, z: (m.maximum(y, 1e-3), m.maximum(z, 1e-3))),
    ),
    jax(
        loss="kl_divergence", base="stable", name="negative_part_dropped", kind="region",
        plant=p.losses(lambda m, y, z, e: m.maximum(e - 1e-3, 0.0)),
    ),
    jax(loss="kl_divergence_log_targets", base="optax", name="prediction_weighs", kind="swapped", plant=p.instead(_log_target_not_raised)),
    torch(
        loss="kl_divergence_log_targets", base="functional", name="float16_inside", kind="cast",
        plant=p.arguments(lambda m, y, z: (y, p.narrow(m, z, "float16"))),
    ),
    torch(loss="hinge", base="functional", name="no_margin", kind="constant", plant=p.instead(_perceptron)),
    tensorflow(
        loss="hinge", base="keras", name="labels_mapped", kind="swapped", plant=p.arguments(lambda m, y, z: (2.0 * y - 1.0, z)),
    ),
    jax(
        loss="hinge", base="optax", name="frozen_when_wrong", kind="subgradient",
        plant=p.losses(lambda m, y, z, e: p.frozen_where(m, y * z < 0, e)),
    ),
    tensorflow(
        loss="hinge", base="formula", name="gradient_on_right_side", kind="subgradient",
        plant=p.losses(lambda m, y, z, e: m.where(y * z > 1.0, p.straight_through(m, e, 1.0 - y * z), e)),
    ),
    torch(loss="squared_hinge", base="formula", name="square_far_only", kind="region", plant=p.instead(_square_far_only)),
    tensorflow(loss="squared_hinge", base="keras", name="halved", kind="factor", plant=p.losses(lambda m, y, z, e: 0.5 * e)),
    jax(
        loss="squared_hinge", base="formula", name="gradient_doubled", kind="gradient",
        plant=p.losses(lambda m, y, z, e: p.scaled_gradient(m, e, 2.0)),
    ),
    tensorflow(loss="categorical_hinge", base="keras", name="swapped", kind="swapped", plant=p.arguments(lambda m, y, z: (z, y))),
    torch(loss="categorical_hinge", base="formula", name="all_classes", kind="mask", plant=p.instead(_all_classes)),
    jax(
        loss="categorical_hinge_crammer_singer", base="formula", name="every_tie", kind="ties", plant=p.instead(_every_tie),
    ),
    jax(
        loss="categorical_hinge_crammer_singer", base="optax", name="next_class", kind="off_by_one",
        plant=p.arguments(lambda m, y, z: (m.jnp.roll(y, 1, axis=-1), z)),
    ),
    torch(loss="cosine_similarity", base="functional", name="eps_1e-3", kind="epsilon", plant=p.instead(partial(_plain_cosine, floor=1e-3))),
    tensorflow(
        loss="cosine_similarity", base="keras", name="axis_0", kind="axis",
        plant=p.arguments(lambda m, y, z: (m.transpose(y), m.transpose(z))),
    ),
    jax(loss="cosine_similarity", base="stable", name="squares_overflow", kind="unstable", plant=p.instead(_plain_cosine)),
    torch(loss="cosine_similarity", base="stable", name="sign_ignored", kind="parameter", plant=p.forced(sign="negative")),
    tensorflow(loss="cosine_similarity", base="tf.nn", name="not_normalised", kind="formula", plant=p.instead(_dot)),
    jax(
        loss="cosine_similarity", base="optax", name="length_constant", kind="gradient",
        plant=p.losses(lambda m, y, z, e: p.straight_through(
            m, e, _dot(m, y, z) / p.stop(m, m.sqrt(m.sum(m.square(y), axis=-1) * m.sum(m.square(z), axis=-1))),
        )),
    ),
    torch(loss="circle", base="formula", name="gamma_ignored", kind="parameter", plant=p.forced(gamma=80.0)),
    tensorflow(loss="circle", base="keras", name="margin_ignored", kind="parameter", plant=p.forced(margin=0.4)),
    jax(loss="circle", base="formula", name="diagonal_kept", kind="mask", plant=p.forced(remove_diagonal=False)),
    torch(loss="vae_kl", base="stable", name="no_half", kind="factor", plant=p.losses(lambda m, y, z, e: 2.0 * e)),
    jax(loss="vae_kl", base="stable", name="deviation_for_variance", kind="parameter", plant=p.instead(_deviation)),
    tensorflow(loss="vae_kl", base="stable", name="cancelling", kind="unstable", plant=p.instead(_plain_kl_term)),
    torch(loss="vae_reconstruction", base="functional", name="absolute", kind="formula", plant=p.instead(_square_of_mean)),
    tensorflow(loss="vae_reconstruction", base="keras", name="always_mse", kind="parameter", plant=p.forced(recon="mse")),
    jax(loss="vae_total", base="formula", name="beta_squared", kind="parameter", plant=p.params(_square_root_beta)),
    torch(loss="vae_total", base="functional", name="beta_ignored", kind="parameter", plant=p.forced(beta=0.01)),
    tensorflow(loss="dice", base="keras", name="no_two", kind="factor", plant=p.instead(_no_two)),
    torch(loss="dice", base="formula", name="eps_1e-3", kind="epsilon", plant=p.instead(_dice_eps)),
    jax(loss="dice", base="formula", name="sizes_squared", kind="formula", plant=p.instead(_sizes_squared)),
    torch(loss="tversky", base="formula", name="weights_swapped", kind="swapped", plant=p.params(_weights_swapped)),
    tensorflow(loss="tversky", base="keras", name="misses_only", kind="formula", plant=p.instead(_misses_only)),
    jax(loss="tversky", base="optax", name="alpha_ignored", kind="parameter", plant=p.forced(alpha=0.5)),
    jax(loss="binary_dice_logits", base="optax", name="smooth_ignored", kind="parameter", plant=p.forced(smooth=1.0)),
    torch(
        loss="binary_dice_logits", base="formula", name="labels_flipped", kind="swapped",
        plant=p.arguments(lambda m, y, z: (1.0 - y, z)),
    ),
    torch(
        loss="ctc", base="functional", name="logits_scaled", kind="constant",
        plant=p.arguments(lambda m, y, z: (y, 1.0001 * z)),
    ),
    tensorflow(
        loss="ctc", base="tf.nn", name="labels_reversed", kind="off_by_one",
        plant=p.arguments(lambda m, y, z: (m.tf.reverse(y, axis=[-1]), z)),
    ),
    torch(loss="mse_plus_l2", base="functional", name="half_l2", kind="factor", plant=p.params(_half_l2)),
    jax(loss="mse_plus_l2", base="optax", name="no_l2", kind="parameter", plant=p.forced(l2=0.0)),
    tensorflow(loss="loss_plus_l2", base="keras", name="no_l2", kind="parameter", plant=p.forced(l2=0.0)),
    torch(loss="multi_output", base="functional", name="weights_swapped", kind="swapped", plant=p.params(_outputs_swapped)),
    tensorflow(
        loss="multi_output", base="keras", name="second_only", kind="parameter", plant=p.params(lambda given: {**given, "first_weight": 0.0}),
    ),
)  # fmt: skip
