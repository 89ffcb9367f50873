"""Overhead and slope: recovered from lines that are known, with intervals from visits and not from sizes."""

from __future__ import annotations

import numpy as np
import pytest

from lossbench.judge import sizes

SIZES = [16**k for k in range(7)]


def test_a_line_is_recovered_over_seven_decades() -> None:
    found = sizes.line({n: dict.fromkeys(range(6), 5e-06 + 2e-10 * n) for n in SIZES})
    assert found is not None
    assert found.overhead.median == pytest.approx(5e-6, rel=1e-9)
    assert found.slope.median == pytest.approx(2e-10, rel=1e-9)
    assert found.worst < 1e-9


def test_noise_of_visits_is_in_the_interval() -> None:
    rng = np.random.default_rng(5)
    moods = rng.lognormal(0, 0.2, 9)
    found = sizes.line({n: {v: (5e-6 + 2e-10 * n) * mood for v, mood in enumerate(moods)} for n in SIZES})
    assert found is not None
    middle = 5e-6 * np.median(moods)
    assert found.overhead.median == pytest.approx(middle, rel=1e-9)
    # of nine visits the second smallest and the second largest bound the median with 96%
    assert (found.overhead.low, found.overhead.high) == pytest.approx(tuple(5e-6 * np.sort(moods)[[1, 7]]))


def test_neither_is_below_zero() -> None:
    found = sizes.line({1: {0: 1e-6}, 10: {0: 1e-7}, 100: {0: 1e-8}})
    assert found is not None
    assert found.slope.median == 0
    assert found.overhead.median > 0
    assert found.worst > 0.5, "what is no line is said not to be one"


def test_a_visit_with_two_sizes_says_nothing() -> None:
    assert sizes.line({1: {0: 1e-6}, 10: {0: 2e-6}}) is None
    some = {n: {0: 1e-6 + 1e-9 * n} for n in SIZES}
    some[1][7] = some[16][7] = 1.0
    found = sizes.line(some)
    assert found is not None
    assert found.overhead.median == pytest.approx(1e-6)
