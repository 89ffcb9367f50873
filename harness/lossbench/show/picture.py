"""Losses against frameworks in one table: letter and colour for agreement, a small letter for edges, length for time.

A square carries its verdict for every dtype and regime in a short string, so that the page can
filter the picture without a second copy of the data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from lossbench.show import format as fmt
from lossbench.show import marks
from lossbench.show.marks import Mark
from lossbench.show.times import Entry, Ranking
from lossbench.spec.loss import Loss

QUANTITIES: Final = ("value", "grad")
ORDINARY: Final = "typical"
"""The regime of inputs that a model sees on an ordinary day; what happens at the edges is a second answer."""
BAR_WIDTH: Final = 150.0
BAR_STEP: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """One quantity of one backend. mark: the worst on ordinary inputs; edge: on all others, where that is worse.

    letters: a mark's letter per (dtype, regime), dtype first.
    """

    mark: Mark
    edge: Mark | None
    letters: str
    title: str

    @property
    def severity(self) -> int:
        """On ordinary inputs first, then at the edges: for sorting."""
        return 10 * self.mark.severity + (self.edge or self.mark).severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One backend's fastest right spelling. Lengths in the drawing's own units, see BAR_WIDTH."""

    backend: str
    y: int
    width: float
    low: float
    high: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One loss. seconds: of the fastest, for sorting; infinite where nothing was timed."""

    loss: str
    title: str
    group: str
    squares: tuple[Square, ...]
    bars: tuple[Bar, ...]
    fastest: str
    fastest_backend: str
    seconds: float

    @property
    def severity(self) -> int:
        """The worst of the squares: for sorting."""
        return max((s.severity for s in self.squares), default=0)


def lines(
    losses: Mapping[str, Loss],
    families: Mapping[str, str],
    backends: Sequence[str],
    dtypes: Sequence[str],
    regimes: Sequence[str],
    cells: pd.DataFrame,
    agreement: pd.DataFrame,
    rankings: Mapping[str, Ranking],
) -> list[Line]:
    """One line a loss, in the catalogue's order. A backend's squares speak for its documented spelling."""
    oracle = agreement[agreement["against"] == "oracle"]
    seen = _index(oracle, "quantity", "class")
    silent = _index(cells[cells["status"] != "ok"], "operation", "status")
    found = []
    for loss in losses.values():
        squares = []
        for backend in backends:
            spellings = loss.bindings_of(backend)
            for quantity in QUANTITIES:
                key = (loss.name, backend, spellings[0].name if spellings else "", quantity)
                squares.append(_square(key, seen.get(key, {}), silent.get(key, {}), dtypes, regimes))
        ranking = rankings.get(loss.name)
        first = ranking.fastest if ranking else None
        found.append(
            Line(
                loss=loss.name,
                title=loss.title,
                group=families[loss.name],
                squares=tuple(squares),
                bars=tuple(_bars(ranking, backends)) if ranking else (),
                fastest=fmt.duration(first.seconds.middle, 2) if first else fmt.NOTHING,
                fastest_backend=f"{first.backend} {first.mode}" if first else "",
                seconds=first.seconds.middle if first else math.inf,
            )
        )
    return found


_Key = tuple[str, ...]


def _index(rows: pd.DataFrame, quantity: str, kind: str) -> dict[_Key, dict[_Key, list[str]]]:
    """(loss, backend, binding, quantity) -> (dtype, regime) -> distinct classes or statuses."""
    found: dict[_Key, dict[_Key, list[str]]] = {}
    columns = ["loss", "backend", "binding", quantity, "dtype", "regime", kind]
    for row in rows[columns].drop_duplicates().itertuples(index=False):
        *key, dtype, regime, said = (str(item) for item in row)
        found.setdefault(tuple(key), {}).setdefault((dtype, regime), []).append(said)
    return found


def _square(
    key: _Key,
    classes: Mapping[_Key, list[str]],
    statuses: Mapping[_Key, list[str]],
    dtypes: Sequence[str],
    regimes: Sequence[str],
) -> Square:
    each: dict[_Key, Mark] = {
        (dtype, regime): marks.worst([*classes.get((dtype, regime), []), *statuses.get((dtype, regime), [])])
        for dtype in dtypes
        for regime in regimes
    }
    ordinary = {at: mark for at, mark in each.items() if at[1] == ORDINARY}
    mark, said = _worst(ordinary)
    edge, said_edge = _worst({at: mark for at, mark in each.items() if at[1] != ORDINARY})
    if mark is marks.UNTESTED:
        mark, said = edge, said_edge
    shown = edge if edge.severity > mark.severity else None
    backend, binding, quantity = key[1:]
    title = f"{backend} {binding}, {'gradient' if quantity == 'grad' else 'value'}: {said}"
    title += f"; on other inputs, at worst: {said_edge}" if shown else ""
    return Square(mark=mark, edge=shown, letters="".join(m.letter for m in each.values()), title=title)


def _worst(each: Mapping[_Key, Mark]) -> tuple[Mark, str]:
    """The worst of several marks, and what it means and where it stands."""
    worst = max(each.values(), key=lambda m: m.severity, default=marks.UNTESTED)
    if worst.severity == 0:  # "not compared" must not hide an "agrees"
        worst = next((m for m in each.values() if m is not marks.UNTESTED), worst)
    where = [" ".join(at) for at, mark in each.items() if mark is worst]
    at = f" ({', '.join(where[:3])}{' and more' if len(where) > 3 else ''})" if worst.severity else ""
    return worst, f"{worst.meaning}{at}"


def _bars(ranking: Ranking, backends: Sequence[str]) -> list[Bar]:
    best: list[tuple[str, Entry]] = [(b, e) for b in backends if (e := ranking.best_of(b)) is not None]
    longest = max((e.seconds.high for _, e in best), default=1.0)
    found = []
    for place, (backend, entry) in enumerate(best):
        time, (middle, low, high) = (
            entry.seconds,
            (BAR_WIDTH / longest * s for s in (entry.seconds.middle, entry.seconds.low, entry.seconds.high)),
        )
        name, size = fmt.time_unit([time.middle])
        text, interval = fmt.with_interval(time.middle / size, time.low / size, time.high / size)
        found.append(
            Bar(
                backend=backend,
                y=place * BAR_STEP + 1,
                width=round(middle, 1),
                low=round(low, 1),
                high=round(high, 1),
                text=f"{backend} {entry.mode} {entry.binding}: {text} {name} {interval}",
            )
        )
    return found
