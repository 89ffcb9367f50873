"""Defects planted into losses of a real-valued prediction."""

# A table: one line a mutant, each change with the arguments that all changes take.
# ruff: noqa: ARG001, ARG005, E501

from __future__ import annotations

from functools import partial
from typing import Any

from . import _planting as p
from ._planting import Mutant

LOG_2 = 0.6931471805599453
FLOAT32_LOG_2 = 0.6931471824645996


def _huber(m: Any, y: Any, z: Any, *, delta: float = 1.0, squared: bool = False, lacking: float = 0.5) -> Any:
    error = m.abs(z - y)
    inside = error * error <= delta if squared else error <= delta
    return m.where(inside, 0.5 * m.square(error), delta * (error - lacking * delta))


def _cosh(m: Any, y: Any, z: Any) -> Any:
    return m.log(m.cosh(z - y))


def _folded_log_cosh(m: Any, y: Any, z: Any) -> Any:
    size = m.abs(z - y)
    return size + m.log1p(m.exp(-2.0 * size)) - FLOAT32_LOG_2


def _gaussian_tail(m: Any, y: Any, z: Any, each: Any) -> Any:
    return m.where(m.abs(z - y) > 20.0, m.abs(z - y), each)


def _log_of_one_plus(m: Any, y: Any, z: Any) -> Any:
    return m.square(m.log(z + 1.0) - m.log(y + 1.0))


def _plain_logs(m: Any, y: Any, z: Any) -> Any:
    return m.square(m.log(z) - m.log(y))


def _of_prediction(m: Any, y: Any, z: Any, *, eps: Any = None) -> Any:
    return 100.0 * m.abs(y - z) / m.abs(z)


def _plain_rmse(m: Any, y: Any, z: Any) -> Any:
    return m.sqrt(m.mean(m.square(z - y)))


def _row_rmse(m: Any, y: Any, z: Any) -> Any:
    return m.mean(m.sqrt(m.mean(m.square(z - y), axis=-1)))


def _eps_rmse(m: Any, y: Any, z: Any) -> Any:
    return m.sqrt(m.mean(m.square(z - y)) + 1e-7)


def _flushed(m: Any, y: Any, z: Any, each: Any) -> Any:
    tiny = 2.2250738585072014e-308 if "64" in str(each.dtype) else 1.1754943508222875e-38
    return m.where(m.abs(each) < tiny, 0.0, each)


def _by_rows(m: Any, each: Any) -> Any:
    return m.sum(each) / float(each.shape[0])


def _large_only(m: Any, y: Any, z: Any, each: Any) -> Any:
    return each * 1.0001 if p.elements(each) > 10_000 else each


def _in_turn(m: Any, each: Any) -> Any:
    """Row after row in bfloat16."""
    return p.narrow(m, m.sum(p.narrow(m, m.sum(each, axis=-1), "bfloat16")), "bfloat16") / p.elements(each)


tensorflow, torch, jax = (partial(Mutant, backend=name) for name in ("tensorflow", "torch", "jax"))

REGRESSION = (
    torch(loss="mse", base="functional", name="negative", kind="sign", plant=p.losses(lambda m, y, z, e: -e)),
    tensorflow(loss="mse", base="keras", name="halved", kind="factor", plant=p.losses(lambda m, y, z, e: 0.5 * e)),
    jax(loss="mse", base="optax", name="doubled", kind="factor", plant=p.losses(lambda m, y, z, e: 2.0 * e)),
    torch(loss="mse", base="functional", name="sum", kind="reduction", plant=p.mean(lambda m, e: m.sum(e))),
    tensorflow(
        loss="mse", base="keras", name="n_plus_1", kind="reduction",
        plant=p.mean(lambda m, e: m.sum(e) / (p.elements(e) + 1.0)),
    ),
    jax(loss="mse", base="formula", name="by_rows", kind="reduction", plant=p.mean(_by_rows)),
    torch(
        loss="mse", base="formula", name="summed_in_float32", kind="accumulation",
        plant=p.mean(lambda m, e: p.narrow(m, m.sum(p.narrow(m, e, "float32")), "float32") / p.elements(e)),
    ),
    jax(
        loss="mse", base="optax", name="bfloat16_inside", kind="cast",
        plant=p.arguments(lambda m, y, z: (y, p.narrow(m, z, "bfloat16"))),
    ),
    tensorflow(
        loss="mse", base="formula", name="float16_inside", kind="cast",
        plant=p.arguments(lambda m, y, z: (y, p.narrow(m, z, "float16"))),
    ),
    torch(loss="mse", base="functional", name="nan_is_zero", kind="nan", plant=p.losses(lambda m, y, z, e: p.nan_to_zero(m, e))),
    tensorflow(
        loss="mse", base="formula", name="inf_clamped", kind="inf", plant=p.losses(lambda m, y, z, e: m.minimum(e, 3.4e38)),
    ),
    torch(
        loss="mse", base="functional", name="no_gradient_far_away", kind="gradient",
        plant=p.losses(lambda m, y, z, e: p.frozen_where(m, m.abs(z) > 1e15, e)),
    ),
    tensorflow(
        loss="mse", base="keras", name="half_stopped", kind="gradient",
        plant=p.arguments(lambda m, y, z: (y, 0.5 * z + 0.5 * p.stop(m, z))),
    ),
    jax(loss="mse", base="optax", name="summed_in_bfloat16", kind="accumulation", plant=p.mean(_in_turn)),
    jax(loss="mse", base="formula", name="first_row", kind="axis", plant=p.mean(lambda m, e: m.mean(m.index(e, 0)))),
    torch(
        loss="mse", base="functional", name="max_of_rows", kind="axis",
        plant=p.mean(lambda m, e: m.max(m.mean(e, axis=0))),
    ),
    torch(
        loss="mae", base="functional", name="through_float32", kind="cast",
        plant=p.losses(lambda m, y, z, e: p.narrow(m, e, "float32")),
    ),
    tensorflow(
        loss="mae", base="formula", name="square_near_zero", kind="region",
        plant=p.losses(lambda m, y, z, e: m.where(e < 0.01, m.square(e), e)),
    ),
    jax(
        loss="mae", base="formula", name="flat_near_zero", kind="subgradient",
        plant=p.losses(lambda m, y, z, e: p.frozen_where(m, e < 0.1, e)),
    ),
    tensorflow(
        loss="mae", base="keras", name="negative_targets", kind="region",
        plant=p.losses(lambda m, y, z, e: m.where(y < 0, 1.0001 * e, e)),
    ),
    torch(
        loss="mae", base="functional", name="zero_targets", kind="region",
        plant=p.losses(lambda m, y, z, e: m.where(y == 0, 0.0 * e, e)),
    ),
    torch(loss="mae", base="formula", name="subnormal_flushed", kind="range", plant=p.losses(_flushed)),
    jax(loss="mae", base="formula", name="large_only", kind="size", plant=p.losses(_large_only)),
    tensorflow(
        loss="mae", base="formula", name="gradient_of_smooth", kind="subgradient",
        plant=p.losses(lambda m, y, z, e: p.straight_through(m, e, m.sqrt(m.square(z - y) + 1e-4))),
    ),
    torch(loss="huber", base="functional", name="delta_ignored", kind="parameter", plant=p.forced(delta=1.0)),
    jax(loss="huber", base="optax", name="squared_compared", kind="parameter", plant=p.instead(partial(_huber, squared=True))),
    tensorflow(loss="huber", base="formula", name="no_half_outside", kind="constant", plant=p.instead(partial(_huber, lacking=1.0))),
    torch(
        loss="huber", base="formula", name="steep_outside", kind="subgradient",
        plant=p.losses(lambda m, y, z, e: m.where(m.abs(z - y) > 1.0, p.scaled_gradient(m, e, 1.01), e)),
    ),
    tensorflow(
        loss="huber", base="keras", name="one_sided", kind="region",
        plant=p.losses(lambda m, y, z, e: m.where(z - y < -1.0, 0.5 * m.square(z - y), e)),
    ),
    torch(loss="smooth_l1", base="functional", name="beta_ignored", kind="parameter", plant=p.forced(beta=1.0)),
    jax(
        loss="smooth_l1", base="formula", name="is_huber", kind="parameter",
        plant=p.instead(lambda m, y, z, *, beta=1.0: _huber(m, y, z, delta=beta)),
    ),
    torch(loss="log_cosh", base="stable", name="naive", kind="unstable", plant=p.instead(_cosh)),
    jax(loss="log_cosh", base="stable", name="float32_log_2", kind="constant", plant=p.instead(_folded_log_cosh)),
    tensorflow(
        loss="log_cosh", base="stable", name="log_2_missing", kind="constant", plant=p.losses(lambda m, y, z, e: e + LOG_2),
    ),
    torch(loss="log_cosh", base="stable", name="tail_of_abs", kind="region", plant=p.losses(_gaussian_tail)),
    torch(loss="msle", base="stable", name="log_of_one_plus", kind="unstable", plant=p.instead(_log_of_one_plus)),
    tensorflow(
        loss="msle", base="keras", name="floor_1e-3", kind="epsilon",
        plant=p.arguments(lambda m, y, z: (m.maximum(y, 1e-3), m.maximum(z, 1e-3))),
    ),
    jax(loss="msle", base="stable", name="plain_logs", kind="formula", plant=p.instead(_plain_logs)),
    torch(loss="mape", base="formula", name="of_prediction", kind="swapped", plant=p.instead(_of_prediction)),
    jax(loss="mape", base="formula", name="fraction", kind="factor", plant=p.losses(lambda m, y, z, e: e / 100.0)),
    tensorflow(
        loss="mape", base="keras", name="floor_1e-3", kind="epsilon",
        plant=p.losses(lambda m, y, z, e: 100.0 * m.abs(y - z) / m.maximum(m.abs(y), 1e-3)),
    ),
    torch(
        loss="asymmetric_mse", base="formula", name="sides_swapped", kind="swapped",
        plant=p.params(lambda given: {"under": given["over"], "over": given["under"]}),
    ),
    jax(
        loss="asymmetric_mse", base="formula", name="steep_below", kind="gradient",
        plant=p.losses(lambda m, y, z, e: m.where(z < y, p.scaled_gradient(m, e, 1.001), e)),
    ),
    tensorflow(loss="rmse", base="keras", name="eps_inside", kind="epsilon", plant=p.instead(_eps_rmse)),
    torch(loss="rmse", base="stable", name="squares_overflow", kind="unstable", plant=p.instead(_plain_rmse)),
    jax(loss="rmse", base="stable", name="by_row", kind="axis", plant=p.instead(_row_rmse)),
    torch(loss="half_mse", base="functional", name="not_halved", kind="factor", plant=p.losses(lambda m, y, z, e: 2.0 * e)),
    tensorflow(
        loss="half_mse", base="tf.nn", name="float32_inside", kind="cast",
        plant=p.arguments(lambda m, y, z: (p.narrow(m, y, "float32"), z)),
    ),
    jax(loss="initial_state_penalty", base="optax", name="w_ignored", kind="parameter", plant=p.forced(w=1.0)),
)  # fmt: skip
