"""Metrics by name: what a person reads of a model, as opposed to the loss that trains it. One definition for all.

A name is a metric, or `head_metric` for an output of that name. Scores of yes-or-no outputs are probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from lossbench.spec.errors import BadInput
from lossbench.spec.training import Array

THRESHOLD: Final = 0.5
BINS: Final = 10


def accuracy(y: Array, p: Array) -> float:
    """Share of rows whose largest output is the label's class; labels are numbers, or rows with a one."""
    return float(np.mean(np.argmax(p, axis=-1) == _numbers(y)))


def binary_accuracy(y: Array, p: Array) -> float:
    """Share of outputs on the label's side of 0.5."""
    return float(np.mean((p > THRESHOLD) == (y > THRESHOLD)))


def precision(y: Array, p: Array) -> float:
    """Share of positives among what is called positive; 0 where nothing is."""
    called = p > THRESHOLD
    return float(np.mean(y[called] > THRESHOLD)) if called.any() else 0.0


def recall(y: Array, p: Array) -> float:
    """Share of the positives that are called so; 0 where there is none."""
    positive = y > THRESHOLD
    return float(np.mean(p[positive] > THRESHOLD)) if positive.any() else 0.0


def balanced_accuracy(y: Array, p: Array) -> float:
    """Mean of the shares of positives and of negatives that are called so."""
    return (recall(y, p) + recall(1.0 - y, 1.0 - p)) / 2


def calibration_error(y: Array, p: Array) -> float:
    """Expected calibration error over ten bins of the score, as in C. Guo et al. (2017)."""
    return _gaps(p.reshape(-1), y.reshape(-1))


def confidence_error(y: Array, p: Array) -> float:
    """Calibration error of the largest output of each row against whether it is the label's class."""
    return _gaps(np.max(p, axis=-1), np.argmax(p, axis=-1) == _numbers(y))


def _numbers(y: Array) -> Array:
    return y if y.ndim == 1 else np.argmax(y, axis=-1)


def _gaps(score: Array, label: Array) -> float:
    bins = np.minimum((score * BINS).astype(int), BINS - 1)
    gaps = (abs(label[bins == b].mean() - score[bins == b].mean()) * np.mean(bins == b) for b in np.unique(bins))
    return float(sum(gaps))


def mae(y: Array, p: Array) -> float:
    """Mean absolute error."""
    return float(np.mean(np.abs(p - y)))


def rmse(y: Array, p: Array) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(np.mean(np.square(p - y))))


def bias(y: Array, p: Array) -> float:
    """Mean of prediction minus target."""
    return float(np.mean(p - y))


_YES_NO: Final = (binary_accuracy, balanced_accuracy, precision, recall, calibration_error)
METRICS: Final[dict[str, Callable[[Any, Any], float]]] = {
    f.__name__: f for f in (accuracy, confidence_error, *_YES_NO, mae, rmse, bias)
}
BETTER_IS_LESS: Final = frozenset({"mae", "rmse", "calibration_error", "confidence_error"})


def split(name: str, heads: Mapping[str, Any]) -> tuple[str, str]:
    """(head, metric) of a name. BadInput where there is no such metric."""
    for head in heads:
        if name.startswith(f"{head}_") and name.removeprefix(f"{head}_") in METRICS:
            return head, name.removeprefix(f"{head}_")
    if name in METRICS:
        return next(iter(heads)), name
    raise BadInput(
        subject="metric", expected=f"one of {', '.join(METRICS)}, with an output's name and _ before it or without",
        received=repr(name), remedy="correct the name",
    )  # fmt: skip


def measured(names: tuple[str, ...], y: Mapping[str, Array], outputs: Mapping[str, Array]) -> dict[str, float]:
    """The metrics of these outputs."""
    found = {}
    for name in names:
        head, metric = split(name, outputs)
        found[name] = METRICS[metric](y[head], np.asarray(outputs[head], np.float64))
    return found


def less_is_better(name: str) -> bool:
    """Whether a smaller value of the metric is the better one."""
    return any(name == metric or name.endswith(f"_{metric}") for metric in BETTER_IS_LESS)
