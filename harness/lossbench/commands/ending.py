"""SIGTERM as CI sends it, seconds before it kills: what Ctrl-C does, without the report."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass(slots=True)
class Ending:
    """Whether the process was told to end."""

    asked: bool = False


@contextmanager
def terminable() -> Iterator[Ending]:
    """Within, the first SIGTERM raises KeyboardInterrupt and sets `asked`; a second changes nothing."""
    ending = Ending()

    def end(number: int, frame: FrameType | None) -> None:
        del number, frame
        if not ending.asked:
            ending.asked = True
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield ending
    finally:
        signal.signal(signal.SIGTERM, before)
