"""A timer that stands still except when told: what a worker measured, and nothing of the round trip."""

from __future__ import annotations


class LaneClock:
    """For pytest-benchmark: `timer=lane.clock` with `benchmark.pedantic(lane.round, ..., iterations=1)`.

    `lane.round` advances it by seconds per call, so a pedantic round of one iteration is one call's time.
    Calibrating `benchmark(fn)` would wait for it to tick by itself, which it never does.
    """

    def __init__(self) -> None:
        self._seconds = 0.0

    def __call__(self) -> float:
        """Seconds measured so far."""
        return self._seconds

    def advance(self, seconds: float) -> None:
        """Adds what was measured."""
        self._seconds += seconds
