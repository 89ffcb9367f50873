"""Is the head slower than the base: one cell's replicates, judged at each look.

A replicate is a fresh process that ran both; what it says is log(head / base), each by its quickest blocks. FAIL is
said in two stages of independent replicates: the first, uncorrected, only picks suspects; the second, in interpreters
started anew, beside a control (the base once more) and with the error that the cells of the whole comparison share,
confirms or clears them. Both must find the lower bound beyond 1% and the centre beyond the margin, by bounds that are
exact whatever the noise. The first stage, whose common case should cost little, also knows how noisy replicates are
here (`noise`): it passes a cell once a slowdown of twice the margin is excluded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from lossbench.judge.looks import CONFIRMING, LOOKS, Ranks, Reals, above, centre, centres, ranks
from lossbench.judge.noise import UNKNOWN, Noise

SMALLEST_EFFECT: Final = 0.01
"""Memory placement alone is worth 1 to 2% of one process; a bound must clear what nobody would call a change."""

MARGIN: Final = 0.025
"""Halfway to 5%: a centre must lie beyond it, and half of all centres fall short of the change that they estimate."""

Verdict = Literal["PASS", "FAIL", "INCONCLUSIVE", "INVALID"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """When to say what. cells: how many are judged together.

    margin: the slowdown, as a fraction, beyond which the centre must lie for a FAIL; twice it is found nearly always.
    alarm: probability of any false FAIL among all cells where nothing changed. screen: of a cell to be suspected,
    whatever the noise. doubt: that a slowdown of twice the margin passes the first stage, at one look and at the noise
    that is usual. miss, again_miss: of a PASS by the exact bound of the first and the second stage where the slowdown
    *equals* the margin, the worst case. looks, confirming: numbers of replicates after which a cell is judged.
    """

    cells: int
    margin: float = MARGIN
    alarm: float = 0.01
    screen: float = 0.1
    doubt: float = 0.01
    miss: float = 0.3
    again_miss: float = 0.1
    looks: tuple[int, ...] = LOOKS
    confirming: tuple[int, ...] = CONFIRMING

    @property
    def excluded(self) -> float:
        """The slowdown that a PASS of the first stage excludes."""
        return 2 * self.margin

    def looked(self, confirming: bool) -> tuple[int, ...]:
        """The numbers of replicates at which a stage is judged."""
        return self.confirming if confirming else self.looks

    def slower(self, confirming: bool) -> Ranks:
        """The lower bound's ranks. Stages are independent, so that their errors multiply."""
        error = self.alarm / self.screen / max(1, self.cells) if confirming else self.screen
        return ranks(error, self.looked(confirming))

    def clearing(self, confirming: bool) -> Ranks:
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
    detectable: the slowdown from which on these replicates, all shifted alike, would have been a FAIL; in the first
    stage that which as many would have let pass with the probability `doubt`; else nan.
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


def judge(
    x: npt.ArrayLike, control: npt.ArrayLike, rule: Rule, *, confirming: bool = False, noise: Noise = UNKNOWN
) -> Judgement:
    """The verdict on a cell after these replicates, one stage.

    x: log(head / base) of each replicate, in the order in which they came. control: log(base / base), or none. noise:
    what is usual among the cells beside it; the second stage does without.
    """
    every, base = (np.asarray(values, dtype=np.float64) for values in (x, control))
    looks = rule.looked(confirming)
    taken = max((n for n in looks if n <= len(every)), default=0)
    seen, still = every[:taken], base[:taken]
    last = taken == looks[-1]
    high, sees = rule.clearing(confirming).high(seen), detectable(seen, rule.slower(confirming), rule.margin)
    exact = bool(taken) and bool(cleared(seen[None, :], rule, confirming)[0])
    if taken and not confirming:
        reach = float(noise.reach(seen[None, :], rule.doubt)[0])
        high, sees = high if exact else centre(seen) + reach, float(np.expm1(np.log1p(rule.margin) + reach))
    said: dict[str, Any] = {
        "replicates": len(every), "change": float(np.expm1(centre(every))),
        "low": float(np.expm1(rule.slower(confirming).low(seen))), "high": float(np.expm1(high)),
        "control": float(np.expm1(centre(base))), "detectable": sees,
    }  # fmt: skip
    if len(still) and bool(moved(still[None, :], rule, confirming)[0]):
        reason = "the base differs from itself, loaded twice: nothing can be said"
        return Judgement(verdict="INVALID", reason=reason, **said)
    if taken and bool(fails(seen[None, :], rule, confirming)[0]):
        if confirming:
            return Judgement(verdict="FAIL", reason="slower, and again in fresh interpreters", **said)
        return Judgement(verdict="INCONCLUSIVE", reason="suspected, not confirmed", suspect=True, **said)
    if taken and bool(passes(seen[None, :], rule, confirming, noise)[0]):
        limit = rule.margin if exact else rule.excluded
        if not confirming:  # a slowdown of as much would not have passed, however wide the reach
            said["detectable"] = min(sees, rule.excluded)
        return Judgement(verdict="PASS", reason=f"not slower by {limit:.1%}", **said)
    reason = "too few replicates" if not last else "too noisy for this margin"
    reason = f"suspected, and not confirmed: {reason}" if confirming else reason
    return Judgement(verdict="INCONCLUSIVE", reason=reason, open=not last, **said)


Answers = npt.NDArray[np.bool_]


def fails(rows: Reals, rule: Rule, confirming: bool) -> Answers:
    """Of each row of as many replicates as a look has: lower bound beyond 1% and centre beyond the margin."""
    n = rows.shape[1]
    pairs = n * (n + 1) // 2
    below = pairs - above(rows, float(np.log1p(SMALLEST_EFFECT)))
    found: Answers = (below < rule.slower(confirming).rank(n)) & (2 * above(rows, float(np.log1p(rule.margin))) > pairs)
    return found


def cleared(rows: Reals, rule: Rule, confirming: bool) -> Answers:
    """Likewise: exact upper bound below the margin."""
    found: Answers = above(rows, float(np.log1p(rule.margin))) < rule.clearing(confirming).rank(rows.shape[1])
    return found


def passes(rows: Reals, rule: Rule, confirming: bool, noise: Noise = UNKNOWN) -> Answers:
    """Likewise: cleared or, in the first stage, a slowdown of twice the margin excluded at the noise that is usual."""
    found = cleared(rows, rule, confirming)
    if confirming:
        return found
    middle = centres(rows)
    found |= (middle + noise.reach(rows, rule.doubt) < np.log1p(rule.excluded)) & (middle < np.log1p(rule.margin))
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
    low = slower.low(seen)
    if not np.isfinite(low):
        return np.nan
    return float(np.expm1(max(np.log1p(margin), np.log1p(SMALLEST_EFFECT) + centre(seen) - low)))


def status(verdicts: Sequence[Judgement], *, strict: bool = False) -> int:
    """0: nothing is slower; 1: something is; 2: cannot tell.

    That is where a cell is invalid, where no cell was decided, and, with `strict`, where one was not.
    """
    said = {found.verdict for found in verdicts if not found.idle}
    if "FAIL" in said:
        return 1
    return 2 if "INVALID" in said or "PASS" not in said or (strict and "INCONCLUSIVE" in said) else 0
