"""Defects as SARIF 2.1.0, at the suite file and line of the spelling, for a code-scanning view."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from lossbench import __version__
from lossbench.judge.gate import GateResult
from lossbench.judge.ledger import LedgerResult
from lossbench.spec.plain import plain

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
RULES: Final = {
    "worse-agreement": ("error", "A verdict is worse than the baseline's"),
    "slower": ("warning", "A time is worse than the baseline's, surely and by more than the margin"),
    "unknown-defect": ("error", "A result that no known definition explains and the ledger does not list"),
    "gone-defect": ("error", "A known defect that this run tried and did not see"),
}

Where = Callable[[str, str, str], tuple[str, int] | None]
"""(loss, backend, binding) -> address of a file, relative to the source root if it lies below, and line."""


def sarif(result: GateResult, defects: LedgerResult | None, where: Where) -> str:
    """The file's text: everything that fails the gate, once each."""
    found = [*_of_gate(result, where), *(_of_ledger(defects, where) if defects else ())]
    rules = [
        {"id": name, "shortDescription": {"text": text}, "defaultConfiguration": {"level": level}}
        for name, (level, text) in RULES.items()
    ]
    driver = {"name": "lossbench", "version": __version__, "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "utf16CodeUnits", "results": found}
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1) + "\n"


def _of_gate(result: GateResult, where: Where) -> Iterator[dict[str, Any]]:
    rules = {"agreement": "worse-agreement", "timing": "slower"}
    for f in result.findings:
        if f.outcome == "worse":
            said = f"{f.subject} {f.quantity}: {f.reason}"
            yield _result(
                rules.get(f.topic, "worse-agreement"), said, f"{f.subject} {f.quantity}", _at(f.subject, where)
            )


def _of_ledger(defects: LedgerResult, where: Where) -> Iterator[dict[str, Any]]:
    for row in defects.unlisted:
        said = f"{row['cell']} {row['quantity']}: {row['reason']}"
        yield _result("unknown-defect", said, f"{row['cell']} {row['quantity']}", _at(str(row["cell"]), where))
    for entry in defects.gone:
        at = where(entry.loss.partition("|")[0], entry.backend.partition("|")[0], entry.binding.partition("|")[0])
        said = f"{entry.loss} {entry.backend} {entry.binding} {entry.quantity}: {entry.reason}"
        yield _result("gone-defect", said, said, at)


def _at(cell: str, where: Where) -> tuple[str, int] | None:
    """The place of a cell's spelling, from its id: `huber[...]@torch-cpu-eager/functional:grad`."""
    lane, _, spelled = cell.rpartition("@")[2].partition("/")
    return where(cell.partition("[")[0], lane.partition("-")[0], spelled.rpartition(":")[0])


def _result(rule: str, said: str, identity: str, at: tuple[str, int] | None) -> dict[str, Any]:
    level, _ = RULES[rule]
    found: dict[str, Any] = {
        "ruleId": rule,
        "ruleIndex": list(RULES).index(rule),
        "level": level,
        "message": {"text": _message(said)},
        "partialFingerprints": {"lossbenchCell/v1": hashlib.sha256(f"{rule} {identity}".encode()).hexdigest()},
        "locations": [],
    }
    if at is not None:
        address, line = at
        place = {"artifactLocation": _artifact(address), "region": {"startLine": line}}
        found["locations"] = [{"physicalLocation": place}]
    return found


def _artifact(address: str) -> Mapping[str, str]:
    return {"uri": address} if ":" in address else {"uri": address, "uriBaseId": "%SRCROOT%"}


def _message(said: str) -> str:
    """Plain text: brackets would be read as links, braces as placeholders."""
    text = plain(said).replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
    return text.replace("{", "{{").replace("}", "}}")
