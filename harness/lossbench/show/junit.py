"""A gate's result as JUnit XML, for a CI's test view: one test case a cell, with the reason in its failure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from xml.etree import ElementTree as ET

from lossbench.judge.gate import Finding, GateResult

TAGS: Final = {"worse": "failure", "cannot_tell": "error", "inconclusive": "skipped"}
"""In order of weight: a cell with several findings shows the first of these."""


def junit(result: GateResult, *, cells: Iterable[str] = (), name: str = "lossbench gate") -> str:
    """Worse is a failure, what cannot be told an error, inconclusive is skipped.

    cells: every cell compared, so that those without a finding are seen to pass.
    """
    found: dict[str, list[Finding]] = {cell: [] for cell in cells}
    for each in result.findings:
        found.setdefault(each.subject, []).append(each)
    suite = ET.Element("testsuite", name=name)
    counts = dict.fromkeys(TAGS.values(), 0)
    for subject, own in (found or {"nothing to compare": []}).items():
        case = ET.SubElement(suite, "testcase", classname=_class(subject, own), name=clean(subject), time="0")
        outcomes = {f.outcome for f in own}
        tag = next((tag for outcome, tag in TAGS.items() if outcome in outcomes), None)
        if tag:
            said = clean("\n".join(f"{f.quantity} {f.reason}".strip() for f in own if TAGS.get(f.outcome) == tag))
            ET.SubElement(case, tag, message=said).text = said
            counts[tag] += 1
    suite.attrib |= {"tests": str(len(suite)), "time": "0"}
    plural = {"failure": "failures", "error": "errors", "skipped": "skipped"}
    suite.attrib |= {plural[tag]: str(count) for tag, count in counts.items()}
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _class(subject: str, found: list[Finding]) -> str:
    topic = found[0].topic if found else "cells"
    loss = subject.partition("[")[0] if "[" in subject else topic
    return f"lossbench.{clean(loss).replace('.', '_')}"


def clean(text: str) -> str:
    """Without the characters that XML 1.0 cannot hold at all."""
    return "".join(
        c for c in text if c in "\t\n\r" or (c >= " " and not "\ud800" <= c <= "\udfff" and c not in "\ufffe\uffff")
    )
