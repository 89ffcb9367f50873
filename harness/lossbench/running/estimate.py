"""How much is done and how long the rest will take, told to the progress callback."""

from __future__ import annotations

import time

from lossbench.running.contract import Progress


class Estimate:
    """Counts answers and visits; the pace of each is what it has been so far, visits begin at what the plan allows."""

    def __init__(self, progress: Progress, *, answers: int, visits: int, seconds_per_visit: float) -> None:
        self._progress = progress
        self._answers, self._visits = answers, visits
        self._answered, self._visited = 0, 0
        self._seconds_per_visit = seconds_per_visit
        self._began = time.monotonic()

    def answered(self) -> None:
        """One more answer."""
        self._answered += 1
        self._tell()

    def visiting(self, visits: int) -> None:
        """The second phase begins, with so many visits: cells that gave no answer are not visited."""
        self._visits, self._began = visits, time.monotonic()
        self._tell()

    def visited(self) -> None:
        """One more visit."""
        self._visited += 1
        self._seconds_per_visit = (time.monotonic() - self._began) / self._visited
        self._tell()

    def _tell(self) -> None:
        left = (self._visits - self._visited) * self._seconds_per_visit
        if self._answered < self._answers:
            pace = (time.monotonic() - self._began) / max(self._answered, 1)
            left += (self._answers - self._answered) * pace
        self._progress(self._answered + self._visited, self._answers + self._visits, left)
