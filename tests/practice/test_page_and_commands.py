"""The page of a run of known rows, and what the commands say to bad input and of a run of one framework."""

from __future__ import annotations

import html.parser
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from lossbench.__main__ import main
from lossbench.practice import report, summary
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
        made.append("cost", {"experiment": "T3", "backend": backend, "first_seconds": 0.5, "seconds": seconds})
    between = {"run": "T3-float32-s0", "one": "torch", "other": "jax", "epoch": 1, "first": 0}
    made.append("apart", common | between | {"apart": [0.0, 1.0], "relative": [0.0, 1.0]})  # then it was killed
    made.append("apart", common | between | {"apart": [0.0, 1e-3], "relative": [0.0, 2e-4]})
    row = {"experiment": "T3", "dtype": "float64", "cause": "none", "steps": 100}
    made.append("cause", row | {"between": {"torch, jax": 3e-17}, "moved": {"torch": 0.0, "jax": 0.0}})
    made.append(
        "lost", {"run": "T3-float32-s9", "backend": "jax", "reason": "epoch 1, step 2: <b>first</b> in the loss"}
    )
    made.append("version", {"backend": "torch", "versions": {"torch": "9.9"}})
    for loss, error in (("mse", 1.0), ("mae", 0.5)):
        scored = Scored(
            problem="regression", loss=loss, recommended=True, share=0.05, backend="torch", shift=error, near=0.1,
            far=1.0, metrics={"mae": error, "loss": 1.0}, spread=0.01, steps=None, seconds_a_step=1e-3,
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
    assert page.tags.count("svg") == 3
    assert "<b>first</b>" not in text
    for words in ("agree to 3.0e-17 relative at worst", "T3 on torch: the lowest test loss", "9.9", "0.7", "200"):
        assert words in page.said
    assert (tmp_path / "reports" / "practice" / "latest" / "index.html").samefile(written)


def test_the_summary_of_known_rows(books: Books) -> None:
    told = summary.of(books.path)
    first = told.claims[0]
    assert (first.documented, first.backend, first.verdict) == (0.6932, "torch", "not reproduced")
    assert told.apart[0]["passes_1e-4"] == 2
    assert (told.apart[0]["steps"], told.apart[0]["last"]) == (2, 2e-4)
    assert told.costs[0]["step"] == 2e-4
    assert any("bar 1e-09: held" in line for line in summary.lines(told))


def test_a_run_without_its_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"expected a folder with a run\.json"):
        Books.open(tmp_path)


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


def test_a_run_of_one_framework(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("--only", "T7", "--epochs", "1", "--seeds", "1", "--backend", "torch", "--json")
    assert lossbench("practice", *words, monkeypatch=monkeypatch) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["backend"] for row in told["costs"]] == ["torch"]
    assert Path(told["report"]).is_file()
