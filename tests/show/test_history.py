"""Many runs: a change is found in the run where it happened, and nowhere else."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import synthetic_run

from lossbench.commands import history as command
from lossbench.judge import baseline
from lossbench.record.frames import Tables
from lossbench.show import history
from lossbench.spec.errors import BadInput

NAMES = [f"2026112{day}T000000Z-aaaaaa" for day in range(1, 6)]
SLOW_FROM = 3


def made(number: int) -> Tables:
    """Runs of one code with fresh noise; from the fourth on one cell takes twice as long."""
    tables = synthetic_run.make(synthetic_run.catalogue(3).losses, seed=0, visits=16)
    cell = tables.measurements["cell"].iloc[0]
    factor = 2.0 if number >= SLOW_FROM else 1.0
    rng = np.random.default_rng(number)
    tables.measurements["seconds_per_call"] = [
        np.asarray(samples) * rng.lognormal(0, 0.02, len(samples)) * (factor if own == cell else 1.0)
        for own, samples in zip(tables.measurements["cell"], tables.measurements["seconds_per_call"], strict=True)
    ]
    return tables


@pytest.fixture(scope="module")
def runs() -> list[tuple[str, baseline.Baseline]]:
    return [(name, baseline.of(made(number))) for number, name in enumerate(NAMES)]


def test_a_change_is_in_the_run_where_it_happened(runs: list[tuple[str, baseline.Baseline]]) -> None:
    changes = {step.run: [f.outcome for f in step.changes] for step in history.steps(runs)}
    assert changes.pop(NAMES[SLOW_FROM]) == ["worse"]
    assert all(not found for found in changes.values()), changes


def test_the_trend_rises_there(runs: list[tuple[str, baseline.Baseline]]) -> None:
    (found,) = [f for step in history.steps(runs) for f in step.changes]
    values = history.trends(runs, {found.subject})[found.subject]
    assert values[SLOW_FROM] / values[SLOW_FROM - 1] == pytest.approx(2.0, rel=0.1)
    assert [c in "▇█" for c in history.spark(values)] == [False, False, False, True, True]
    assert all(math.isnan(v) for v in history.trends(runs, {"no such cell"})["no such cell"])


def test_the_scale_of_a_spark_is_logarithmic() -> None:
    assert history.spark([1.0, 2.0, 4.0]) == "▁▅█"
    assert history.spark([1.0, math.nan, 1.0]) == "▁·▁"


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in (0, SLOW_FROM):
        synthetic_run.record(tmp_path, made(number), name=NAMES[number])
    command.command(folder=tmp_path, json=True)
    first, second = json.loads(capsys.readouterr().out)
    assert first["changes"] == []
    assert [change["outcome"] for change in second["changes"]] == ["worse"]
    command.command(folder=tmp_path)
    assert "slower by" in capsys.readouterr().out
    with pytest.raises(BadInput, match="two runs or more"):
        command.command(folder=tmp_path / "none")
