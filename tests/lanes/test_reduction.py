"""Reductions against numbers worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lossbench import BadInput
from lossbench.spec.reduction import reduce


class NumpyOps:
    """The part of the vocabulary that reductions use, in numpy."""

    sum = staticmethod(np.sum)
    mean = staticmethod(np.mean)
    where = staticmethod(np.where)
    maximum = staticmethod(np.maximum)
    reshape = staticmethod(np.reshape)
    expand_dims = staticmethod(np.expand_dims)

    def cast(self, a: Any, like: Any) -> Any:
        return np.asarray(a, like.dtype)

    def constant(self, value: float, like: Any) -> Any:
        return np.asarray(value, like.dtype)

    def take_class(self, a: Any, indices: Any) -> Any:
        return a[indices]


M: Any = NumpyOps()
ELEMENTS = np.array([[1.0, 2.0], [3.0, 6.0]])
ROWS = np.array([4.0, 8.0, 0.0])


@pytest.mark.parametrize(
    ("losses", "unit", "options", "expected"),
    [
        (ELEMENTS, "element", {"reduction": "mean"}, 3.0),
        (ELEMENTS, "element", {"reduction": "sum"}, 12.0),
        (ELEMENTS, "element", {"reduction": "batchmean"}, 6.0),
        (ELEMENTS, "element", {"reduction": "none", "per_sample": "mean_last"}, [1.5, 4.5]),
        (ROWS, "row", {"reduction": "none", "per_sample": "mean_last"}, [4.0, 8.0, 0.0]),
        (
            ELEMENTS,
            "element",
            {"reduction": "none", "sample_weight": np.array([1.0, 10.0])},
            [[1.0, 2.0], [30.0, 60.0]],
        ),
        (ELEMENTS, "element", {"reduction": "none", "sample_weight": np.array([[1.0, 0.0]])}, [[1.0, 0.0], [3.0, 0.0]]),
        (ROWS, "row", {"reduction": "sum", "sample_weight": np.array([[1.0], [2.0], [3.0]])}, 20.0),
        (ROWS, "row", {"reduction": "mean", "sample_weight": 0.5}, 2.0),
        (ROWS, "row", {"reduction": "mean", "sample_weight": np.array([3.0, 0.0, 1.0])}, 4.0),
        (ROWS, "row", {"reduction": "mean_with_sample_weight", "sample_weight": np.array([3.0, 0.0, 1.0])}, 3.0),
        (ROWS, "row", {"reduction": "mean_with_sample_weight"}, 4.0),
        (ROWS, "row", {"reduction": "sum_by_nonzero_weights", "sample_weight": np.array([3.0, 0.0, 1.0])}, 6.0),
        (ELEMENTS, "element", {"reduction": "sum_by_nonzero_weights", "sample_weight": np.array([0.0, 2.0])}, 9.0),
        (ROWS, "row", {"reduction": "sum_by_nonzero_weights", "sample_weight": np.zeros(3)}, 0.0),
        (
            ROWS,
            "row",
            {"reduction": "weighted_mean", "y_true": np.array([0, 1, 2]), "class_weight": np.array([1.0, 2.0, 3.0])},
            2.0,
        ),
        (
            ROWS,
            "row",
            {
                "reduction": "weighted_mean",
                "y_true": np.array([0, 1, -100]),
                "class_weight": np.array([1.0, 2.0, 3.0]),
                "ignore_index": -100,
            },
            4.0,
        ),
        (ROWS, "row", {"reduction": "mean_over_valid", "y_true": np.array([0, 1, 9]), "ignore_index": 9}, 6.0),
        (
            ROWS,
            "row",
            {
                "reduction": "mean_over_valid",
                "y_true": np.array([0, 1, 9]),
                "ignore_index": 9,
                "class_weight": np.array([5.0, 5.0]),
            },
            6.0,
        ),
    ],
)
def test_each_reduction(losses: Any, unit: str, options: dict[str, Any], expected: Any) -> None:
    result = reduce(M, losses, unit=unit, **options)
    assert np.asarray(result).tolist() == expected


@pytest.mark.parametrize("options", [{"reduction": "average"}, {"reduction": "mean", "per_sample": "median"}])
def test_an_unknown_name_is_said(options: dict[str, str]) -> None:
    with pytest.raises(BadInput, match="expected one of"):
        reduce(M, ROWS, unit="row", **options)
