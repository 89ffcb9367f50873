"""A gate's result as Markdown, for a job's summary: the answer, what matters, the rest folded away."""

from __future__ import annotations

from typing import Final

from lossbench.judge.gate import Finding, GateResult
from lossbench.judge.ledger import LedgerResult
from lossbench.show import format as fmt
from lossbench.spec.plain import plain

FOLDED_BEYOND: Final = 8
_MARKUP: Final = frozenset("\\`*_[]{}|<>&@$~#!:\"'")
_ANSWER: Final = {0: "nothing got worse", 1: "something got worse", 2: "cannot tell"}


def markdown(result: GateResult, defects: LedgerResult | None = None, *, most: int = 200) -> str:
    """Short first: the answer, then the findings that matter, then the rest folded away."""
    counts = result.counts
    surprises = defects.lines() if defects else []
    status = 1 if surprises else result.exit_status
    lines = [
        f"### lossbench: {_ANSWER.get(status, 'cannot tell')}",
        "",
        f"{fmt.count(result.compared_verdicts)} verdicts and {fmt.count(result.compared_times)} times compared: "
        f"{counts['worse']} worse, {counts['better']} better, {counts['inconclusive']} inconclusive, "
        f"{counts['cannot_tell']} that cannot be told.",
        "",
    ]
    if defects:
        lines += [f"Ledger of known defects: {_cell(defects.sentence)}.", ""]
    if surprises:
        lines += [*(f"- {_cell(line)}" for line in surprises[:FOLDED_BEYOND]), *_more(len(surprises)), ""]
    if result.findings:
        lines += _table(result.findings[:FOLDED_BEYOND])
    rest = result.findings[FOLDED_BEYOND:most]
    if rest:
        lines += ["", f"<details><summary>{fmt.count(len(rest))} more</summary>", "", *_table(rest), "", "</details>"]
    left = len(result.findings) - most
    if left > 0:
        lines += ["", f"{fmt.count(left)} further findings: `lossbench gate --json`."]
    return "\n".join(lines) + "\n"


def _more(total: int) -> list[str]:
    return [f"- and {fmt.count(total - FOLDED_BEYOND)} more"] if total > FOLDED_BEYOND else []


def _table(findings: tuple[Finding, ...]) -> list[str]:
    rows = [
        f"| {f.outcome} | <code>{_cell(f.subject)}</code> | {_cell(f.quantity or f.topic)} | {_cell(f.reason)} |"
        for f in findings
    ]
    return ["| outcome | what | quantity | reason |", "| --- | --- | --- | --- |", *rows]


def _cell(text: str) -> str:
    """Text of one table cell: nothing in it ends cell or line, or begins a tag, a link, a formula, a mention."""
    flat = " ".join(plain(text).split())
    return "".join(f"&#{ord(c)};" if c in _MARKUP else c for c in flat)
