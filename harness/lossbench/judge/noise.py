"""How noisy a replicate is, said of one cell with the help of all that were measured beside it.

Two or three replicates say little of their own spread; sixty cells of a lane that have two each say much of what is
usual there. A cell's variance is therefore taken as the mean of what its own replicates show and of what is usual,
weighted by degrees of freedom; both the usual variance and how much it weighs come from all cells' variances by their
logarithms' mean and spread (G. K. Smyth, Stat. Appl. Genet. Mol. Biol. 3 (2004) 3, the moderated t statistic). Where
cells differ much from each other, or are few, each speaks for itself, by Student's t.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.special import polygamma, psi, stdtrit

from lossbench.judge.looks import Reals

LEAST_CELLS: Final = 12
"""Fewer tell nothing of how cells differ."""
MOST_DEGREES: Final = 10.0
"""However alike cells seem: what is usual never outweighs eleven replicates of the cell's own."""
LEAST_VARIANCE: Final = 1e-12
"""Of replicates that agree to the last bit, as those of a stand-in do."""
NEWTON_STEPS: Final = 50

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What is usual. degrees: of freedom that it counts for; 0: nothing is known. sd: of a replicate's log ratio."""

    degrees: float
    sd: float

    def reach(self, rows: Reals, error: float) -> npt.NDArray[np.float64]:
        """Of each row of replicates, how far above its centre the truth lies with no more than this probability.

        rows: of shape (cells, replicates), at least one replicate. Infinite where nothing is known of the spread.
        """
        n = rows.shape[1]
        freedom = self.degrees + n - 1
        if freedom <= 0:
            return np.full(len(rows), np.inf)
        own = ((rows - rows.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
        variance = (self.degrees * self.sd**2 + own) / freedom
        return np.asarray(stdtrit(freedom, 1 - error) * np.sqrt(variance / n), dtype=np.float64)


UNKNOWN: Final = Noise(degrees=0.0, sd=0.0)


def pooled(cells: Sequence[Reals]) -> Noise:
    """What is usual among these cells, each with its replicates; those with fewer than two say nothing."""
    several = [x for x in cells if len(x) > 1]
    if len(several) < LEAST_CELLS:
        return UNKNOWN
    halves = np.array([(len(x) - 1) / 2 for x in several])
    variances = np.array([max(LEAST_VARIANCE, float(np.var(x, ddof=1))) for x in several])
    logs = np.log(variances) - psi(halves) + np.log(halves)
    spread = float(np.var(logs, ddof=1) - np.mean(polygamma(1, halves)))
    degrees = min(MOST_DEGREES, 2 * trigamma_inverse(spread)) if spread > 0 else MOST_DEGREES
    usual = float(np.mean(logs) + psi(degrees / 2) - np.log(degrees / 2))
    return Noise(degrees=degrees, sd=float(np.exp(usual / 2)))


def by_lane(cells: Mapping[Key, Sequence[Reals]]) -> dict[Key, Noise]:
    """What is usual in each lane, or, where it has few cells, in all lanes together."""
    everywhere = pooled([x for own in cells.values() for x in own])
    return {lane: found if (found := pooled(own)).degrees else everywhere for lane, own in cells.items()}


def trigamma_inverse(value: float) -> float:
    """y with polygamma(1, y) = value > 0, by Newton's method on 1 / trigamma, which is nearly linear."""
    y = 0.5 + 1 / value
    for _ in range(NEWTON_STEPS):
        found = float(polygamma(1, y))
        y += found * (1 - found / value) / float(polygamma(2, y))
    return y
