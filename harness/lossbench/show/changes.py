"""A comparison of two versions as lines for a person and as a record for a program."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from lossbench.judge.change import Judgement

MOST_PASSED: Final = 12
"""Passed cells that are shown one by one; the rest are counted."""
ORDER: Final = ("FAIL", "INVALID", "INCONCLUSIVE", "PASS")
ANSWERS: Final = {0: "nothing is slower", 1: "something is slower", 2: "cannot tell"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """margin: the slowdown that matters, as a fraction. seconds, processes: what the answer took."""

    margin: float
    seconds: float
    processes: int


Row = tuple[str, Judgement, bool]
"""Cell id, judgement, whether the versions computed the same bits."""


def lines(rows: Sequence[Row], exit_status: int, cost: Cost) -> Iterator[str]:
    """The answer first, then the cells, the worst first."""
    counts = Counter(found.verdict for _, found, _ in rows)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in ORDER if counts[verdict])
    took = f"{cost.processes} processes in {cost.seconds:.0f} s"
    yield f"{ANSWERS[exit_status]} (by {cost.margin:.1%} or more): {said}; {took}"
    ranked = sorted(rows, key=lambda row: (ORDER.index(row[1].verdict), -_or_zero(row[1].change)))
    passed = 0
    for cell, found, same in ranked:
        passed += found.verdict == "PASS"
        if passed <= MOST_PASSED:
            other = "" if same else "; the values differ"
            yield f"{found.verdict:<13}{change(found):<30} {sees(found):<13} {cell}  {found.reason}{other}"
    if passed > MOST_PASSED:
        yield f"and {passed - MOST_PASSED} more that passed"


def change(found: Judgement) -> str:
    """`+10.3% [+9.8%, +11.0%]`; bounds that do not exist yet are left open."""
    if math.isnan(found.change):
        return "-"
    low, high = (f"{bound:+.1%}" if math.isfinite(bound) and bound > -1 else "..." for bound in (found.low, found.high))
    return f"{found.change:+.1%} [{low}, {high}]"


def sees(found: Judgement) -> str:
    """The smallest slowdown that this cell's replicates would have shown."""
    return "sees nothing" if math.isnan(found.detectable) else f"sees {found.detectable:.1%}"


def record(rows: Sequence[Row], exit_status: int, cost: Cost) -> dict[str, Any]:
    """Fractions, not percent; null where there is no number."""
    return {
        "exit_status": exit_status,
        "answer": ANSWERS[exit_status],
        **asdict(cost),
        "cells": [
            {
                "cell": cell, "verdict": found.verdict, "reason": found.reason, "replicates": found.replicates,
                "change": _finite(found.change), "low": _finite(found.low), "high": _finite(found.high),
                "control": _finite(found.control), "detectable": _finite(found.detectable), "same_value": same,
            }
            for cell, found, same in rows
        ],
    }  # fmt: skip


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) and value > -1 else None


def _or_zero(value: float) -> float:
    return 0.0 if math.isnan(value) else value
