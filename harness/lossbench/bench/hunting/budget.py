"""How long a search may take: `60s`, `2m`, `1h`, plain seconds."""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass, field
from typing import Final

from lossbench.spec.errors import BadInput

SECONDS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
_WRITTEN: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([smh]?)", re.ASCII)


def seconds(text: str) -> float:
    """The number of seconds that a text names. BadInput where it names none, or nothing above 0."""
    found = _WRITTEN.fullmatch(text.strip())
    number = float(found[1]) * SECONDS[found[2]] if found else math.nan
    if not 0 < number < math.inf:
        raise BadInput(
            subject="--budget",
            expected="a time above 0 such as 60s, 2m, 1h or 90",
            received=repr(text),
            remedy="write a number and s, m or h",
        )
    return number


@dataclass(slots=True, kw_only=True)
class Clock:
    """What is left of a budget. probes: end after so many, 0 for no such limit: the same search at any speed."""

    seconds: float
    probes: int = 0
    asked: int = 0
    _began: float = field(default_factory=time.monotonic)
    _turn_ends: float = math.inf

    @property
    def left(self) -> float:
        """Seconds; never negative, and without end where probes are counted instead."""
        return math.inf if self.probes else max(0.0, self.seconds - (time.monotonic() - self._began))

    def turn(self, seconds: float) -> None:
        """Begin a share of the budget, so that one loss does not spend it all."""
        self._turn_ends = math.inf if self.probes else time.monotonic() + seconds

    @property
    def turn_over(self) -> bool:
        """Whether the share or the whole is spent."""
        return self.left == 0.0 or time.monotonic() > self._turn_ends

    @property
    def spent(self) -> bool:
        """Whether the search must end."""
        return bool(self.probes and self.asked >= self.probes) or self.left == 0.0
