"""The guide's numbers against what is known of the losses: the mean, the median, slopes by hand."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from lossbench.practice import guide
from lossbench.practice.problems import PROBLEMS, amounts, one_amount
from lossbench.practice.process import Trainee


@pytest.fixture(scope="module")
def scored() -> Iterator[dict[str, guide.Scored]]:
    with Trainee("torch") as trainee:
        trainee.start()
        yield {s.loss: s for s in guide.score(PROBLEMS["regression"], 0.05, trainee, seeds=1)}


def test_the_optimum_moves_as_mean_and_median_do(scored: dict[str, guide.Scored]) -> None:
    clean, bad = (one_amount(share, np.random.default_rng(11)) for share in (0.0, 0.05))
    assert scored["mse"].shift == pytest.approx(np.mean(bad) - np.mean(clean), rel=1e-9)
    middle = [np.sort(y)[499:501] for y in (clean, bad)]  # any number between the two is a median
    low, high = middle[1][0] - middle[0][1], middle[1][1] - middle[0][0]
    assert low <= (scored["mae"].shift or 0.0) <= high
    assert abs(scored["huber"].shift or 0.0) < abs(scored["mse"].shift or 0.0)


def test_slopes_near_and_far(scored: dict[str, guide.Scored]) -> None:
    """At an error of 0.01 and of 20: 2 e, the sign, e or the sign, tanh e."""
    slopes = {name: (s.near, s.far) for name, s in scored.items()}
    assert slopes["mse"] == pytest.approx((0.02, 40.0))
    assert slopes["mae"] == pytest.approx((1.0, 1.0))
    assert slopes["huber"] == pytest.approx((0.01, 1.0))
    assert slopes["log_cosh"] == pytest.approx((np.tanh(0.01), np.tanh(20.0)))


def test_robust_losses_learn_the_law_and_the_square_does_not(scored: dict[str, guide.Scored]) -> None:
    """Noise of 0.5 leaves a mean absolute error of 0.4; outliers of 20 in 5% lift the mean by one."""
    assert scored["huber"].metrics["mae"] < 0.55 < 0.8 < scored["mse"].metrics["mae"]
    assert scored["mse"].metrics["bias"] == pytest.approx(1.0, abs=0.3)


def test_the_bad_share_is_in_the_training_targets_alone() -> None:
    clean, bad = (amounts(share, np.random.default_rng(0)) for share in (0.0, 0.2))
    assert np.mean(np.abs(bad.y["y"] - clean.y["y"]) > 9.9) == pytest.approx(0.2)
    assert np.array_equal(bad.y_test["y"], clean.y_test["y"])


def test_reasons_say_when_the_seeds_differ_as_much(scored: dict[str, guide.Scored]) -> None:
    ordered = sorted(scored.values(), key=lambda s: s.metrics["mae"])
    said = guide.reasons(ordered, "mae")
    assert said[0].startswith(f"{ordered[0].loss} has the best mae on a clean test")
    assert any(line.startswith("mse: ") and "no more than the seeds differ" not in line for line in said)
    assert any("5% of bad targets move the best constant" in line for line in said)
