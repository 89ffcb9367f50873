"""Of large cases one at a time is answered and judged, whichever lanes are ahead; small ones go on beside it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lossbench.lanes.measurement import Answer
from lossbench.running import answering
from lossbench.running.answering import Answering
from lossbench.running.wall import Wall
from lossbench.spec.case import Case, Cell, Lane

LANES = (Lane(backend="torch"), Lane(backend="jax"))
SHAPES = ((4,), (answering.LARGE,), (4, 4), (2, answering.LARGE // 2), (4, 4, 4), (answering.LARGE + 1,))
LARGE = SHAPES[1::2]
CELLS = [
    Cell(case=Case(loss="mse", shape=shape), binding="b", lane=lane, operation="grad")
    for shape in SHAPES for lane in LANES
]  # fmt: skip


class Book:
    """Keeps nothing."""

    id = "run"

    def append(self, table: str, row: Mapping[str, Any]) -> None: ...

    def judged(self, case: str) -> None: ...


class Watch:
    """Counts the large cases that are under way: asked of a lane, and not judged yet."""

    def __init__(self) -> None:
        self.lock, self.open, self.most, self.order = threading.Lock(), set[str](), 0, list[str]()

    def asked(self, cell: Cell) -> None:
        with self.lock:
            self.order.append(cell.case.id)
            if cell.case.shape in LARGE:
                self.open.add(cell.case.id)
                self.most = max(self.most, len(self.open))

    def judge(self, case: Case, answers: Mapping[Cell, Answer]) -> Iterable[Mapping[str, Any]]:  # noqa: ARG002
        time.sleep(0.02)
        with self.lock:
            self.open.discard(case.id)
        return []


class FakeWorker:
    """Answers at once, as one lane does that has little to compute."""

    def __init__(self, watch: Watch, lane: Lane) -> None:
        self.watch, self.lane = watch, lane

    def ready(self) -> Mapping[str, Any]:
        return {}

    def answer(self, cell: Cell, limit_seconds: float, *, keep: bool) -> Answer:  # noqa: ARG002
        self.watch.asked(cell)
        time.sleep(0.005 if self.lane.backend == "jax" else 0)
        return Answer(status="ok", digest="same")


def answered() -> Watch:
    watch = Watch()
    with ThreadPoolExecutor(2) as judges:
        Answering(
            cells=CELLS, folder=Book(), judge=watch.judge, timed=frozenset(), wall=Wall(), limit_seconds=1.0,
            at_once=2, judges=judges,
        ).run(lambda lane: FakeWorker(watch, lane), lambda *_: None)  # fmt: skip
    assert sorted(watch.order) == sorted(cell.case.id for cell in CELLS), "every cell is asked, once"
    return watch


def test_one_large_case_at_a_time() -> None:
    assert answered().most == 1


def test_without_the_rule_lanes_run_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "LARGE", 10 * answering.LARGE)
    assert answered().most > 1
