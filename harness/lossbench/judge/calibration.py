"""How often the gate is wrong: its rule on thousands of gate runs, each drawn from replicates that were measured.

`stage` says for many cells at once exactly what `judge` says for one; resampling assumes that replicates are
independent, as the rule does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from lossbench.judge.change import SMALLEST_EFFECT, Rule
from lossbench.judge.looks import Ranks, Reals, ranks

OPEN: Final = 0
PASS: Final = 1
FAIL: Final = 2
INVALID: Final = 3
INCONCLUSIVE: Final = 4

Codes = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How many of how many, with Wilson's 95% interval (E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209-212)."""

    hits: int
    trials: int

    @property
    def share(self) -> float:
        return self.hits / self.trials if self.trials else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        if not self.trials:
            return 0.0, 1.0
        z, n, p = 1.959963984540054, self.trials, self.share
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def stage(x: Reals, control: Reals, rule: Rule, *, confirming: bool) -> tuple[Codes, npt.NDArray[np.int64]]:
    """Verdicts and replicates taken, one a row; x, control: of shape (cells, last look). FAIL of the first: suspect."""
    said = np.full(len(x), OPEN, np.int8)
    taken = np.full(len(x), rule.looks[-1], np.int64)
    floor, wall = np.log1p(SMALLEST_EFFECT), np.log1p(rule.margin)
    slower, passing, both = rule.slower(confirming), rule.passing, ranks(rule.screen, rule.looks)
    for n in rule.looks:
        rows = np.flatnonzero(said == OPEN)
        seen, still = np.sort(x[rows, :n], axis=1), np.sort(control[rows, :n], axis=1)
        middle = np.abs(np.median(still, axis=1))
        moved = (np.maximum(_low(still, both), -_high(still, both)) > floor) & (middle > wall)
        fails = (_low(seen, slower) > floor) & (np.median(seen, axis=1) > wall)
        passes = _high(seen, passing) < wall
        found = np.select([moved, fails, passes], [INVALID, FAIL, PASS], OPEN).astype(np.int8)
        said[rows] = found
        taken[rows[found != OPEN]] = n
    return np.where(said == OPEN, np.int8(INCONCLUSIVE), said), taken


def _low(sorted_rows: Reals, found: Ranks) -> Reals:
    rank = found.rank(sorted_rows.shape[1])
    return sorted_rows[:, rank - 1] if rank else np.full(len(sorted_rows), -np.inf)


def _high(sorted_rows: Reals, found: Ranks) -> Reals:
    rank = found.rank(sorted_rows.shape[1])
    return sorted_rows[:, -rank] if rank else np.full(len(sorted_rows), np.inf)


def gate_runs(
    x: Sequence[Reals], control: Sequence[Reals], rule: Rule, runs: int, seed: int
) -> tuple[Codes, npt.NDArray[np.int64]]:
    """Verdicts and replicates taken in all, of shape (runs, rule.cells).

    x, control: of each measured cell its replicates, whose pairs stay together. Each cell of a gate run is one of
    the measured cells, at random.
    """
    draws, last = np.random.default_rng(seed), rule.looks[-1]
    which = draws.integers(len(x), size=runs * rule.cells)
    said = np.full(len(which), INCONCLUSIVE, np.int8)
    taken = np.zeros(len(which), np.int64)
    for number in range(len(x)):
        rows = np.flatnonzero(which == number)
        first, n = _stage_of(x[number], control[number], rule, len(rows), last, draws, confirming=False)
        suspects = np.flatnonzero(first == FAIL)
        again, more = _stage_of(x[number], control[number], rule, len(suspects), last, draws, confirming=True)
        first[suspects] = again
        n[suspects] += more
        said[rows], taken[rows] = first, n
    return said.reshape(runs, rule.cells), taken.reshape(runs, rule.cells)


def _stage_of(
    x: Reals, control: Reals, rule: Rule, rows: int, last: int, draws: np.random.Generator, *, confirming: bool
) -> tuple[Codes, npt.NDArray[np.int64]]:
    picked = draws.integers(len(x), size=(rows, last))
    return stage(x[picked], control[picked], rule, confirming=confirming)
