"""A loss over the sizes, and the share of the limit: rank, factor and line from a run whose times are known."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest
import synthetic_run

from lossbench.record import frames
from lossbench.record.frames import Tables
from lossbench.record.tables import TABLES
from lossbench.show import closeup, costs, limits, page, sizes, svg, times
from lossbench.show import format as fmt

SIZES = (1, 1024, 1048576)
SPELLINGS = {"native": (1e-5, 1e-9), "formula": (2e-6, 2e-9), "other": (1e-7, 1e-10)}
"""overhead and slope; `formula` is faster on small inputs, `other` is always fastest, and wrong."""


@pytest.fixture(scope="module")
def tables() -> Tables:
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    for size in SIZES:
        case = f"loss_00[f32,1x{size},typical,s0]"
        for binding, (overhead, slope) in SPELLINGS.items():
            cell = f"{case}@torch-cpu-eager/{binding}:grad"
            common = {"cell": cell, "case": case, "loss": "loss_00", "lane": "torch-cpu-eager", "backend": "torch"}
            common |= {"binding": binding, "operation": "grad"}
            about = {"dtype": "float32", "regime": "typical"}
            rows["cells"].append(
                {**common, **about, "shape": (1, size), "device": "cpu", "mode": "eager", "status": "ok", "timed": True}
            )
            rows["work"].append({k: common[k] for k in common if k != "case"} | {"limit_seconds": 0.5 * size * 1e-9})
            klass = "defect" if binding == "other" else "rounding"
            rows["agreement"].append({**common, **about, "quantity": "grad", "against": "oracle", "class": klass})
            for visit in range(6):
                seconds = (overhead + slope * size,) * 3
                rows["measurements"].append(
                    {**common, "visit": visit, "status": "ok", "seconds_per_call": seconds, "latency_seconds": 3e-5}
                )
    rows["facts"] = [{"key": key, "value": value} for key, value in synthetic_run.FACTS.items()]
    return frames.tables({name: frames.arrow(table, map(table.row, rows[name])) for name, table in TABLES.items()})


@pytest.fixture(scope="module")
def ranked(tables: Tables) -> list[times.Ranking]:
    documented = {("loss_00", "torch"): "native"}
    return times.rankings(tables.cells, tables.measurements, tables.agreement, documented, tables.work)


def test_the_right_ones_are_ranked_at_each_size(tables: Tables, ranked: list[times.Ranking]) -> None:
    (sweep,) = sizes.of(ranked, tables.measurements)
    assert sweep.sizes == SIZES
    places = {row.binding: [place.text for place in row.places] for row in sweep.rows}
    # 10.001 over 2.002 microseconds is 4.996; 11.024 over 4.048 is 2.723; 1058.576 over 2099.152 is 0.5043
    assert places == {
        "formula": ["1 (5.00×)", "1 (2.72×)", "2 (0.504×)"],
        "native": ["2", "2", "1"],
        "other": ["wrong", "wrong", "wrong"],
    }
    found = {row.binding: (row.overhead, row.slope) for row in sweep.rows}
    assert found["formula"] == ("2.000 [2.000, 2.000]", "2.000 [2.000, 2.000]")


def test_two_sizes_are_no_sweep(tables: Tables, ranked: list[times.Ranking]) -> None:
    assert sizes.of(ranked[:2], tables.measurements) == []


def test_the_picture_has_the_limit(tables: Tables, ranked: list[times.Ranking]) -> None:
    (sweep,) = sizes.of(ranked, tables.measurements)
    drawn = sizes.drawn(sweep, "s")
    assert "memory limit" in drawn
    assert "torch formula, eager" in drawn or "torch native, eager" in drawn


def test_a_share_is_the_limit_over_the_time(ranked: list[times.Ranking]) -> None:
    largest = times.headline(ranked)["loss_00"]
    best = largest.best_of("torch")
    assert best is not None
    assert best.binding == "native"
    assert best.share == pytest.approx(0.5 * 1048576e-9 / (1e-5 + 1048576e-9))
    assert limits.reached({"loss_00": largest}) == {"torch": {"loss_00": best.share}}
    assert limits.of(synthetic_facts(), {}) is None
    shown = limits.of(synthetic_facts(), {"loss_00": largest})
    assert shown is not None
    assert "moved 9.50 GB/s" in shown["words"]
    assert "torch: 50% of it in the median over 1 losses, half or more for 0" in shown["words"]
    assert isinstance(shown["drawing"], svg.Markup)


def synthetic_facts() -> pd.DataFrame:
    return pd.DataFrame([{"key": key, "value": value} for key, value in synthetic_run.FACTS.items()])


def test_costs_stay_apart(tables: Tables, ranked: list[times.Ranking]) -> None:
    about = {row["cell"]: row for row in tables.cells.to_dict("records")}
    found = costs.of(ranked, about, costs.medians(tables.measurements))  # type: ignore[arg-type]
    assert [cost.binding for cost in found] == ["native", "formula", "other"]
    assert (found[0].latency, found[0].throughput) == (f"30{fmt.NARROW}µs", f"1.1{fmt.NARROW}ms")
    assert (found[0].forward, found[0].backward, found[0].opening) == ("–", "–", "–")


def test_page_and_terminal_have_it(tables: Tables) -> None:
    known = synthetic_run.catalogue(1)
    text = page.render(tables, known, run_id="20261122T140300Z-abc123")
    assert "Sizes: value with gradient, float32" in text
    assert "While calls were timed, other processes had 34% of the processors" in text
    assert 'id="limit"' in text
    assert closeup.of(known.losses["loss_00"], "family 0", tables).renderables
    assert not math.isnan(times.span([1.0]).middle)
