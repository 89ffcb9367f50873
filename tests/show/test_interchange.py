"""Exports, each held against the tool that reads it or against that tool's published schema."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import synthetic_run
from prometheus_client.openmetrics import parser

from lossbench.commands import export
from lossbench.record.frames import Tables
from lossbench.show import interchange, metrics
from lossbench.spec.errors import BadInput

RUN = "20261122T140300Z-abc123"
NUMBER = {"type": "number"}
BENCHER = {
    "type": "object",
    "minProperties": 1,
    "patternProperties": {
        "^.{1,1024}$": {
            "type": "object",
            "patternProperties": {
                "^[a-z0-9-]{1,64}$": {
                    "type": "object",
                    "properties": {"value": NUMBER, "lower_value": NUMBER, "upper_value": NUMBER},
                    "required": ["value"],
                    "additionalProperties": False,
                }
            },
            "additionalProperties": False,
        }
    },
    "additionalProperties": False,
}
"""As https://bencher.dev/docs/reference/bencher-metric-format words it, limits of length included."""
ENTRY = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "unit": {"type": "string"},
        "value": NUMBER,
        "range": {"type": "string"},
        "extra": {"type": "string"},
    },
    "required": ["name", "unit", "value"],
    "additionalProperties": False,
}
"""As the README of benchmark-action/github-action-benchmark words customSmallerIsBetter."""


@pytest.fixture(scope="module")
def tables() -> Tables:
    return synthetic_run.make(
        {'quo"te\\s\n': synthetic_run.make_loss('quo"te\\s\n'), **synthetic_run.catalogue(1).losses}
    )


def medians(tables: Tables) -> dict[str, float]:
    """Cell -> median of the visits' medians, in seconds, by numpy alone."""
    found: dict[str, list[float]] = {}
    for row in tables.measurements.to_dict("records"):
        found.setdefault(row["cell"], []).append(float(np.median(row["seconds_per_call"])))
    return {cell: float(np.median(visits)) for cell, visits in found.items()}


def test_bencher(tables: Tables) -> None:
    found = json.loads(interchange.bencher(tables))
    jsonschema.validate(
        found, {**BENCHER, "patternProperties": {"(?s)" + k: v for k, v in BENCHER["patternProperties"].items()}}
    )  # type: ignore[attr-defined]
    for cell, seconds in medians(tables).items():
        latency = found[cell]["latency"]
        assert latency["value"] == pytest.approx(1e9 * seconds)
        assert latency["lower_value"] <= latency["value"] <= latency["upper_value"]
    worst = tables.agreement[tables.agreement["against"] == "oracle"].groupby("cell")["max_ulp"].max()
    cell = next(c for c, ulp in worst.items() if math.isfinite(ulp))
    assert found[cell]["worst-ulp"]["value"] == worst[cell]
    infinite = [c for c, ulp in worst.items() if math.isinf(ulp) and c in found]
    assert not any("worst-ulp" in found[c] for c in infinite)


def test_github_action_benchmark(tables: Tables) -> None:
    found = json.loads(interchange.github_action_benchmark(tables))
    jsonschema.validate(found, {"type": "array", "items": ENTRY, "minItems": 1})
    assert {e["name"]: e["value"] for e in found} == pytest.approx({c: 1e9 * s for c, s in medians(tables).items()})


def test_openmetrics_is_read_by_the_reference_parser(tables: Tables) -> None:
    families = {f.name: f for f in parser.text_string_to_metric_families(interchange.openmetrics(tables))}
    assert set(families) == {
        f"lossbench_{n}" for n in ("call_seconds", "call_low_seconds", "call_high_seconds", "worst_ulp")
    }
    series = {tuple(sorted(s.labels.items())): s.value for s in families["lossbench_call_seconds"].samples}
    assert len(series) == len(medians(tables)), "two cells share their labels"
    assert sorted(series.values()) == pytest.approx(sorted(medians(tables).values()))
    assert any(s.labels["loss"] == 'quo"te\\s\n' for s in families["lossbench_worst_ulp"].samples)
    assert any(math.isinf(s.value) for s in families["lossbench_worst_ulp"].samples)


def test_the_parser_can_refuse(tables: Tables) -> None:
    with pytest.raises(ValueError, match="EOF"):
        list(parser.text_string_to_metric_families(interchange.openmetrics(tables).replace("# EOF\n", "")))


def test_asv_as_its_files_are(tables: Tables) -> None:
    found = json.loads(interchange.asv(tables, RUN))
    assert found["version"] == 2
    assert found["commit_hash"] == "abc1234def5678"
    assert found["date"] == 1795356180000  # 2026-11-22 14:03 UTC
    assert {"env_name", "params", "python", "requirements", "env_vars", "durations"} <= set(found)
    assert found["requirements"]["torch"] == "2.13.0"
    for cell, seconds in medians(tables).items():
        row = dict(zip(found["result_columns"], found["results"][cell], strict=True))
        assert row["result"] == [pytest.approx(seconds)]
        assert row["stats_q_25"][0] <= seconds <= row["stats_q_75"][0]
        assert len(row["samples"][0]) == 8


def test_asv_itself_reads_it(tables: Tables, tmp_path: Path) -> None:
    results = pytest.importorskip("asv.results", reason="asv is not installed; it is no dependency")
    path = tmp_path / "lossbench" / "abc1234-env.json"
    path.parent.mkdir()
    path.write_text(interchange.asv(tables, RUN))
    loaded = results.Results.load(str(path), machine_name="lossbench")
    assert loaded.commit_hash == "abc1234def5678"
    cell, seconds = next(iter(medians(tables).items()))
    assert loaded.get_result_value(cell, []) == [pytest.approx(seconds)]
    assert loaded.get_result_samples(cell, [])[0]


def test_a_run_of_nothing_is_valid_too() -> None:
    some = synthetic_run.make(synthetic_run.catalogue(1).losses)
    empty = Tables(**{field.name: getattr(some, field.name).iloc[:0] for field in dataclasses.fields(some)})
    assert json.loads(interchange.bencher(empty)) == {}
    assert json.loads(interchange.github_action_benchmark(empty)) == []
    assert len(list(parser.text_string_to_metric_families(interchange.openmetrics(empty)))) == 4


def test_labels_tell_cells_apart(tables: Tables) -> None:
    found = metrics.of(tables)
    assert len({m.cell for m in found}) == len(found)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = synthetic_run.record(tmp_path, synthetic_run.make(synthetic_run.catalogue(1).losses))
    out = tmp_path / "metrics.txt"
    export.command(format="openmetrics", out=out, results=tmp_path)
    assert out.read_text().endswith("# EOF\n")
    with pytest.raises(BadInput, match="github-action-benchmark"):
        export.command(format="csv", results=tmp_path)
    with pytest.raises(BadInput, match=r"benchmark\.json"):
        export.command(format="pytest-benchmark", results=tmp_path)
    (run / "benchmark.json").write_text('{"benchmarks": []}')
    export.command(format="pytest-benchmark", results=tmp_path)
    assert json.loads(capsys.readouterr().out) == {"benchmarks": []}
