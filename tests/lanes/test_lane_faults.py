"""A worker that dies by chance is asked again; what is over its bounds, forks or cannot be imported costs its cell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from test_lane_survival import FAKE, SUITE, _importable, cell, lane, works

from lossbench import BadInput
from lossbench.lanes.bounds import Bounds, bytes_of, said
from lossbench.lanes.process import LaneLost, LaneProcess
from lossbench.spec.case import Lane

__all__ = ["_importable", "lane"]

Made = Callable[..., LaneProcess]


def a_lane(backend: str = FAKE, log: Path | None = None, **options: object) -> LaneProcess:
    return LaneProcess(Lane(backend=backend), [SUITE], log, builtin=False, **options)  # type: ignore[arg-type]


def test_a_worker_that_dies_by_chance_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_FOLDER", str(tmp_path))
    monkeypatch.setenv("LOSSBENCH_PASS", "FAKE_FOLDER")
    told: list[str] = []
    with a_lane(told=told.append) as lane:
        answer = lane.answer(cell("dies_once", "grad"), 20)
        assert (answer.status, lane.unanswered) == ("ok", 0)
        assert len(told) == 1
        assert "killed by SIGKILL, by somebody or by the system for want of memory" in told[0]
        (tmp_path / "died").unlink()
        lane.forget()
        block = lane.block(cell("dies_once"), 3, 2, 20)
        assert (block.status, len(block.seconds_per_call), len(told)) == ("ok", 3, 2)


def test_a_worker_that_dies_again_is_a_row_and_its_loss_not_asked_twice_any_more() -> None:
    told: list[str] = []
    with a_lane(told=told.append) as lane:
        assert lane.answer(cell("aborts"), 20).status == "crashed"
        assert lane.answer(cell("aborts", seed=1), 20).status == "crashed"
        assert lane.block(cell("aborts"), 1, 1, 20).status == "crashed"
        works(lane)
        assert (lane.unanswered, len(told)) == (3, 1)


def test_a_fork_that_comes_back_answers_once(lane: LaneProcess) -> None:
    for _ in range(3):
        answer = lane.answer(cell("forks"), 20)
        assert (answer.status, answer.grad) == ("ok", None)
        works(lane)  # a second reply to the cell before would be taken for this one's


def test_what_a_dead_worker_forked_does_not_keep_us_waiting(lane: LaneProcess) -> None:
    answer = lane.answer(cell("aborts_with_a_child"), 20)
    assert answer.status == "crashed", "and no timeout: its child holds the socket open"
    assert "SIGABRT" in answer.reason
    works(lane)


@pytest.mark.parametrize("name", ["hoards", "hoards_in_a_child"])
def test_memory_over_its_limit_is_a_row_that_says_both(name: str) -> None:
    with a_lane(bounds=Bounds(memory_bytes=200 * 2**20)) as lane:
        works(lane)
        answer = lane.answer(cell(name), 60)
        assert answer.status == "crashed"
        assert answer.reason.startswith("out of memory: the worker held ")
        assert answer.reason.endswith("its limit is 200 MiB; killed")
        works(lane)


def test_memory_over_its_limit_at_the_start() -> None:
    with a_lane("fake_backend:HoardingBackend", bounds=Bounds(memory_bytes=200 * 2**20)) as lane:
        answer = lane.answer(cell("good"), 60)
        again = lane.answer(cell("good"), 60)
    assert (answer.status, again.status) == ("crashed", "crashed")
    assert answer.reason.startswith("out of memory: the worker held")
    assert "does not start: out of memory: the worker held" in again.reason


def test_the_users_limit_of_time_is_the_shorter_one() -> None:
    assert Bounds(seconds=5.0).within(60.0) == 5.0
    assert Bounds(seconds=90.0).within(60.0) == Bounds().within(60.0) == 60.0
    with a_lane(bounds=Bounds(seconds=0.5)) as lane:
        lane.ready()
        assert lane.answer(cell("hangs"), 600).status == "timeout"


def test_an_answer_too_large_to_send_is_a_row(lane: LaneProcess) -> None:
    pid = lane.pid
    answer = lane.answer(cell("answers_too_much"), 20)
    assert (answer.status, answer.digest) == ("failed", "")
    assert "the answer cannot be sent: a message of" in answer.reason
    works(lane)
    assert lane.pid == pid


def test_a_result_larger_than_any_pipe_arrives_whole(lane: LaneProcess) -> None:
    y_pred = np.arange(2**21, dtype=np.float64).reshape(2**20, 2)
    arrays = {"y_true": np.zeros_like(y_pred), "y_pred": y_pred}
    answer = lane.answer_given("fake_with_delta", "fake", {"reduction": "none"}, arrays, "float64", "value", 60)
    assert answer.value is not None
    np.testing.assert_array_equal(answer.value, y_pred**2)


def test_a_framework_that_cannot_be_imported_is_said_in_each_cell() -> None:
    with a_lane("fake_backend:RaisingBackend") as lane:
        with pytest.raises(LaneLost, match=r"libfake\.so"):
            lane.ready()
        answers = [lane.answer(cell("good"), 20) for _ in range(3)]
        block = lane.block(cell("good"), 1, 1, 20)
    assert block.status == "skipped", "nothing was timed, and the cell is not to blame"
    assert {answer.status for answer in answers} == {"failed"}
    assert {answer.digest for answer in answers} == {""}
    assert "does not start: ImportError: libfake.so: cannot open shared object file" in answers[0].reason


def test_a_framework_that_prints_megabytes_while_it_is_imported(tmp_path: Path) -> None:
    log = tmp_path / "lane.log"
    with a_lane("fake_backend:PrintingBackend", log) as lane:
        works(lane)
    assert log.read_bytes().startswith(b"first words\nxxx")
    assert log.stat().st_size < 4 * 2**20 + 2**17


def test_a_log_that_cannot_be_written_costs_nothing_else(tmp_path: Path) -> None:
    with a_lane(log=tmp_path / "no such folder" / "lane.log") as lane:
        assert lane.answer(cell("prints"), 20).status == "ok"
        works(lane)


def test_amounts_of_memory() -> None:
    assert [bytes_of(text) for text in ("", "1", "2 kB", "500MiB", "1.5GiB", "2TB")] == [
        0, 1, 2000, 524_288_000, 1_610_612_736, 2 * 10**12,
    ]  # fmt: skip
    assert [said(count) for count in (1, 2048, 524_288_000, 1_610_612_736)] == [
        "1 bytes",
        "2 KiB",
        "500 MiB",
        "1.5 GiB",
    ]


@pytest.mark.parametrize("text", ["4 gigs", "GiB", "-1GiB", "0", "0.1", "1e9", "4GiB 1MiB", "inf", "nan"])
def test_what_is_no_amount_of_memory(text: str) -> None:
    with pytest.raises(BadInput, match="--memory-limit: expected an amount of memory"):
        bytes_of(text)
