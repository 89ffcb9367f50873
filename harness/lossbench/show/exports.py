"""A gate's result for machines and for people in a hurry: Markdown for a job's summary, JUnit XML for its test view."""

from __future__ import annotations

from typing import Final
from xml.etree import ElementTree as ET

from lossbench.judge.gate import Finding, GateResult
from lossbench.show import format as fmt

FOLDED_BEYOND: Final = 8
_ANSWER: Final = {0: "nothing got worse", 1: "something got worse", 2: "cannot tell"}


def markdown(result: GateResult, *, most: int = 200) -> str:
    """Short first: the answer, then the findings that matter, then the rest folded away."""
    counts = result.counts
    lines = [
        f"### lossbench: {_ANSWER.get(result.exit_status, 'cannot tell')}",
        "",
        f"{fmt.count(result.compared_verdicts)} verdicts and {fmt.count(result.compared_times)} times compared: "
        f"{counts['worse']} worse, {counts['better']} better, {counts['inconclusive']} inconclusive, "
        f"{counts['cannot_tell']} that cannot be told.",
        "",
    ]
    if result.findings:
        lines += _table(result.findings[:FOLDED_BEYOND])
    rest = result.findings[FOLDED_BEYOND:most]
    if rest:
        lines += ["", f"<details><summary>{fmt.count(len(rest))} more</summary>", "", *_table(rest), "", "</details>"]
    left = len(result.findings) - most
    if left > 0:
        lines += ["", f"{fmt.count(left)} further findings are in the run's folder."]
    return "\n".join(lines) + "\n"


def _table(findings: tuple[Finding, ...]) -> list[str]:
    rows = [f"| {f.outcome} | {_cell(f.subject)} | {f.quantity or f.topic} | {_cell(f.reason)} |" for f in findings]
    return ["| outcome | what | quantity | reason |", "| --- | --- | --- | --- |", *rows]


def _cell(text: str) -> str:
    """Text of one table cell: nothing in it ends the cell, the line, or begins a tag or a link."""
    flat = " ".join(text.split()).replace("\\", "\\\\")
    for character in "|`*_[]":
        flat = flat.replace(character, f"\\{character}")
    return flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def junit(result: GateResult, *, name: str = "lossbench gate") -> str:
    """One test case per finding, with the reason in its failure; a gate without findings is one case that passes.

    Worse is a failure, what cannot be told an error, inconclusive is skipped.
    """
    counts = result.counts
    cases = result.findings
    suite = ET.Element(
        "testsuite",
        name=name,
        tests=str(max(len(cases), 1)),
        failures=str(counts["worse"]),
        errors=str(counts["cannot_tell"]),
        skipped=str(counts["inconclusive"]),
    )
    tags = {"worse": "failure", "cannot_tell": "error", "inconclusive": "skipped"}
    for found in cases:
        title = f"{found.subject} {found.quantity}".strip()
        case = ET.SubElement(suite, "testcase", classname=f"lossbench.{found.topic}", name=_xml(title))
        if found.outcome in tags:
            ET.SubElement(case, tags[found.outcome], message=_xml(found.reason)).text = _xml(found.reason)
    if not cases:
        ET.SubElement(suite, "testcase", classname="lossbench", name="nothing changed")
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _xml(text: str) -> str:
    """Without the characters that XML 1.0 cannot hold at all."""
    return "".join(
        c for c in text if c in "\t\n\r" or (c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff")
    )
