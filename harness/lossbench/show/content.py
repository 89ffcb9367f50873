"""What the page is filled with: the tables of a run, read once, as values the template only has to place."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import pandas as pd
from markupsafe import Markup

from lossbench.judge.gate import GateResult
from lossbench.judge.ledger import LedgerResult
from lossbench.record.frames import Tables
from lossbench.show import (
    costs,
    drawing,
    findings,
    known,
    limits,
    maps,
    marks,
    palette,
    picture,
    plots,
    roster,
    sections,
    sizes,
    spoken,
    summary,
    svg,
    times,
)
from lossbench.show import format as fmt
from lossbench.show import (
    lanes as beside,
)
from lossbench.show.times import Entry, Ranking
from lossbench.spec.loss import Loss

SHOWN_AT_ONCE: Final = 12
MOST_FINDINGS: Final = 600


class Catalogue(Protocol):
    """The part of `spec.catalogue.Catalogue` that is shown."""

    @property
    def losses(self) -> Mapping[str, Loss]: ...
    def family(self, name: str) -> str: ...


DOCSTRING: Final = "D:"
KINK: Final = "K:"
"""How the claims table names what a framework's own documentation prints, and what it picks at a kink."""


def of(
    tables: Tables,
    catalogue: Catalogue,
    gate: GateResult | None,
    run_id: str = "",
    *,
    defects: LedgerResult | None = None,
    lanes: str = "",
) -> dict[str, Any]:
    """Every name the template uses. lanes: two to hold beside each other, see `lanes.sides`. BadInput."""
    tables = spoken.out(tables)
    run = set(tables.cells["loss"]) | set(tables.claims["loss"])
    losses = {name: loss for name, loss in catalogue.losses.items() if name in run}
    documented = {(n, b.backend): b.name for n, loss in losses.items() for b in reversed(loss.bindings)}
    families = {name: catalogue.family(name) for name in losses}
    ranked = times.rankings(tables.cells, tables.measurements, tables.agreement, documented, tables.work)
    headline = times.headline(ranked)
    found = findings.differences(tables.agreement)
    missing = findings.absences(tables.cells)
    backends = sorted({str(b) for b in tables.cells["backend"]}, key=palette.order)
    dtypes = [d for d in ("float64", "float32", "bfloat16", "float16") if d in set(tables.cells["dtype"])]
    regimes = [str(r) for r in dict.fromkeys(tables.agreement["regime"])]
    titles = {name: loss.title for name, loss in losses.items()}
    claims = [{str(k): v for k, v in row.items()} for row in tables.claims.to_dict("records")]
    parts = summary.wall_parts(tables)
    pair = beside.sides(lanes, tables.cells) if lanes else beside.of_two(tables.cells)
    ledger = known.of(defects, losses) if defects else None
    return {
        "title": "lossbench report",
        "facts": summary.what_was_run(tables, run_id),
        "disturbed": summary.disturbed(tables),
        "all_facts": sorted(zip(tables.facts["key"], tables.facts["value"], strict=True)),
        "answers": [
            summary.agreement(tables.agreement, tables.cells, found),
            summary.speed(headline, titles),
            summary.change(gate, ranked),
        ],
        "gate": gate,
        "beside": beside.of(tables, pair, documented, titles) if pair else None,
        "known": ledger,
        "roster": roster.of(tables, titles),
        "backends": backends,
        "dtypes": dtypes,
        "regimes": regimes,
        "titles": titles,
        "findings": found[:MOST_FINDINGS],
        "findings_total": len(found),
        "first": findings.alike(found)[:SHOWN_AT_ONCE],
        "groups": len(findings.alike(found)),
        "shown_at_once": SHOWN_AT_ONCE,
        "slow": _slow(headline),
        "missing": [m for m in missing if m.mark.severity <= 1],
        "broken": [m for m in missing if m.mark.severity > 1],
        "stories": findings.stories(missing),
        "lines": picture.lines(losses, families, backends, dtypes, regimes, tables.cells, tables.agreement, headline),
        "bar_height": picture.BAR_STEP * max(len(backends), 1),
        "bar_width": picture.BAR_WIDTH,
        "claims": _claims([c for c in claims if not str(c["claim"]).startswith((DOCSTRING, KINK))]),
        "docstrings": _claims([c for c in claims if str(c["claim"]).startswith(DOCSTRING)]),
        "kinks": [c for c in claims if str(c["claim"]).startswith(KINK)],
        "custom": _custom(tables.custom),
        "wall": _wall(parts),
        "wall_words": _wall_words(parts),
        "gains": _gains(headline, titles),
        "limit": limits.of(tables.facts, headline),
        "sections": _sections(losses, families, tables, ranked, found, missing, claims),
        "known_of": {name: ledger.of(name) for name in losses} if ledger else {},
        "map_legend": maps.LEGEND,
        "all_marks": sorted(marks.MARKS.values(), key=lambda m: m.severity),
    }


def _documented_gains(headline: Mapping[str, Ranking]) -> list[tuple[str, str, Entry]]:
    """(loss, backend, fastest right entry) wherever a factor over the documented spelling is known."""
    return [
        (loss, backend, entry)
        for loss, ranking in headline.items()
        for backend in sorted({e.backend for e in ranking.entries}, key=palette.order)
        if (entry := ranking.best_of(backend)) and entry.gain and math.isfinite(entry.gain.middle)
    ]


def _slow(headline: Mapping[str, Ranking]) -> list[dict[str, str]]:
    """The documented spellings that a faster form beats by most, surely and with the same digits."""
    gains = [g for g in _documented_gains(headline) if g[2].gain and g[2].gain.low > 1.5]
    gains.sort(key=lambda g: -g[2].gain.middle if g[2].gain else 0.0)
    return [
        {
            "loss": loss,
            "backend": backend,
            "factor": fmt.ratio(e.gain.middle, e.gain.low, e.gain.high),
            "form": f"{e.binding}, {e.mode}",
        }
        for loss, backend, e in gains[:3]
        if e.gain
    ]


def _gains(headline: Mapping[str, Ranking], titles: Mapping[str, str]) -> dict[str, Any] | None:
    rows = []
    for loss, backend, e in _documented_gains(headline):
        if e.gain is None:
            continue
        value, interval = fmt.with_interval(e.gain.middle, e.gain.low, e.gain.high)
        row = {
            "loss": loss,
            "title": titles.get(loss, loss),
            "backend": backend,
            "form": f"{e.binding}, {e.mode}",
            "share": e.share,
        }
        time = {"time": fmt.duration(e.seconds.middle), "seconds": e.seconds.middle}
        rows.append(
            {
                **row,
                **time,
                "gain": e.gain.middle,
                "low": e.gain.low,
                "high": e.gain.high,
                "text": value,
                "interval": interval,
            }
        )
    return {"rows": sorted(rows, key=lambda r: -float(r["gain"]))} if rows else None


_HOLDS: Final = {"no": 0, "unclear": 1, "yes": 2}


def _claims(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Claims that do not hold first; one line a claim and place where it was tried."""
    ordered = sorted(
        rows,
        key=lambda r: (_HOLDS.get(str(r["holds"]), 1), _numbered(str(r["claim"])), palette.order(str(r["backend"]))),
    )
    by_claim: dict[str, set[str]] = {}
    for row in rows:
        if str(row["claimed"] or ""):
            by_claim.setdefault(str(row["claim"]), set()).add(str(row["holds"]))
    wrong = sorted((c for c, holds in by_claim.items() if "no" in holds), key=_numbered)
    return {"rows": ordered, "total": len(by_claim), "wrong": wrong}


def _numbered(name: str) -> list[tuple[int, str]]:
    """For sorting: E5 before E10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _custom(rows: pd.DataFrame) -> dict[str, Any]:
    """What was looked at in functions of the user's own, what does not hold first."""
    ordered = rows.sort_values("fatal", ascending=False, kind="stable")
    wrong = sorted({str(name) for name in rows.loc[rows["fatal"].astype(bool), "loss"]})
    return {"rows": ordered.to_dict("records"), "wrong": wrong}


def _wall(parts: Mapping[str, float]) -> Markup | None:
    if not parts:
        return None
    return svg.inline(
        plots.wall_time(parts), prefix="wall-time", title="How the wall time was spent", description=_wall_words(parts)
    )


def _wall_words(parts: Mapping[str, float]) -> str:
    total = sum(parts.values())
    if not total:
        return ""
    ordered = sorted(parts.items(), key=lambda item: -item[1])
    return (
        f"{fmt.duration(total)} in all: "
        + ", ".join(f"{name} {fmt.duration(seconds, 2)} ({fmt.percent(seconds / total)})" for name, seconds in ordered)
        + "."
    )


def _sections(
    losses: Mapping[str, Loss],
    families: Mapping[str, str],
    tables: Tables,
    ranked: Sequence[Ranking],
    found: Sequence[findings.Finding],
    missing: Sequence[findings.Absence],
    claims: Sequence[Mapping[str, Any]],
) -> list[sections.Section]:
    agreement = dict(list(tables.agreement.groupby("loss", sort=False)))
    drawn = drawing.all_of(losses, tables.curves)
    mapped = maps.all_of(tables.maps, {name: loss.title for name, loss in losses.items()})
    swept = sizes.of(ranked, tables.measurements)
    timed = {entry.cell for ranking in times.headline(ranked).values() for entry in ranking.entries}
    cells, blocks = (frame[frame["cell"].isin(timed)] for frame in (tables.cells, tables.measurements))
    about = {str(row["cell"]): {str(name): value for name, value in row.items()} for row in cells.to_dict("records")}
    seen = costs.medians(blocks)
    share = sections.MOST_TIMES // max(len(losses), 1)
    return [
        sections.section(
            loss,
            family=families[name],
            agreement=agreement.get(name, tables.agreement.iloc[:0]),
            rankings=(own := [r for r in ranked if r.loss == name]),
            costs=costs.of(own, about, seen),
            share=share,
            sweeps=[s for s in swept if s.loss == name],
            curves=drawn.get(name, ()),
            maps=mapped.get(name, ()),
            found=[f for f in found if f.loss == name],
            missing=[m for m in missing if m.loss == name],
            claims=[c for c in claims if c["loss"] in (name, *loss.aliases)],
        )
        for name, loss in losses.items()
    ]
