"""A run in the formats of tools that keep benchmarks over time; what a format has no place for is left out."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import numpy as np

from lossbench.record.frames import Tables
from lossbench.show import metrics
from lossbench.show.metrics import Metric
from lossbench.spec.plain import plain

NANO: Final = 1e9


def bencher(tables: Tables) -> str:
    """Bencher Metric Format: `latency` in nanoseconds per call with its interval; `worst-ulp` where finite."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for m in metrics.of(tables):
        own: dict[str, dict[str, float]] = {}
        if m.seconds is not None:
            ends = {"lower_value": m.seconds.low, "upper_value": m.seconds.high}
            named = {"value": m.seconds.middle, **{k: v for k, v in ends.items() if math.isfinite(v)}}
            own["latency"] = {name: NANO * number for name, number in named.items()}
        if math.isfinite(m.ulp):
            own["worst-ulp"] = {"value": m.ulp}
        if own:
            found[m.cell] = own
    return _json(found)


def github_action_benchmark(tables: Tables) -> str:
    """Entries for its tool `customSmallerIsBetter`: seconds per call, half the width of the interval as range."""
    return _json([_entry(m) for m in metrics.of(tables) if m.seconds is not None])


def _entry(m: Metric) -> dict[str, Any]:
    assert m.seconds is not None
    entry: dict[str, Any] = {"name": m.cell, "unit": "ns/call", "value": NANO * m.seconds.middle}
    half = NANO * (m.seconds.high - m.seconds.low) / 2
    if math.isfinite(half):
        entry["range"] = f"± {half:.3g}"
    entry["extra"] = f"{len(m.visits)} visits" + (f"\nworst {m.ulp:.3g} ulp" if not math.isnan(m.ulp) else "")
    return entry


def openmetrics(tables: Tables) -> str:
    """OpenMetrics text: gauges with one series a cell, for a textfile collector or a push gateway."""
    found = metrics.of(tables)
    timed = [m for m in found if m.seconds is not None]
    families: tuple[tuple[str, str, str, Iterable[tuple[Metric, float]]], ...] = (
        ("call_seconds", "seconds", "Median time of one call.", ((m, m.seconds.middle) for m in timed if m.seconds)),
        ("call_low_seconds", "seconds", "Lower end of its 95% interval.", _finite(timed, "low")),
        ("call_high_seconds", "seconds", "Upper end of its 95% interval.", _finite(timed, "high")),
        ("worst_ulp", "ulp", "Largest distance from the exact result.", ((m, m.ulp) for m in found if m.ulp == m.ulp)),
    )
    lines = []
    for name, unit, said, series in families:
        whole = f"lossbench_{name}"
        lines += [f"# TYPE {whole} gauge", f"# UNIT {whole} {unit}", f"# HELP {whole} {said}"]
        lines += [f"{whole}{{{_labels(m.labels)}}} {_number(value)}" for m, value in series]
    return "\n".join([*lines, "# EOF"]) + "\n"


def _finite(found: Iterable[Metric], end: str) -> Iterator[tuple[Metric, float]]:
    for m in found:
        if math.isfinite(value := getattr(m.seconds, end)):
            yield m, value


def _labels(labels: Mapping[str, str]) -> str:
    def quoted(text: str) -> str:
        shown = "\n".join(plain(line) for line in text.split("\n"))
        return shown.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    return ",".join(f'{name}="{quoted(value)}"' for name, value in labels.items())


def _number(value: float) -> str:
    return repr(value) if math.isfinite(value) else "+Inf" if value > 0 else "-Inf"


COLUMNS: Final = ("result", "params", "version", "started_at", "duration", "stats_q_25", "stats_q_75", "samples")


def asv(tables: Tables, run_id: str) -> str:
    """A results file of asv (version 2) for one commit: seconds per call, the median of every visit as its samples."""
    facts = metrics.facts(tables.facts)
    packages = {key.removeprefix("version."): value for key, value in facts.items() if key.startswith("version.")}
    timed = [m for m in metrics.of(tables) if m.seconds is not None]
    machine = {
        "machine": "lossbench",
        "arch": facts.get("machine.architecture", ""),
        "cpu": facts.get("machine.cpu", ""),
        "num_cpu": facts.get("machine.threads_allowed", ""),
        "ram": facts.get("machine.memory_bytes", ""),
        "os": facts.get("machine.os", ""),
    }
    python = facts.get("python.version", "")
    return _json({
        "version": 2,
        "commit_hash": facts.get("commit.id", ""),
        "env_name": f"existing-py{python}",
        "date": _milliseconds(run_id),
        "params": {**machine, "python": python},
        "python": python,
        "requirements": packages,
        "env_vars": {},
        "result_columns": list(COLUMNS),
        "results": {m.cell: _row(m) for m in timed},
        "durations": {},
    })  # fmt: skip


def _row(m: Metric) -> list[Any]:
    assert m.seconds is not None
    quartiles = [[float(q)] for q in np.quantile(m.visits, (0.25, 0.75))]
    return [[m.seconds.middle], [], "1", None, None, *quartiles, [list(m.visits)]]


def _milliseconds(run_id: str) -> int:
    """Since 1970, as asv dates a commit, from the time that a run's id begins with; 0 where it does not."""
    try:
        return int(1000 * datetime.fromisoformat(run_id.partition("-")[0]).timestamp())
    except ValueError:
        return 0


def _json(content: Any) -> str:
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


FORMATS: Final[Mapping[str, Callable[[Tables, str], str]]] = {
    "bencher": lambda tables, _: bencher(tables),
    "github-action-benchmark": lambda tables, _: github_action_benchmark(tables),
    "openmetrics": lambda tables, _: openmetrics(tables),
    "asv": asv,
}
"""By name: (tables, run id) -> the file's text."""
