"""What is usual among cells, from variances drawn from a distribution whose parameters are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.special import polygamma

from lossbench.judge.change import Rule, judge
from lossbench.judge.noise import LEAST_CELLS, MOST_DEGREES, UNKNOWN, Noise, by_lane, pooled, trigamma_inverse


def cells(count: int, replicates: int, degrees: float, sd: float, seed: int) -> list[np.ndarray]:
    """Variances are scaled inverse chi-squared, as the model has it."""
    draws = np.random.default_rng(seed)
    own = sd * np.sqrt(degrees / draws.chisquare(degrees, size=count)) if math.isfinite(degrees) else np.full(count, sd)
    return list(own[:, None] * draws.standard_normal((count, replicates)))


@pytest.mark.parametrize(("degrees", "replicates"), [(3.0, 8), (6.0, 8), (4.0, 3)])
def test_what_is_usual_is_found_again(degrees: float, replicates: int) -> None:
    found = pooled(cells(6_000, replicates, degrees, 0.03, seed=1))
    assert found.degrees == pytest.approx(degrees, rel=0.15)
    assert found.sd == pytest.approx(0.03, rel=0.03)


def test_cells_that_are_all_alike_weigh_no_more_than_allowed() -> None:
    found = pooled(cells(400, 4, math.inf, 0.02, seed=2))
    assert found.degrees == MOST_DEGREES
    assert found.sd == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize("value", [0.05, 0.7, 3.0, 40.0])
def test_the_inverse_of_trigamma(value: float) -> None:
    assert polygamma(1, trigamma_inverse(value)) == pytest.approx(value, rel=1e-10)


def test_few_cells_say_nothing_of_each_other() -> None:
    assert pooled(cells(LEAST_CELLS - 1, 4, 4.0, 0.02, seed=3)) == UNKNOWN
    assert pooled([np.array([0.1])] * 50) == UNKNOWN, "one replicate has no spread"
    quiet, loud = cells(40, 4, 9.0, 0.01, seed=4), cells(40, 4, 9.0, 0.05, seed=5)
    found = by_lane({"a": quiet, "b": loud, "c": loud[:2]})
    assert found["a"] == pooled(quiet)
    assert found["b"].sd > 3 * found["a"].sd
    assert found["c"] == pooled([*quiet, *loud, *loud[:2]]), "what is usual everywhere"
    assert found["c"].degrees < found["a"].degrees, "lanes that differ say less of each other"


def test_alone_a_cell_has_students_interval() -> None:
    x = np.array([[0.01, 0.04, -0.02, 0.03, 0.015]])
    interval = stats.t.interval(0.98, 4, loc=0, scale=stats.sem(x[0]))
    assert UNKNOWN.reach(x, 0.01)[0] == pytest.approx(interval[1], rel=1e-12)
    assert UNKNOWN.reach(x[:, :1], 0.01)[0] == math.inf


def test_bounds_are_wrong_as_often_as_they_say() -> None:
    """20,000 cells of two replicates, whose spreads differ as the model has it: binomial, 4 standard deviations."""
    rows, known = np.stack(cells(20_000, 2, 5.0, 0.03, seed=6)), Noise(degrees=5.0, sd=0.03)
    expected, allowed = 200, 4 * math.sqrt(200 * 0.99)
    for side in (rows, -rows):
        assert abs((side.mean(axis=1) + known.reach(side, 0.01) < 0).sum() - expected) < allowed


def test_two_replicates_are_enough_where_it_is_known_to_be_quiet() -> None:
    rule, x = Rule(cells=300), [0.004, -0.006]
    assert judge(x, [], rule).verdict == "INCONCLUSIVE"
    quiet, loud = Noise(degrees=6, sd=0.01), Noise(degrees=6, sd=0.04)
    assert (judge(x, [], rule, noise=quiet).verdict, judge(x, [], rule, noise=loud).verdict) == ("PASS", "INCONCLUSIVE")
    assert judge(x, [], rule, noise=quiet).reason == "not slower by 5.0%"
    assert judge([0.03, 0.031], [], rule, noise=quiet).verdict == "INCONCLUSIVE", "its centre lies beyond the margin"
