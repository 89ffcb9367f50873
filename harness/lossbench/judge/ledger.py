"""Known defects, reviewed one by one: one that is seen and not listed fails, one listed and gone is reported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import import_module
from typing import Any

import pandas as pd

from lossbench.spec.ledger import KnownDefect


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerResult:
    """unlisted: agreement rows of class defect that no entry covers. gone: entries that were tried and not seen.

    untried: entries none of whose cells the run holds, of which nothing can be said. seen: the entries that were,
    with how many rows each covers.
    """

    unlisted: tuple[dict[str, object], ...]
    gone: tuple[KnownDefect, ...]
    seen: tuple[tuple[KnownDefect, int], ...]
    untried: tuple[KnownDefect, ...]

    @property
    def exit_status(self) -> int:
        """1 where a defect is not in the ledger, or one in it has gone away; else 0."""
        return int(bool(self.unlisted or self.gone))

    @property
    def sentence(self) -> str:
        """What the ledger says of the run."""
        if not (self.unlisted or self.gone):
            return f"{len(self.seen)} known defects seen, none beside them"
        return f"{len(self.unlisted)} verdicts are defects that the ledger does not know; {len(self.gone)} known ones are gone"

    def lines(self) -> list[str]:
        """Each surprise in one line."""
        unlisted = [f"NOT KNOWN  {row['cell']} {row['quantity']}  {row['reason']}" for row in self.unlisted]
        return unlisted + [f"GONE       {named(entry)}  {entry.reason} ({entry.reference})" for entry in self.gone]


def builtin() -> tuple[KnownDefect, ...]:
    """The reviewed ledger of the built-in suites."""
    return tuple(import_module("lossbench.suites.ledger").LEDGER)


def named(entry: KnownDefect) -> str:
    """What an entry covers, in a few words."""
    parts = (entry.loss, entry.backend, entry.binding, entry.dtype, entry.regime, entry.quantity, entry.lane)
    return " ".join(part for part in parts if part != "*")


def known(entries: Iterable[KnownDefect], row: Mapping[str, Any]) -> KnownDefect | None:
    """The entry that explains a row of the agreement table, if there is one."""
    return next((e for e in entries if e.klass == row["class"] and _covers(e, row)), None)


def compare(entries: Iterable[KnownDefect], agreement: pd.DataFrame) -> LedgerResult:
    """Hold the ledger against a run's agreement table (its rows against the oracle)."""
    rows: list[dict[str, Any]] = agreement[agreement["against"] == "oracle"].to_dict("records")
    listed = tuple(entries)
    covered: dict[int, int] = {}
    tried: set[int] = set()
    unlisted = []
    for row in rows:
        here = [place for place, entry in enumerate(listed) if _covers(entry, row)]
        tried.update(here)
        matching = [place for place in here if listed[place].klass == row["class"]]
        for place in matching:
            covered[place] = covered.get(place, 0) + 1
        if row["class"] == "defect" and not matching:
            unlisted.append({str(name): value for name, value in row.items()})
    return LedgerResult(
        unlisted=tuple(unlisted),
        gone=tuple(listed[p] for p in sorted(tried) if p not in covered),
        seen=tuple((listed[p], covered[p]) for p in sorted(covered)),
        untried=tuple(entry for place, entry in enumerate(listed) if place not in tried),
    )


def _covers(entry: KnownDefect, row: Mapping[str, Any]) -> bool:
    asked = {
        "loss": entry.loss,
        "backend": entry.backend,
        "binding": entry.binding,
        "dtype": entry.dtype,
        "regime": entry.regime,
        "quantity": entry.quantity,
        "lane": entry.lane,
    }
    return all(
        any(fnmatchcase(str(row[name]), one) for one in pattern.split("|"))
        for name, pattern in asked.items()
        if pattern != "*"
    )
