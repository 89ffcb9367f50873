"""The ledger of known defects as the page shows it: what a run saw of it, what it missed, what is not in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lossbench.judge import ledger
from lossbench.judge.ledger import LedgerResult
from lossbench.show import marks
from lossbench.show.marks import Mark
from lossbench.spec.ledger import KnownDefect
from lossbench.spec.loss import Loss

SEEN, GONE, UNTRIED = "seen", "gone", "not tried"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One known defect. state: seen, gone, or not tried in this run. rows: verdicts it explains. losses: its own."""

    mark: Mark
    losses: tuple[str, ...]
    backends: str
    spellings: str
    where: str
    state: str
    rows: int
    reason: str
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the section says. unlisted: defects that no entry covers, as rows of the agreement table."""

    sentence: str
    entries: tuple[Entry, ...]
    unlisted: tuple[Mapping[str, object], ...]

    def of(self, loss: str) -> tuple[Entry, ...]:
        """The entries about one loss that concern this run."""
        return tuple(e for e in self.entries if loss in e.losses)


def of(found: LedgerResult, losses: Mapping[str, Loss]) -> Known:
    """Entries about losses of the run; gone ones first, then what was seen most."""
    states: list[tuple[str, KnownDefect, int]] = [
        *((GONE, entry, 0) for entry in found.gone),
        *((SEEN, entry, rows) for entry, rows in sorted(found.seen, key=lambda pair: -pair[1])),
        *((UNTRIED, entry, 0) for entry in found.untried),
    ]
    entries = [_entry(state, entry, rows, list(losses)) for state, entry, rows in states]
    return Known(sentence=found.sentence, entries=tuple(e for e in entries if e.losses), unlisted=tuple(found.unlisted))


def _entry(state: str, entry: KnownDefect, rows: int, losses: Sequence[str]) -> Entry:
    parts = (entry.quantity, entry.dtype, entry.regime, entry.lane)
    return Entry(
        mark=marks.of(entry.klass),
        losses=tuple(loss for loss in losses if ledger.concerns(entry, loss)),
        backends=_listed(entry.backend),
        spellings=_listed(entry.binding),
        where=", ".join(_listed(part) for part in parts if part != "*") or "everywhere",
        state=state,
        rows=rows,
        reason=entry.reason,
        reference=entry.reference,
    )


def _listed(pattern: str) -> str:
    return "all" if pattern == "*" else pattern.replace("|", ", ")
