"""One section a loss: formula, spellings as code with verdict and time, curves, agreement, worked examples."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from markupsafe import Markup

from lossbench.show import format as fmt
from lossbench.show import formula, marks, sizes, spelling, times
from lossbench.show.costs import Cost
from lossbench.show.findings import Absence, Finding
from lossbench.show.maps import DivergenceMap
from lossbench.show.marks import Mark
from lossbench.show.palette import order
from lossbench.show.sizes import Sweep
from lossbench.show.times import Ranking
from lossbench.spec.loss import Binding, Loss

BAR_WIDTH: Final = 120.0
MOST_TIMES: Final = 4000
"""Timed cells in the tables of times of a whole page: two megabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """Bindings that share one code. names: (backend, binding) of each."""

    names: tuple[tuple[str, str], ...]
    docs: tuple[str, ...]
    differs: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One timed cell. Times as text in the table's unit; bar lengths in drawing units, see BAR_WIDTH."""

    backend: str
    binding: str
    mode: str
    device: str
    value: Mark
    grad: Mark
    time: str
    interval: str
    seconds: float
    width: float
    low: float
    high: float
    gain: str
    behind: str
    share: str
    right: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The timings of one case and operation, fastest first, in one unit."""

    caption: str
    unit: str
    rows: tuple[Timing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """One regime x (dtype, backend, quantity)."""

    mark: Mark
    ulp: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Agreement: rows are regimes, columns (dtype, backend), two squares each."""

    columns: tuple[tuple[str, str], ...]
    dtypes: tuple[tuple[str, int], ...]
    rows: tuple[tuple[str, tuple[tuple[Square, Square], ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Everything the page says about one loss. untold: cases whose times it leaves to the tables beside it."""

    anchor: str
    loss: Loss
    family: str
    formula: Markup
    spellings: tuple[Spelling, ...]
    clocks: tuple[Clock, ...]
    untold: int
    costs: tuple[Cost, ...]
    sweeps: tuple[tuple[Sweep, Markup], ...]
    curves: tuple[Markup, ...]
    maps: tuple[DivergenceMap, ...]
    grid: Grid | None
    findings: tuple[Finding, ...]
    absences: tuple[Absence, ...]
    claims: tuple[Mapping[str, Any], ...]
    worst: Mark


def anchor(name: str) -> str:
    """An id for a loss: unique for unique names, safe in a URL whatever the name holds."""
    return "loss-" + re.sub(r"[^A-Za-z0-9_-]", lambda m: f".{ord(m[0]):x}", name)


def section(
    loss: Loss,
    *,
    family: str,
    agreement: pd.DataFrame,
    rankings: Sequence[Ranking],
    costs: Sequence[Cost],
    sweeps: Sequence[Sweep],
    curves: Sequence[Markup],
    maps: Sequence[DivergenceMap],
    found: Sequence[Finding],
    missing: Sequence[Absence],
    claims: Sequence[Mapping[str, Any]],
    share: int = MOST_TIMES,
) -> Section:
    """agreement, rankings, sweeps: this loss's only. curves: see `drawing`. share: of the timed cells on the page."""
    name = anchor(loss.name)
    oracle = agreement[agreement["against"] == "oracle"]
    kinds: dict[tuple[str, ...], list[str]] = {}
    for *key, kind in oracle[["backend", "binding", "quantity", "class"]].drop_duplicates().itertuples(index=False):
        kinds.setdefault(tuple(map(str, key)), []).append(str(kind))
    verdicts = {key: marks.worst(found) for key, found in kinds.items()}
    apart = [r for r in rankings if not any(_within(r, sweep) for sweep in sweeps)]
    told = shown(apart, share)
    return Section(
        anchor=name,
        loss=loss,
        family=family,
        formula=formula.render(loss.formula),
        spellings=tuple(_spellings(loss.bindings)),
        clocks=tuple(_clock(r, verdicts) for r in told),
        untold=len(apart) - len(told),
        costs=tuple(costs),
        sweeps=tuple((s, sizes.drawn(s, f"{name.replace('.', '-')}-{place}")) for place, s in enumerate(sweeps)),
        curves=tuple(curves),
        maps=tuple(maps),
        grid=_grid(oracle),
        findings=tuple(found),
        absences=tuple(missing),
        claims=tuple(claims),
        worst=marks.worst(str(k) for k in oracle["class"].unique()),
    )


def _within(ranking: Ranking, sweep: Sweep) -> bool:
    """Whether the sweep's table says it; a shape that is not of the sweep keeps its own."""
    return (ranking.operation, ranking.dtype) == (sweep.operation, sweep.dtype)


def shown(rankings: Sequence[Ranking], share: int) -> list[Ranking]:
    """As many as there is room for, at least one, those that say most of a loss first; in the order of the run."""
    found: set[int] = set()
    room = share
    for number in sorted(range(len(rankings)), key=lambda n: times.weight(rankings[n]), reverse=True):
        room -= len(rankings[number].entries)
        if room < 0 and found:
            break
        found.add(number)
    return [ranking for number, ranking in enumerate(rankings) if number in found]


def _spellings(bindings: Sequence[Binding]) -> list[Spelling]:
    shared: dict[tuple[str, str], list[Binding]] = {}
    for binding in sorted(bindings, key=lambda b: order(b.backend)):
        code = spelling.code(binding.call) or "\n".join(binding.docs)
        shared.setdefault((code, binding.differs), []).append(binding)
    return [
        Spelling(
            names=tuple((b.backend, b.name) for b in same),
            docs=tuple(dict.fromkeys(d for b in same for d in b.docs)),
            differs=differs,
            code=code,
        )
        for (code, differs), same in shared.items()
    ]


def _clock(ranking: Ranking, verdicts: Mapping[tuple[str, ...], Mark]) -> Clock:
    unit, size = fmt.time_unit(e.seconds.middle for e in ranking.entries)
    longest = max((e.seconds.high for e in ranking.entries), default=1.0) or 1.0
    rows = []
    for e in ranking.entries:
        time, interval = fmt.with_interval(e.seconds.middle / size, e.seconds.low / size, e.seconds.high / size)
        rows.append(
            Timing(
                backend=e.backend,
                binding=e.binding,
                mode=e.mode,
                device=e.device,
                value=verdicts.get((e.backend, e.binding, "value"), marks.UNTESTED),
                grad=verdicts.get((e.backend, e.binding, "grad"), marks.UNTESTED),
                time=time,
                interval=interval,
                seconds=e.seconds.middle,
                width=round(BAR_WIDTH * e.seconds.middle / longest, 1),
                low=round(BAR_WIDTH * e.seconds.low / longest, 1),
                high=round(BAR_WIDTH * e.seconds.high / longest, 1),
                gain=fmt.ratio(e.gain.middle, e.gain.low, e.gain.high) if e.gain else fmt.NOTHING,
                behind=fmt.ratio(e.behind.middle, e.behind.low, e.behind.high),
                share=fmt.share(e.share),
                right=e.right,
            )
        )
    what = "value with gradient" if ranking.operation == "grad" else "value alone"
    shape = fmt.TIMES.join(fmt.count(n) for n in ranking.shape)
    return Clock(caption=f"{what}, {ranking.dtype}, prediction of {shape}", unit=unit, rows=tuple(rows))


def _grid(oracle: pd.DataFrame) -> Grid | None:
    if oracle.empty:
        return None
    dtypes = [d for d in ("float64", "float32", "bfloat16", "float16") if d in set(oracle["dtype"])]
    backends = sorted(oracle["backend"].unique(), key=order)
    severity = oracle["class"].map({key: -marks.of(str(key)).severity for key in oracle["class"].unique()})
    size = oracle["max_ulp"].abs().fillna(math.inf)
    worst = oracle.iloc[np.lexsort((-size.to_numpy(np.float64), severity.to_numpy(np.int64)))]
    columns = ["regime", "dtype", "backend", "quantity"]
    seen: dict[tuple[str, ...], tuple[Mark, float, str]] = {}
    for *key, kind, ulp, binding in (
        worst.drop_duplicates(columns)[[*columns, "class", "max_ulp", "binding"]].itertuples(index=False)
    ):  # fmt: skip
        known = math.inf if math.isnan(ulp) else abs(float(ulp))
        seen[tuple(map(str, key))] = (marks.of(str(kind)), known, str(binding))
    pairs = tuple((d, b) for d in dtypes for b in backends)
    rows = tuple(
        (regime, tuple((_cell(seen, regime, d, b, "value"), _cell(seen, regime, d, b, "grad")) for d, b in pairs))
        for regime in dict.fromkeys(str(r) for r in oracle["regime"].unique())
    )
    return Grid(columns=pairs, dtypes=tuple((d, 2 * len(backends)) for d in dtypes), rows=rows)


def _cell(seen: Mapping[tuple[str, ...], tuple[Mark, float, str]], *key: str) -> Square:
    mark, ulp, binding = seen.get(key, (marks.UNTESTED, math.nan, ""))
    at = f", worst {fmt.ulps(ulp)} ulp in {binding}" if binding else ""
    if mark.severity == 0:  # most squares: their column and letter say it all
        return Square(mark=mark, ulp=fmt.ulps(ulp), title="")
    return Square(mark=mark, ulp=fmt.ulps(ulp), title=f"{key[2]} {key[1]} {key[0]}, {key[3]}: {mark.meaning}{at}")
