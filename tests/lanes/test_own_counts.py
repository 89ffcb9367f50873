"""What frameworks count themselves: exact where it can be counted by hand, the same again, and asked where timed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lossbench.lanes.backends import installed_backends
from lossbench.lanes.counts import instructions
from lossbench.lanes.measurement import Answer
from lossbench.lanes.process import LaneProcess
from lossbench.spec.case import Case, Cell, Lane

SUITE = Path(__file__).parent / "probe_suite.py"
PROGRAM = """HloModule jit_f, entry_computation_layout={(f32[8]{0})->f32[]}

%fused (p: f32[8]) -> f32[8] {
  %p = f32[8]{0} parameter(0)
  ROOT %m = f32[8]{0} multiply(f32[8]{0} %p, f32[8]{0} %p)
}

ENTRY %main.7 (a.1: f32[8]) -> (f32[], f32[8]) {
  %a.1 = f32[8]{0} parameter(0)
  %zero = f32[] constant(0)
  %fusion = f32[8]{0} fusion(f32[8]{0} %a.1), kind=kLoop, calls=%fused
  %sum = f32[] reduce(f32[8]{0} %fusion, f32[] %zero), dimensions={0}, to_apply=%add
  ROOT %both = (f32[], f32[8]{0}) tuple(f32[] %sum, f32[8]{0} %fusion)
}
"""


@pytest.fixture(scope="module", params=["torch", "jax", "tensorflow"])
def lane(request: pytest.FixtureRequest) -> Iterator[LaneProcess]:
    if request.param not in installed_backends():
        pytest.skip(f"{request.param} is not installed")
    with LaneProcess(Lane(backend=request.param), [SUITE], builtin=False) as lane:
        yield lane


def asked(lane: LaneProcess, mode: str, op: str, *, keep: bool = True) -> Answer:
    case = Case(loss="probe_element", shape=(30, 10), params=(("op", op),))
    there = Lane(backend=lane.lane.backend, mode=mode)  # type: ignore[arg-type]
    return lane.answer(Cell(case=case, binding="formula", lane=there, operation="value"), 300, keep=keep)


def test_counts_by_hand(lane: LaneProcess) -> None:
    mode = "eager" if lane.lane.backend == "torch" else "compiled"
    answer = asked(lane, mode, "square")  # 300 numbers of 4 bytes in, as many out, nothing reduced
    assert answer.status == "ok", answer.reason
    assert answer.own_kernels == 1
    if lane.lane.backend != "tensorflow":  # its graph says neither
        assert answer.own_bytes == 4 * 600
    if lane.lane.backend == "jax":
        assert answer.own_operations == 300
    assert answer.counted_by


def test_more_work_is_more_and_the_same_is_the_same(lane: LaneProcess) -> None:
    mode = "eager" if lane.lane.backend == "torch" else "compiled"
    once, again, more = (asked(lane, mode, op) for op in ("square", "square", "matmul"))
    assert (once.own_kernels, once.own_bytes) == (again.own_kernels, again.own_bytes)
    assert more.own_kernels > once.own_kernels


def test_only_what_is_timed_is_counted(lane: LaneProcess) -> None:
    assert asked(lane, "eager", "abs", keep=False).counted_by == ""


def test_instructions_of_the_entry_that_compute() -> None:
    assert instructions(PROGRAM) == 2
