# ruff: noqa: ARG005 - every probe takes the same arguments
"""Losses that are single operations of the vocabulary, so that each can be held against numpy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lossbench import Binding, Loss, domains

Probe = tuple[Callable[[Any, Any, Any], Any], Callable[[Any, Any], Any]]

ELEMENT: dict[str, Probe] = {  # in a framework's operations; in numpy
    "abs": (lambda m, y, p: m.abs(p), lambda y, p: np.abs(p)),
    "exp": (lambda m, y, p: m.exp(p), lambda y, p: np.exp(p)),
    "expm1": (lambda m, y, p: m.expm1(p), lambda y, p: np.expm1(p)),
    "log": (lambda m, y, p: m.log(y), lambda y, p: np.log(y)),
    "log1p": (lambda m, y, p: m.log1p(y), lambda y, p: np.log1p(y)),
    "sqrt": (lambda m, y, p: m.sqrt(y), lambda y, p: np.sqrt(y)),
    "square": (lambda m, y, p: m.square(p), lambda y, p: p * p),
    "power": (lambda m, y, p: m.power(y, 1.5), lambda y, p: y**1.5),
    "cosh": (lambda m, y, p: m.cosh(p), lambda y, p: np.cosh(p)),
    "tanh": (lambda m, y, p: m.tanh(p), lambda y, p: np.tanh(p)),
    "sigmoid": (lambda m, y, p: m.sigmoid(p), lambda y, p: 1 / (1 + np.exp(-p))),
    "softplus": (lambda m, y, p: m.softplus(p), lambda y, p: np.logaddexp(0, p)),
    "maximum": (lambda m, y, p: m.maximum(y, p), lambda y, p: np.maximum(y, p)),
    "maximum_scalar": (lambda m, y, p: m.maximum(p, 0.25), lambda y, p: np.maximum(p, 0.25)),
    "minimum": (lambda m, y, p: m.minimum(y, p), lambda y, p: np.minimum(y, p)),
    "minimum_scalar": (lambda m, y, p: m.minimum(p, 0.25), lambda y, p: np.minimum(p, 0.25)),
    "clip": (lambda m, y, p: m.clip(p, -0.5, 0.5), lambda y, p: np.clip(p, -0.5, 0.5)),
    "where": (lambda m, y, p: m.where(p > 0, p, 0.5), lambda y, p: np.where(p > 0, p, 0.5)),
    "where_scalar_first": (lambda m, y, p: m.where(p > 0, 0.5, y), lambda y, p: np.where(p > 0, 0.5, y)),
    "where_scalars": (lambda m, y, p: m.where(p > 0, 0.1, 0.2), lambda y, p: np.where(p > 0, 0.1, 0.2)),
    "logical_and": (
        lambda m, y, p: m.where(m.logical_and(p > 0, y > 0.5), p, y),
        lambda y, p: np.where((p > 0) & (y > 0.5), p, y),
    ),
    "constant": (lambda m, y, p: p * m.constant(0.1, p), lambda y, p: p * 0.1),
    "arithmetic": (lambda m, y, p: (1 - p) / y + 0.3 * p - (-y) ** 2, lambda y, p: (1 - p) / y + 0.3 * p - y**2),
    "log_softmax": (lambda m, y, p: m.log_softmax(p), lambda y, p: p - np.log(np.exp(p).sum(-1, keepdims=True))),
    "softmax": (lambda m, y, p: m.softmax(p, axis=0), lambda y, p: np.exp(p) / np.exp(p).sum(0, keepdims=True)),
    "sum_keepdims": (lambda m, y, p: p + m.sum(p, axis=-1, keepdims=True), lambda y, p: p + p.sum(-1, keepdims=True)),
    "sum_all_keepdims": (lambda m, y, p: p + m.sum(p, keepdims=True), lambda y, p: p + p.sum(keepdims=True)),
    "matmul": (lambda m, y, p: m.matmul(m.matmul(p, m.transpose(p)), p), lambda y, p: p @ p.T @ p),
    "moveaxis": (lambda m, y, p: m.moveaxis(m.moveaxis(p, 0, -1), 0, 1), lambda y, p: p),
    "reshape": (lambda m, y, p: m.reshape(m.reshape(p, (12,)), (3, 4)), lambda y, p: p),
    "expand_dims": (lambda m, y, p: m.sum(m.expand_dims(p, 1), axis=1), lambda y, p: p),
    "stack": (lambda m, y, p: m.sum(m.stack([y, p], axis=-1), axis=-1), lambda y, p: y + p),
    "concat": (lambda m, y, p: m.index(m.concat([y, p], axis=0), slice(3, None)), lambda y, p: p),
    "one_hot": (
        lambda m, y, p: m.one_hot(m.index(_indices(m, y), slice(None)), 4, p),
        lambda y, p: np.array([[0, 0, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]], float),
    ),
}
ROW: dict[str, Probe] = {
    "sum": (lambda m, y, p: m.sum(p, axis=-1), lambda y, p: p.sum(-1)),
    "mean": (lambda m, y, p: m.mean(p, axis=1), lambda y, p: p.mean(1)),
    "max": (lambda m, y, p: m.max(p, axis=-1), lambda y, p: p.max(-1)),
    "logsumexp": (lambda m, y, p: m.logsumexp(p), lambda y, p: np.log(np.exp(p).sum(-1))),
    "index": (lambda m, y, p: m.index(p, (slice(None), 1)), lambda y, p: p[:, 1]),
    "index_none": (lambda m, y, p: m.index(p, (..., None, 2))[:, 0], lambda y, p: p[:, 2]),
    "take_class": (lambda m, y, p: m.take_class(p, _labels(m, y)), lambda y, p: p[[0, 1, 2], [3, 1, 0]]),
    "take_class_1d": (lambda m, y, p: m.take_class(m.index(p, 0), _labels(m, y)), lambda y, p: p[0, [3, 1, 0]]),
}
BATCH: dict[str, Probe] = {
    "sum_all": (lambda m, y, p: m.sum(p), lambda y, p: p.sum()),
    "mean_axes": (lambda m, y, p: m.mean(p, axis=(0, 1)), lambda y, p: p.mean()),
    "max_all": (lambda m, y, p: m.max(p), lambda y, p: p.max()),
    "ignores": (lambda m, y, p: m.sum(y), lambda y, p: y.sum()),
}


def _labels(m: Any, like: Any) -> Any:
    """[3, 1, 0] as the framework's integers."""
    return _integers(m, [3, 1, 0], like)


def _indices(m: Any, like: Any) -> Any:
    """[3, -1, 0]: one of them no class."""
    return _integers(m, [3, -1, 0], like)


def _integers(m: Any, values: list[int], like: Any) -> Any:
    if hasattr(m, "tf"):
        return m.tf.constant(values)
    return m.torch.tensor(values, device=like.device) if hasattr(m, "torch") else m.jnp.asarray(values)


def _probe(unit: str, probes: dict[str, Probe]) -> Loss:
    def call(m: Any, y_true: Any, y_pred: Any, op: str) -> Any:
        return probes[op][0](m, y_true, y_pred)

    return Loss(
        name=f"probe_{unit}",
        title="probe",
        summary="One operation.",
        formula="p",
        source="none",
        inputs={"y_true": domains.REAL, "y_pred": domains.REAL},
        reference=call,
        accepts=("op",),
        unit=unit,  # type: ignore[arg-type]
        reduction="none",
        bindings=tuple(
            Binding(backend=backend, name="formula", call=call, docs=(), unit=unit, accepts=("op",))  # type: ignore[arg-type]
            for backend in ("tensorflow", "torch", "jax")
        ),
    )


def _branching(m: Any, y_true: Any, y_pred: Any) -> Any:
    """Python control flow on a tensor: what a compiler cannot trace in one graph."""
    return m.abs(y_pred) if m.sum(y_true) > 0 else m.square(y_pred)


def _keras_default(m: Any, y_true: Any, y_pred: Any) -> Any:
    return m.keras.losses.MeanSquaredError(reduction="none")(y_true[..., None], y_pred[..., None])


def _of(name: str, call: Any, *backends: str) -> Loss:
    return Loss(
        name=name,
        title="probe",
        summary="One behaviour.",
        formula="p",
        source="none",
        inputs={"y_true": domains.REAL, "y_pred": domains.REAL},
        reference=call,
        reduction="none",
        bindings=tuple(Binding(backend=b, name="formula", call=call, docs=()) for b in backends),
    )


probe_element = _probe("element", ELEMENT)
probe_row = _probe("row", ROW)
probe_batch = _probe("batch", BATCH)
branching = _of("branching", _branching, "tensorflow", "torch", "jax")
narrow = _of("narrow", lambda m, y, p: m.sum(p, axis=-1, keepdims=True), "tensorflow", "torch", "jax")
keras_default = _of("keras_default", _keras_default, "tensorflow")
