"""Unreduced losses become one number, in the vocabulary of `ops`: the same definition in every framework.

Applied by the worker around a binding that does not take these parameters itself, and by the oracle.
The meanings are those of `docs/case-file.md`.
"""

from __future__ import annotations

from math import prod
from typing import Final

from lossbench.spec.errors import BadInput
from lossbench.spec.ops import Array, Ops

REDUCTIONS: Final = (
    "none",
    "mean",
    "sum",
    "mean_with_sample_weight",  # divided by the sum of the weights
    "sum_by_nonzero_weights",  # divided by the number of losses whose weight is not 0
    "weighted_mean",  # divided by the class weights of the samples that are not ignored
    "mean_over_valid",  # divided by the number of samples that are not ignored
    "batchmean",  # divided by the length of the first axis
)
PER_SAMPLE: Final = ("mean_last",)


def reduce(
    m: Ops,
    losses: Array,
    *,
    unit: str,
    reduction: str,
    per_sample: str | None = None,
    sample_weight: Array | float | None = None,
    y_true: Array | None = None,
    class_weight: Array | None = None,
    ignore_index: int | None = None,
) -> Array:
    """Weights and reduces.

    losses: unreduced, one number per `unit` ("element", "row", or "batch": a scalar already).
    per_sample: "mean_last" takes the mean over the last axis first, where a loss stands for an element.
    sample_weight: one number, one a sample, or one a loss; missing trailing axes are added, then it broadcasts.
    y_true, class_weight, ignore_index: what "weighted_mean" and "mean_over_valid" divide by; the losses
    come weighted by class and zero where ignored. Raises BadInput for an unknown reduction.
    """
    if per_sample == "mean_last":
        if unit == "element" and len(losses.shape) > 0:
            losses = m.mean(losses, axis=-1)
    elif per_sample is not None:
        _unknown("per_sample", per_sample, PER_SAMPLE)
    weight: Array | None = None
    if sample_weight is not None:
        weight = _aligned(m, sample_weight, losses)
        losses = losses * weight
    if reduction == "mean":
        return m.mean(losses)
    if reduction == "sum":
        return m.sum(losses)
    if reduction == "none":
        return losses
    if reduction == "batchmean":
        return m.sum(losses) / float(losses.shape[0] if len(losses.shape) else 1)
    if reduction == "mean_with_sample_weight":
        return m.mean(losses) if weight is None else m.sum(losses) / (m.sum(weight) * _times(losses, weight))
    if reduction == "sum_by_nonzero_weights":
        return m.mean(losses) if weight is None else _by_nonzero(m, losses, weight)
    if reduction in ("weighted_mean", "mean_over_valid"):
        counted = class_weight if reduction == "weighted_mean" else None
        divisor = valid_weight(m, losses, y_true=y_true, class_weight=counted, ignore_index=ignore_index)
        return m.mean(losses) if divisor is None else m.sum(losses) / m.sum(divisor)
    return _unknown("reduction", reduction, REDUCTIONS)


def valid_weight(
    m: Ops, like: Array, *, y_true: Array | None, class_weight: Array | None = None, ignore_index: int | None = None
) -> Array | None:
    """The weight of each sample by its class index: `class_weight[y_true]`, 1 without it, 0 where ignored.

    None where neither is set: every sample counts once. `y_true` holds class indices, or rows over the classes.
    """
    if y_true is None or (class_weight is None and ignore_index is None):
        return None
    if len(y_true.shape) > len(like.shape):  # rows over the classes, one-hot or not
        return None if class_weight is None else m.sum(y_true * class_weight, axis=-1)
    ignored = None if ignore_index is None else y_true == ignore_index
    # an ignored index may lie outside the classes: class 0 stands in, so that every gather accepts it
    labels = y_true if ignored is None else m.where(ignored, y_true * 0, y_true)
    weight = m.cast(labels * 0 + 1, like) if class_weight is None else m.take_class(class_weight, labels)
    return weight if ignored is None else m.where(ignored, weight * 0.0, weight)


def _aligned(m: Ops, sample_weight: Array | float, losses: Array) -> Array:
    """The weight as an array of the losses' rank or less, its missing trailing axes added."""
    if isinstance(sample_weight, int | float):
        return m.constant(float(sample_weight), losses)
    weight = m.cast(sample_weight, losses)
    rank = len(losses.shape)
    if len(weight.shape) == rank + 1 and weight.shape[-1] == 1:
        return m.reshape(weight, tuple(weight.shape[:-1]))
    if tuple(weight.shape) == tuple(losses.shape[: len(weight.shape)]):
        while 0 < len(weight.shape) < rank:
            weight = m.expand_dims(weight, -1)
    return weight


def _times(losses: Array, weight: Array) -> float:
    """How often each weight counts once it is broadcast to the losses."""
    return float(prod(losses.shape) // max(prod(weight.shape), 1))


def _by_nonzero(m: Ops, losses: Array, weight: Array) -> Array:
    present = m.where(weight == 0, weight * 0.0, weight * 0.0 + 1.0)
    count = m.sum(present) * _times(losses, weight)
    return m.where(count == 0, count * 0.0, m.sum(losses) / m.maximum(count, 1.0))


def _unknown(name: str, value: str, known: tuple[str, ...]) -> Array:
    raise BadInput(subject=name, expected=f"one of {', '.join(known)}", received=repr(value), remedy="choose one")
