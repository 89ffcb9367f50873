"""A progress bar with the time left; nothing where nobody looks."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from lossbench.running.contract import Progress as Tell
from lossbench.running.contract import silent

SOON: Final = 15.0
NOW_AND_THEN: Final = 60.0
"""Seconds between lines, of a command that takes a minute, and of one that takes many."""


@contextmanager
def progress_bar(console: Console, *, every_seconds: float = 0.0) -> Iterator[Tell]:
    """A callback `(done, total, seconds_left)` that draws on a terminal; elsewhere a line now and then, 0: silent."""
    if not console.is_terminal:
        yield _in_lines(console, every_seconds) if every_seconds else silent
        return
    columns = (TextColumn("running"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=console, transient=True) as bar:
        began = time.monotonic()
        task = bar.add_task("run", total=None, left="starting the frameworks")

        def tell(done: int, total: int, seconds_left: float) -> None:
            bar.update(task, completed=done, total=total, left=_left(began, done, total, seconds_left))

        yield tell


def _in_lines(console: Console, every_seconds: float) -> Tell:
    began = said = time.monotonic()

    def tell(done: int, total: int, seconds_left: float) -> None:
        nonlocal said
        if time.monotonic() - said >= every_seconds:
            said = time.monotonic()
            console.print(
                f"{done} of {total}, {_left(began, done, total, seconds_left)}", markup=False, highlight=False
            )

    return tell


def _left(began: float, done: int, total: int, seconds_left: float) -> str:
    if math.isnan(seconds_left):  # not known by the teller: from the pace so far
        seconds_left = (time.monotonic() - began) / max(done, 1) * (total - done)
    minutes, seconds = divmod(max(0, round(seconds_left)), 60)
    return f"about {minutes}:{seconds:02d} left"
