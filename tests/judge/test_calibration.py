"""Rates of the gate: the rule on many cells at once is the rule on one; rates on noise whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from lossbench.judge import calibration
from lossbench.judge.calibration import FAIL, INCONCLUSIVE, INVALID, PASS, Pool, Rate, gate_runs, stage
from lossbench.judge.change import Rule, judge
from lossbench.judge.noise import Noise
from lossbench.judge.rivals import RIVALS, comparisons

CODES = {"PASS": PASS, "FAIL": FAIL, "INVALID": INVALID, "INCONCLUSIVE": INCONCLUSIVE}


@pytest.mark.parametrize("confirming", [False, True])
@pytest.mark.parametrize(("shift", "sd", "drift"), [(0, 0.02, 0), (0.05, 0.03, 0), (0.03, 0.05, 0.03), (0, 0.01, 0.06)])
def test_many_at_once_are_each_as_judged(shift: float, sd: float, drift: float, confirming: bool) -> None:
    rule, draws = Rule(cells=20), np.random.default_rng(2)
    x, control = shift + sd * draws.standard_t(3, (60, 80)), drift + sd * draws.standard_t(3, (60, 80))
    usual = Noise(degrees=4, sd=0.02)
    said, taken = stage(x, control, rule, confirming=confirming, noise=usual)
    for row in range(len(x)):
        for n in rule.looked(confirming):
            still = control[row, : n if confirming else 0]
            found = judge(x[row, :n], still, rule, confirming=confirming, noise=usual)
            if not found.open:
                break
        assert said[row] == (FAIL if found.suspect else CODES[found.verdict])
        assert taken[row] == n


def pool(draws: np.random.Generator, sd: float, change: float = 0.0, size: int = 400) -> Pool:
    """Base, control and head, each load off by its own: their ratios by sqrt(2) times as much."""
    base, control, head = sd / np.sqrt(2) * draws.standard_normal((3, size))
    planted, usual = math.log1p(change), Noise(degrees=10, sd=sd)
    return Pool(x=head - base, control=control - base, planted=planted, noise=usual)


def test_rates_on_known_noise() -> None:
    rule, draws = Rule(cells=50), np.random.default_rng(4)
    said, taken = gate_runs([pool(draws, 0.02) for _ in range(4)], rule, 400, seed=1)
    assert said.shape == (400, 50)
    assert taken.shape == (2, 400, 50)
    assert (said == FAIL).any(axis=1).mean() <= 0.02
    assert (said == PASS).mean() > 0.98
    # the mean of two below 5% less 2.6 of its standard errors: at 2% noise 1.2%, itself a little less than one
    assert 0.75 < (taken[0] == 2).mean() < norm.cdf((math.log(1.05) - 2.3 * 0.02 / math.sqrt(2)) / 0.0141) + 0.02
    assert ((taken[1] > 0) <= (taken[0] > 3)).all(), "three are too few to suspect"
    slower, again = gate_runs([pool(draws, 0.02, 0.10) for _ in range(4)], rule, 40, seed=1)
    assert (slower == FAIL).mean() > 0.99
    assert (again[1] >= 12).mean() > 0.99


def test_drawing_takes_the_accidental_centre_and_keeps_what_was_planted() -> None:
    """Twelve replicates whose head happened to be 4% off; of planted work that differed from one to the next."""
    draws = np.random.default_rng(6)
    x, control = 0.04 + 0.013 * draws.standard_normal(12), 0.02 + 0.013 * draws.standard_normal(12)
    planted = 0.05 + 0.01 * draws.standard_normal(12)
    for besides in (0.0, planted):
        drawn, still = Pool(x=x, control=control, planted=besides).drawn(4000, 50, draws)
        assert np.mean(drawn) == pytest.approx(np.mean(besides), abs=5e-4)
        assert np.mean(still) == pytest.approx(0, abs=5e-4)
        # neither noisier than what was measured: each sign as likely, about what was planted
        assert np.mean(drawn**2) == pytest.approx(np.mean(x**2) + np.mean(np.square(besides)), rel=0.02)
        assert np.mean(still**2) == pytest.approx(np.mean(control**2), rel=0.02)


def test_power_does_not_hang_on_the_accident_of_a_small_pool() -> None:
    """What +5% at 3% noise is found by: of 13 replicates a cell, nearly as often as of 2,000."""
    rule, draws, found = Rule(cells=300), np.random.default_rng(5), {}
    for size, suites in ((13, 40), (2000, 1)):
        pools = [
            Pool(
                x=0.03 * draws.standard_normal(size),
                control=np.zeros(size),
                planted=math.log(1.05),
                noise=Noise(degrees=4, sd=0.03),
            )
            for _ in range(15 * suites)
        ]
        said, _ = gate_runs(pools, rule, 20, seed=3)
        found[size] = (said == FAIL).mean()
    assert found[2000] > 0.97
    assert found[13] == pytest.approx(found[2000], abs=0.015)


def test_wilsons_interval() -> None:
    """By its defining equation: both ends solve |p - share| = z sqrt(p (1 - p) / n)."""
    rate = Rate(hits=3, trials=200)
    for end in rate.interval:
        assert abs(end - rate.share) == pytest.approx(1.959963984540054 * math.sqrt(end * (1 - end) / 200), rel=1e-9)
    assert [Rate(hits=0, trials=n).interval[0] for n in (60, 2000, 600_000)] == [0, 0, 0]
    assert Rate(hits=2000, trials=2000).interval[1] == 1
    assert Rate(hits=0, trials=0).interval == (0.0, 1.0)


@pytest.mark.parametrize("name", RIVALS)
def test_every_rival_sees_a_doubling_and_no_speedup(name: str) -> None:
    draws = np.random.default_rng(8)
    base = [1e-3 * np.exp(0.005 * draws.standard_normal(10)) for _ in range(40)]
    assert all(comparisons(base, [2 * x for x in base], RIVALS[name]))
    assert not any(comparisons(base, [0.5 * x for x in base], RIVALS[name]))


def test_rivals_raise_alarms_where_processes_differ() -> None:
    """Unchanged code whose processes differ by 10%: what no test within a process can know."""
    draws = np.random.default_rng(9)
    runs = [1e-3 * np.exp(0.10 * draws.standard_normal() + 0.005 * draws.standard_normal(10)) for _ in range(400)]
    alarms = {name: np.mean(comparisons(runs, runs, rival)) for name, rival in RIVALS.items()}
    assert min(alarms[name] for name in list(RIVALS)[:2]) > 0.25
    assert alarms["asv continuous"] < alarms["google/benchmark, U test"]


def test_a_comparison_uses_each_process_once() -> None:
    base = [np.array([float(i)]) for i in range(8)]
    seen: list[tuple[list[float], list[float]]] = []

    def spy(old: list[np.ndarray], new: list[np.ndarray]) -> bool:
        seen.append(([float(a[0]) for a in old], [float(b[0]) for b in new]))
        return False

    for interleaved in (True, False):
        comparisons(base, base, calibration_rival(spy, interleaved=interleaved))
    assert seen == [([0, 2], [1, 3]), ([4, 6], [5, 7]), ([0, 1], [2, 3]), ([4, 5], [6, 7])]


def calibration_rival(rule: object, *, interleaved: bool) -> object:
    from lossbench.judge.rivals import Rival

    return Rival(processes=2, interleaved=interleaved, source="none", slower=rule)  # type: ignore[arg-type]


def test_codes_are_distinct() -> None:
    assert len({calibration.OPEN, PASS, FAIL, INVALID, INCONCLUSIVE}) == 5


def test_the_worst_case_stays_within_what_is_allowed() -> None:
    """A head exactly 1% slower with no margin beyond that: 4,000 cells, each stage on replicates of its own."""
    rule, draws = Rule(cells=20, margin=0.01), np.random.default_rng(12)
    x = math.log(1.01) + 0.03 * draws.standard_t(3, (2, 4_000, 80))
    still = np.zeros((4_000, 80))
    first, _ = stage(x[0], still, rule, confirming=False)
    again, _ = stage(x[1], still, rule, confirming=True)
    for hits, allowed in (((first == FAIL), rule.screen), ((first == FAIL) & (again == FAIL), rule.alarm / rule.cells)):
        assert hits.mean() <= allowed + 4 * math.sqrt(allowed * (1 - allowed) / 4_000)
    assert (first == FAIL).mean() > 0.05, "the first stage is as lenient as it says"
