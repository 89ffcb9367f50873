"""From unreduced losses to the number a case asks for, exactly, and apart from `lossbench.spec.reduction`.

Empty batches and zero sums of weights are 0/0 = nan here; frameworks that say 0 follow a definition of their own.
Only `sum_by_nonzero_weights` is 0 where every weight is 0, as TensorFlow 1 defines it. A weight of 0 removes its
loss, even an infinite one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lossbench.judge.oracle.namespace import ExactOps
from lossbench.judge.oracle.operations import Array, Operand, lift
from lossbench.judge.oracle.reals import Mask
from lossbench.judge.oracle.weighted import Weighted
from lossbench.spec.errors import BadInput

REDUCTIONS = (
    "none",
    "sum",
    "mean",
    "mean_with_sample_weight",
    "sum_by_nonzero_weights",
    "batchmean",
    "weighted_mean",
    "mean_over_valid",
)


def _aligned(x: ExactOps, weights: Array, shape: tuple[int, ...]) -> Array:
    """Weights of the losses' shape, of its leading axes, or broadcastable to it."""
    if weights.ndim == len(shape) + 1 and weights.shape[-1] == 1:
        weights = x.reshape(weights, weights.shape[:-1])
    if weights.ndim < len(shape) and weights.shape == shape[: weights.ndim]:
        weights = x.reshape(weights, weights.shape + (1,) * (len(shape) - weights.ndim))
    try:
        return x.broadcast_to(weights, shape)
    except ValueError:
        raise BadInput(
            subject="sample_weight",
            expected=f"the shape of the losses {shape} or of their leading axes",
            received=f"{weights.shape}",
            remedy="give one weight a loss or one a row",
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a reduction adds up: losses already times the given weights; and the weights themselves.

    valid: the losses that `mean_over_valid` counts, where the formula says so. added: on top, after the reduction.
    """

    losses: Array
    own: Array | None
    given: Array | None
    valid: Mask | None = None
    added: Array | None = None


def terms(x: ExactOps, result: Array | Weighted, *, per_sample: Any, sample_weight: Operand | None) -> Terms:
    """The losses to reduce. Raises BadInput for misfitting weights, Undecided."""
    losses = result.losses if isinstance(result, Weighted) else lift(result)
    own = result.weights if isinstance(result, Weighted) else None
    if per_sample == "mean_last" and losses.ndim:
        losses = x.mean(losses, axis=-1)
        own = x.mean(own, axis=-1) if own is not None and own.ndim > losses.ndim else own
    given = None if sample_weight is None else _aligned(x, lift(sample_weight), losses.shape)
    if given is not None:
        losses = x.weigh(given, losses)
    if not isinstance(result, Weighted):
        return Terms(losses=losses, own=own, given=given)
    return Terms(losses=losses, own=own, given=given, valid=result.valid, added=result.added)


def reduce(x: ExactOps, summands: Terms, *, reduction: str, divide_by: Array | int | None = None) -> Array:
    """The reduced loss; divide_by: in place of the divisor that these terms give. Raises BadInput for an
    unknown reduction, Undecided."""
    out = summands.losses
    if reduction != "none":
        out = x.sum(out) / (divisor(x, summands, reduction) if divide_by is None else divide_by)
    return out if summands.added is None else out + summands.added


def divisor(x: ExactOps, summands: Terms, reduction: str) -> Array | int:
    """What the sum of the losses is divided by."""
    losses, own, given = summands.losses, summands.own, summands.given
    count = int(np.prod(losses.shape, dtype=np.int64))
    if reduction == "sum":
        return 1
    if reduction == "mean":
        return count
    if reduction == "batchmean":
        return int(losses.shape[0]) if losses.shape else 1
    if reduction == "mean_with_sample_weight":
        return count if given is None else x.sum(given)
    if reduction == "sum_by_nonzero_weights":
        return count if given is None else max(1, int(np.count_nonzero(given != 0)))
    if reduction == "weighted_mean":
        if own is None:
            return count
        effective = x.broadcast_to(own, losses.shape)
        return x.sum(effective if given is None else x.weigh(given, effective))
    if reduction == "mean_over_valid":
        if summands.valid is not None:
            return int(np.count_nonzero(np.broadcast_to(summands.valid, losses.shape)))
        return count if own is None else int(np.count_nonzero(x.broadcast_to(own, losses.shape) != 0))
    raise BadInput(
        subject="reduction", expected=" | ".join(REDUCTIONS), received=repr(reduction), remedy="name one of these"
    )
