"""Intervals, verdicts, losses against metrics, metrics themselves: against numbers worked out apart from them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from lossbench.commands.advise import share
from lossbench.practice import lower, metrics, verdicts
from lossbench.practice.apart import distances
from lossbench.practice.experiments import chosen, every
from lossbench.spec.errors import BadInput


def rows(
    values: list[float], *, epoch: int = 1, quantity: str = "loss", experiment: str = "T4"
) -> list[dict[str, Any]]:
    return [
        {"experiment": experiment, "dtype": "float32", "seed": seed, "epoch": epoch,
         "results": {"torch": {quantity: value}}}
        for seed, value in enumerate(values)
    ]  # fmt: skip


def test_an_interval_holds_nineteen_of_twenty_further_runs() -> None:
    source = np.random.default_rng(0)
    inside = 0
    for _ in range(2000):
        *seen, further = source.normal(3.0, 2.0, size=6)
        _, low, high = verdicts.interval(seen)
        inside += low <= further <= high
    assert stats.binomtest(inside, 2000, 0.95).pvalue > 1e-3


def test_an_interval_needs_two_values() -> None:
    assert all(math.isnan(end) for end in verdicts.interval([1.0])[1:])


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ([0.83, 0.84, 0.82, 0.85, 0.83], "reproduced"),
        ([1.83, 1.84, 1.82, 1.85, 1.83], "not reproduced"),
        ([0.5, 1.3, 0.7, 1.1, 0.9], "not specified enough"),
        ([0.83, 0.84, 0.82, 0.85], "not measured"),
    ],
)
def test_a_verdict(values: list[float], word: str) -> None:
    """T4 prints 0.8353 after the first epoch."""
    first = verdicts.of(every()["T4"], rows(values))[0]
    assert (first.verdict, first.documented, first.seeds) == (word, 0.8353, len(values))
    assert verdicts.of(every()["T4"], rows(values), genuine=False)[0].verdict == "not measured"


def test_what_the_source_leaves_out_is_named() -> None:
    assert "the seed of the data" in verdicts.of(every()["T4"], rows([1.8, 1.9, 1.8, 1.9, 1.85]))[0].reason


def test_a_lower_loss_with_a_worse_metric_is_a_sentence() -> None:
    def run(*pairs: tuple[float, float]) -> list[dict[str, Any]]:
        return [
            {"experiment": "T3", "dtype": "float32", "seed": 0, "epoch": n,
             "results": {"jax": {"val_loss": loss, "val_binary_accuracy": accuracy}}}
            for n, (loss, accuracy) in enumerate(pairs, 1)
        ]  # fmt: skip

    (said,) = lower.sentences(run((0.7, 0.6), (0.5, 0.55)))
    assert said.startswith("T3 on jax, in 1 of 1 seeds: the lowest test loss, 0.5 after epoch 2, comes with")
    assert "binary_accuracy 0.55; the best, 0.6 after epoch 1, with a loss of 0.7 (seed 0)." in said
    other = [row | {"seed": 1} for row in run((0.7, 0.5), (0.5, 0.6))]
    assert "in 1 of 2 seeds" in lower.sentences(run((0.7, 0.6), (0.5, 0.55)) + other)[0]
    assert lower.sentences(run((0.7, 0.5), (0.5, 0.6))) == []


def test_metrics_of_a_worked_example() -> None:
    y, p = np.array([1.0, 1.0, 0.0, 0.0, 0.0]), np.array([0.9, 0.2, 0.8, 0.1, 0.1])
    names = ("binary_accuracy", "precision", "recall", "balanced_accuracy", "mae", "calibration_error")
    found = metrics.measured(names, {"y": y}, {"y": p})
    assert found == pytest.approx(
        {"binary_accuracy": 3 / 5, "precision": 1 / 2, "recall": 1 / 2, "balanced_accuracy": (1 / 2 + 2 / 3) / 2,
         "mae": (0.1 + 0.8 + 0.8 + 0.1 + 0.1) / 5,
         "calibration_error": (1 * 0.1 + 1 * 0.8 + 1 * 0.8 + 2 * 0.1) / 5}
    )  # fmt: skip
    labels, classes = np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]])
    for y in (labels, np.eye(2)[labels]):
        found = metrics.measured(("accuracy", "confidence_error"), {"y": y}, {"y": classes})
        assert found == pytest.approx({"accuracy": 2 / 3, "confidence_error": (0.1 + 0.4 + 0.7) / 3})
    with pytest.raises(BadInput, match="metric: expected one of"):
        metrics.split("f1", {"y": None})


def test_distances_of_a_worked_example() -> None:
    apart, relative = distances({"torch": np.array([[3.0, 4.0]]), "jax": np.array([[0.0, 0.0]])})["torch", "jax"]
    assert (apart[0], relative[0]) == (5.0, 1.0)


@pytest.mark.parametrize(("text", "number"), [("5%", 0.05), ("0.05", 0.05), ("0", 0.0)])
def test_a_share(text: str, number: float) -> None:
    assert share(text) == pytest.approx(number)


@pytest.mark.parametrize("text", ["50%", "-1%", "many", "5%%", "nan"])
def test_a_share_that_is_none(text: str) -> None:
    with pytest.raises(BadInput, match="--outliers: expected a share"):
        share(text)


def test_experiments_are_found_by_id_and_family() -> None:
    assert [e.id for e in chosen(("t8-mae",))] == ["T8-mae-0%", "T8-mae-5%", "T8-mae-20%"]
    assert {e.id.partition("-")[0] for e in chosen(())} == {f"T{n}" for n in range(1, 10)} | {"AE"}
    with pytest.raises(BadInput, match=r"--only: expected experiments among T1, T2, .*received 'T10'"):
        chosen(("T10",))
