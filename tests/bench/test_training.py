"""Which benchmark runs train as well, and what the shortened form leaves in the run's folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lossbench.bench import carry, training
from lossbench.bench.carry import Request
from lossbench.practice import books, section
from lossbench.practice import carry as practice
from lossbench.practice.process import TrainingFault
from lossbench.practice.request import SKETCHED, sketch


def prepared(**asked: Any) -> training.Prepared | None:
    return training.prepare(carry.prepare(Request(**asked)))


def test_standard_sketches_and_quick_does_not() -> None:
    found = prepared(profile="standard")
    assert found is not None
    request, experiments, images = found
    assert [e.id for e in experiments] == list(SKETCHED)
    assert (request.sketch, request.seeds, images) == (True, 1, None)
    assert prepared(profile="quick") is None


def test_full_trains_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lossbench.practice.fetching.find", lambda _: None)
    found = prepared(profile="full")
    assert found is not None
    assert (found[0].seeds, found[0].guided, found[0].short) == (5, True, False)
    assert {e.id.partition("-")[0] for e in found[1]} == {*(f"T{n}" for n in range(1, 10)), "AE"}


@pytest.mark.parametrize(
    "narrowed", [{"practice": False}, {"losses": ("huber",)}, {"dtypes": ("float64",)}, {"modes": ("eager",)}]
)
def test_a_part_of_a_run_does_not_train(narrowed: dict[str, Any]) -> None:
    assert prepared(profile="standard", **narrowed) is None


def test_the_backends_of_the_run_train() -> None:
    found = prepared(profile="standard", backends=("jax",))
    assert found is not None
    assert found[0].backends == ("jax",)


def test_a_sketch_is_kept_and_shown(tmp_path: Path) -> None:
    """One framework, one experiment, for real; a second time there is nothing left to do."""
    request = replace(sketch(("torch",)), only=("T3",))
    made = (request, *practice.prepare(request))
    told: list[tuple[int, int]] = []
    assert training.carry_out(made, tmp_path, progress=lambda done, total, _: told.append((done, total))) == (0, "")
    path = tmp_path / "practice"
    assert [(row["run"], row["epoch"], row["last"]) for row in books.rows(path, "epoch")] == [
        ("T3-float32-s0", 1, False), ("T3-float32-s0", 2, True),
    ]  # fmt: skip
    assert [(row["cause"], row["dtype"]) for row in books.rows(path, "cause")] == [
        ("none", "float64"), ("all", "float64"),
    ]  # fmt: skip
    assert not list(books.rows(path, "cost"))
    assert (path / "epochs.csv").is_file()
    assert told == sorted(told)
    assert "T3 Random labels" in section.of_run(tmp_path, tmp_path)
    rows = (path / "journal.jsonl").read_text().count("\n")
    assert training.carry_out(made, tmp_path, progress=lambda *_: None) == (0, "")
    assert (path / "journal.jsonl").read_text().count("\n") == rows + 2  # its version, and what it took


def test_a_fault_and_a_stop_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = sketch(("torch",))

    def fails(*_: Any) -> None:
        raise TrainingFault("torch: out of memory")

    def stops(*_: Any) -> None:
        raise KeyboardInterrupt

    for carried, status, said in ((fails, 1, "out of memory"), (stops, 130, "interrupted")):
        monkeypatch.setattr("lossbench.practice.carry._carried", carried)
        found = training.carry_out((request, (), None), tmp_path, progress=lambda *_: None)
        assert found[0] == status
        assert said in found[1]
        assert said in section.of_run(tmp_path, tmp_path)
