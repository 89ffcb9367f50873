"""The page of many runs, from a folder and from a branch: the change stands in the run where it happened."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import synthetic_run
from test_history import NAMES, SLOW_FROM, made

from lossbench.commands import baseline as keep
from lossbench.commands import history as command
from lossbench.judge import baseline
from lossbench.judge.baseline import Baseline
from lossbench.show import chronicle, history, trend
from lossbench.spec.errors import BadInput


@pytest.fixture(scope="module")
def runs() -> list[tuple[str, Baseline]]:
    return [(name, baseline.of(made(number))) for number, name in enumerate(NAMES)]


def test_the_page_marks_the_change_and_draws_every_trend(runs: list[tuple[str, Baseline]]) -> None:
    text = chronicle.render(runs, history.steps(runs))
    changed = text[text.index('id="changed"') : text.index('id="trends"')]
    assert changed.count("<article") == 1
    assert f"since {NAMES[SLOW_FROM]}: slower by" in changed
    (when,) = re.findall(r'class="when" d="M([\d.]+) ', changed)
    step = (trend.WIDTH - 2 * trend.EDGE) / (len(NAMES) - 1)
    assert float(when) == pytest.approx(trend.EDGE + SLOW_FROM * step, abs=0.1)
    assert text.count('<svg class="trend"') == 1 + len(trend.points(runs))
    assert "From the first run to the last 1 are worse" in text


def test_an_interval_is_drawn_around_each_median(runs: list[tuple[str, Baseline]]) -> None:
    cell = runs[0][1].times["cell"].iloc[0]
    drawn = trend.drawn(NAMES, trend.points(runs)[cell], [NAMES[SLOW_FROM]])
    assert len(drawn.bars) == len(drawn.dots) == len(NAMES)
    for (x, low, high), (at, middle) in zip(drawn.bars, drawn.dots, strict=True):
        assert x == at
        assert low >= middle >= high  # y points down
    assert drawn.dots[SLOW_FROM][1] < drawn.dots[SLOW_FROM - 1][1]


def test_nothing_hostile_becomes_markup() -> None:
    losses = {"<b>": synthetic_run.make_loss("<b>")}
    seen = [(name, baseline.of(synthetic_run.make(losses))) for name in ("<i>one", "two")]
    text = chronicle.render(seen, history.steps(seen))
    assert "<b>[" not in text
    assert "<i>" not in text


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def test_committed_baselines_are_a_history(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(tmp_path, "init", "-q", "-b", "kept")
    folder = tmp_path / "some" / "baseline"
    folder.mkdir(parents=True)
    for number in (0, SLOW_FROM):
        for name, content in baseline.distil(made(number)).items():
            (folder / name).write_bytes(content)
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-q", "-m", "x")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "of something else")
    page = tmp_path / "history.html"
    command.command(folder=folder, git="kept", html=page)
    text = page.read_text(encoding="utf-8")
    assert "history of 2 runs" in text
    assert text.count(">worse</strong>") == 1
    command.command(folder=folder, git="kept")
    assert "slower by" in capsys.readouterr().out
    with pytest.raises(BadInput, match="--git nowhere"):
        command.command(folder=folder, git="nowhere")
    with pytest.raises(BadInput, match="two runs or more"):
        command.command(folder=tmp_path / "elsewhere", git="kept")


def test_a_committed_link_is_not_followed(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "kept")
    folder = tmp_path / "baseline"
    folder.mkdir()
    for name, content in baseline.distil(made(0)).items():
        (folder / name).write_bytes(content)
    elsewhere = (folder / "facts.json").rename(tmp_path / "elsewhere.json")
    (folder / "page").symlink_to("/etc")
    for target in (elsewhere, Path("..") / elsewhere.name):
        (folder / "facts.json").unlink(missing_ok=True)
        (folder / "facts.json").symlink_to(target)
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-q", "-m", "x")
        with pytest.raises(BadInput, match=r"facts\.json"):
            command.command(folder=folder, git="kept")


def test_notes_on_commits_are_a_history(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "t")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "t@example.org")
    git(tmp_path, "init", "-q")
    results = tmp_path / "results"
    for day, numbers in ((23, [0]), (24, [1, SLOW_FROM])):  # a later note on a commit replaces the earlier one
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"2026-11-{day}T12:00:00+00:00")
        git(tmp_path, "commit", "-q", "--allow-empty", "-m", "x")
        for number in numbers:
            synthetic_run.record(results, made(number), name=NAMES[number])
            keep.command(run=NAMES[number], note=True, results=results)
            assert f"{NAMES[number]} is kept in refs/notes/lossbench on" in capsys.readouterr().out
    command.command(folder=results, notes=True, json=True)
    first, second = json.loads(capsys.readouterr().out)
    assert (first["run"][:10], second["run"][:10]) == ("2026-11-23", "2026-11-24")
    assert [change["outcome"] for change in second["changes"]] == ["worse"]
    git(tmp_path, "notes", "--ref", "lossbench", "copy", "-f", "HEAD", "HEAD~1")
    command.command(folder=results, notes=True, json=True)
    assert [step["changes"] for step in json.loads(capsys.readouterr().out)] == [[], []], "the same note on both"
    git(tmp_path, "notes", "--ref", "lossbench", "add", "-f", "-m", "a word of mine", "HEAD")
    with pytest.raises(BadInput, match="the note on 2026-11-24"):
        command.command(folder=results, notes=True)
