"""What counts as moved between two versions of a framework."""

from __future__ import annotations

from typing import Any

import numpy as np

from lossbench.lanes.measurement import Answer
from lossbench.pairing import upgrade
from lossbench.spec.case import Case, Cell, Lane

CELL = Cell(case=Case(loss="huber", shape=(3,)), binding="b", lane=Lane(backend="jax"), operation="grad")
NAN = float("nan")


def compared(before: list[float], after: list[float], value: tuple[float, float] = (NAN, NAN)) -> Any:
    """Gradients of two versions, whose values are NaN unless said otherwise."""
    found = upgrade.Upgrade(moved=[], turned=[])
    sides = [
        Answer(status="ok", value=np.array(v, np.float32), grad=np.array(g, np.float32), result_dtype="float32")
        for v, g in zip(value, (before, after), strict=True)
    ]
    upgrade._compare(found, CELL, *sides)
    return found


def test_what_was_nan_and_still_is_has_not_moved() -> None:
    found = compared([NAN, 1.0, 2.0], [NAN, 1.0, 2.000001])
    assert (found.compared, found.same) == (2, 1)
    (moved,) = found.moved
    assert (moved.quantity, moved.worst_index) == ("grad", "2")
    assert 0 < moved.max_ulp < 10


def test_what_became_nan_has() -> None:
    (moved,) = compared([0.5, 1.0, 2.0], [0.5, NAN, 2.0], value=(1.0, 1.0)).moved
    assert moved.max_ulp == float("inf")
    assert moved.worst_index == "1"
