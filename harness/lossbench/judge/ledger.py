"""Known defects, reviewed one by one: one that is seen and not listed fails, one listed and gone is reported."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

import pandas as pd

from lossbench.spec.ledger import KnownDefect


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerResult:
    """unlisted: agreement rows of class defect that no entry covers. gone: entries that were tried and not seen.

    untried: entries none of whose cells the run holds, of which nothing can be said.
    """

    unlisted: tuple[dict[str, object], ...]
    gone: tuple[KnownDefect, ...]
    seen: tuple[KnownDefect, ...]
    untried: tuple[KnownDefect, ...]

    @property
    def exit_status(self) -> int:
        """1 where a defect is not in the ledger, or one in it has gone away; else 0."""
        return int(bool(self.unlisted or self.gone))


def compare(entries: Iterable[KnownDefect], agreement: pd.DataFrame) -> LedgerResult:
    """Hold the ledger against a run's agreement table (its rows against the oracle)."""
    rows = [row for row in agreement.to_dict("records") if row["against"] == "oracle"]
    known = tuple(entries)
    covered: dict[int, int] = {}
    tried: set[int] = set()
    unlisted = []
    for row in rows:
        here = [place for place, entry in enumerate(known) if _covers(entry, row)]
        tried.update(here)
        matching = [place for place in here if known[place].klass == row["class"]]
        for place in matching:
            covered[place] = covered.get(place, 0) + 1
        if row["class"] == "defect" and not matching:
            unlisted.append({str(name): value for name, value in row.items()})
    return LedgerResult(
        unlisted=tuple(unlisted),
        gone=tuple(known[p] for p in sorted(tried) if p not in covered),
        seen=tuple(known[p] for p in sorted(covered)),
        untried=tuple(entry for place, entry in enumerate(known) if place not in tried),
    )


def _covers(entry: KnownDefect, row: dict[object, object]) -> bool:
    asked = {
        "loss": entry.loss,
        "backend": entry.backend,
        "binding": entry.binding,
        "dtype": entry.dtype,
        "regime": entry.regime,
        "quantity": entry.quantity,
        "lane": entry.lane,
    }
    return all(fnmatchcase(str(row[name]), pattern) for name, pattern in asked.items())
