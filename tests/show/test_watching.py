"""A report beside an earlier run, and one that fills while its run goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
import synthetic_run

from lossbench.commands import report
from lossbench.judge import baseline
from lossbench.record import run as runs
from lossbench.record.run import RunFolder
from lossbench.show import page
from lossbench.spec.errors import BadInput


def worse(cells: int) -> tuple[object, object]:
    """The same run twice; in the later one so many verdicts became defects."""
    losses = synthetic_run.catalogue(1).losses
    before, after = synthetic_run.make(losses), synthetic_run.make(losses)
    rounding = after.agreement.index[after.agreement["class"] == "rounding"][:cells]
    after.agreement.loc[rounding, ["class", "verdict"]] = ["defect", "differs"]
    return before, after


@pytest.mark.parametrize("kind", ["run", "baseline"])
def test_a_report_says_what_changed(kind: str, tmp_path: Path) -> None:
    before, after = worse(3)
    synthetic_run.record(tmp_path / "results", before, name="20261121T000000Z-aaaaaa")  # type: ignore[arg-type]
    synthetic_run.record(tmp_path / "results", after, name="20261122T000000Z-bbbbbb")  # type: ignore[arg-type]
    against = "20261121T000000Z-aaaaaa"
    if kind == "baseline":
        against = str(tmp_path / "kept")
        (tmp_path / "kept").mkdir()
        for name, content in baseline.distil(before).items():  # type: ignore[arg-type]
            (tmp_path / "kept" / name).write_bytes(content)
    report.command(against=against, results=tmp_path / "results", reports=tmp_path / "reports")
    text = (tmp_path / "reports" / "latest" / "index.html").read_text(encoding="utf-8")
    assert "3 worse" in text
    assert text.count("<td>worse</td>") == 3
    assert 'http-equiv="refresh"' not in text


def test_an_unknown_run_to_compare_with_is_a_sentence(tmp_path: Path) -> None:
    before, _ = worse(0)
    synthetic_run.record(tmp_path, before)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="nowhere"):
        report.command(against="nowhere", results=tmp_path, reports=tmp_path / "reports")


def test_it_follows_a_run_to_its_end(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path)
    seen: list[tuple[bool, int]] = []
    steps = iter((lambda: add("a"), lambda: None, lambda: add("b"), lambda: folder.finish()))

    def add(cell: str) -> None:
        folder.append("cells", {"cell": cell, "status": "ok", "loss": "x"})

    def write(going: bool) -> Path:
        seen.append((going, len(runs.read(folder.path).cells)))
        return tmp_path

    report.follow(folder.path, write, lambda: next(steps)())
    assert seen == [(True, 0), (True, 1), (True, 2), (False, 2)]


def test_a_killed_run_does_not_go_on(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path)
    assert runs.going(folder.path)
    folder.close()
    assert runs.manifest(folder.path)["state"] == "running"
    assert not runs.going(folder.path)
    assert not runs.going(tmp_path / "nothing")


def test_only_a_page_that_is_watched_loads_itself_again() -> None:
    known = synthetic_run.catalogue(1)
    tables = synthetic_run.make(known.losses)
    assert '<meta http-equiv="refresh" content="5">' in page.render(tables, known, again_seconds=5)
    assert "refresh" not in page.render(tables, known).partition("<style>")[0]
