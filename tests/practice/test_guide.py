"""The guide's numbers against what is known of the losses: the mean, the median, slopes by hand."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from lossbench.practice import guide, objective, slopes
from lossbench.practice.problems import CLASSES, PROBLEMS, SAMPLES, amounts, one_amount, one_class
from lossbench.practice.process import Trainee
from lossbench.practice.reasons import reasons
from lossbench.spec import catalogue


@pytest.fixture(scope="module")
def torch() -> Iterator[Trainee]:
    with Trainee("torch") as trainee:
        trainee.start()
        yield trainee


@pytest.fixture(scope="module")
def scored(torch: Trainee) -> dict[str, guide.Scored]:
    return {s.loss: s for s in guide.score(PROBLEMS["regression"], 0.05, torch, seeds=1)}


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
    said = reasons(ordered)
    assert said[0].startswith(f"{ordered[0].loss} has the best mae on a clean test")
    assert any(line.startswith("mse: ") and "no more than the seeds differ" not in line for line in said)
    assert "A prediction far off pulls with a slope of 1 under" in " ".join(said)
    assert " of 40 under mse" in " ".join(said)


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_loss_fits_its_problem(name: str) -> None:
    known, problem = catalogue.load(backend=""), PROBLEMS[name]
    for term in problem.terms:
        objective.check(problem.experiment(term, 0.0), known)
    assert problem.calibration in problem.also
    drawn = problem.experiment(problem.terms[0], 0.0).make(0, None)
    assert len(drawn.x) == SAMPLES
    assert problem.recommended


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "sparse_categorical_crossentropy"])
def test_the_best_constant_of_classes_is_the_log_odds(loss: str, torch: Trainee) -> None:
    """Under cross-entropy the best constant gives each class its share; the others share theirs alike here."""
    problem = PROBLEMS["multiclass"]
    term = next(t for t in problem.terms if t.loss == loss)
    labels = one_class(0.2, np.random.default_rng(slopes.SEED))
    first = float(np.mean(labels == 0))
    found = slopes.best_constant(problem, term, 0.2, torch)
    assert found == pytest.approx(np.log(first / ((1 - first) / (CLASSES - 1))), abs=1e-6)


def test_the_slope_of_classes_is_of_the_number_before_softmax(torch: Trainee) -> None:
    """p - 1 for the label's own class, however the loss takes its prediction."""
    problem = PROBLEMS["multiclass"]
    right = [np.exp(z) / (np.exp(z) + CLASSES - 1) for z in (problem.near[1], problem.far[1])]
    for term in problem.recommended:
        assert slopes.near_and_far(problem, term, torch) == pytest.approx([1 - p for p in right], rel=1e-9)


def test_the_slope_of_a_yes_or_no_is_of_the_number_before_the_sigmoid(torch: Trainee) -> None:
    problem = PROBLEMS["binary"]
    p = 1 / (1 + np.exp(-np.array([problem.near[1], problem.far[1]])))
    slope = {t.loss: slopes.near_and_far(problem, t, torch) for t in problem.terms}
    assert slope["binary_crossentropy_logits"] == pytest.approx(list(1 - p))
    assert slope["mse"] == pytest.approx(list(2 * (1 - p) * p * (1 - p)))
    assert slope["hinge"] == (0.0, 1.0)
