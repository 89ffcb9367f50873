"""The machine's limits: measured in a process of its own, kept as facts, read between the sizes that were measured."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from lossbench.record import ceilings
from lossbench.record.ceilings import Ceilings
from lossbench.show import limits


def test_a_rate_lies_between_its_neighbours() -> None:
    found = Ceilings(threads=1, add={2**10: 4e9, 2**12: 2e9}, dot={2**10: 1e9}, matmul={"float32": 5.0, "float64": 3.0})
    assert found.bytes_per_second(2**11, writes=True) == pytest.approx(3e9)
    assert [found.bytes_per_second(2**k, writes=True) for k in (0, 9, 10, 12, 40)] == [4e9, 4e9, 4e9, 2e9, 2e9]
    assert found.bytes_per_second(2**30, writes=False) == 1e9
    assert [found.operations_per_second(dtype) for dtype in ("float64", "float32", "bfloat16")] == [3.0, 5.0, 5.0]


def test_the_kernels_touch_what_they_say() -> None:
    room = np.ones(60, np.float32)
    parts = [room[k * 10 : (k + 1) * 10] for k in range(6)]
    for kernel, arrays in ceilings.KERNELS.values():
        for number in range(6 // arrays):
            kernel(parts, number)
    # of each three the third is the sum of the first two; nothing else has changed
    assert [float(part[0]) for part in parts] == [1, 1, 2, 1, 1, 2]


def test_the_fewest_seconds_count() -> None:
    asked: list[int] = []
    assert 0 < ceilings.best(asked.append, 3, 0.0) < 10
    assert sorted(asked) == sorted([0, 1, 2] * ceilings.LEAST_PASSES)


def test_this_machine_has_limits() -> None:
    found = ceilings.measure(threads=2)
    assert found.threads == 2
    assert tuple(found.add) == tuple(found.dot) == ceilings.WORKING_SETS
    assert all(
        math.isfinite(rate) and rate > 0 for rates in (found.add, found.dot, found.matmul) for rate in rates.values()
    )
    facts = pd.DataFrame([{"key": key, "value": f"{value:.4g}"} for key, value in found.facts().items()])
    assert limits.machine(facts).startswith("On 2 threads this machine moved ")
    assert limits.machine(facts[:0]) == ""
