"""Which values a domain holds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lossbench import Domain

INSIDE = {
    "real": [[-1.0, 0.0, 1e300]],
    "logits": [[-1e4, 3.0, 0.0]],
    "positive": [[5e-324, 1.0, 2.0]],
    "nonnegative": [[0.0, 1.0, 1e9]],
    "count": [[0.0, 3.0, 2048.0]],
    "probability": [[0.0, 1.0, 0.5]],
    "simplex": [[0.25, 0.5, 0.25], [0.0, 1.0, 0.0]],
    "log_simplex": [[math.log(0.25), math.log(0.5), math.log(0.25)], [-math.inf, 0.0, -math.inf]],
    "binary": [[0.0, 1.0, 1.0]],
    "sign": [[-1.0, 1.0, 1.0]],
    "one_hot": [[0.0, 0.0, 1.0]],
    "class_index": [0.0, 2.0, 1.0],
    "weight": [[0.0, 2.5, 1.0]],
}
OUTSIDE = {
    "real": [math.nan, math.inf],
    "logits": [-math.inf],
    "positive": [0.0, -1.0, math.inf],
    "nonnegative": [-1e-9, math.nan],
    "count": [0.5, -1.0, math.inf],
    "probability": [-1e-9, 1.0000001, math.nan],
    "simplex": [[0.5, 0.4, 0.2], [1.5, -0.5, 0.0], [0.0, 0.0, 0.0]],
    "log_simplex": [[0.0, 0.0, 0.0], [1.0, -9.0, -9.0]],
    "binary": [0.5, -1.0],
    "sign": [0.0, 2.0],
    "one_hot": [[1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.5, 0.5, 0.0]],
    "class_index": [-1.0, 3.0, 1.5],
    "weight": [-1.0, math.nan],
}


@pytest.mark.parametrize("kind", INSIDE)
def test_what_is_inside(kind: str) -> None:
    assert Domain(kind=kind).contains(INSIDE[kind], classes=3).all()  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", OUTSIDE)
def test_what_is_outside(kind: str) -> None:
    assert not Domain(kind=kind).contains(OUTSIDE[kind], classes=3).any()  # type: ignore[arg-type]


def test_a_row_counts_as_a_whole() -> None:
    mask = Domain(kind="one_hot").contains([[1.0, 0.0], [1.0, 1.0]])
    assert mask.tolist() == [[True, True], [False, False]]
    assert mask.dtype == np.bool_
