"""The gate's error rates from what was measured, beside those of other gates' rules on the same samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from lossbench.judge.calibration import FAIL, INCONCLUSIVE, INVALID, Pool, Rate, gate_runs
from lossbench.judge.change import Rule
from lossbench.judge.looks import Reals
from lossbench.judge.noise import Noise, by_lane
from lossbench.judge.rivals import RIVALS, comparisons
from lossbench.pairing.rates import Measured, Samples
from lossbench.spec.case import Lane

RUNS: Final = 2_000
LONG_RUNS: Final = 20_000
POWER_CELLS: Final = 6_000
LEAST_REPLICATES: Final = 12
"""Of a cell, below which it is left out: drawing from few says little."""
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


def left_out(measured: Measured) -> list[Samples]:
    """The other cells: there was no time, or they have no answer."""
    return [own for own in measured.samples.values() if len(own.head) < LEAST_REPLICATES]


def ours(measured: Measured, rule: Rule, *, runs: int = 0, seed: int = 0, name: str = "lossbench compare") -> Gate:
    """This gate's, over suites of `rule.cells` cells drawn from the measured ones."""
    cells = usable(measured)
    known = usual(cells)
    pools = [_pool(own, np.array(own.head), np.zeros(len(own.head)), known) for own in cells]
    said, taken = gate_runs(pools, rule, runs or RUNS, seed)
    found = {}
    for slowdown in sorted({x for own in cells for x in own.slow}):
        pools = []
        for own in cells:
            slow, planted = np.array(own.slow[slowdown]), np.array(own.planted[slowdown])
            pools.append(_pool(own, slow - planted, planted, known))
        codes, _ = gate_runs(pools, rule, max(1, POWER_CELLS // rule.cells), seed)
        found[slowdown] = rate(codes == FAIL)
    return Gate(
        name=f"{name}, margin {rule.margin:.1%}",
        alarms=rate(said == FAIL),
        suites=rate((said == FAIL).any(axis=1)),
        found=found,
        inconclusive=rate(said == INCONCLUSIVE),
        invalid=rate(said == INVALID),
        replicates=float(taken.sum(axis=0).mean()),
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
                found.setdefault(slowdown, []).extend(comparisons(own.base_runs, runs, rival))
        rates = {slowdown: rate(np.array(said)) for slowdown, said in sorted(found.items())}
        gates.append(Gate(name=name, source=rival.source, alarms=rate(np.array(alarms)), found=rates))
    return gates


def suite_share(alarms: Rate, cells: int) -> float:
    """Of suites of so many cells with any false alarm, if cells were independent."""
    return float(1 - (1 - alarms.share) ** cells)


def record(measured: Measured, gates: Sequence[Gate]) -> dict[str, Any]:
    """The same for a program; rates as shares with their intervals and counts."""
    return {
        "seconds": measured.seconds,
        "replicate_seconds": dict(measured.replicate_seconds),
        "cells": [
            {
                "cell": own.cell.id, "replicates": len(own.head), "robust_sd": spread(own.head),
                "centre": float(np.median(own.head)),
                "slowed": {f"{x:g}": float(np.median(own.slow[x])) for x in own.slow},
            }
            for own in usable(measured)
        ],
        "gates": [
            {
                "name": gate.name, "source": gate.source, "alarms": written(gate.alarms),
                "suites": written(gate.suites), "inconclusive": written(gate.inconclusive),
                "invalid": written(gate.invalid),
                "replicates": gate.replicates if gate.replicates == gate.replicates else None,
                "found": {f"{slowdown:g}": written(found) for slowdown, found in gate.found.items()},
            }
            for gate in gates
        ],
    }  # fmt: skip


def written(found: Rate | None) -> dict[str, Any] | None:
    """A rate for a program."""
    if found is None:
        return None
    return {"share": found.share, "interval": found.interval, "hits": found.hits, "trials": found.trials}


def rate(hits: Any) -> Rate:
    """How many of these are true."""
    return Rate(hits=int(np.sum(hits)), trials=int(np.size(hits)))


def usual(cells: Sequence[Samples]) -> dict[Lane, Noise]:
    """What is usual in each lane, as a comparison would find it."""
    lanes: dict[Lane, list[Reals]] = {}
    for own in cells:
        lanes.setdefault(own.cell.lane, []).append(np.array(own.head))
    return by_lane(lanes)


def _pool(own: Samples, x: Reals, planted: Reals, known: Mapping[Lane, Noise]) -> Pool:
    return Pool(x=x, control=np.array(own.control), planted=planted, noise=known[own.cell.lane])
