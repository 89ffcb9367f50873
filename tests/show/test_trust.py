"""A run from a stranger is data: reading it runs nothing, names in it reach no terminal, page or file as commands."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import synthetic_run
from prometheus_client.openmetrics import parser

from lossbench.bench import trust
from lossbench.commands import baseline, export, gate, history, query, report, show
from lossbench.record import frames
from lossbench.record import run as runs
from lossbench.record.run import RunFolder
from lossbench.spec.errors import BadInput, RunDamaged

HOSTILE = '=cmd|"/C calc"!A1<script>alert(1)</script>\x1b[2J\x9b31m\u202e\x07{{7*7}}'
FORBIDDEN = {"\x1b", "\x9b", "\u202e", "\x07"}
SUITE = "open({!r}, 'w')\nfrom lossbench import Loss\n"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOSSBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A run whose cells are named to do harm, and whose request names a suite that leaves a file behind."""
    suite = tmp_path / "theirs.py"
    suite.write_text(SUITE.format(str(tmp_path / "was-run")))
    tables = synthetic_run.make(synthetic_run.catalogue(2).losses)
    for name in ("cells", "measurements", "agreement"):
        frame = getattr(tables, name)
        frame["cell"] = frame["cell"] + HOSTILE
        if "reason" in frame:
            frame["reason"] = HOSTILE
    run = synthetic_run.record(tmp_path / "results", tables)
    said = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(said | {"request": {"suites": [str(suite)]}}))
    return run


def _read(words: dict[str, Callable[[], object]], capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    said = {}
    for name, call in words.items():
        try:
            call()
        except BaseException as ending:
            if type(ending).__name__ != "Exit":
                raise
        told = capsys.readouterr()
        said[name] = told.out + told.err
    return said


def test_no_reader_runs_a_suite_of_a_stranger_or_prints_a_command(
    theirs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = theirs.parent
    kept = tmp_path / "kept"
    outlets = {"markdown": tmp_path / "gate.md", "junit": tmp_path / "gate.xml", "sarif": tmp_path / "gate.sarif"}
    known = next(iter(synthetic_run.catalogue(2).losses))
    said = _read(
        {
            "baseline": lambda: baseline.command(to=kept, results=results),
            "gate": lambda: gate.command(baseline=kept, results=results, **outlets),
            "report": lambda: report.command(results=results, reports=tmp_path / "reports"),
            "show": lambda: show.command("mse", results=results),
            "query": lambda: query.command("SELECT * FROM cells LIMIT 5", results=results, csv=True),
            **{
                name: lambda name=name: export.command(format=name, results=results)
                for name in ("openmetrics", "bencher", "github-action-benchmark", "asv")
            },
        },
        capsys,
    )
    assert not (tmp_path / "was-run").exists()
    assert "theirs.py" in said["report"]
    assert "--suite" in said["report"]
    for name, text in said.items():
        assert not FORBIDDEN & set(text), name
    assert all(len(text) > 20 for text in said.values()), known
    written = {name: path.read_text(encoding="utf-8") for name, path in outlets.items()}
    ET.fromstring(written["junit"].partition("\n")[2])
    json.loads(written["sarif"])
    assert "<script>" not in written["markdown"]
    page = (tmp_path / "reports" / "latest" / "index.html").read_text(encoding="utf-8")
    assert "<script>alert(1)" not in page
    list(parser.text_string_to_metric_families(said["openmetrics"]))
    for row in said["query"].splitlines():
        assert not row.startswith(("=", "+", "-", "@"))


def test_the_suite_is_read_where_the_user_names_it_or_has_run_it(theirs: Path, tmp_path: Path) -> None:
    suite = tmp_path / "theirs.py"
    assert trust.suites(theirs) == ([], [suite])
    assert trust.suites(theirs, [suite]) == ([suite], [])
    with pytest.raises(BadInput, match=r"theirs\.py"):
        trust.demand(theirs)
    trust.demand(theirs, [suite])
    trust.note([suite])
    trust.note([suite])
    assert (tmp_path / "cache" / trust.NOTED).read_text().splitlines() == [str(suite)]
    assert trust.suites(theirs) == ([suite], [])
    trust.demand(theirs)


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LOSSBENCH_CACHE", str(tmp_path / "file" / "cache"))
    trust.note([tmp_path / "mine.py"])


@pytest.mark.parametrize("suites", ["theirs.py", [3], {"a": "b"}, None])
def test_a_request_of_another_form_is_refused(theirs: Path, suites: object) -> None:
    said = json.loads((theirs / "run.json").read_text())
    (theirs / "run.json").write_text(json.dumps(said | {"request": {"suites": suites}}))
    with pytest.raises(RunDamaged):
        trust.suites(theirs)


def test_names_in_a_history_and_in_its_page_do_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for day in (1, 2):
        tables = synthetic_run.make(synthetic_run.catalogue(1).losses, seed=day)
        for name in ("cells", "measurements", "agreement"):
            frame = getattr(tables, name)
            frame["cell"] = frame["cell"] + HOSTILE
        if day == 2:
            tables.agreement.loc[:, ["verdict", "class"]] = ["differs", "defect"]
        path = synthetic_run.record(tmp_path / f"made{day}", tables)
        (tmp_path / "results").mkdir(exist_ok=True)
        path.rename(tmp_path / "results" / f"2026110{day}T000000Z-aaaaaa")
    history.command(tmp_path / "results")
    told = capsys.readouterr().out
    assert "defect" in told or "worse" in told
    assert not FORBIDDEN & set(told)
    history.command(tmp_path / "results", html=tmp_path / "history.html")
    page = (tmp_path / "history.html").read_text(encoding="utf-8")
    assert "<script>alert(1)" not in page


def test_csv_cells_and_columns_are_no_formulas_and_no_commands(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path) as folder:
        for number, start in enumerate(("=", "+", "-", "@", "\t=", "\r=", " =", "\n=")):
            reason = f"{start}1+1\x1b[2J"
            folder.append("cells", {"cell": f"{start}{number}", "case": "c", "loss": "x", "reason": reason})
        folder.finish()
    text = (folder.path / "cells.csv").read_text(encoding="utf-8")
    assert not FORBIDDEN & set(text)
    read = runs.read(folder.path).cells
    told = frames.csv(read[["cell", "reason"]].rename(columns={"reason": "=x"}))
    header, *rows = csv.reader(io.StringIO(told, newline=""))
    assert header == ["cell", "'=x"]
    assert len(rows) == 8
    assert all(cell.startswith("'") for row in rows for cell in row), rows
