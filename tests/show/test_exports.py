"""What leaves the report: Markdown, JUnit XML, and the terminal's tables."""

from __future__ import annotations

import io
from xml.etree import ElementTree as ET

import synthetic_run
from rich.console import Console

from lossbench.judge.gate import Finding, GateResult
from lossbench.show import exports, terminal


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


def test_markdown_is_short_first_and_cannot_break_out_of_its_table() -> None:
    text = exports.markdown(_result(1, WORSE, *[UNCLEAR] * 20))
    assert text.startswith("### lossbench: something got worse\n")
    assert "1,234 verdicts and 4 times compared: 1 worse" in text
    assert r"huber\[f32\]@torch\|x" in text
    assert "slower by 30% &lt;b&gt;" in text
    assert text.index("worse |") < text.index("<details>")


def test_junit_counts_what_it_holds() -> None:
    suite = ET.fromstring(exports.junit(_result(1, WORSE, UNCLEAR)).partition("\n")[2])[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "1")
    failure = suite[0].find("failure")
    assert failure is not None
    assert failure.get("message", "").startswith("slower by")


def test_junit_of_a_gate_that_found_nothing_passes() -> None:
    suite = ET.fromstring(exports.junit(_result(0)).partition("\n")[2])[0]
    assert (suite.get("tests"), suite.get("failures")) == ("1", "0")


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
