"""Medians, exact intervals and paired ratios on made-up measurements and on distributions whose median is known."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from lossbench.judge.timing import fastest, median_interval, summarise
from lossbench.record.tables import MEASUREMENTS


def measurements(seconds: dict[str, list[list[float]]], loss: str = "huber") -> pd.DataFrame:
    """seconds: `lane/binding` -> per visit the rounds."""
    rows = []
    for position, (place, blocks) in enumerate(seconds.items()):
        lane, binding = place.split("/")
        for visit, rounds in enumerate(blocks):
            rows.append(MEASUREMENTS.row({
                "cell": f"{loss}[f32]@{place}:grad", "case": f"{loss}[f32]", "loss": loss, "lane": lane,
                "backend": lane.split("-")[0], "binding": binding, "operation": "grad", "visit": visit,
                "position": visit * len(seconds) + position, "status": "ok", "loops": 1,
                "seconds_per_call": np.array(rounds),
            }))  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("n", "k", "coverage"),
    [
        (6, 1, 1 - 2 / 64),
        (10, 2, 1 - 2 * 11 / 1024),  # sum of binomial coefficients (10, 0) + (10, 1)
        (20, 6, 1 - 2 * 21700 / 2**20),  # 1 + 20 + 190 + 1140 + 4845 + 15504
    ],
)
def test_the_order_statistics_of_the_tables(n: int, k: int, coverage: float) -> None:
    found = median_interval(np.arange(1.0, n + 1))
    assert (found.low, found.high) == (k, n + 1 - k)
    assert found.coverage == pytest.approx(coverage, abs=1e-12)
    assert found.median == (n + 1) / 2


def test_too_few_samples_say_so() -> None:
    found = median_interval([3.0, 1.0, 2.0])
    assert (found.low, found.median, found.high, found.coverage) == (1, 2, 3, 0.75)
    assert math.isnan(median_interval([]).median)


def test_the_interval_covers_as_often_as_it_says() -> None:
    """A skew distribution with median log 2; 1000 intervals of 15: the count is binomial, 4 standard deviations."""
    samples = np.random.default_rng(7).exponential(size=(1000, 15))
    found = [median_interval(row) for row in samples]
    hits = sum(i.low <= math.log(2) <= i.high for i in found)
    p = found[0].coverage
    assert p >= 0.95
    assert abs(hits - 1000 * p) < 4 * math.sqrt(1000 * p * (1 - p))


def test_ratios_are_paired_within_a_visit() -> None:
    """The machine slows down threefold between visits; neighbours keep their ratio of exactly 2 and 1/2."""
    drift = [1.0, 1.3, 2.0, 2.5, 2.8, 3.0]
    table = summarise(measurements({
        "torch-cpu-eager/functional": [[2 * d, 2 * d, 9 * d] for d in drift],
        "torch-cpu-compiled/functional": [[d, d, d] for d in drift],
        "jax-cpu-eager/optax": [[4 * d] for d in drift],
    })).set_index("cell")  # fmt: skip
    eager, fast, jax = (table.loc[f"huber[f32]@{p}:grad"] for p in (
        "torch-cpu-eager/functional", "torch-cpu-compiled/functional", "jax-cpu-eager/optax"))  # fmt: skip
    assert fast["ratio_to_documented"] == pytest.approx(0.5)
    assert (fast["ratio_to_documented_low"], fast["ratio_to_documented_high"]) == pytest.approx((0.5, 0.5))
    assert eager["ratio_to_fastest"] == pytest.approx(2)
    assert jax["ratio_to_fastest"] == pytest.approx(4)
    assert jax["ratio_to_documented"] == 1
    assert table["is_fastest"].sum() == 1
    assert fast["is_fastest"]
    assert fast["median_seconds"] == pytest.approx((2.0 + 2.5) / 2)
    assert (eager["visits"], eager["rounds"]) == (6, 18)


def test_a_visit_without_its_neighbour_does_not_count() -> None:
    """The second was not measured while the machine was quick; where both were, it takes twice the first's time."""
    seen = measurements({
        "torch-cpu-eager/a": [[d] for d in (1.0, 1.0, 1.0, 5.0, 5.0)],
        "torch-cpu-eager/b": [[2 * d] for d in (1.0, 1.0, 1.0, 5.0, 5.0)],
    })  # fmt: skip
    seen = seen[(seen["binding"] == "a") | (seen["visit"] > 2)]
    table = summarise(seen).set_index("binding")
    assert table.loc["b", "ratio_to_documented"] == pytest.approx(2)


def test_the_documented_spelling_can_be_named() -> None:
    seen = measurements({"torch-cpu-eager/a": [[1.0]] * 6, "torch-cpu-eager/b": [[2.0]] * 6})
    table = summarise(seen, documented={("huber", "torch"): "b"}).set_index("binding")
    assert table.loc["a", "ratio_to_documented"] == pytest.approx(0.5)


def test_what_was_not_measured_is_left_out() -> None:
    seen = measurements({"torch-cpu-eager/a": [[1.0]] * 3, "torch-cpu-eager/b": [[2.0]] * 3})
    seen.loc[seen["binding"] == "b", "status"] = "crashed"
    assert list(summarise(seen)["binding"]) == ["a"]
    assert summarise(seen.iloc[:0]).empty


def test_the_fastest_must_be_right() -> None:
    table = summarise(measurements({"torch-cpu-eager/a": [[1.0]] * 6, "torch-cpu-eager/b": [[2.0]] * 6}))
    wrong = pd.DataFrame([{"cell": "huber[f32]@torch-cpu-eager/a:grad", "against": "oracle", "class": "defect"}])
    assert list(fastest(table)["binding"]) == ["a"]
    assert list(fastest(table, wrong)["binding"]) == ["b"]
