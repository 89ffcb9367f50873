"""One loss in a terminal: what it is, how each framework spells it, whether that is right, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import pandas as pd
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lossbench.record.frames import Tables
from lossbench.show import braille, findings, maps, marks, sizes, terminal, times
from lossbench.show import format as fmt
from lossbench.show.findings import Absence, Finding
from lossbench.show.marks import Mark
from lossbench.show.palette import order
from lossbench.show.picture import ORDINARY
from lossbench.show.plain import said
from lossbench.show.sizes import Sweep
from lossbench.show.times import Ranking, Span
from lossbench.spec.loss import Loss

SHOWN: Final = 8


def of(loss: Loss, family: str, tables: Tables | None) -> Group:
    """The essentials of a loss from the catalogue and, where there is one, a run; only that loss's rows are read."""
    parts: list[RenderableType] = [
        said(f"{loss.title} ({loss.name})", "bold"),
        said(loss.summary),
        _facts(loss, family),
    ]
    if tables is None:
        return Group(*parts, _spellings(loss), Text("")) if loss.bindings else Group(*parts)
    own = Tables(**{n: _of(getattr(tables, n), loss) for n in tables.__slots__})
    parts += [*_alike(loss, own), *_curves(own), *_parted(own), _verdicts(loss, own)]
    if wrong := [*findings.differences(own.agreement)]:
        parts += [_differences(wrong)]
    if broken := [a for a in findings.absences(own.cells) if a.mark.severity > 1]:
        parts += [_broken(broken)]
    documented = {(loss.name, b.backend): b.name for b in reversed(loss.bindings)}
    every = times.rankings(own.cells, own.measurements, own.agreement, documented, own.work)
    ranked = times.headline(every)
    parts += [_times(each) for each in ranked.values()]
    parts += [_sizes(each) for each in sizes.of(every, own.measurements)]
    return Group(*parts, *_claims(own))


def _of(frame: pd.DataFrame, loss: Loss) -> pd.DataFrame:
    return frame[frame["loss"].isin((loss.name, *loss.aliases))] if "loss" in frame.columns else frame


def _facts(loss: Loss, family: str) -> Table:
    rows = {
        "formula": loss.formula,
        "source": loss.source,
        "family": family,
        "also": ", ".join(loss.aliases),
        "parameters": ", ".join(f"{name}={value}" for name, value in loss.params.items()),
        "definitions": "; ".join(f"{d.name}: {d.where}" for d in loss.definitions),
    }
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows.items():
        if value:
            grid.add_row(Text(f"  {name}", "dim"), said(value))
    return grid


def _table(title: str, *columns: str) -> Table:
    return Table(
        *columns, title=f"\n{title}", title_justify="left", title_style="bold", box=None, pad_edge=False,
        header_style="dim",
    )  # fmt: skip


def _alike(loss: Loss, own: Tables) -> Iterator[RenderableType]:
    """Whether the documented spellings of the backends are the same, in sentences: ordinary inputs, then the others."""
    rows = own.agreement[(own.agreement["against"] == "oracle") & (own.agreement["class"] != "")]
    spoken = {b: loss.bindings_of(b)[0].name for b in sorted(set(rows["backend"]), key=order) if loss.bindings_of(b)}
    spoken = {b: name for b, name in spoken.items() if ((rows["backend"] == b) & (rows["binding"] == name)).any()}
    if len(spoken) < 2:
        return
    yield Text("\nAre they the same?", "bold")
    for ordinary in (True, False):
        found: dict[str, list[str]] = {}
        for backend, binding in spoken.items():
            one = rows[(rows["backend"] == backend) & (rows["binding"] == binding)]
            one = one[(one["regime"] == ORDINARY) == ordinary]
            if not one.empty:
                found.setdefault("; ".join(_not_fine(one)), []).append(f"{backend} {binding}")
        right = found.pop("", [])
        where = "On ordinary inputs" if ordinary else "On inputs at the edges"
        if right:
            yield said(f"{where} {fmt.listed(right)} give{'s' * (len(right) == 1)} the exact result to rounding.")
        for what, who in found.items():
            yield said(f"{where} {fmt.listed(who)}: {what}.")


def _not_fine(rows: pd.DataFrame) -> Iterator[str]:
    """Each class that is not rounding, worst first: what it means, and for which quantities and inputs."""
    keys = sorted(set(map(str, rows["class"])), key=lambda key: -marks.of(key).severity)
    for key in keys:
        mark, own = marks.of(key), rows[rows["class"] == key]
        if mark.severity > 1:
            regimes, quantities, dtypes = (list(map(str, own[n].unique())) for n in ("regime", "quantity", "dtype"))
            yield f"{mark.meaning} ({', '.join(regimes)}; {' and '.join(quantities)}; {', '.join(dtypes)})"


def _spellings(loss: Loss) -> Table:
    table = _table("Spellings", "backend", "spelling", "exercises", "differs in")
    for b in sorted(loss.bindings, key=lambda b: order(b.backend)):
        table.add_row(said(b.backend), said(b.name), said(", ".join(b.docs)), said(b.differs or fmt.NOTHING))
    return table


def _curves(own: Tables) -> Iterator[RenderableType]:
    """Loss and gradient by the oracle, beside each other."""
    rows = own.curves
    if rows.empty:
        return
    first = rows[rows["backend"] == rows["backend"].iloc[0]]
    drawn = [braille.curve(list(first["x"]), list(first[f"oracle_{name}"])) for name in ("value", "grad")]
    if not all(drawn):
        return
    grid = Table.grid(padding=(0, 3, 0, 0))
    target = fmt.significant(float(first["target"].iloc[0]), 3)
    grid.add_row(Text(f"\nloss by prediction, target {target}", "dim"), Text("\ngradient", "dim"))
    grid.add_row(*(Text("\n".join(lines), "blue") for lines in drawn))
    yield grid


def _parted(own: Tables) -> Iterator[RenderableType]:
    """Where the backends part from each other over the plane of target and prediction."""
    for dtype, rows in own.maps.groupby("dtype", sort=False):
        yield Text("")
        yield said(f"Where they part, {dtype}; {maps.axes(rows)}", "bold")
        for sentence in maps.parted(rows):
            yield said(sentence)


def _verdicts(loss: Loss, own: Tables) -> RenderableType:
    oracle = own.agreement[own.agreement["against"] == "oracle"]
    if oracle.empty:
        return Group(_spellings(loss), Text("\nthis run has not compared it", "yellow"))
    dtypes = [d for d in ("float64", "float32", "bfloat16", "float16") if d in set(oracle["dtype"])]
    table = _table("Against the exact result: worst of all inputs, value and gradient", "backend", "spelling")
    for dtype in dtypes:
        table.add_column(dtype)
    table.add_column("differs in")
    worst = {
        tuple(map(str, key)): marks.worst(map(str, group["class"]))
        for key, group in oracle.groupby(["backend", "binding", "dtype", "quantity"], sort=False)
    }
    shown: dict[str, Mark] = {}
    for b in sorted(loss.bindings, key=lambda b: order(b.backend)):
        squares = []
        for dtype in dtypes:
            pair = [worst.get((b.backend, b.name, dtype, q), marks.UNTESTED) for q in ("value", "grad")]
            shown |= {m.letter: m for m in pair}
            squares.append(Text(" ").join(Text(m.letter, terminal.style(m)) for m in pair))
        table.add_row(said(b.backend), said(b.name), *squares, said(b.differs or fmt.NOTHING))
    legend = "; ".join(f"{m.letter} {m.meaning}" for m in sorted(shown.values(), key=lambda m: m.severity))
    return Group(table, Text(legend, "dim"))


def _differences(found: Sequence[Finding]) -> Group:
    table = _table("What is not rounding, worst first", "class", "backend", "spelling", "where", "worst input", "why")
    for f in found[:SHOWN]:
        where = f"{', '.join(f.quantities)}; {', '.join(f.dtypes)}; {', '.join(f.regimes[:3])}"
        kind = Text(f.mark.key, terminal.style(f.mark))
        table.add_row(kind, said(f.backend), said(f.binding), said(where), said(f.worst_input), said(f.reason))
    return Group(table, *_more(len(found)))


def _broken(found: Sequence[Absence]) -> Group:
    table = _table("Without a result", "status", "backend", "spelling", "mode", "why")
    for a in found[:SHOWN]:
        kind = Text(a.mark.key, terminal.style(a.mark))
        table.add_row(kind, said(a.backend), said(a.binding), said(", ".join(a.modes)), said(a.reason))
    return Group(table, *_more(len(found)))


def _more(total: int) -> Iterator[Text]:
    if total > SHOWN:
        yield Text(f"and {total - SHOWN} more, in the report", "dim")


def _times(ranking: Ranking) -> Table:
    unit, size = fmt.time_unit(e.seconds.middle for e in ranking.entries)
    what = "value with gradient" if ranking.operation == "grad" else "value"
    shape = fmt.TIMES.join(fmt.count(n) for n in ranking.shape)
    columns = (
        "backend",
        "spelling",
        "mode",
        f"time ({unit})",
        "95% interval",
        "",
        "of the limit",
        "against the documented spelling",
    )
    table = _table(f"Time of {what}, {ranking.dtype}, prediction of {shape}", *columns)
    longest = max(e.seconds.middle for e in ranking.entries)
    for e in ranking.entries:
        time, interval = fmt.with_interval(e.seconds.middle / size, e.seconds.low / size, e.seconds.high / size)
        gain = _gain(e.gain) if e.gain else fmt.NOTHING
        name = said(e.binding) if e.right else said(f"{e.binding} (wrong)", "red")
        drawn = Text(braille.bar(e.seconds.middle, longest), "blue")
        table.add_row(said(e.backend), name, e.mode, time, interval, drawn, fmt.share(e.share), gain)
    return table


def _gain(factor: Span) -> str:
    if factor.middle >= 1:
        return f"{fmt.ratio(factor.middle, factor.low, factor.high)} faster"
    return f"{fmt.ratio(1 / factor.middle, 1 / factor.high, 1 / factor.low)} slower"


def _sizes(sweep: Sweep) -> Table:
    columns = [fmt.count(size) for size in sweep.sizes]
    title = f"Rank by size, and factor over the documented spelling: {sweep.caption}"
    table = _table(title, "backend", "spelling", "mode", *columns, "overhead (µs)", "slope (ns)")
    for row in sweep.rows:
        places = [place.text for place in row.places]
        table.add_row(said(row.backend), said(row.binding), row.mode, *places, row.overhead, row.slope)
    return table


def _claims(own: Tables) -> Iterator[RenderableType]:
    """What sources and docstrings print about it and does not hold."""
    rows = own.claims[own.claims["holds"] == "no"].drop_duplicates(["claim", "backend", "measured"])
    if rows.empty:
        return
    table = _table("What is claimed of it and does not hold", "claim", "backend", "claimed", "measured", "exact")
    for row in rows.head(SHOWN).to_dict("records"):
        table.add_row(*(said(row[name]) for name in ("claim", "backend", "claimed", "measured", "oracle")))
    yield Group(table, *_more(len(rows)))
