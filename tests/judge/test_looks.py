"""Bounds looked at several times: held against every outcome there is, and against distributions with known medians."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossbench.judge.calibration import FAIL, INCONCLUSIVE, PASS, stage
from lossbench.judge.change import Rule, judge, status
from lossbench.judge.looks import CONFIRMING, LOOKS, above, centre, centres, ranks
from lossbench.judge.noise import Noise

NORMAL = "normal"
HEAVY = "t with 2 degrees of freedom, a tenth of it delayed"


def noise(kind: str, sd: float, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Log ratios of unchanged code with a robust SD of `sd`; heavy: one in ten off by ten times that, either way."""
    draws = np.random.default_rng(seed)
    if kind == NORMAL:
        return sd * draws.standard_normal(shape)
    body = sd / 1.21 * draws.standard_t(2, shape)  # the quartiles of t(2) are +-0.816, the normal's +-0.674
    return body + sd * np.where(draws.random(shape) < 0.1, 10 * draws.standard_normal(shape), 0)


@pytest.mark.parametrize(("error", "n"), [(0.3, 4), (0.1, 7), (0.02, 10)])
def test_the_error_of_a_look_is_exact(error: float, n: int) -> None:
    """Every sequence of signs of values of any sizes, one by one: how many put the bound above the centre."""
    found = ranks(error, (n,))
    sizes = np.random.default_rng(n).permutation(np.exp(np.linspace(-3, 3, n)))
    wrong = sum(found.low(sizes * np.array(signs)) > 0 for signs in itertools.product((-1.0, 1.0), repeat=n))
    assert wrong / 2**n == pytest.approx(found.spent[-1], abs=1e-15)
    assert 0 < found.spent[-1] <= error


def test_the_error_over_all_looks_is_no_more_than_said() -> None:
    """Every sequence of signs in every order of sizes."""
    looks = (2, 3, 5)
    found, wrong, trials = ranks(0.6, looks), 0, 0
    for order in itertools.permutations((1.0, 1.7, 2.9, 5.1, 9.7)):
        for signs in itertools.product((-1.0, 1.0), repeat=looks[-1]):
            x = np.array(order) * np.array(signs)
            wrong += any(found.low(x[:n]) > 0 for n in looks)
            trials += 1
    assert 0.5 * found.spent[-1] < wrong / trials <= found.spent[-1]


@pytest.mark.parametrize(("n", "critical"), [(6, 0), (8, 3), (10, 8), (15, 25), (20, 52), (25, 89)])
def test_a_single_look_is_wilcoxons_table(n: int, critical: int) -> None:
    """The published critical values at 2.5%, one-sided: the largest W whose probability is no more."""
    assert ranks(0.025, (n,)).ranks == (critical + 1,)


def test_the_smallest_value_is_the_first_bound() -> None:
    assert ranks(1 / 64, (6,)).ranks == (1,)
    assert ranks(1 / 65, (6,)).ranks == (0,)
    assert ranks(1 / 65, (6,)).low(np.ones(6)) == -math.inf
    assert ranks(1 / 64, (6,)).low(np.arange(6.0)) == 0


@pytest.mark.parametrize("shape", [(7, 3), (4, 12)])
def test_averages_above_are_counted(shape: tuple[int, int]) -> None:
    rows = np.random.default_rng(3).standard_normal(shape)
    for row, count in zip(rows, above(rows, 0.1), strict=True):
        assert count == sum((row[i] + row[j]) / 2 > 0.1 for i in range(len(row)) for j in range(i, len(row)))


@settings(max_examples=60, deadline=None)
@given(
    error=st.floats(1e-6, 0.5),
    looks=st.lists(st.integers(1, 40), min_size=1, max_size=5, unique=True).map(lambda n: tuple(sorted(n))),
)
def test_never_more_than_allowed(error: float, looks: tuple[int, ...]) -> None:
    found = ranks(error, looks)
    assert all(
        spent <= error * (n / looks[-1]) ** 0.5 * (1 + 1e-9) for spent, n in zip(found.spent, looks, strict=True)
    )
    assert list(found.spent) == sorted(found.spent)
    assert all(0 <= k <= n * (n + 1) // 2 for k, n in zip(found.ranks, looks, strict=True))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=6, max_size=40))
def test_bounds_mirror_each_other(values: list[float]) -> None:
    x = np.array(values)
    found = ranks(0.1)
    assert found.high(x) == -found.low(-x)
    if len(x) in LOOKS:
        assert found.low(x) <= centre(x) <= found.high(x)


@pytest.mark.parametrize("kind", [NORMAL, HEAVY])
def test_the_bound_is_wrong_as_often_as_it_says(kind: str) -> None:
    """2000 experiments, each ended by its first wrong bound: binomial, 4 standard deviations; looks overlap."""
    found, samples = ranks(0.1), noise(kind, 0.03, (2000, LOOKS[-1]), seed=11)
    wrong = sum(any(found.low(row[:n]) > 0 for n in LOOKS) for row in samples)
    p = found.spent[-1]
    assert 0.5 * 2000 * p < wrong < 2000 * p + 4 * math.sqrt(2000 * p * (1 - p))


def rates(kind: str, sd: float, change: float, rule: Rule, trials: int, seed: int) -> dict[str, float]:
    shift = math.log1p(change)
    first, again = (noise(kind, sd, (trials, CONFIRMING[-1]), seed + i) + shift for i in (0, 1))
    said, _ = stage(first, np.zeros_like(first), rule, confirming=False, noise=Noise(degrees=6, sd=sd))
    suspects = np.flatnonzero(said == FAIL)
    said[suspects], _ = stage(again[suspects], np.zeros_like(again[suspects]), rule, confirming=True)
    return {"PASS": (said == PASS).mean(), "FAIL": (said == FAIL).mean(), "left": (said == INCONCLUSIVE).mean()}


@pytest.mark.parametrize(
    ("kind", "sd", "passed"),
    [
        (NORMAL, 0.01, 0.99), (NORMAL, 0.03, 0.98), (NORMAL, 0.045, 0.95),
        (HEAVY, 0.01, 0.99), (HEAVY, 0.02, 0.97), (HEAVY, 0.03, 0.94),
    ],
)  # fmt: skip
def test_unchanged_code_does_not_fail(kind: str, sd: float, passed: float) -> None:
    """800 unchanged cells: at 1% among 300 cells, 0.03 false alarms are the most to expect."""
    found = rates(kind, sd, 0.0, Rule(cells=300), 800, seed=3)
    assert found["FAIL"] == 0
    assert found["PASS"] >= passed


@pytest.mark.parametrize(
    ("kind", "sd", "change", "at_least"),
    [
        (NORMAL, 0.01, 0.05, 0.99), (NORMAL, 0.03, 0.05, 0.97), (NORMAL, 0.045, 0.05, 0.93), (HEAVY, 0.02, 0.05, 0.95),
        (NORMAL, 0.045, 0.10, 0.99), (HEAVY, 0.03, 0.10, 0.98), (NORMAL, 0.045, 0.20, 0.99),
    ],
)  # fmt: skip
def test_slowdowns_are_found(kind: str, sd: float, change: float, at_least: float) -> None:
    assert rates(kind, sd, change, Rule(cells=300), 300, seed=5)["FAIL"] >= at_least


def test_a_pass_of_what_should_be_found_is_as_rare_as_it_says() -> None:
    """Twice the margin: at one look at most as often as `doubt` says; at all looks together a few times that."""
    rule = Rule(cells=50)
    assert rates(NORMAL, 0.03, rule.excluded, rule, 2000, seed=9)["PASS"] < 5 * rule.doubt
    only = replace(rule, looks=(6,))
    once, _ = stage(
        noise(NORMAL, 0.03, (4000, 6), seed=2) + math.log1p(rule.excluded), np.zeros((4000, 6)), only,
        confirming=False, noise=Noise(degrees=200, sd=0.03),
    )  # fmt: skip
    assert (once == PASS).mean() <= rule.doubt + 4 * math.sqrt(rule.doubt / 4000)
    assert (once == PASS).sum() > 0, "4,000 cells at a probability of about 1%"


def test_centres_are_those_of_each_row() -> None:
    rows = np.random.default_rng(5).standard_normal((6, 5))
    assert list(centres(rows)) == [centre(row) for row in rows]


def test_a_change_below_one_percent_is_nobodys_business() -> None:
    """However certain: 0.9% with no noise at all, and a margin of 0.5%."""
    assert judge(np.full(32, math.log(1.009)), np.zeros(32), Rule(cells=1, margin=0.005), confirming=True).verdict == (
        "INCONCLUSIVE"
    )
    assert judge(np.full(32, math.log(1.011)), np.zeros(32), Rule(cells=1, margin=0.005), confirming=True).verdict == (
        "FAIL"
    )


def test_beyond_one_percent_but_within_the_margin_passes() -> None:
    found = judge(np.full(20, math.log(1.02)), np.zeros(20), Rule(cells=1), confirming=True)
    assert (found.verdict, found.change) == ("PASS", pytest.approx(0.02))


@pytest.mark.parametrize("side", [-1, 1])
def test_a_control_that_moved_invalidates(side: int) -> None:
    found = judge(np.full(32, 0.2), np.full(32, side * 0.04), Rule(cells=50), confirming=True)
    assert found.verdict == "INVALID"
    assert not found.open


def test_open_until_the_last_look() -> None:
    rule, wide = Rule(cells=5), np.tile([-0.2, 0.2, 0.2], 17)
    opens = [judge(wide[:n], np.zeros(n), rule).open for n in (0, 1, 2, 12, 31, 32)]
    assert opens == [True] * 5 + [False]
    assert judge(wide, np.zeros(51), rule).reason == "too noisy for this margin"


def test_the_detectable_change_is_where_the_verdict_turns() -> None:
    rule = Rule(cells=50)
    quiet = noise(NORMAL, 0.02, (32,), seed=1)
    at = judge(quiet, np.zeros(32), rule, confirming=True).detectable
    own = centre(quiet)
    for factor, verdict in ((0.999, False), (1.001, True)):
        shifted = quiet - own + math.log1p(at * factor)
        assert (judge(shifted, np.zeros(32), rule, confirming=True).verdict == "FAIL") is verdict
    assert math.isnan(judge(quiet[:11], np.zeros(11), rule, confirming=True).detectable), "no look so early"


def test_what_the_first_stage_sees_hardly_passes() -> None:
    """4,000 cells that are slower by what six replicates are said to see: one in a hundred has a lower centre."""
    rule, usual = replace(Rule(cells=50), looks=(6,)), Noise(degrees=200, sd=0.01)
    at = judge(np.zeros(6), [], rule, noise=usual).detectable
    assert rule.margin < at < rule.excluded
    wide = judge(np.full(6, -0.2), [], rule, noise=Noise(degrees=200, sd=0.1))
    assert (wide.verdict, wide.detectable) == ("PASS", rule.excluded), "that much is excluded at any reach"
    passed, _ = stage(
        noise(NORMAL, 0.01, (4000, 6), seed=4) + math.log1p(at), np.zeros((4000, 6)), rule,
        confirming=False, noise=usual,
    )  # fmt: skip
    assert 0 < (passed == PASS).mean() <= rule.doubt + 4 * math.sqrt(rule.doubt / 4000)


def test_exit_statuses() -> None:
    quiet, rule = np.zeros(50), Rule(cells=1)
    passed = judge(quiet, quiet, rule)
    unsure = judge(np.tile([-0.2, 0.2, 0.2], 17), quiet, rule)
    failed = judge(quiet + 0.1, quiet, rule, confirming=True)
    invalid = judge(quiet, quiet + 0.1, rule)
    assert status([passed, unsure]) == 0
    assert status([passed, unsure], strict=True) == 2
    assert status([passed, invalid]) == 2
    assert status([failed, invalid, unsure]) == 1
    assert status([]) == 2
    assert status([unsure]) == 2, "nothing at all was decided"
    assert status([passed, replace(invalid, idle=True)], strict=True) == 0, "the base has no answer either"


def test_the_ranks_in_the_documentation_are_those_in_force() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "how-we-time.md").read_text(encoding="utf-8")
    rule = Rule(cells=300)
    for found in (rule.slower(False), rule.clearing(False), rule.slower(True), rule.clearing(True)):
        named = ", ".join(str(k) if k else "none" for k in found.ranks)
        assert f"| {named} | {100 * found.spent[-1]:.3g}% |" in text
