"""Order-statistic bounds that may be looked at several times while replicates come in, with an exact error.

Let m be the median of what a replicate measures. Of n independent replicates the number below m is Bin(n, 1/2)
whatever the distribution, so x(k), the k-th smallest, lies above m with probability P(Bin(n, 1/2) < k)
(W. R. Thompson, Ann. Math. Statist. 7 (1936) 122-128). Looking more than once adds such chances up; the ranks here
are chosen so that their exact sum over all looks, followed as a random walk of signs, stays below what was allowed,
and a look after n of N replicates has spent at most sqrt(n / N) of it by then (K. Kim and D. L. DeMets, Biometrika 74
(1987) 149-154, the power family; one half, so that the first look can already end the common case). Nothing is
assumed of the distribution; that replicates are independent is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

LOOKS: Final = (6, 12, 20, 32, 50)
SPENDING: Final = 0.5

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """ranks: k at each look, 0 where so few replicates allow no bound. spent: the exact error by each look."""

    looks: tuple[int, ...]
    ranks: tuple[int, ...]
    spent: tuple[float, ...]

    def rank(self, n: int) -> int:
        """k after n replicates; 0 where n is no look."""
        return dict(zip(self.looks, self.ranks, strict=True)).get(n, 0)

    def low(self, x: Reals) -> float:
        """The lower bound of the median, after as many replicates as a look has; -inf where there is none."""
        rank = self.rank(len(x))
        return float(np.sort(x)[rank - 1]) if rank else -np.inf

    def high(self, x: Reals) -> float:
        """The upper bound, by the same rank from above; inf where there is none."""
        return -self.low(-x)


@lru_cache(maxsize=256)
def ranks(error: float, looks: tuple[int, ...] = LOOKS) -> Ranks:
    """The ranks of a one-sided bound that is wrong at any of the looks with probability at most `error`.

    error: between 0 and 1. looks: increasing numbers of replicates.
    """
    below = np.ones(1)  # P(l replicates below the median so far, no bound wrong yet), by l
    found, spent, total, before = [], [], 0.0, 0
    for n in looks:
        below = np.convolve(below, binom.pmf(np.arange(n - before + 1), n - before, 0.5))
        # a hair above, so that rounding does not take away a rank that just fits
        fits = total + np.cumsum(below) <= error * (n / looks[-1]) ** SPENDING * (1 + 1e-12)
        k = int(np.argmin(fits)) if not fits.all() else len(below)
        total += float(below[:k].sum())
        below[:k] = 0.0
        before = n
        found.append(k)
        spent.append(total)
    return Ranks(looks=looks, ranks=tuple(found), spent=tuple(spent))
