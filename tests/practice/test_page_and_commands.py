"""The page of a run of known rows, and what the commands say to bad input and of a run of one framework."""

from __future__ import annotations

import html.parser
import io
import json
import math
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from lossbench.__main__ import main
from lossbench.commands.showing import practice_bar
from lossbench.practice import pace, report, section, summary, tables
from lossbench.practice.books import Books
from lossbench.practice.causes import Causes
from lossbench.practice.guide import Scored
from lossbench.spec.errors import BadInput


class Text(html.parser.HTMLParser):
    """Text of the page, its ids and the names of its tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.said = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        assert not any(name.startswith("on") or name == "style" for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.said += f"{data} "


@pytest.fixture
def books(tmp_path: Path) -> Books:
    made = Books.create(tmp_path / "results", {"only": ["T3"], "backends": ["torch", "jax"], "seeds": 5})
    common: dict[str, Any] = {"experiment": "T3", "dtype": "float32"}
    for seed in range(5):
        for epoch in range(1, 6):
            both = {"loss": 0.69 + seed / 1e4, "val_loss": 0.8 - epoch / 100, "val_binary_accuracy": 0.5 - epoch / 1000}
            run = {"run": f"T3-float32-s{seed}", "seed": seed, "epoch": epoch, "last": epoch == 5}
            made.append("epoch", common | run | {"results": {"torch": both, "jax": both}})
    for backend in ("torch", "jax"):
        steps = {
            "run": "T3-float32-s0",
            "backend": backend,
            "seed": 0,
            "epoch": 1,
            "first": 0,
            "losses": [0.7, 0.69],
            "metric": [0.5, 0.5],
        }
        made.append("steps", common | steps)
        seconds = {phase: [1e-4, 3e-4, 2e-4] for phase in ("forward", "backward", "update", "step")}
        cost = {"experiment": "T3", "backend": backend, "build_seconds": 0.25, "first_seconds": 0.5}
        made.append("cost", cost | {"seconds": seconds})
    between = {"run": "T3-float32-s0", "seed": 0, "one": "torch", "other": "jax", "epoch": 1, "first": 0}
    made.append("apart", common | between | {"apart": [0.0, 1.0], "relative": [0.0, 1.0]})  # then it was killed
    made.append("apart", common | between | {"apart": [0.0, 1e-3], "relative": [0.0, 2e-4]})
    row = {"experiment": "T3", "dtype": "float64", "cause": "none", "steps": 100}
    none = {"between": {"torch, jax": 3e-17}, "moved": {"torch": 0.0, "jax": 0.0}, "path": [1e-17, 3e-17]}
    made.append("cause", row | none)
    made.append("took", {"seconds": 61.0, "reason": ""})
    made.append(
        "lost", {"run": "T3-float32-s9", "backend": "jax", "reason": "epoch 1, step 2: <b>first</b> in the loss"}
    )
    made.append("version", {"backend": "torch", "versions": {"torch": "9.9"}})
    for loss, error in (("mse", 1.0), ("mae", 0.5)):
        scored = Scored(
            problem="regression", loss=loss, recommended=True, share=0.05, backend="torch", shift=error, near=0.1,
            far=1.0, metrics={"mae": error, "bias": 0.125, "loss": 1.0}, spread=0.01, target=0.55, seconds_a_step=1e-3,
            steps=None if loss == "mse" else 40, by_seed={"mae": [error, error + 0.01]}, path=[[2.0, error]] * 2,
        )  # fmt: skip
        made.append("guide", {name: getattr(scored, name) for name in scored.__slots__})
    made.close()
    return made


def test_the_page_says_what_the_rows_hold(books: Books, tmp_path: Path) -> None:
    told = summary.of(books.path)
    written = report.write(books.path, told, tmp_path / "reports")
    text = written.read_text(encoding="utf-8")
    page = Text(text)
    assert len(page.ids) == len(set(page.ids))
    assert {"claims", "apart", "causes", "runs", "metrics", "cost", "guide", "lost"} <= set(page.ids)
    assert page.tags.count("svg") == 5
    assert "<b>first</b>" not in text
    for words in (
        "agree to 3.0e-17 relative at worst",
        "T3 on torch, in 5 of 5 seeds: the lowest test loss",
        "9.9",
        "0.7",
        "200",
        "61 s",
        "never",
        "binary_accuracy 0.495",
    ):
        assert words in page.said
    assert "0.5 0.51" in page.said
    assert "guide.csv" not in page.said
    assert (tmp_path / "reports" / "practice" / "latest" / "index.html").samefile(written)


def test_the_summary_of_known_rows(books: Books) -> None:
    told = summary.of(books.path)
    first = told.claims[0]
    assert (first.documented, first.backend, first.verdict) == (0.6932, "torch", "not reproduced")
    assert told.apart[0]["passes_1e-4"] == 2
    assert (told.apart[0]["steps"], told.apart[0]["last"]) == (2, 2e-4)
    assert told.costs[0]["step"] == 2e-4
    assert told.costs[0]["compile_seconds"] == pytest.approx(0.4998)
    found = told.outcomes[0]["found"]
    assert (told.outcomes[0]["epoch"], told.outcomes[0]["seeds"]) == (5, 5)
    assert found["loss"] == (pytest.approx(0.6902), pytest.approx(4e-4))
    assert found["val_binary_accuracy"] == (pytest.approx(0.495), 0.0)
    assert any("bar 1e-09: held" in line for line in summary.lines(told))


def test_the_tables_hold_every_number(books: Books) -> None:
    names = tables.write(books.path, summary.of(books.path))
    assert set(names) == {f"{n}.csv" for n in ("claims", "epochs", "steps", "distances", "causes", "costs", "guide")}
    read = {name: pd.read_csv(books.path / name) for name in names}
    assert len(read["epochs.csv"]) == 5 * 5 * 2 * 3
    assert read["distances.csv"]["relative"].tolist() == [0.0, 2e-4]
    guide = read["guide.csv"].query("loss == 'mae' and quantity == 'mae'")
    assert guide["value"].tolist() == [0.5, 0.51]
    text = report.text(books.path, summary.of(books.path), books.path.parents[2], run_id="r")
    assert f'href="results/practice/{books.path.name}/guide.csv"' in text


def test_other_pictures_are_said_and_judge_no_claim(tmp_path: Path) -> None:
    note = "scikit-learn's digits in place of MNIST"
    with Books.create(tmp_path, {}) as books:
        books.append("data", {"note": note, "genuine": False})
        results = {"loss": 0.1455, "accuracy": 0.9, "val_loss": 0.4151, "val_accuracy": 0.9}
        run = {"run": "T1-float32-s0", "experiment": "T1", "dtype": "float32", "seed": 0}
        books.append("steps", run | {"backend": "jax", "epoch": 1, "first": 0, "losses": [0.2], "metric": [0.5]})
        for epoch in range(1, 11):
            books.append("epoch", run | {"epoch": epoch, "last": epoch == 10, "results": {"jax": results}})
    told = summary.of(books.path)
    text = report.text(books.path, told, tmp_path, run_id="r")
    assert note.replace("'", "&#39;") in text
    assert {claim.verdict for claim in told.claims} == {"not measured"}
    assert "Documented: nothing" in text


def test_a_benchmark_run_has_a_section_and_a_page(books: Books, tmp_path: Path) -> None:
    run, folder = tmp_path / "run", tmp_path / "report"
    assert section.of_run(run, folder) == ""
    run.mkdir()
    books.path.rename(run / "practice")
    said = Text(str(section.of_run(run, folder))).said
    for words in ("2.0e-04 apart in float32", "to 3.0e-17 at worst, within the bar", "61 s", "binary_accuracy 0.495"):
        assert words in said
    assert "did not come to their end" not in said
    assert 'href="index.html"' in (folder / "practice.html").read_text(encoding="utf-8")


def test_the_time_left_follows_the_pace() -> None:
    told: list[tuple[str, float, float, float]] = []
    now = iter([0.0, 10.0, 30.0])
    work = pace.Pace(10.0, lambda *shown: told.append(shown), clock=lambda: next(now))
    with work.task(2.0):
        work.tell("one", 2.0)
    with work.task(4.0):
        pass  # the books hold it
    with work.task(4.0):
        work.tell("two", 1.0)
        work.tell("three", 3.0)
    assert [shown[:3] for shown in told] == [("one", 0.0, 10.0), ("two", 2.0, 6.0), ("three", 3.0, 6.0)]
    assert math.isnan(told[0][3])
    assert [shown[3] for shown in told[1:]] == [10.0 / 2.0 * 4.0, 30.0 / 3.0 * 3.0]


def test_where_nobody_looks_an_experiment_is_a_line() -> None:
    out = io.StringIO()
    with practice_bar(Console(file=out)) as show:
        show("T3-float32-s0 epoch 1 of 5", 0.0, 2.0, math.nan)
        show("T3-float32-s0 epoch 2 of 5", 1.0, 2.0, 61.0)
        show("T4-float32-s0 epoch 1 of 3", 1.0, 2.0, 61.0)
    assert out.getvalue() == "T3-float32-s0\nT4-float32-s0, about 1:01 left\n"


def test_a_run_without_its_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"expected a folder with a run\.json"):
        Books.open(tmp_path)


def test_a_run_has_one_writer(tmp_path: Path) -> None:
    with Books.create(tmp_path, {}) as books:
        with pytest.raises(BadInput, match="expected to be its only writer"):
            Books.open(books.path)
        books.append("took", {"seconds": 1.0, "reason": ""})
    with Books.open(books.path) as again:
        assert len(list(again.rows("took"))) == 1


def test_a_cause_alone() -> None:
    assert Causes.off().only("clip") == Causes(
        epsilon_value=False, epsilon_placement=False, bias_correction=False, l2_rounding=False, clip=True
    )


def lossbench(*words: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """The command line in this process; its exit status."""
    monkeypatch.setattr(sys, "argv", ["lossbench", *words])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("practice", "--only", "T10"), "--only: expected experiments among T1"),
        (("practice", "T3"), "practice: expected options alone, received 'T3'"),
        (("practice", "--resume"), "expected a run, received none"),
        (("practice", "--only", "T1", "--data", "nowhere"), "expected the four IDX files of MNIST"),
        (("advise", "--task", "ranking"), "--task: expected one of regression"),
        (("advise", "--outliers", "all"), "--outliers: expected a share"),
        (("advise", "--backend", "mxnet"), "--backend: expected one of tensorflow"),
    ],
)
def test_bad_input_is_one_sentence(
    words: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert lossbench(*words, monkeypatch=monkeypatch) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert said in told.err
    assert len(told.err.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_wrong_data_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (data / f"{part}-ubyte").write_bytes(b"no such pictures")
    assert lossbench("practice", "--only", "T1", "--data", "data", monkeypatch=monkeypatch) == 2
    said = capsys.readouterr().err
    assert "train-images-idx3-ubyte: expected MNIST's train-images with SHA-256 ba891046e650..." in said
    assert len(said.strip().splitlines()) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["data"]


def test_a_run_of_one_framework(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("--only", "T7", "--epochs", "1", "--seeds", "1", "--backend", "torch", "--json")
    assert lossbench("practice", *words, monkeypatch=monkeypatch) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["backend"] for row in told["costs"]] == ["torch"]
    assert Path(told["report"]).is_file()
