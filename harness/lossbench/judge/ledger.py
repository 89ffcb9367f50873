"""Known defects, reviewed one by one: one that is seen and not listed fails, one listed and gone is reported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from importlib import import_module
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from lossbench.record.frames import Tables
from lossbench.spec import catalogue
from lossbench.spec.ledger import KnownDefect
from lossbench.spec.suitefile import folder_package

PACKAGE: Final = "lossbench.suites"
COLUMNS: Final = ("loss", "backend", "binding", "dtype", "regime", "quantity", "lane")
"""What an entry's patterns are held against."""
READ: Final = (*COLUMNS, "cell", "against", "class", "reason")
"""Columns of the agreement table that are needed for a comparison and to say what it found."""
PARTS: Final = ("losses", "backends", "dtypes", "regimes", "modes", "operations", "suites")
"""Requests for less than a whole profile."""


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
        return f"{len(self.unlisted)} verdicts are defects that it does not know; {len(self.gone)} known ones are gone"

    def lines(self) -> list[str]:
        """Each surprise in one line."""
        unlisted = [f"NOT KNOWN  {row['cell']} {row['quantity']}  {row['reason']}" for row in self.unlisted]
        return unlisted + [f"GONE       {named(entry)}  {entry.reason} ({entry.reference})" for entry in self.gone]


def builtin() -> tuple[KnownDefect, ...]:
    """The reviewed ledger of the built-in suites."""
    folder_package(catalogue.builtin_suites(), PACKAGE)
    return tuple(import_module(f"{PACKAGE}.ledger").LEDGER)


def of_run(tables: Tables, request: Mapping[str, Any]) -> LedgerResult:
    """The built-in ledger against a run. Where the request asked for a part, an entry not seen there is untried."""
    built_in = catalogue.load().losses
    found = compare(builtin(), tables.agreement[tables.agreement["loss"].isin(list(built_in))])
    part = request.get("seed") or any(request.get(name) for name in PARTS)
    return replace(found, gone=(), untried=(*found.untried, *found.gone)) if part else found


def named(entry: KnownDefect) -> str:
    """What an entry covers, in a few words."""
    parts = (entry.loss, entry.backend, entry.binding, entry.dtype, entry.regime, entry.quantity, entry.lane)
    return " ".join(part for part in parts if part != "*")


def concerns(entry: KnownDefect, loss: str) -> bool:
    """Whether an entry is about a loss."""
    return _matches(entry.loss, loss)


def known(entries: Iterable[KnownDefect], row: Mapping[str, Any]) -> KnownDefect | None:
    """The entry that explains a row of the agreement table, if there is one."""
    return next((e for e in entries if e.klass == row["class"] and _covers(e, row)), None)


def compare(entries: Iterable[KnownDefect], agreement: pd.DataFrame) -> LedgerResult:
    """Hold the ledger against a run's agreement table (its rows against the oracle)."""
    rows = agreement[agreement["against"] == "oracle"]
    listed = tuple(entries)
    values = {name: pd.factorize(rows[name]) for name in COLUMNS}
    explained = np.zeros(len(rows), dtype=bool)
    seen: list[tuple[KnownDefect, int]] = []
    gone: list[KnownDefect] = []
    untried: list[KnownDefect] = []
    for entry in listed:
        here = _covered(entry, values, len(rows))
        matching = here & (rows["class"] == entry.klass).to_numpy()
        explained |= matching
        if matching.any():
            seen.append((entry, int(matching.sum())))
        else:
            (gone if here.any() else untried).append(entry)
    unlisted = rows[(rows["class"] == "defect").to_numpy() & ~explained]
    return LedgerResult(
        unlisted=tuple({str(name): value for name, value in row.items()} for row in unlisted.to_dict("records")),
        gone=tuple(gone), seen=tuple(seen), untried=tuple(untried),
    )  # fmt: skip


def _covered(entry: KnownDefect, values: Mapping[str, tuple[Any, Any]], rows: int) -> npt.NDArray[np.bool_]:
    """values: column -> which of its distinct values each row has, and these."""
    found = np.ones(rows, dtype=bool)
    for name, (codes, distinct) in values.items():
        if (pattern := getattr(entry, name)) != "*":
            found &= np.array([_matches(pattern, value) for value in distinct], dtype=bool)[codes]
    return found


def _covers(entry: KnownDefect, row: Mapping[str, Any]) -> bool:
    return all(_matches(getattr(entry, name), row[name]) for name in COLUMNS)


def _matches(pattern: str, value: object) -> bool:
    return any(fnmatchcase(str(value), one) for one in pattern.split("|"))
