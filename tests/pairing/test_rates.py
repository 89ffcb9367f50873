"""Rates from replicates of a stand-in whose noise and slowdowns are known; `plan` and `calibrate` say them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lossbench.__main__ import main
from lossbench.judge.calibration import Rate
from lossbench.judge.change import Rule
from lossbench.lanes.measurement import Paired
from lossbench.lanes.versions import Version
from lossbench.pairing import bars, figures, rates, trees, whole
from lossbench.pairing import campaign as campaigns
from lossbench.pairing.rates import SLOWDOWNS, Samples, measure, versions
from lossbench.pairing.sides import sides
from lossbench.spec.case import Case, Cell, Lane

CELL = Cell(case=Case(loss="huber", shape=(4,)), binding="b", lane=Lane(backend="torch"), operation="grad")
LOOPS = 100
NOISE = 0.01


class FakeReplicas:
    """A machine whose every process is off by 10%, and whose pairs within a process are off by 1%."""

    def __init__(self, lane: Lane, made: Sequence[Version], *, seed: int) -> None:
        self.lane, self.made, self.draws = lane, made, np.random.default_rng(seed + 5)

    def __enter__(self) -> FakeReplicas:
        return self

    def __exit__(self, *_: object) -> None: ...

    def ready(self) -> None: ...

    def close(self) -> None: ...

    def replicate(self, cells: Sequence[Any], *, apart: Sequence[Sequence[str]] = (), **_: Any) -> list[Paired]:
        names = [version.name for version in self.made]
        factors = np.array([1 + version.extra for version in self.made])
        shape = (4, len(factors), 2)
        found = []
        for _cell in cells:
            process, own = np.exp(0.10 * self.draws.standard_normal()), NOISE * self.draws.standard_normal(len(factors))
            seconds = process * factors[:, None] * np.exp(own[:, None] + 0.002 * self.draws.standard_normal(shape))
            for group in apart or (names,):
                places = [names.index(name) for name in group]
                own_seconds, own_factors = seconds[:, places], factors[places, None]
                planted = own_seconds * (own_factors - 1) / own_factors
                found.append(Paired(status="ok", loops=LOOPS, seconds_per_call=own_seconds, planted_per_call=planted))
        return found


@pytest.fixture(autouse=True)
def _faked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "Replicas", FakeReplicas)
    monkeypatch.setattr(rates, "MOST_REPLICATES", 64)
    monkeypatch.setattr(figures, "POWER_CELLS", 2000)


def test_what_is_measured_is_what_was_there() -> None:
    measured = measure(versions(trees.builtin()), [CELL], 30, seed=1)
    (own,) = figures.usable(measured)
    assert set(own.slow) == set(SLOWDOWNS)
    # head and base are off independently, so their ratio by sqrt(2) times as much
    assert figures.spread(own.head) == pytest.approx(NOISE * np.sqrt(2), rel=0.3)
    assert np.median(own.slow[0.10]) == pytest.approx(np.log(1.10), abs=0.01)
    assert {x: np.ptp(own.planted[x]) < 1e-12 for x in SLOWDOWNS} == dict.fromkeys(SLOWDOWNS, True)
    assert {x: own.planted[x][0] for x in SLOWDOWNS} == {x: pytest.approx(np.log1p(x)) for x in SLOWDOWNS}
    gate, *others = (figures.ours(measured, Rule(cells=50), runs=300), *figures.others(measured))
    assert gate.suites is not None
    assert gate.suites.share <= 0.02
    assert gate.found[0.05].share > 0.95
    assert gate.found[0.20].share > 0.99
    assert others[0].alarms.share > 0.2, "no rule within a process can see that processes differ"
    assert any("MISSED" in line for line in bars.verdicts(measured, replace(gate, suites=Rate(hits=9, trials=300)), ()))
    assert not any("MISSED" in line for line in bars.verdicts(measured, gate, ()))
    record = figures.record(measured, [gate, *others])
    assert json.loads(json.dumps(record))["gates"][0]["found"]["0.2"]["share"] > 0.99


def test_a_replicate_without_an_answer_for_each_version_is_none() -> None:
    own = Samples(cell=CELL)
    fast, slow = np.ones((4, 2, 2)), np.ones((4, 2, 2)) * np.array([1.0, 1.5])[:, None]
    besides = slow - fast
    whole = [Paired(status="ok", loops=10, seconds_per_call=fast, planted_per_call=fast - fast) for _ in range(2)]
    whole += [Paired(status="ok", loops=10, seconds_per_call=slow, planted_per_call=besides) for _ in SLOWDOWNS]
    own.take(whole, SLOWDOWNS)
    own.take([*whole[:-1], Paired(status="crashed", reason="gone")], SLOWDOWNS)
    assert own.head == pytest.approx([0.0])
    assert own.slow == own.planted == {x: pytest.approx([np.log(1.5)]) for x in SLOWDOWNS}


def test_few_rounds_are_the_first_ones() -> None:
    seconds = np.arange(1.0, 4 * campaigns.ROUNDS + 1).reshape(campaigns.ROUNDS, 2, 2)
    cut = rates.hurried(Paired(status="ok", loops=9, seconds_per_call=seconds, planted_per_call=seconds / 2))
    assert (cut.seconds_per_call == seconds[: campaigns.FEW_ROUNDS]).all()
    assert (cut.planted_per_call == cut.seconds_per_call / 2).all()


def test_cells_with_too_few_replicates_are_named() -> None:
    slow = replace(CELL, lane=Lane(backend="jax"))
    full, few = Samples(cell=CELL, head=[0.0] * 12, slow={0.05: [0.05]}), Samples(cell=slow, head=[0.0] * 11)
    none = Samples(cell=replace(slow, operation="value"))
    found = rates.Measured(samples={"a": full, "b": few, "c": none}, few={}, replicate_seconds={}, seconds=1.0)
    said = [line for line in bars.noise(found) if "LEFT OUT" in line]
    assert said == [
        f"LEFT OUT, 11 replicates, 12 are needed; give a longer --budget: {slow.id}",
        f"LEFT OUT, no answer: {none.cell.id}",
    ]


def test_a_rule_without_a_comparison_says_nothing() -> None:
    nobody = figures.Gate(name="t test", alarms=Rate(hits=0, trials=0), found={0.05: Rate(hits=0, trials=0)})
    assert list(bars.table([nobody], 300))[1].split() == ["t", "test", "-", "-", "-"]


def called(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    monkeypatch.setattr("sys.argv", ["lossbench", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    return capsys.readouterr().out


def test_plan(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("plan", "--detect", "5%", "--loss", "huber", "--backend", "torch", "--budget", "30s")
    found = json.loads(called(monkeypatch, capsys, *words, "--json"))
    assert found["margin"] == pytest.approx(0.025)
    planned = sides(trees.builtin(), trees.builtin(), losses=["huber"], backends=["torch"]).cells
    assert [row["cell"] for row in found["cells"]] == [cell.id for cell, _ in planned]
    assert all(12 <= row["processes"] <= 100 for row in found["cells"])
    assert all(row["found"] > 0.9 for row in found["cells"])
    assert "to see +5.0%" in called(monkeypatch, capsys, *words)


def test_calibrate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(figures, "RUNS", 200)
    monkeypatch.setattr(campaigns, "Replicas", FakeReplicas)
    words = ("--backend", "torch", "--loss", "huber", "--budget", "150s", "--hogs", "1")
    out = called(monkeypatch, capsys, "calibrate", *words)
    assert "lossbench compare, margin 2.5%" in out
    assert "pytest-benchmark, min 5%" in out
    assert "benchmatrix" in out
    bar = [line for line in out.splitlines() if line.startswith(("met", "MISSED"))]
    assert len(bar) == 9, "suites and two slowdowns with many rounds and with few, undecided twice, seconds"
    assert "60 PASS" in out


class Halting(FakeReplicas):
    """As above, where the base has no values without a gradient."""

    def replicate(self, cells: Sequence[Any], **others: Any) -> list[Paired]:
        none = Paired(status="failed", reason="base: ValueError: no")
        found = super().replicate(cells, **others)
        return [none if cell.operation == "value" else own for (cell, _), own in zip(cells, found, strict=True)]


def test_a_whole_run_counts_apart_what_the_base_cannot_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaigns, "Replicas", Halting)
    cells = [(replace(CELL, operation=operation), {}) for operation in ("grad", "value")]
    made = whole.run(versions(trees.builtin(), ()), cells, Rule(cells=2), 20.0, seed=0)
    assert made.verdicts == {"PASS": 1, whole.UNANSWERED: 1}
    assert not made.undecided
