"""Is a documented outcome among what a training run gives? An interval over seeds, and a verdict in words.

The interval is of one further run: mean +- t s sqrt(1 + 1/n) at 95%, since what a source prints is one run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from scipy.special import stdtrit  # scipy.stats has the same under a longer name, and takes a second to import

from lossbench.spec.training import Experiment

LEAST_SEEDS: Final = 5
LEVEL: Final = 0.95
TOO_WIDE: Final = 0.25
"""An interval that reaches further than this share of the documented value to each side says little."""

Word = Literal["reproduced", "not reproduced", "not specified enough", "not measured"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """One documented outcome on one framework."""

    experiment: str
    source: str
    quantity: str
    epoch: int
    documented: float
    backend: str
    seeds: int
    mean: float
    low: float
    high: float
    verdict: Word
    reason: str


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean, and where one further run lies with 95%, were the runs normal. NaN ends with fewer than two."""
    array = np.asarray(values, np.float64)
    if len(array) < 2:
        return (float(array.mean()) if len(array) else math.nan), math.nan, math.nan
    reach = stdtrit(len(array) - 1, 0.5 + LEVEL / 2) * array.std(ddof=1) * math.sqrt(1 + 1 / len(array))
    return float(array.mean()), float(array.mean() - reach), float(array.mean() + reach)


def of(experiment: Experiment, epochs: Iterable[Mapping[str, Any]], *, genuine: bool = True) -> list[Claimed]:
    """A verdict for each documented outcome on each framework. epochs: rows of the books."""
    mine = [row for row in epochs if row["experiment"] == experiment.id and row["dtype"] == "float32"]
    backends = list(dict.fromkeys(name for row in mine for name in row["results"]))
    found = []
    for said in experiment.documented:
        for backend in backends:
            at = [row["results"] for row in mine if row["epoch"] == said.epoch]
            values = [float(r[backend][said.quantity]) for r in at if backend in r]
            mean, low, high = interval(values)
            word, reason = _word(experiment, said.value, values, low, high, genuine)
            found.append(Claimed(
                experiment=experiment.id, source=experiment.source, quantity=said.quantity, epoch=said.epoch,
                documented=said.value, backend=backend, seeds=len(values), mean=mean, low=low, high=high,
                verdict=word, reason=reason,
            ))  # fmt: skip
    return found


def _word(
    experiment: Experiment, said: float, values: Sequence[float], low: float, high: float, genuine: bool
) -> tuple[Word, str]:
    missing = "; the source leaves out " + " and ".join(experiment.unsaid) if experiment.unsaid else ""
    if not genuine:
        return "not measured", "other pictures than the source's were used"
    if len(values) < LEAST_SEEDS:
        reached = f"{len(values)} run{'' if len(values) == 1 else 's'} reached that epoch"
        return "not measured", f"{reached}, {LEAST_SEEDS} are needed"
    if not low <= said <= high:
        side = "below" if said < low else "above"
        return "not reproduced", f"the documented value lies {side} what {len(values)} seeds give{missing}"
    if (high - low) / 2 > TOO_WIDE * abs(said):
        share = (high - low) / 2 / abs(said)
        return "not specified enough", f"inside, but the seed alone moves it by {share:.0%} to each side{missing}"
    return "reproduced", f"inside what {len(values)} seeds give"
