"""How often the gate is wrong: its rule on thousands of gate runs, each drawn from replicates that were measured.

`stage` says for many cells at once exactly what `judge` says for one; drawing replicates assumes that they are
independent, as the rule does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt

from lossbench.judge.change import Rule, fails, moved, passes
from lossbench.judge.looks import Reals
from lossbench.judge.noise import UNKNOWN, Noise

OPEN: Final = 0
PASS: Final = 1
FAIL: Final = 2
INVALID: Final = 3
INCONCLUSIVE: Final = 4

Codes = npt.NDArray[np.int8]
Counts = npt.NDArray[np.int64]
More = Callable[[Counts, int, int], tuple[Reals, Reals]]


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
        low, high = max(0.0, float(middle - half)), min(1.0, float(middle + half))
        return low if self.hits else 0.0, high if self.hits < n else 1.0  # not the last bit beside it


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Replicates of one measured cell whose base, control and head are one code, each loaded for itself.

    x: log(head / base), and control: log(base / base), each in rounds of its own. planted: log(slowed head / head), by
    what work planted into the head took in the same rounds, or 0. noise: what is usual in its lane.
    """

    x: Reals
    control: Reals
    planted: Reals | float = 0.0
    noise: Noise = UNKNOWN

    def drawn(self, rows: int, columns: int, draws: np.random.Generator) -> tuple[Reals, Reals]:
        """So many replicates, at random, as (x, control).

        The loads of one code are exchangeable: created, and visited, in random order. Which of a pair was the head is
        therefore drawn anew, which takes from a small pool the accident of its own centre; what was planted stays with
        the head. Not which of the three was which: ratios of unlike rounds differ by more than a comparison's do.
        """
        picked = draws.integers(len(self.x), size=(rows, columns))
        head, base = draws.choice([-1.0, 1.0], size=(2, rows, columns))
        planted = np.broadcast_to(self.planted, self.x.shape)[picked]
        return head * self.x[picked] + planted, base * self.control[picked]


def stage(x: Reals, control: Reals, rule: Rule, *, confirming: bool, noise: Noise = UNKNOWN) -> tuple[Codes, Counts]:
    """Verdicts and replicates taken, one a row; x, control: of shape (cells, last look). FAIL of the first: suspect."""

    def more(rows: Counts, start: int, n: int) -> tuple[Reals, Reals]:
        return x[rows, start:n], control[rows, start:n]

    return _looked(len(x), more, rule, confirming, noise)


def _looked(rows: int, more: More, rule: Rule, confirming: bool, noise: Noise) -> tuple[Codes, Counts]:
    """Look after look; `more` gives columns start to n of those rows that are still open."""
    said, taken = np.full(rows, OPEN, np.int8), np.full(rows, rule.looked(confirming)[-1], np.int64)
    left = np.arange(rows)
    seen, still = np.empty((rows, 0)), np.empty((rows, 0))
    for n in rule.looked(confirming):
        x, control = more(left, seen.shape[1], n)
        seen, still = np.concatenate([seen, x], axis=1), np.concatenate([still, control], axis=1)
        found = np.where(passes(seen, rule, confirming, noise), PASS, OPEN).astype(np.int8)
        found[fails(seen, rule, confirming)] = FAIL
        if confirming:  # the first stage runs no control
            found[moved(still, rule, confirming)] = INVALID
        said[left], taken[left[found != OPEN]] = found, n
        kept = found == OPEN
        left, seen, still = left[kept], seen[kept], still[kept]
    return np.where(said == OPEN, np.int8(INCONCLUSIVE), said), taken


def _drawn(pool: Pool, draws: np.random.Generator, rows: Counts, start: int, end: int) -> tuple[Reals, Reals]:
    return pool.drawn(len(rows), end - start, draws)


def gate_runs(pools: Sequence[Pool], rule: Rule, runs: int, seed: int) -> tuple[Codes, Counts]:
    """Verdicts of shape (runs, rule.cells), and replicates taken, of shape (2, runs, rule.cells): by stage.

    Each cell of a gate run is one of the measured cells, at random.
    """
    draws = np.random.default_rng(seed)
    which = draws.integers(len(pools), size=runs * rule.cells)
    said = np.full(len(which), INCONCLUSIVE, np.int8)
    taken = np.zeros((2, len(which)), np.int64)
    for number, pool in enumerate(pools):
        rows = np.flatnonzero(which == number)
        for confirming in (False, True):
            more = partial(_drawn, pool, draws)
            codes, n = _looked(len(rows), more, rule, confirming, pool.noise)
            said[rows], taken[int(confirming), rows] = codes, n
            rows = rows[codes == FAIL]
    shape = (runs, rule.cells)
    return said.reshape(shape), taken.reshape(2, *shape)
