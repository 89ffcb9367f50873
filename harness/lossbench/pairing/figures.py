"""The gate's error rates from what was measured, beside those of other gates' rules on the same samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from lossbench.judge.calibration import FAIL, INCONCLUSIVE, INVALID, Rate, gate_runs
from lossbench.judge.change import Rule
from lossbench.judge.looks import Reals
from lossbench.judge.rivals import RIVALS, comparisons
from lossbench.pairing.rates import Measured, Samples

RUNS: Final = 20_000
POWER_RUNS: Final = 400
LEAST_REPLICATES: Final = 20
"""Of a cell, below which it is left out: resampling few says little."""
TO_SD: Final = 0.7413
"""Of a normal distribution, its SD over its interquartile range."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """alarms: of single comparisons. suites: of whole gate runs, any of whose cells raised one; none for other gates.

    found: by planted slowdown. inconclusive, invalid: of comparisons of unchanged code. replicates: of a cell.
    """

    name: str
    source: str = ""
    alarms: Rate
    suites: Rate | None = None
    found: Mapping[float, Rate]
    inconclusive: Rate | None = None
    invalid: Rate | None = None
    replicates: float = float("nan")


def spread(values: Sequence[float]) -> float:
    """A robust SD: the interquartile range in units of the normal's."""
    low, high = np.percentile(values, [25, 75])
    return float(TO_SD * (high - low))


def usable(measured: Measured) -> list[Samples]:
    """Cells with enough replicates."""
    return [own for own in measured.samples.values() if len(own.head) >= LEAST_REPLICATES]


def ours(measured: Measured, rule: Rule, *, runs: int = 0, seed: int = 0) -> Gate:
    """This gate's, over suites of `rule.cells` cells drawn from the measured ones."""
    cells = usable(measured)
    said, taken = gate_runs(*_pairs(cells, [own.head for own in cells]), rule, runs or RUNS, seed)
    found = {}
    for slowdown in sorted({x for own in cells for x in own.slow}):
        slowed = [own for own in cells if len(own.slow.get(slowdown, ())) == len(own.control)]
        if slowed:
            codes, _ = gate_runs(*_pairs(slowed, [own.slow[slowdown] for own in slowed]), rule, POWER_RUNS, seed)
            found[slowdown] = _rate(codes == FAIL)
    return Gate(
        name=f"lossbench compare, margin {rule.margin:.0%}",
        alarms=_rate(said == FAIL),
        suites=_rate((said == FAIL).any(axis=1)),
        found=found,
        inconclusive=_rate(said == INCONCLUSIVE),
        invalid=_rate(said == INVALID),
        replicates=float(taken.mean()),
    )


def others(measured: Measured) -> list[Gate]:
    """Each rule on all comparisons that the processes allow, in the order in which they ran."""
    gates = []
    for name, rival in RIVALS.items():
        alarms: list[bool] = []
        found: dict[float, list[bool]] = {}
        for own in usable(measured):
            alarms += comparisons(own.base_runs, own.head_runs, rival)
            for slowdown, runs in own.slow_runs.items():
                if len(runs) == len(own.base_runs):
                    found.setdefault(slowdown, []).extend(comparisons(own.base_runs, runs, rival))
        rates = {slowdown: _rate(np.array(said)) for slowdown, said in sorted(found.items())}
        gates.append(Gate(name=name, source=rival.source, alarms=_rate(np.array(alarms)), found=rates))
    return gates


def lines(measured: Measured, gates: Sequence[Gate]) -> list[str]:
    """A table for a person: one row a gate, Wilson's 95% interval after each false-alarm rate."""
    said = [
        f"{own.cell.id}: {len(own.head)} replicates, robust SD of one unchanged log ratio {spread(own.head):.2%}"
        for own in usable(measured)
    ]
    slowdowns = sorted({x for gate in gates for x in gate.found})
    said += ["", f"{'gate':<34}{'false alarms':<26}" + "".join(f"{x:>+8.0%}" for x in slowdowns)]
    for gate in gates:
        low, high = gate.alarms.interval
        powers = "".join(f"{gate.found[x].share:>8.1%}" if x in gate.found else f"{'-':>8}" for x in slowdowns)
        said.append(f"{gate.name:<34}{f'{gate.alarms.share:.2%} [{low:.2%}, {high:.2%}]':<26}{powers}")
        if gate.suites is not None and gate.inconclusive is not None and gate.invalid is not None:
            low, high = gate.suites.interval
            said.append(
                f"  suites with a false alarm {gate.suites.share:.2%} [{low:.2%}, {high:.2%}], inconclusive cells "
                f"{gate.inconclusive.share:.1%}, invalid {gate.invalid.share:.1%}, "
                f"{gate.replicates:.1f} replicates a cell"
            )
    return said


def record(measured: Measured, gates: Sequence[Gate]) -> dict[str, Any]:
    """The same for a program; rates as shares with their intervals and counts."""
    return {
        "seconds": measured.seconds,
        "replicate_seconds": dict(measured.replicate_seconds),
        "cells": [
            {"cell": own.cell.id, "replicates": len(own.head), "robust_sd": spread(own.head)}
            for own in usable(measured)
        ],
        "gates": [
            {
                "name": gate.name, "source": gate.source, "alarms": _written(gate.alarms),
                "suites": _written(gate.suites), "inconclusive": _written(gate.inconclusive),
                "invalid": _written(gate.invalid),
                "replicates": gate.replicates if gate.replicates == gate.replicates else None,
                "found": {f"{slowdown:g}": _written(rate) for slowdown, rate in gate.found.items()},
            }
            for gate in gates
        ],
    }  # fmt: skip


def _written(rate: Rate | None) -> dict[str, Any] | None:
    if rate is None:
        return None
    return {"share": rate.share, "interval": rate.interval, "hits": rate.hits, "trials": rate.trials}


def _rate(hits: Any) -> Rate:
    return Rate(hits=int(np.sum(hits)), trials=int(np.size(hits)))


def _pairs(cells: Sequence[Samples], x: Sequence[Sequence[float]]) -> tuple[list[Reals], list[Reals]]:
    return [np.array(values) for values in x], [np.array(own.control) for own in cells]
