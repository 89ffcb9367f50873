"""Parameters away from their defaults, one at a time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lossbench import Loss
from lossbench.spec.variations import variations

MakeLoss = Callable[..., Loss]


@pytest.mark.parametrize("given", [{"accepts": ("axis",)}, {"params": {"axis": -1}}])
def test_the_class_axis_is_varied_to_the_first(stand_in: MakeLoss, given: dict[str, object]) -> None:
    found = list(variations(stand_in(**given)))
    assert {"axis": 0} in found
    assert all(params.get("axis", -1) in (-1, 0) for params in found)


def test_one_parameter_at_a_time_then_the_reductions(stand_in: MakeLoss) -> None:
    loss = stand_in(params={"delta": 1.0, "full": False}, accepts=("label_smoothing",))
    assert list(variations(loss)) == [
        {"delta": 0.75, "full": False},
        {"delta": 1.0, "full": True},
        {"delta": 1.0, "full": False, "label_smoothing": 0.1},
        {"delta": 1.0, "full": False, "reduction": "sum"},
        {"delta": 1.0, "full": False, "reduction": "none"},
    ]
