"""Is the head slower than the base: one cell's replicates, judged at each look.

A replicate is a fresh process that ran both; what it says is the median over its rounds of log(head / base). FAIL is
said in two stages of independent replicates: the first, uncorrected, only picks suspects; the second, in interpreters
started anew, beside a control (the base once more) and with the error that the cells of the whole comparison share,
confirms or clears them. Both must find the lower bound beyond 1% and the centre beyond the margin. PASS is said when
the upper bound falls below the margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from lossbench.judge.looks import CONFIRMING, LOOKS, Ranks, Reals, above, averages, centre, ranks

SMALLEST_EFFECT: Final = 0.01
"""Memory placement alone is worth 1 to 2% of one process; a bound must clear what nobody would call a change."""

MARGIN: Final = 0.025
"""Halfway to 5%: a centre must lie beyond it, and half of all centres fall short of the change that they estimate."""

Verdict = Literal["PASS", "FAIL", "INCONCLUSIVE", "INVALID"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When to say what. cells: how many are judged together.

    margin: the slowdown, as a fraction, beyond which the centre must lie for a FAIL; twice it is found nearly always.
    alarm: probability of any false FAIL among all cells where nothing changed. screen: of a cell to be suspected.
    miss, again_miss: of a PASS in the first and the second stage where the slowdown *equals* the margin, the worst
    case; far less where it is twice as large. looks, confirming: numbers of replicates after which a cell is judged.
    """

    cells: int
    margin: float = MARGIN
    alarm: float = 0.01
    screen: float = 0.4
    miss: float = 0.42
    again_miss: float = 0.1
    looks: tuple[int, ...] = LOOKS
    confirming: tuple[int, ...] = CONFIRMING

    def looked(self, confirming: bool) -> tuple[int, ...]:
        """The numbers of replicates at which a stage is judged."""
        return self.confirming if confirming else self.looks

    def slower(self, confirming: bool) -> Ranks:
        """The lower bound's ranks. Stages are independent, so that their errors multiply."""
        error = self.alarm / self.screen / max(1, self.cells) if confirming else self.screen
        return ranks(error, self.looked(confirming))

    def passing(self, confirming: bool) -> Ranks:
        """The upper bound's ranks."""
        return ranks(self.again_miss if confirming else self.miss, self.looked(confirming))

    def still(self, confirming: bool) -> Ranks:
        """The control's, to either side: held to 10%, uncorrected, since it costs a verdict and never an alarm."""
        return ranks(0.1, self.looked(confirming))


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """change, low, high: head over base, minus 1, with the bounds that the verdict rests on (infinite: none yet).

    replicates: how many. control: the same for base against itself, nan where it was not measured. open: whether
    more replicates may still tell. suspect: a FAIL of the first stage, which is one only once it is confirmed.
    detectable: the slowdown from which on these replicates, all shifted alike, would have been a FAIL; else nan.
    idle: invalid since the base itself has no answer, which nothing can be slower than.
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
    idle: bool = False
    suspect: bool = False


def judge(x: npt.ArrayLike, control: npt.ArrayLike, rule: Rule, *, confirming: bool = False) -> Judgement:
    """The verdict on a cell after these replicates, one stage.

    x: log(head / base) of each replicate, in the order in which they came. control: log(base / base), or none.
    """
    every, base = (np.asarray(values, dtype=np.float64) for values in (x, control))
    looks = rule.looked(confirming)
    taken = max((n for n in looks if n <= len(every)), default=0)
    seen, still = every[:taken], base[:taken]
    last = taken == looks[-1]
    slower, passing = rule.slower(confirming), rule.passing(confirming)
    said: dict[str, Any] = {
        "replicates": len(every), "change": float(np.expm1(centre(every))), "low": float(np.expm1(slower.low(seen))),
        "high": float(np.expm1(passing.high(seen))), "control": float(np.expm1(centre(base))),
        "detectable": detectable(seen, slower, rule.margin),
    }  # fmt: skip
    if len(still) and bool(moved(still[None, :], rule, confirming)[0]):
        reason = "the base differs from itself, loaded twice: nothing can be said"
        return Judgement(verdict="INVALID", reason=reason, **said)
    if taken and bool(fails(seen[None, :], rule, confirming)[0]):
        if confirming:
            return Judgement(verdict="FAIL", reason="slower, and again in fresh interpreters", **said)
        return Judgement(verdict="INCONCLUSIVE", reason="suspected, not confirmed", suspect=True, **said)
    if taken and bool(passes(seen[None, :], rule, confirming)[0]):
        return Judgement(verdict="PASS", reason=f"not slower by {rule.margin:.1%}", **said)
    reason = "too few replicates" if not last else "too noisy for this margin"
    reason = f"suspected, and not confirmed: {reason}" if confirming else reason
    return Judgement(verdict="INCONCLUSIVE", reason=reason, open=not last, **said)


Answers = npt.NDArray[np.bool_]


def fails(rows: Reals, rule: Rule, confirming: bool) -> Answers:
    """Of each row of as many replicates as a look has: lower bound beyond 1% and centre beyond the margin."""
    n = rows.shape[1]
    pairs = n * (n + 1) // 2
    below = pairs - above(rows, float(np.log1p(SMALLEST_EFFECT)))
    rank = rule.slower(confirming).rank(n)
    found: Answers = (below < rank) & (2 * above(rows, float(np.log1p(rule.margin))) > pairs)
    return found


def passes(rows: Reals, rule: Rule, confirming: bool) -> Answers:
    """Likewise: upper bound below the margin."""
    found: Answers = above(rows, float(np.log1p(rule.margin))) < rule.passing(confirming).rank(rows.shape[1])
    return found


def moved(rows: Reals, rule: Rule, confirming: bool) -> Answers:
    """Likewise of controls: whether the base differs from itself, to either side."""
    n = rows.shape[1]
    pairs, rank = n * (n + 1) // 2, rule.still(confirming).rank(n)
    found = np.zeros(len(rows), np.bool_)
    for side in (rows, -rows):
        beyond = pairs - above(side, float(np.log1p(SMALLEST_EFFECT))) < rank
        found |= beyond & (2 * above(side, float(np.log1p(rule.margin))) > pairs)
    return found


def detectable(seen: Reals, slower: Ranks, margin: float) -> float:
    """The slowdown, as a fraction, from which on these replicates shifted alike would have said FAIL."""
    rank = slower.rank(len(seen))
    if not rank:
        return np.nan
    to_rank = centre(seen) - averages(seen)[rank - 1]
    return float(np.expm1(max(np.log1p(margin), np.log1p(SMALLEST_EFFECT) + to_rank)))


def status(verdicts: Sequence[Judgement], *, strict: bool = False) -> int:
    """0: nothing is slower; 1: something is; 2: cannot tell.

    That is where a cell is invalid, where no cell was decided, and, with `strict`, where one was not.
    """
    said = {found.verdict for found in verdicts if not found.idle}
    if "FAIL" in said:
        return 1
    return 2 if "INVALID" in said or "PASS" not in said or (strict and "INCONCLUSIVE" in said) else 0
