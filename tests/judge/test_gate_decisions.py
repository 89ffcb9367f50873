"""The gate on doctored runs: what is worse fails, what cannot be told is said, what is noise passes."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lossbench.judge import gate
from lossbench.record.frames import Tables
from lossbench.record.tables import TABLES
from lossbench.spec.errors import RunDamaged

PLACES = ("torch-cpu-eager/functional", "tensorflow-cpu-eager/keras", "jax-cpu-eager/optax", "jax-cpu-compiled/optax")
SPEEDS = (1.0, 2.0, 3.0, 0.5)
FACTS_HERE = {"machine.cpu": "a processor", "machine.cores": "2", "version.torch": "2.13.0", "version.jax": "0.10.2"}


def cell(place: str, loss: str = "huber") -> str:
    return f"{loss}[f32]@{place}:grad"


def run(*, seed: int = 0, slower: dict[str, float] | None = None, noise: float = 0.03, visits: int = 10,
        facts: dict[str, str] | None = None, verdicts: dict[str, tuple[str, str]] | None = None,
        places: tuple[str, ...] = PLACES, machine: float = 1.0) -> Tables:  # fmt: skip
    """A run of two losses in each place; every visit has its own mood, common to all places."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    agreement: list[dict[str, Any]] = []
    for loss in ("huber", "mse"):
        moods = rng.lognormal(0, 0.3, visits) * machine
        for place, speed in zip(PLACES, SPEEDS, strict=True):
            if place not in places:
                continue
            name, (lane, binding) = cell(place, loss), place.split("/")
            verdict, klass = (verdicts or {}).get(name, ("tight", "rounding"))
            agreement += [
                {"cell": name, "quantity": quantity, "against": "oracle", "verdict": verdict, "class": klass}
                for quantity in ("value", "grad")
            ]
            for visit, mood in enumerate(moods):
                seconds = 1e-4 * speed * mood * (slower or {}).get(name, 1.0) * rng.lognormal(0, noise, 5)
                rows.append({
                    "cell": name, "case": f"{loss}[f32]", "loss": loss, "lane": lane, "backend": lane.split("-")[0],
                    "binding": binding, "operation": "grad", "visit": visit, "status": "ok",
                    "seconds_per_call": seconds,
                })  # fmt: skip
    filled = {
        "measurements": rows,
        "agreement": agreement,
        "facts": [{"key": key, "value": value} for key, value in (facts or FACTS_HERE).items()],
    }
    return Tables(**{
        name: pd.DataFrame(map(table.row, filled.get(name, [])), columns=[c.name for c in table.columns])
        for name, table in TABLES.items()
    })  # fmt: skip


def outcomes(result: gate.GateResult) -> dict[str, str]:
    return {found.subject: found.outcome for found in result.findings}


SLOW = cell(PLACES[1])


def test_the_same_again_passes() -> None:
    result = gate.compare(run(seed=1), run(seed=2))
    assert (result.exit_status, result.findings) == (0, ())
    assert (result.compared_verdicts, result.compared_times) == (16, 8)
    assert 0.25 <= result.smallest_change < 0.3


def test_a_slower_machine_on_the_day_passes() -> None:
    assert gate.compare(run(seed=1), run(seed=2, machine=3.0)).exit_status == 0


def test_a_slowdown_fails_with_its_numbers() -> None:
    result = gate.compare(run(seed=1), run(seed=2, slower={SLOW: 1.5}))
    assert result.exit_status == 1
    assert outcomes(result) == {SLOW: "worse"}
    found = result.findings[0]
    assert 1.4 < found.change < 1.6
    assert found.change_low < found.change < found.change_high
    assert "%" in found.reason


def test_a_slowdown_within_the_margin_passes() -> None:
    head = run(seed=2, slower={SLOW: 1.15})
    assert gate.compare(run(seed=1), head).exit_status == 0
    assert gate.compare(run(seed=1), head, margin=0.05).exit_status == 1


def test_a_speedup_is_said() -> None:
    result = gate.compare(run(seed=1), run(seed=2, slower={SLOW: 0.5}))
    assert (result.exit_status, outcomes(result)) == (0, {SLOW: "better"})


def test_noise_is_inconclusive_not_worse() -> None:
    result = gate.compare(run(seed=1, noise=0.8, visits=5), run(seed=2, slower={SLOW: 1.6}, noise=0.8, visits=5))
    assert "worse" not in outcomes(result).values()
    assert outcomes(result)[SLOW] == "inconclusive"
    assert result.exit_status == 0
    strict = gate.compare(
        run(seed=1, noise=0.8, visits=5), run(seed=2, noise=0.8, slower={SLOW: 1.6}, visits=5), strict=True
    )
    assert strict.exit_status == 2


def test_with_one_neighbour_the_one_that_moved_is_blamed() -> None:
    pair = PLACES[:2]
    slower = gate.compare(run(seed=1, places=pair), run(seed=2, places=pair, slower={SLOW: 2.0}))
    assert outcomes(slower) == {SLOW: "worse", cell(PLACES[0]): "better"} or outcomes(slower)[SLOW] == "worse"
    faster = gate.compare(run(seed=1, places=pair), run(seed=2, places=pair, slower={SLOW: 0.5}))
    assert "worse" not in outcomes(faster).values()
    assert faster.exit_status == 0


def test_where_every_cell_moved_one_that_moved_as_much_is_not_worse() -> None:
    """Two processes of the same code, whose every cell is off by its own factor, 30% either way."""
    names = [cell(place, loss) for loss in ("huber", "mse") for place in PLACES]
    factors = np.exp(0.3 * np.array([1.2, -0.9, 0.5, -0.4, 0.8, -1.1, 0.2, 1.5]))
    result = gate.compare(run(seed=1), run(seed=2, slower=dict(zip(names, factors, strict=True))))
    assert result.spread > 0.15
    assert "worse" not in outcomes(result).values()
    assert any("unchanged cells move" in found.reason for found in result.findings)
    assert result.smallest_change > 0.5
    assert gate.compare(run(seed=1), run(seed=2, slower={SLOW: 2.0})).spread < 0.05, "one cell does not make a spread"


@pytest.mark.parametrize("klass", ["convention", "accuracy", "range", "defect"])
def test_a_worse_verdict_fails(klass: str) -> None:
    result = gate.compare(run(seed=1), run(seed=2, verdicts={SLOW: ("differs", klass)}))
    assert result.exit_status == 1
    assert outcomes(result) == {SLOW: "worse"}
    assert "tight (rounding)" in result.findings[0].reason
    assert klass in result.findings[0].reason


def test_a_better_verdict_is_said() -> None:
    result = gate.compare(run(seed=1, verdicts={SLOW: ("differs", "defect")}), run(seed=2))
    assert (result.exit_status, outcomes(result)) == (0, {SLOW: "better"})


def test_missing_cells_are_named_and_undecided() -> None:
    result = gate.compare(run(seed=1), run(seed=2, places=PLACES[1:]))
    assert result.exit_status == 2
    assert cell(PLACES[0]) in {f.subject for f in result.findings if f.outcome == "cannot_tell"}
    for topic in ("agreement", "timing"):
        assert gate.compare(run(seed=1), run(seed=2, places=PLACES[1:]), topics=(topic,)).exit_status == 2


def test_new_cells_do_no_harm() -> None:
    result = gate.compare(run(seed=1, places=PLACES[:3]), run(seed=2))
    assert result.exit_status == 0
    assert [f.outcome for f in result.findings] == ["new"]
    assert cell(PLACES[3]) in result.findings[0].reason


@pytest.mark.parametrize(("key", "topic"), [("machine.cpu", "machine"), ("version.torch", "versions")])
def test_unlike_machines_and_versions(key: str, topic: str) -> None:
    other = FACTS_HERE | {key: "another"}
    slow = gate.compare(run(seed=1), run(seed=2, facts=other, slower={SLOW: 3.0}))
    assert (slow.exit_status, outcomes(slow), slow.compared_times) == (2, {topic: "cannot_tell"}, 0)
    assert "another" in slow.findings[0].reason
    wrong = run(seed=2, facts=other, verdicts={SLOW: ("differs", "defect")})
    assert gate.compare(run(seed=1), wrong).exit_status == 1
    assert gate.compare(run(seed=1), run(seed=2, facts=other), topics=("agreement",)).exit_status == 0


def test_nothing_compared_is_undecided() -> None:
    empty = replace(run(), agreement=run().agreement.iloc[:0], measurements=run().measurements.iloc[:0])
    assert gate.compare(empty, empty).exit_status == 2


def test_a_baseline_survives_the_disk(tmp_path: Path) -> None:
    tables = run(seed=1, verdicts={cell(PLACES[0], "mse"): ("differs", "defect")})
    files = gate.distil(tables)
    assert files == gate.distil(tables)
    assert sum(map(len, files.values())) < 10_000
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    base = gate.load_baseline(tmp_path)
    same = gate.compare(base, tables)
    assert (same.exit_status, same.findings) == (0, ())
    assert outcomes(gate.compare(base, run(seed=2, slower={SLOW: 1.5}))) == {
        SLOW: "worse", cell(PLACES[0], "mse"): "better",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["facts.json", "agreement.csv.gz", "times.csv.gz", "counts.csv.gz"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "foreign"])
def test_a_damaged_baseline_names_the_file(tmp_path: Path, name: str, damage: str) -> None:
    for other, content in gate.distil(run()).items():
        (tmp_path / other).write_bytes(content)
    path = tmp_path / name
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:-20])
    else:
        path.write_bytes(gzip.compress(b"a,b\n1,2\n") if name.endswith("gz") else b'{"schema_version": 0, "facts": {}}')
    with pytest.raises(RunDamaged, match=name):
        gate.load_baseline(tmp_path)


def test_between_unlike_machines_a_level_is_no_finding_but_a_class_is() -> None:
    place, elsewhere = PLACES[0], {**FACTS_HERE, "machine.cpu": "another processor"}
    base = run()
    level = run(verdicts={cell(place): ("stable", "rounding")}, facts=elsewhere)
    klass = run(verdicts={cell(place): ("differs", "range")}, facts=elsewhere)
    here = run(verdicts={cell(place): ("stable", "rounding")})
    assert gate.compare(base, level, topics=("agreement",)).exit_status == 0
    assert gate.compare(base, klass, topics=("agreement",)).exit_status == 1
    assert gate.compare(base, here, topics=("agreement",)).exit_status == 1


def test_a_part_of_the_baseline_can_be_gated_alone() -> None:
    base, head = run(), run(places=PLACES[:2])
    assert gate.compare(base, head).exit_status == 2
    part = gate.of(base).restricted({cell(place, loss) for place in PLACES[:2] for loss in ("huber", "mse")})
    assert gate.compare(part, head).exit_status == 0


def counted(tables: Tables, kernels: int = 7, touched: int = 4000, by: str = "somebody") -> Tables:
    """The run with counts of its slow cell, and of another that is never counted."""
    table = TABLES["cells"]
    rows = [
        {"cell": SLOW, "own_kernels": kernels, "own_bytes": touched, "counted_by": by},
        {"cell": cell(PLACES[0])},
    ]
    frame = pd.DataFrame(map(table.row, rows), columns=[c.name for c in table.columns])
    return replace(tables, cells=frame)


def test_one_kernel_more_is_worse_and_needs_no_statistics(tmp_path: Path) -> None:
    for name, content in gate.distil(counted(run())).items():
        (tmp_path / name).write_bytes(content)
    base = gate.load_baseline(tmp_path)
    same = gate.compare(base, counted(run()), topics=("work",))
    assert (same.exit_status, same.findings, same.compared_counts) == (0, (), 1)
    more = gate.compare(base, counted(run(), kernels=8), topics=("work",))
    assert more.exit_status == 1
    (found,) = more.findings
    assert (found.topic, found.subject, found.quantity) == ("work", SLOW, "kernels")
    assert (found.before, found.after) == ("7", "8")
    assert gate.compare(base, counted(run(), touched=4001)).exit_status == 1
    fewer = gate.compare(base, counted(run(), kernels=6, touched=3000), topics=("work",))
    assert (fewer.exit_status, sorted(f.outcome for f in fewer.findings)) == (0, ["better", "better"])


def test_counts_of_another_kind_or_machine_are_not_compared() -> None:
    base = counted(run())
    assert gate.compare(base, counted(run(), kernels=9, by="somebody else"), topics=("work",)).exit_status == 2
    elsewhere = counted(run(facts={**FACTS_HERE, "machine.cpu": "another processor"}), kernels=9)
    assert gate.compare(base, elsewhere, topics=("work",)).compared_counts == 0
    assert gate.compare(base, counted(run(), kernels=9), topics=("agreement",)).exit_status == 0


def test_a_baseline_from_before_the_counts_is_read(tmp_path: Path) -> None:
    for name, content in gate.distil(run()).items():
        (tmp_path / name).write_bytes(content.replace(b'"schema_version": 2', b'"schema_version": 1'))
    (tmp_path / "counts.csv.gz").unlink()
    result = gate.compare(gate.load_baseline(tmp_path), counted(run()))
    assert (result.exit_status, result.compared_counts) == (0, 0)
