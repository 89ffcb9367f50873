"""The module that pytest collects: one item a timed cell, run once a visit. See `lossbench.plugin`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

    from lossbench.lanes.measurement import Block
    from lossbench.running.visiting import Replay
    from lossbench.spec.case import Cell


def test_cell(cell: Cell, block: Block, replay: Replay, benchmark: BenchmarkFixture) -> None:
    """Hands a block's samples to pytest-benchmark, one round each."""
    if not block.seconds_per_call:
        pytest.skip(block.reason)
    replay.load(block.seconds_per_call)
    benchmark.extra_info.update(
        loss=cell.case.loss, lane=cell.lane.id, binding=cell.binding, operation=cell.operation, loops=block.loops
    )
    benchmark.pedantic(  # type: ignore[no-untyped-call]  # pytest-benchmark is not annotated
        replay.advance, rounds=len(block.seconds_per_call), iterations=1, warmup_rounds=0
    )
