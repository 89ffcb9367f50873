"""Workers that died and were asked again, as facts of the run: a row that is whole may have cost two."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, Final

from lossbench.lanes.process import LaneProcess
from lossbench.record.run import RunFolder
from lossbench.spec.case import Lane

FACT: Final = "worker_died."


def teller(folder: RunFolder) -> Callable[[Lane, str], None]:
    """Notes each, from whichever thread; numbered on from those that the run holds."""
    held = sum(str(row["key"]).startswith(FACT) for row in folder.rows("facts"))
    numbers = itertools.count(held + 1)

    def tell(lane: Lane, reason: str) -> None:
        folder.append("facts", {"key": f"{FACT}{next(numbers):03d}", "value": f"{lane.id}: {reason}"})

    return tell


def unanswered(lanes: Mapping[Any, LaneProcess]) -> int:
    """How many requests these lanes could not answer so far."""
    return sum(lane.unanswered for lane in lanes.values())
