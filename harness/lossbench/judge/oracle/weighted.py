"""What a reference returns where a plain array of losses would not say enough."""

from __future__ import annotations

from dataclasses import dataclass

from lossbench.judge.oracle.operations import Array
from lossbench.judge.oracle.reals import Mask


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighted:
    """Losses already multiplied by their weights, with the weights that `weighted_mean` divides by the sum of
    (0 for an ignored sample).

    valid: which samples `mean_over_valid` counts; those of a weight other than 0, if left out. added: one number
    that comes on top once, after the reduction.
    """

    losses: Array
    weights: Array | None = None
    valid: Mask | None = None
    added: Array | None = None
