"""`lossbench show`: one loss in a terminal, from the catalogue and a run, with nothing in it that a terminal obeys."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import synthetic_run
from rich.console import Console

from lossbench.record import frames
from lossbench.show import braille, closeup
from lossbench.show.times import Span
from lossbench.spec.plain import plain

ROOT = Path(__file__).resolve().parents[2]


def printed(renderable: object, width: int = 140) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(renderable)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_a_run_adds_verdicts_times_and_curves() -> None:
    known = synthetic_run.catalogue(2)
    loss = known.losses["loss_01"]
    tables = synthetic_run.make(known.losses)
    said = printed(closeup.of(loss, "family 1", tables))
    rows = tables.agreement[(tables.agreement["loss"] == "loss_01") & (tables.agreement["class"] == "defect")]
    assert ("defect" in said) == bool(len(rows))
    assert "95% interval" in said
    assert (
        said.count(" faster") + said.count(" slower") == 2 * (3 + 2 + 2) - 3
    )  # spellings x modes, less a documented one a backend
    assert any("\N{BRAILLE PATTERN DOTS-1}" <= c <= "\N{BRAILLE PATTERN DOTS-12345678}" for c in said)
    assert "loss_00" not in said
    assert "A. Author" in said


def test_a_factor_below_one_is_slower() -> None:
    assert closeup._gain(Span(middle=0.5, low=0.4, high=0.8)) == "2.0× slower"
    assert closeup._gain(Span(middle=2.0, low=1.25, high=2.5)) == "2.0× faster"


def test_it_says_in_words_whether_backends_are_the_same() -> None:
    known = synthetic_run.catalogue(1)
    loss = known.losses["loss_00"]
    tables = synthetic_run.make(known.losses)
    rows = tables.agreement
    rows["class"] = "rounding"
    rows["regime"] = "typical"
    spoken = {b: loss.bindings_of(b)[0].name for b in ("tensorflow", "torch", "jax")}
    alike = " ".join(printed(closeup.of(loss, "f", tables), width=400).split())
    everybody = "tensorflow {tensorflow}, torch {torch} and jax {jax}".format(**spoken)
    assert f"On ordinary inputs {everybody} give the exact result to rounding." in alike
    assert "at the edges" not in alike
    one = rows.index[(rows["backend"] == "torch") & (rows["binding"] == spoken["torch"])][0]
    rows.loc[one, ["class", "regime"]] = ["range", "huge"]
    parted = " ".join(printed(closeup.of(loss, "f", tables), width=400).split())
    assert f"edges torch {spoken['torch']}: overflows or underflows although the result fits (huge;" in parted


def test_without_a_run_the_catalogue_speaks() -> None:
    said = printed(closeup.of(synthetic_run.make_loss("one"), "x", None))
    assert "torch.native.one" in said
    assert "interval" not in said


def test_nothing_in_it_is_obeyed() -> None:
    hostile = "[red]\x1b[2J\x9b1m\u202e\x07"
    loss = synthetic_run.make_loss(hostile, differs=hostile)
    tables = synthetic_run.make({hostile: loss})
    tables.agreement["reason"] = hostile
    said = printed(closeup.of(loss, hostile, tables))
    assert not {"\x1b", "\x9b", "\u202e", "\x07"} & set(said)
    assert r"[red]\x1b[2J\x9b1m\u202e\x07" in said


def test_plain_keeps_what_people_write() -> None:
    assert plain("Größe ℓ(y, p) — 1 µs\n") == "Größe ℓ(y, p) — 1 µs "


def test_the_curve_is_where_the_numbers_are() -> None:
    lines = braille.curve([0.0, 1.0, 2.0], [0.0, 0.0, 8.0], width=4, height=2)
    assert [line.split()[0] for line in lines] == ["8.0", "0", "02.0"] or lines[0].startswith("8")
    assert lines[0].rstrip()[-1] != chr(braille.BLANK)  # ends high
    assert lines[1].split()[1][0] != chr(braille.BLANK)  # begins low
    assert lines[0].split()[1][0] == chr(braille.BLANK)
    assert braille.curve([0.0, 1.0], [float("nan"), 1.0]) == []


@pytest.mark.parametrize(("length", "drawn"), [(8.0, "████"), (4.0, "██"), (0.001, "▏"), (float("nan"), "")])
def test_a_bar_is_as_long_as_its_number(length: float, drawn: str) -> None:
    assert braille.bar(length, 8.0, width=4) == drawn


def test_a_spreadsheet_sees_no_formula() -> None:
    frame = pd.DataFrame({"reason": ['=HYPERLINK("x")', "+1", "-2", "@a", "plain"], "got": [-1.5, 2.0, -3.0, 0.0, 1.0]})
    lines = frames.csv(frame).splitlines()
    assert [line.lstrip('"')[0] for line in lines[1:]] == ["'", "'", "'", "'", "p"]
    assert lines[3].endswith(",-3.0")


def test_the_command(tmp_path: Path) -> None:
    known = synthetic_run.catalogue(1)
    huber = synthetic_run.make_loss("huber")
    run = synthetic_run.record(tmp_path, synthetic_run.make({**known.losses, "huber": huber}))

    def show(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "harness"), "COLUMNS": "120"}
        command = [sys.executable, "-m", "lossbench", "show", *arguments, "--results", str(tmp_path)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    done = show("Huber")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Huber loss (huber)\n")
    assert f"run {run.name}" in done.stdout
    assert "95% interval" in done.stdout
    wrong = show("hubert")
    assert wrong.returncode == 2
    assert "did you mean" in wrong.stderr
