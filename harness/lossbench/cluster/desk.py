"""Who does what next: cases wait at a desk, a seat that is free takes a share of them, what is lost comes back.

A share of cases that are only compared is a part of what is left, in the plan's order: large at first, since a
framework compiles anew in every seat, single cases at the end, so that all seats end together. A loss that is timed
is one share, answers and visits: whatever its ratios are formed of lies in one seat.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

PART: Final = 0.4
"""Of an equal share of what is left, what a seat takes at once."""
TRIES: Final = 3
"""A case whose seat is lost so often may be what it was lost by: it is given up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Cases that a seat takes at once, by id. timed: the loss whose calls are timed as well, empty for none."""

    cases: tuple[str, ...]
    timed: str = ""


def heaviest_first(weights: Mapping[str, float]) -> dict[str, float]:
    """Losses in the order of their heaviest case, so that none is left for the end; cases of a loss stay together."""
    heaviest: dict[str, float] = {}
    for case, weight in weights.items():
        loss = case.partition("[")[0]
        heaviest[loss] = max(weight, heaviest.get(loss, 0.0))
    return dict(sorted(weights.items(), key=lambda item: -heaviest[item[0].partition("[")[0]]))


class Desk:
    """compared: weight by case, in the order in which they are taken. timed: the same by loss, of what is timed.

    Weights are costs in any unit, such as seconds or cells.
    """

    def __init__(self, compared: Mapping[str, float], timed: Mapping[str, Mapping[str, float]] | None = None) -> None:
        self._weight = dict(compared)
        self._waiting = deque(compared)
        self._left = sum(compared.values())
        losses = timed or {}
        heaviest = sorted(losses, key=lambda loss: -sum(losses[loss].values()))
        self._timed = deque(Share(cases=tuple(losses[loss]), timed=loss) for loss in heaviest)
        self._single: deque[str] = deque()
        self._tries: Counter[str] = Counter()
        self.given_up: set[str] = set()

    def take(self, seats: int, *, times: bool = True) -> Share | None:
        """The next share for one of so many seats; None where nothing waits. times: whether it has cores of its own."""
        if times and self._timed:
            return self._timed.popleft()
        if self._single:
            return Share(cases=(self._single.popleft(),))
        if not self._waiting:
            return None
        wanted, taken, cases = PART * self._left / seats, 0.0, list[str]()
        while self._waiting and (not cases or taken + self._weight[self._waiting[0]] <= wanted):
            cases.append(self._waiting.popleft())
            taken += self._weight[cases[-1]]
        self._left -= taken
        return Share(cases=tuple(cases))

    def back(self, share: Share, done: AbstractSet[str] = frozenset()) -> None:
        """The share's seat is lost: what was not done waits again, each case alone, a timed loss as a whole."""
        if share.timed:
            self._tries[share.timed] += 1
            if self._tries[share.timed] >= TRIES:
                self.given_up |= set(share.cases) - done
            else:
                self._timed.appendleft(share)
            return
        for case in share.cases:
            if case in done:
                continue
            self._tries[case] += 1
            if self._tries[case] >= TRIES:
                self.given_up.add(case)
            else:
                self._single.append(case)

    @property
    def waiting(self) -> bool:
        """Whether anything is left to be taken."""
        return bool(self._timed or self._single or self._waiting)
