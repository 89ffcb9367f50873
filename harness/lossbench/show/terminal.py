"""The essentials in a terminal, as rich tables: the list of losses, the summary of a run, the answer of a gate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from lossbench.judge.gate import GateResult
from lossbench.record.frames import Tables
from lossbench.show import content, findings, summary, times
from lossbench.show.content import Catalogue
from lossbench.show.marks import Mark
from lossbench.show.plain import said
from lossbench.spec.loss import Loss
from lossbench.spec.plain import plain

_STYLES: Final = {0: "green", 1: "dim", 2: "blue", 3: "blue", 4: "yellow", 5: "dark_orange"}
_OUTCOMES: Final = {"worse": "red", "better": "green", "inconclusive": "yellow", "cannot_tell": "yellow"}
SHOWN: Final = 12
BACKENDS: Final = ("tensorflow", "torch", "jax")


def style(mark: Mark) -> str:
    """The terminal's colour of a mark; its letter stands beside it."""
    return _STYLES.get(mark.severity, "red")


def losses(chosen: Iterable[Loss], families: Mapping[str, str], backends: Iterable[str] = BACKENDS) -> Table:
    """One row a loss with its spellings by backend, by family; names are whole in 80 columns.

    Text comes from suites, so none of it is markup.
    """
    shown = tuple(backends)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("loss", no_wrap=True)
    for backend in shown:
        table.add_column(backend, overflow="fold")
    family = ""
    for loss in chosen:
        if families.get(loss.name, "") != family:
            family = families.get(loss.name, "")
            table.add_row(said(family, "bold blue"))
        spelled = [said(", ".join(b.name for b in loss.bindings_of(backend)) or "-") for backend in shown]
        table.add_row(said(loss.name), *spelled)
    return table


def described(loss: Loss, family: str, backends: Iterable[str] = BACKENDS) -> Group:
    """A loss in a few lines: what it measures, where it comes from, its parameters and its spellings."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, min_width=12)
    grid.add_column(overflow="fold")
    also = f"; also {', '.join(loss.aliases)}" if loss.aliases else ""
    rows = {
        "": loss.summary,
        "family": f"{family}{also}",
        "source": loss.source,
        "parameters": ", ".join(f"{name}={value}" for name, value in loss.params.items()) or "none",
        **{
            backend: "; ".join(
                f"{b.name} ({', '.join(b.docs)})" if b.docs else b.name for b in loss.bindings_of(backend)
            )
            for backend in backends
        },
    }
    for name, text in rows.items():
        grid.add_row(Text(f"  {name}", "dim"), said(text or "-"))
    return Group(said(loss.name, "bold"), grid, Text(""))


def run(tables: Tables, catalogue: Catalogue, gate: GateResult | None = None) -> Group:
    """The three answers of the report's first screen and what to look at."""
    found = findings.differences(tables.agreement)
    documented = {(n, b.backend): b.name for n, loss in catalogue.losses.items() for b in reversed(loss.bindings)}
    ranked = times.rankings(tables.cells, tables.measurements, tables.agreement, documented, tables.work)
    titles = {name: loss.title for name, loss in catalogue.losses.items()}
    answers = (
        summary.agreement(tables.agreement, tables.cells, found),
        summary.speed(times.headline(ranked), titles),
        summary.change(gate, ranked),
    )
    lines = [Text.assemble((f"{a.question} ", "bold"), plain(" ".join(a.sentences))) for a in answers]
    return Group(*lines, _look(found, findings.stories(findings.absences(tables.cells))))


def _look(found: list[findings.Finding], broken: list[findings.Story]) -> Table:
    table = Table("class", "loss", "backend", "why", box=None, pad_edge=False, header_style="bold")
    for story in broken[:4]:
        losses_named = ", ".join(story.losses[:3]) + (", ..." if len(story.losses) > 3 else "")
        table.add_row(Text(story.mark.key, style(story.mark)), said(losses_named), story.backend, said(story.reason))
    for each in found[: content.SHOWN_AT_ONCE]:
        where = f"{each.backend} {each.binding}"
        table.add_row(Text(each.mark.key, style(each.mark)), said(each.loss), said(where), said(each.reason))
    return table


def gate(result: GateResult) -> Group:
    """The gate's answer and its findings, worst first."""
    counts = result.counts
    word = {0: ("nothing got worse", "green"), 1: ("something got worse", "red")}.get(
        result.exit_status, ("cannot tell", "yellow")
    )
    head = Text.assemble(word, f": {result.compared_verdicts} verdicts and {result.compared_times} times compared, ")
    head.append(", ".join(f"{n} {outcome.replace('_', ' ')}" for outcome, n in counts.items()) or "no finding")
    table = Table("outcome", "what", "quantity", "reason", box=None, pad_edge=False, header_style="bold")
    for f in result.findings[:SHOWN]:
        colour = _OUTCOMES.get(f.outcome, "")
        table.add_row(Text(f.outcome, colour), said(f.subject), f.quantity or f.topic, said(f.reason))
    left = len(result.findings) - SHOWN
    return Group(head, table, Text(f"and {left} more" if left > 0 else "", "dim"))
