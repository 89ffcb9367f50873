"""Where the wall time of a run went.

While answers are taken several lanes and the judge are busy at once: the wall time of that phase is divided in
proportion to what each activity kept busy, so that the shares add up to the wall time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal, get_args

Activity = Literal["start_up", "claims_and_curves", "compile", "answers", "judging", "calibration", "timed"]
"""`claims_and_curves`: what documents say, curves and maps; the others are phases of a cell."""
ACTIVITIES: Final[tuple[Activity, ...]] = get_args(Activity)


class Wall:
    """Collects busy seconds from any thread; `phase` marks the stretches that are divided up."""

    def __init__(self) -> None:
        self._busy: dict[Activity, float] = dict.fromkeys(ACTIVITIES, 0.0)
        self._shares: dict[Activity, float] = dict.fromkeys(ACTIVITIES, 0.0)
        self._lock = threading.Lock()
        self._began = time.perf_counter()

    def add(self, activity: Activity, seconds: float) -> None:
        """Something kept somebody busy for so long."""
        with self._lock:
            self._busy[activity] += seconds

    def busy(self) -> dict[Activity, float]:
        """The busy seconds so far."""
        with self._lock:
            return dict(self._busy)

    @contextmanager
    def during(self, activity: Activity) -> Iterator[None]:
        """Everything inside is that activity."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(activity, time.perf_counter() - began)

    @contextmanager
    def phase(self) -> Iterator[None]:
        """Divide the wall time of this stretch among what was busy in it; what is left over counts as other."""
        before, began = dict(self._busy), time.perf_counter()
        try:
            yield
        finally:
            lasted = time.perf_counter() - began
            with self._lock:
                busy = {name: self._busy[name] - before[name] for name in ACTIVITIES}
            scale = min(1.0, lasted / total) if (total := sum(busy.values())) > 0 else 0.0
            for name in ACTIVITIES:
                self._shares[name] += busy[name] * scale

    def facts(self) -> dict[str, float]:
        """`wall.total_seconds` and its parts."""
        total = time.perf_counter() - self._began
        parts = {f"wall.{name}_seconds": seconds for name, seconds in self._shares.items()}
        other = total - sum(self._shares.values())
        return {"wall.total_seconds": total, **parts, "wall.other_seconds": max(0.0, other)}
