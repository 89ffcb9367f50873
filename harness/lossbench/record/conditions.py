"""What else went on while a run was timed: others at work, the clock, a suspend; and what that does to the numbers.

Seconds of processors come from the operating system. Ours are those of this process, of its children that live and,
at any depth, of those that have ended and were waited for; all else that was busy were others, whoever they are.
Inside a virtual machine `stolen` is what its host gave to others while we wanted it, as far as the host tells.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Final, Self

import psutil  # type: ignore[import-untyped]  # it publishes no types

COARSE_SECONDS: Final = 1e-6
"""A clock whose ticks are longer than that cannot time a call."""
BUSY: Final = 0.10
"""Share of the processors' time, taken by others, above which a reader is told."""
SUSPENDED_SECONDS: Final = 0.5
GLANCE_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Readings of one instant, in seconds; processor seconds are summed over processors."""

    monotonic: float
    since_boot: float
    busy: float
    stolen: float
    ours: float
    processors: int

    @classmethod
    def now(cls) -> Self:
        """About a millisecond for each living child."""
        times = psutil.cpu_times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        stolen = getattr(times, "steal", 0.0)
        guest = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # counted among user and nice, too
        return cls(
            monotonic=time.monotonic(),
            since_boot=time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic(),
            busy=sum(times) - idle - stolen - guest,
            stolen=stolen,
            ours=_ours(),
            processors=psutil.cpu_count() or 1,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Between two moments. Shares are of all the processors' time."""

    seconds: float
    others_share: float
    stolen_share: float
    suspended_seconds: float

    @classmethod
    def between(cls, before: Moment, after: Moment) -> Self:
        seconds = after.monotonic - before.monotonic
        room = max(seconds * after.processors, 1e-9)
        others = (after.busy - before.busy) - (after.ours - before.ours)
        return cls(
            seconds=seconds,
            others_share=min(max(others / room, 0.0), 1.0),
            stolen_share=min(max((after.stolen - before.stolen) / room, 0.0), 1.0),
            suspended_seconds=max((after.since_boot - before.since_boot) - seconds, 0.0),
        )

    def facts(self, name: str) -> dict[str, str]:
        """Rows of the facts table. name: of the stretch, such as `start` or `timing`."""
        return {
            f"conditions.{name}.others_share": f"{self.others_share:.3f}",
            f"conditions.{name}.stolen_share": f"{self.stolen_share:.3f}",
            f"conditions.{name}.suspended_seconds": f"{self.suspended_seconds:.3f}",
        }


def glance(seconds: float = GLANCE_SECONDS) -> Conditions:
    """How busy others are just now, by watching for a moment."""
    before = Moment.now()
    time.sleep(seconds)
    return Conditions.between(before, Moment.now())


def clock_tick_seconds(readings: int = 2000) -> float:
    """The smallest step that the clock of the timed loops was seen to make; a reading's own time is its floor."""
    smallest, last = float("inf"), time.perf_counter()
    for _ in range(readings):
        reading = time.perf_counter()
        if reading > last:
            smallest = min(smallest, reading - last)
        last = reading
    return smallest


def warnings(others_share: float, stolen_share: float, suspended_seconds: float, tick_seconds: float) -> list[str]:
    """What a reader of the times must know; empty on a quiet machine with a fine clock."""
    said = []
    if others_share > BUSY:
        said.append(f"other processes had {others_share:.0%} of the processors: times are noisier and longer")
    if stolen_share > BUSY / 2:
        said.append(f"the host of this virtual machine took {stolen_share:.0%} of the processors away")
    if suspended_seconds > SUSPENDED_SECONDS:
        said.append(f"the machine slept for {suspended_seconds:.0f} s in between: caches and clocks began anew")
    if tick_seconds > COARSE_SECONDS:
        said.append(f"the clock ticks every {tick_seconds * 1e6:.3g} microseconds: short calls cannot be told apart")
    return said


def _ours() -> float:
    own = os.times()
    total = own.user + own.system + own.children_user + own.children_system
    for child in psutil.Process().children(recursive=True):
        try:
            used = child.cpu_times()
        except psutil.Error:  # it ended meanwhile
            continue
        total += used.user + used.system + getattr(used, "children_user", 0.0) + getattr(used, "children_system", 0.0)
    return float(total)
