"""Is the head slower than the base: one cell's replicates, judged at each look.

A replicate is a fresh process that ran both; what it says is the median over its rounds of log(head / base). FAIL is
said in two stages of independent replicates: the first, uncorrected, only picks suspects; the second, in interpreters
started anew and with the error that the cells of the whole comparison share, confirms or clears them. Both must find
the lower bound beyond 1% and the median beyond the margin. PASS is said when the upper bound falls below the margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from lossbench.judge.looks import LOOKS, Ranks, Reals, ranks

SMALLEST_EFFECT: Final = 0.01
"""Memory placement alone is worth 1 to 2% of one process; a bound must clear what nobody would call a change."""

MARGIN: Final = 0.03

Verdict = Literal["PASS", "FAIL", "INCONCLUSIVE", "INVALID"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When to say what. cells: how many are judged together.

    margin: the slowdown, as a fraction, that matters. alarm: probability of any false FAIL among all cells where
    nothing changed. screen: of a cell to be suspected. miss: of a PASS, per cell and stage, where the slowdown equals
    the margin; less where it is larger. looks: numbers of replicates after which a cell is judged, in either stage.
    """

    cells: int
    margin: float = MARGIN
    alarm: float = 0.01
    screen: float = 0.1
    miss: float = 0.05
    looks: tuple[int, ...] = LOOKS

    def slower(self, confirming: bool) -> Ranks:
        """The lower bound's ranks. Stages are independent, so that their errors multiply."""
        return ranks(self.alarm / self.screen / max(1, self.cells) if confirming else self.screen, self.looks)

    @property
    def passing(self) -> Ranks:
        return ranks(self.miss, self.looks)

    def moved(self, control: Reals) -> bool:
        """Whether the base differs from itself, to either side: as suspicious as a head would be, hence uncorrected."""
        bounds, median = ranks(self.screen, self.looks), abs(float(np.median(control))) if len(control) else 0.0
        beyond = max(bounds.low(control), -bounds.high(control))
        return bool(beyond > np.log1p(SMALLEST_EFFECT) and median > np.log1p(self.margin))


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """change, low, high: head over base, minus 1, with the bounds that the verdict rests on (infinite: none yet).

    replicates: how many. control: the same for base against itself. open: whether more replicates may still tell.
    suspect: a FAIL of the first stage, which is one only once it is confirmed. detectable: the slowdown from
    which on these replicates, all of them shifted alike, would have been a FAIL; nan before the first look.
    """

    verdict: Verdict
    reason: str
    replicates: int
    change: float
    low: float
    high: float
    control: float
    detectable: float
    open: bool = False
    suspect: bool = False


def judge(x: npt.ArrayLike, control: npt.ArrayLike, rule: Rule, *, confirming: bool = False) -> Judgement:
    """The verdict on a cell after these replicates, one stage.

    x: log(head / base) of each replicate, in the order in which they came. control: log(base / base), likewise.
    """
    every, base = (np.asarray(values, dtype=np.float64) for values in (x, control))
    taken = max((n for n in rule.looks if n <= len(every)), default=0)
    seen, still = every[:taken], base[:taken]
    last = taken == rule.looks[-1]
    floor, wall = np.log1p(SMALLEST_EFFECT), np.log1p(rule.margin)
    slower = rule.slower(confirming)
    low, high = slower.low(seen), rule.passing.high(seen)
    median = float(np.median(every)) if len(every) else np.nan
    said: dict[str, Any] = {
        "replicates": len(every), "change": float(np.expm1(median)), "low": float(np.expm1(low)),
        "high": float(np.expm1(high)), "control": float(np.expm1(np.median(base))) if len(base) else np.nan,
        "detectable": detectable(seen, slower, rule.margin),
    }  # fmt: skip
    if rule.moved(still):
        reason = "the base differs from itself, loaded twice: nothing can be said"
        return Judgement(verdict="INVALID", reason=reason, **said)
    if low > floor and np.median(seen) > wall:
        if confirming:
            return Judgement(verdict="FAIL", reason="slower, and again in fresh interpreters", **said)
        return Judgement(verdict="INCONCLUSIVE", reason="suspected, not confirmed", suspect=True, **said)
    if high < wall:
        return Judgement(verdict="PASS", reason=f"a slowdown of {rule.margin:.0%} is excluded", **said)
    reason = "too few replicates" if not last else "too noisy for this margin"
    reason = f"suspected, and not confirmed: {reason}" if confirming else reason
    return Judgement(verdict="INCONCLUSIVE", reason=reason, open=not last, **said)


def detectable(seen: Reals, slower: Ranks, margin: float) -> float:
    """The slowdown, as a fraction, from which on these replicates shifted alike would have said FAIL."""
    rank = slower.rank(len(seen))
    if not rank:
        return np.nan
    to_rank = np.median(seen) - np.sort(seen)[rank - 1]
    return float(np.expm1(max(np.log1p(margin), np.log1p(SMALLEST_EFFECT) + to_rank)))


def confirmed(first: Judgement, again: Judgement) -> Judgement:
    """What both stages say together: the second's verdict, except that a suspect is never passed over in silence."""
    return again if first.suspect else first


def status(verdicts: Sequence[Judgement], *, strict: bool = False) -> int:
    """0: nothing is slower; 1: something is; 2: cannot tell.

    That is where a cell is invalid, where no cell was decided, and, with `strict`, where one was not.
    """
    said = {found.verdict for found in verdicts}
    if "FAIL" in said:
        return 1
    return 2 if "INVALID" in said or "PASS" not in said or (strict and "INCONCLUSIVE" in said) else 0
