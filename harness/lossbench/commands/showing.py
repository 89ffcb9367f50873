"""Where a practice run is, for a terminal: a bar with the time left; a line an experiment where nobody looks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from lossbench.practice.pace import Show


@contextmanager
def practice_bar(console: Console) -> Iterator[Show]:
    """A callback for `lossbench.practice.carry.carry_out`."""
    if not console.is_terminal:
        said: list[str] = []

        def line(text: str, _done: float, _total: float, seconds_left: float) -> None:
            about = text.partition(" epoch ")[0]
            if about not in said[-1:]:
                said.append(about)
                console.print(f"{about}{left(seconds_left)}", markup=False, highlight=False, soft_wrap=True)

        yield line
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=1.0, left="")

        def tell(text: str, done: float, total: float, seconds_left: float) -> None:
            bar.update(task, description=text, completed=done, total=total, left=left(seconds_left).removeprefix(", "))

        yield tell


def left(seconds: float) -> str:
    """`, about 3:20 left`; empty where it is not known."""
    if math.isnan(seconds):
        return ""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    return f", about {minutes}:{rest:02d} left"
