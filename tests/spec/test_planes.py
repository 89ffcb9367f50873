"""A plane holds what its name says: distinct numbers of the dtype, where trouble lives, in a stated order."""

from __future__ import annotations

import numpy as np
import pytest

from lossbench.spec import catalogue
from lossbench.spec.formats import FORMATS, round_to, step
from lossbench.spec.planes import POINTS, plane

LOSSES = catalogue.load().losses


@pytest.mark.parametrize("dtype", FORMATS)
def test_every_plane_holds_distinct_numbers_of_the_dtype_in_order(dtype: str) -> None:
    for loss in LOSSES.values():
        where = plane(loss, dtype)
        if where is None:
            continue
        for axis in (where.x, where.y):
            assert np.isfinite(axis).all(), loss.name
            assert (np.diff(axis) > 0).all(), loss.name
            assert np.array_equal(axis, np.asarray(round_to(axis, dtype), np.float64)), loss.name
        assert 4 <= where.size <= POINTS, loss.name
        for name, values in where.arrays.items():
            assert len(values) == POINTS, loss.name
            assert loss.inputs[name].integer or np.array_equal(values, round_to(values, dtype)), (loss.name, name)


def test_a_place_stands_where_the_docstring_says() -> None:
    where = plane(LOSSES["mse"], "float32")
    assert where is not None
    row = 3 * len(where.x) + 5
    assert where.arrays["y_pred"][row, 0] == where.x[5]
    assert where.arrays["y_true"][row, 0] == where.y[3]
    assert (where.arrays["y_pred"][where.size :] == where.x[0]).all()


def test_logits_of_two_classes_span_the_plane_of_a_row() -> None:
    where = plane(LOSSES["categorical_crossentropy_logits"], "float32")
    assert where is not None
    assert (where.x_name, where.y_name) == ("logit of the right class", "logit of the wrong class")
    row = 7 * len(where.x) + 2
    assert where.arrays["y_true"][row].tolist() == [0.0, 1.0]
    assert where.arrays["y_pred"][row].tolist() == [where.y[7], where.x[2]]
    sparse = plane(LOSSES["sparse_categorical_crossentropy_logits"], "float32")
    assert sparse is not None
    assert set(sparse.arrays["y_true"].tolist()) == {1}


def test_soft_targets_span_it_with_the_prediction() -> None:
    where = plane(LOSSES["kl_divergence"], "float64")
    assert where is not None
    row = 4 * len(where.x) + 9
    assert where.arrays["y_true"][row].tolist() == [1 - where.y[4], where.y[4]]
    assert where.arrays["y_pred"][row].tolist() == [1 - where.x[9], where.x[9]]


@pytest.mark.parametrize("dtype", FORMATS)
def test_the_axes_reach_the_edges(dtype: str) -> None:
    fmt = FORMATS[dtype]
    real, certain = plane(LOSSES["huber"], dtype), plane(LOSSES["binary_crossentropy"], dtype)
    assert real is not None
    assert certain is not None
    assert {0.0, 1.0, -1.0, fmt.max, -fmt.max, fmt.tiny} <= set(real.x.tolist())
    below_one = float(step(np.array(1.0), dtype, -1))
    assert {0.0, 1.0, fmt.smallest, below_one} <= set(certain.x.tolist())
    assert certain.y.tolist() == [0.0, 1.0]
    assert (certain.x < 1e-7).sum() > 1
    assert (real.x > fmt.max**0.5).sum() > 1, "squares overflow somewhere"


def test_what_pairs_no_target_with_a_prediction_has_none() -> None:
    without = {name for name, loss in LOSSES.items() if plane(loss, "float32") is None}
    assert {"rmse", "circle", "ctc", "dice", "matrix_crossentropy"} <= without
    assert not {"mse", "huber", "hinge", "poisson", "cosine_similarity", "kl_divergence_log_targets"} & without
