"""What a comparison means, with the numbers and the reason in it: one row of the agreement table."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

from lossbench.spec.case import Cell

Quantity = Literal["value", "grad", "grad_target", "jvp"]
"""value: the loss. grad: its derivative by the prediction, jvp: in forward mode, grad_target: by the target."""

USUAL: Final[tuple[Quantity, ...]] = ("value", "grad")
"""What an answer holds unless a further derivative was asked for."""

Level = Literal["tight", "stable", "kink", "digits_lost", "undefined", "differs", "invalid", "absent"]
"""tight: within 4 eps. stable: within 8 times what the formula owes. kink: right, and a subgradient was chosen.
digits_lost: owed by the formula, yet more than 1% off. undefined: no result exists that could be right.
differs: none of these. invalid: no comparable answer came back. absent: nothing was asked or offered."""

Class = Literal["rounding", "kink", "convention", "domain", "accuracy", "range", "api", "defect", ""]
"""Why a result is not the exact one; empty where nothing was compared."""

SEVERITY: Final[dict[str, int]] = {
    "": 0,
    "rounding": 0,
    "kink": 0,
    "convention": 1,
    "domain": 2,
    "accuracy": 3,
    "range": 4,
    "api": 5,
    "defect": 6,
}
"""Classes from harmless to worst: a report lists by it, a gate compares by it."""

LEVEL_SEVERITY: Final[dict[str, int]] = {
    "tight": 0,
    "kink": 0,
    "stable": 1,
    "absent": 2,
    "undefined": 2,
    "digits_lost": 3,
    "differs": 4,
    "invalid": 5,
}
"""Verdicts from best to worst, for rows of the same class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One quantity of one cell against the oracle (`against="oracle"`) or against another cell.

    klass: the class (the column is called `class`). convention: the definition that fits, or the
    subgradient that was chosen. max_ulp, median_ulp: distance from the exact result in units in the last
    place of the dtype; infinite where the kinds differ (NaN, infinity, finite). max_rel: relative to the
    exact result. worst_index: where max_ulp is attained, in the result, and the inputs there (NaN where one
    result has many inputs). got, expected: the numbers there. owed_factor: largest error over 8 times what
    the formula owes. against: `oracle`, or `lane/binding` of another cell of the same case.
    """

    cell: str
    quantity: Quantity
    against: str = "oracle"
    verdict: Level
    klass: Class
    convention: str = ""
    max_ulp: float = math.nan
    median_ulp: float = math.nan
    max_rel: float = math.nan
    worst_index: str = ""
    worst_y_true: float = math.nan
    worst_y_pred: float = math.nan
    got: float = math.nan
    expected: float = math.nan
    owed_factor: float = math.nan
    reason: str = ""

    @property
    def right(self) -> bool:
        """Whether rounding explains everything."""
        return self.verdict in ("tight", "stable", "kink") and self.klass in ("rounding", "kink")

    def row(self, cell: Cell | None = None) -> dict[str, Any]:
        """As a row of the agreement table, with the columns that tell where the cell comes from if it is given."""
        row = {("class" if f.name == "klass" else f.name): getattr(self, f.name) for f in fields(self)}
        if cell is not None:
            row |= {
                "case": cell.case.id,
                "loss": cell.case.loss,
                "lane": cell.lane.id,
                "backend": cell.lane.backend,
                "binding": cell.binding,
                "operation": cell.operation,
                "dtype": cell.case.dtype,
                "regime": cell.case.regime,
            }
        return row


def rank(verdict: str, klass: str) -> tuple[int, int]:
    """How bad a row is: by class, then by verdict. Larger is worse."""
    return SEVERITY.get(klass, max(SEVERITY.values())), LEVEL_SEVERITY.get(verdict, max(LEVEL_SEVERITY.values()))
