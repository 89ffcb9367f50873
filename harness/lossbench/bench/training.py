"""The training runs that belong to a benchmark run: made after it, in the folder `practice` inside the run's own."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

from lossbench.bench.carry import Bench
from lossbench.plugin import INTERRUPTED
from lossbench.practice import carry, summary, tables
from lossbench.practice.books import FOLDER, Books
from lossbench.practice.process import TrainingFault
from lossbench.practice.request import Request, sketch
from lossbench.running.contract import Progress
from lossbench.spec.training import Experiment

WORK: Final = 1000
"""A progress bar of whole numbers has so many steps."""

Prepared = tuple[Request, tuple[Experiment, ...], carry.Pictures]


def prepare(bench: Bench) -> Prepared | None:
    """What is to be trained, its data found; None where nothing is. BadInput where the data are nowhere.

    A run of some losses, dtypes or modes alone has no use for it, nor has one that was asked to leave it out.
    """
    asked = bench.request
    narrowed = asked.losses or asked.suites or asked.dtypes or asked.regimes or asked.modes or asked.operations
    form = bench.plan.profile.practice
    if form == "none" or narrowed or not asked.practice:
        return None
    backends = tuple(dict.fromkeys(lane.backend for lane in bench.plan.lanes))
    request = sketch(backends) if form == "sketch" else Request(backends=backends)
    return request, *carry.prepare(request)


def carry_out(prepared: Prepared, run: Path, *, progress: Progress) -> tuple[int, str]:
    """Trains what the run's folder does not hold yet; exit status, and a sentence where it did not come to its end."""
    request, experiments, images = prepared

    def show(_text: str, done: float, total: float, seconds_left: float) -> None:
        share = done / total if total > 0 and math.isfinite(done / total) else 0.0
        progress(round(WORK * min(share, 1.0)), WORK, seconds_left)

    with Books.at(run / FOLDER, request.stored()) as books:
        try:
            carry.carry_out(request, experiments, images, books, show)
        except TrainingFault as fault:
            return 1, f"the training runs stopped: {fault}"
        except KeyboardInterrupt:
            return INTERRUPTED, "the training runs were interrupted"
        finally:
            tables.write(books.path, summary.of(books.path))
    return 0, ""
