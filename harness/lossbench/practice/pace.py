"""How long a practice run will still take: its work weighed by arithmetic, and the pace at which it went so far."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from typing import Final

from lossbench.practice.layout import lay_out
from lossbench.spec.training import Experiment

Tell = Callable[[str, float], None]
"""`tell(text, weight)`: what is begun now, and how much work that is."""
Show = Callable[[str, float, float, float], None]
"""`show(text, done, total, seconds_left)`; NaN where nothing is known yet."""

STEP: Final = 0.003
"""Seconds, roughly, that all frameworks take beside each other for a step without arithmetic."""
FLOPS: Final = 1e10
"""A second, of all together, roughly; only the ratio of the two numbers matters once a run is under way."""
BUILD: Final = 2.0
"""Seconds, roughly, to build and compile a model in all frameworks."""


def of_steps(experiment: Experiment, steps: int) -> float:
    """Weight of so many training steps: three frameworks, two operations a multiplication, thrice for the gradient."""
    a_sample = 0
    for placed in lay_out(experiment.model).placed:
        places = prod(placed.after[:-1])
        a_sample += places * sum(prod(shape) for _, shape in placed.parameters)
    return steps * (STEP + 3 * 2 * 3 * a_sample * experiment.batch / FLOPS)


class Pace:
    """Adds up what is told. total: the weight of everything, as far as known beforehand."""

    def __init__(self, total: float, show: Show, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._total, self._show, self._clock = total, show, clock
        self._done = self._now = 0.0
        self._began = clock()

    @contextmanager
    def task(self, weight: float) -> Iterator[None]:
        """A part of the whole; what of it is not told, because the books hold it already, leaves the total."""
        before = self._done + self._now
        yield
        self._done, self._now = self._done + self._now, 0.0
        self._total += self._done - before - weight

    def tell(self, text: str, weight: float) -> None:
        """Begins the next piece; the one before is done."""
        self._done, self._now = self._done + self._now, weight
        self._show(text, self._done, self._total, self.seconds_left)

    @property
    def seconds_left(self) -> float:
        """At the pace so far; NaN before anything was done."""
        if not self._done:
            return float("nan")
        return (self._clock() - self._began) / self._done * max(0.0, self._total - self._done)
