"""A progress bar with the time left; nothing where nobody looks."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from lossbench.running.contract import Progress as Tell
from lossbench.running.contract import silent


@contextmanager
def progress_bar(console: Console) -> Iterator[Tell]:
    """A callback `(done, total, seconds_left)` that draws on a terminal and is silent elsewhere."""
    if not console.is_terminal:
        yield silent
        return
    columns = (TextColumn("running"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=console, transient=True) as bar:
        began = time.monotonic()
        task = bar.add_task("run", total=None, left="starting the frameworks")

        def tell(done: int, total: int, seconds_left: float) -> None:
            if math.isnan(seconds_left):  # not known by the teller: from the pace so far
                seconds_left = (time.monotonic() - began) / max(done, 1) * (total - done)
            minutes, seconds = divmod(max(0, round(seconds_left)), 60)
            bar.update(task, completed=done, total=total, left=f"about {minutes}:{seconds:02d} left")

        yield tell
