"""Bounds of a change that may be looked at several times while replicates come in, with a known error.

Base and head are loaded, prepared and visited in random order, so that where nothing changed either could be the
other: the log ratio of a replicate is symmetric about 0 by construction, and about log(1 + change) where every call
takes that much longer. For n independent symmetric values the number of pairwise averages (x_i + x_j) / 2, i <= j,
below the centre has the null distribution of the signed-rank statistic, whatever the shape or the tails
(F. Wilcoxon, Biometrics Bull. 1 (1945) 80-83; J. W. Tukey's averages after J. L. Hodges and E. L. Lehmann, Ann. Math.
Statist. 34 (1963) 598-611). The k-th smallest average is therefore an exact lower bound. Looking more than once adds
errors up; the ranks are chosen so that their sum over all looks stays below what was allowed, and that a look after n
of N replicates has spent at most sqrt(n / N) of it by then (K. Kim and D. L. DeMets, Biometrika 74 (1987) 149-154, the
power family; one half, so that an early look can already end the common case).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

LOOKS: Final = (2, 3, 4, 6, 8, 12, 16, 20, 32)
"""Of the first stage, whose common case, a quiet unchanged cell, should cost little."""
CONFIRMING: Final = (12, 16, 20, 26, 32, 40, 50, 64, 80)
"""Of the second, which bears the correction for the number of cells: fewer than 12 could not."""
SPENDING: Final = 0.5

Reals = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """ranks: k at each look, 0 where so few replicates allow no bound. spent: the most error by each look."""

    looks: tuple[int, ...]
    ranks: tuple[int, ...]
    spent: tuple[float, ...]

    def rank(self, n: int) -> int:
        """k after n replicates; 0 where n is no look."""
        return dict(zip(self.looks, self.ranks, strict=True)).get(n, 0)

    def low(self, x: Reals) -> float:
        """The lower bound, after as many replicates as a look has; -inf where there is none."""
        rank = self.rank(len(x))
        return float(averages(x)[rank - 1]) if rank else -np.inf

    def high(self, x: Reals) -> float:
        """The upper bound, by the same rank from above; inf where there is none."""
        return -self.low(-x)


@lru_cache(maxsize=256)
def ranks(error: float, looks: tuple[int, ...] = LOOKS) -> Ranks:
    """The ranks of a one-sided bound that is wrong at any of the looks with probability at most `error`.

    error: between 0 and 1. looks: increasing numbers of replicates.
    """
    found, spent, total = [], [], 0.0
    for n in looks:
        chances = signed_rank(n)
        # a hair above, so that rounding does not take away a rank that just fits
        allowed = error * (n / looks[-1]) ** SPENDING * (1 + 1e-12) - total
        rank = int(np.searchsorted(chances, allowed, side="right"))
        total += float(chances[rank - 1]) if rank else 0.0
        found.append(rank)
        spent.append(total)
    return Ranks(looks=looks, ranks=tuple(found), spent=tuple(spent))


@lru_cache(maxsize=128)
def signed_rank(n: int) -> Reals:
    """P(W <= w) for w = 0, 1, ..., n (n + 1) / 2, W the sum of those of 1..n that a fair coin picks."""
    density = np.ones(1)
    for i in range(1, n + 1):
        grown = np.zeros(len(density) + i)
        grown[: len(density)] += density / 2
        grown[i:] += density / 2
        density = grown
    return np.asarray(np.cumsum(density), dtype=np.float64)


def averages(x: Reals) -> Reals:
    """All pairwise averages, each value with itself included, ascending."""
    i, j = np.triu_indices(len(x))
    return np.asarray(np.sort((x[i] + x[j]) / 2), dtype=np.float64)


def centre(x: Reals) -> float:
    """Hodges and Lehmann's: the median of the pairwise averages; nan without values."""
    return float(np.median(averages(x))) if len(x) else np.nan


def centres(rows: Reals) -> Reals:
    """The centre of each row, which has at least one value."""
    i, j = np.triu_indices(rows.shape[1])
    return np.asarray(np.median((rows[:, i] + rows[:, j]) / 2, axis=1), dtype=np.float64)


def above(rows: Reals, value: float) -> npt.NDArray[np.int64]:
    """How many pairwise averages of each row lie above the value."""
    found = np.zeros(len(rows), np.int64)
    for i in range(rows.shape[1]):
        found += (rows[:, i : i + 1] + rows[:, i:] > 2 * value).sum(axis=1)
    return found
