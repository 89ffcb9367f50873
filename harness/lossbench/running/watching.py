"""What else went on while calls were timed, as facts of the run, however it ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lossbench.record.conditions import Conditions, Moment
from lossbench.record.run import RunFolder


@contextmanager
def watched(folder: RunFolder) -> Iterator[None]:
    """Notes the conditions of what is inside."""
    before = Moment.now()
    try:
        yield
    finally:
        for key, value in Conditions.between(before, Moment.now()).facts("timing").items():
            folder.append("facts", {"key": key, "value": value})
