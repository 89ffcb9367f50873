"""What leaves the report: Markdown, JUnit XML, SARIF, and the terminal's tables."""

from __future__ import annotations

import html
import io
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import synthetic_run
from pydantic_sarif import model
from rich.console import Console

from lossbench.commands import outlets
from lossbench.judge.gate import Finding, GateResult
from lossbench.judge.ledger import LedgerResult
from lossbench.show import exports, terminal
from lossbench.show.junit import junit
from lossbench.show.sarif import sarif
from lossbench.spec import catalogue, places
from lossbench.spec.errors import BadInput

ROOT = Path(__file__).resolve().parents[2]
SURPRISED = LedgerResult(
    unlisted=({"cell": "mae[f32]@jax-cpu-eager/optax:grad", "quantity": "grad", "reason": "it differs"},),
    gone=(), seen=(), untried=(),
)  # fmt: skip


def _result(status: int, *findings: Finding) -> GateResult:
    return GateResult(
        exit_status=status, findings=findings, compared_verdicts=1234, compared_times=4, smallest_change=0.1
    )


WORSE = Finding(outcome="worse", topic="timing", subject="huber[f32]@torch|x", reason="slower by\n30% <b>\x00")
UNCLEAR = Finding(outcome="cannot_tell", topic="machine", subject="machine", reason="another cpu")


def _said(renderable: object) -> str:
    console = Console(file=io.StringIO(), width=160, force_terminal=False)
    console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined]


HOSTILE = "[a](javascript:x) | <script> `c` @all $x$ ~~s~~ \x1b[2J\x00 ]]> https://evil"


def test_markdown_is_short_first_and_cannot_break_out_of_its_table() -> None:
    text = exports.markdown(_result(1, WORSE, *[UNCLEAR] * 20))
    assert text.startswith("### lossbench: something got worse\n")
    assert "1,234 verdicts and 4 times compared: 1 worse" in text
    assert text.index("worse |") < text.index("<details>")
    rows = [line for line in text.splitlines() if line.startswith("| worse")]
    assert [line.count("|") for line in rows] == [5]
    shown = html.unescape(rows[0])
    assert "huber[f32]@torch|x" in shown
    assert r"slower by 30% <b>\x00" in shown


def test_markdown_escapes_whatever_a_framework_says() -> None:
    hostile = Finding(outcome="worse", topic="agreement", subject=HOSTILE, quantity=HOSTILE, reason=HOSTILE)
    (row,) = [line for line in exports.markdown(_result(1, hostile)).splitlines() if line.startswith("| worse")]
    bare = re.sub(r"&#\d+;", "", row).replace("<code>", "").replace("</code>", "")
    assert bare.count("|") == 5
    assert not set("<>[]`@$~*_:\x1b\x00") & set(bare)
    assert html.unescape(row).count("<script>") == 3


def test_what_the_ledger_does_not_know_leads_the_markdown() -> None:
    text = exports.markdown(_result(0), SURPRISED)
    assert text.startswith("### lossbench: something got worse\n")
    assert "NOT KNOWN" in text


def test_junit_has_a_case_a_cell_and_counts_what_it_holds() -> None:
    again = Finding(outcome="inconclusive", topic="timing", subject=WORSE.subject, reason="and unclear")
    text = junit(_result(1, WORSE, again, UNCLEAR), cells=["fine[f32]@torch", WORSE.subject])
    suite = ET.fromstring(text.partition("\n")[2])[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "1")
    by_name = {case.get("name"): case for case in suite}
    assert len(by_name["fine[f32]@torch"]) == 0
    failure = by_name[WORSE.subject].find("failure")
    assert failure is not None
    assert failure.get("message", "").startswith("slower by")
    assert "\x00" not in text


def test_junit_of_a_gate_that_found_nothing_passes() -> None:
    suite = ET.fromstring(junit(_result(0)).partition("\n")[2])[0]
    assert (suite.get("tests"), suite.get("failures")) == ("1", "0")


def test_sarif_is_valid_and_leads_to_the_line() -> None:
    known = catalogue.load(backend="")
    cell = "huber[delta=1,f32,16x8,typical,s0]@torch-cpu-eager/functional:grad"
    worse = Finding(outcome="worse", topic="agreement", subject=cell, quantity="grad", reason=HOSTILE + "{0}")

    def where(loss: str, backend: str, binding: str) -> tuple[str, int] | None:
        place = places.of_binding(known, loss, backend, binding)
        return (outlets.address(place.file), place.line) if place else None

    text = sarif(_result(1, worse, WORSE, UNCLEAR), SURPRISED, where)
    read = model.StaticAnalysisResultsFormatSarifVersion210JsonSchema.model_validate_json(text)
    results = read.runs[0].results or []
    assert [r.ruleId for r in results] == ["worse-agreement", "slower", "unknown-defect"]
    place = results[0].locations[0].physicalLocation
    line = (ROOT / "suites" / "regression.py").read_text(encoding="utf-8").splitlines()[place.region.startLine - 1]
    assert place.artifactLocation.uri.endswith("suites/regression.py")
    assert "huber" in line.lower(), line
    assert len({r.partialFingerprints["lossbenchCell/v1"] for r in results}) == 3
    assert "\x1b" not in text
    assert "{{0}}" in (results[0].message.text or "")


def test_the_sarif_check_can_fail() -> None:
    broken = sarif(_result(1, WORSE), None, lambda *_: None).replace('"ruleId"', '"rule_id"')
    with pytest.raises(ValueError, match="rule_id"):
        model.StaticAnalysisResultsFormatSarifVersion210JsonSchema.model_validate_json(broken)


def test_the_files_of_a_gate_and_the_summary_of_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = synthetic_run.record(tmp_path, synthetic_run.make(synthetic_run.catalogue(1).losses))
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    names = {name: tmp_path / f"gate.{name}" for name in ("markdown", "junit", "sarif")}
    outlets.write(_result(1, WORSE), None, run, cells=["a"], **names)
    assert all(path.stat().st_size for path in names.values())
    assert summary.read_text(encoding="utf-8") == "before\n" + names["markdown"].read_text(encoding="utf-8")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "none" / "summary.md"))
    with pytest.raises(BadInput):
        outlets.write(_result(0), None, run, cells=(), markdown=None, junit=None, sarif=None)


def test_the_terminal_says_the_same_as_the_page() -> None:
    known = synthetic_run.catalogue(2)
    said = _said(terminal.run(synthetic_run.make(known.losses), known))
    assert "Do they agree?" in said
    assert "equal the exact result to rounding" in said


def test_the_list_does_not_read_markup_in_names() -> None:
    losses = [synthetic_run.make_loss("[red]x[/red]")]
    assert "[red]x[/red]" in _said(terminal.losses(losses, {}))


def test_the_gate_in_the_terminal() -> None:
    said = _said(terminal.gate(_result(1, WORSE)))
    assert "something got worse" in said
    assert "slower by" in said
