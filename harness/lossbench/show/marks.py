"""What a verdict or a status looks like: a letter, a word and a place in the order of badness.

Colour is never the only bearer of meaning, so every mark has a letter and a sentence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """key: class of a verdict or status of a cell. letter: unique. severity: 0 and 1 need no attention; the
    classes stand in the order of `judge.verdict.SEVERITY`, statuses among them."""

    key: str
    letter: str
    severity: int
    meaning: str


MARKS: Final[dict[str, Mark]] = {
    m.key: m
    for m in (
        Mark(key="rounding", letter="=", severity=0, meaning="agrees with the exact result to rounding"),
        Mark(key="kink", letter="k", severity=0, meaning="another, equally right, slope where the loss has a kink"),
        Mark(key="convention", letter="c", severity=2, meaning="follows a named definition that differs here"),
        Mark(key="domain", letter="o", severity=3, meaning="outside the inputs that the documentation allows"),
        Mark(key="accuracy", letter="a", severity=4, meaning="loses digits that the formula does not owe"),
        Mark(key="range", letter="r", severity=5, meaning="overflows or underflows although the result fits"),
        Mark(key="api", letter="i", severity=6, meaning="wrong shape, wrong dtype, or no result at all"),
        Mark(key="defect", letter="D", severity=9, meaning="wrong, and no known definition explains it"),
        Mark(key="failed", letter="!", severity=7, meaning="raised an error"),
        Mark(key="crashed", letter="x", severity=8, meaning="the process died"),
        Mark(key="timeout", letter="t", severity=6, meaning="ran past the time limit"),
        Mark(key="unsupported", letter="u", severity=1, meaning="the framework does not take this dtype or mode"),
        Mark(key="skipped", letter="s", severity=1, meaning="not run, for the reason given"),
        Mark(key="absent", letter="–", severity=0, meaning="the framework has no such loss"),
    )
}
UNKNOWN: Final = Mark(key="unknown", letter="?", severity=3, meaning="a verdict this report does not know")
UNTESTED: Final = Mark(key="untested", letter="·", severity=0, meaning="not compared in this run")


def of(key: str) -> Mark:
    """The mark of a class or status; never an error, because reports outlive vocabularies."""
    return MARKS.get(key, UNKNOWN if key else UNTESTED)


def worst(keys: Iterable[str]) -> Mark:
    """The worst of several, `UNTESTED` for none."""
    return max((of(key) for key in keys), key=lambda mark: mark.severity, default=UNTESTED)
