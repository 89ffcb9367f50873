"""Where nobody sees a bar, a long command still says how far it is, in whole lines."""

from __future__ import annotations

import io
import math

from rich.console import Console

from lossbench.commands import progress


def told(every_seconds: float) -> str:
    out = io.StringIO()
    tell = progress._in_lines(Console(file=out, force_terminal=False), every_seconds)
    for done in (1, 2, 3):
        tell(done, 4, 75.0)
    return out.getvalue()


def test_a_line_says_how_much_is_done_and_left() -> None:
    assert told(0.0).splitlines() == [f"{done} of 4, about 1:15 left" for done in (1, 2, 3)]


def test_not_more_often_than_it_is_meant_to() -> None:
    assert told(math.inf) == ""


def test_silent_where_no_lines_are_wanted() -> None:
    out = io.StringIO()
    with progress.progress_bar(Console(file=out, force_terminal=False)) as tell:
        tell(1, 2, math.nan)
    assert out.getvalue() == ""
    with progress.progress_bar(Console(file=out, force_terminal=False), every_seconds=1e-9) as tell:
        tell(1, 2, 60.0)
    assert out.getvalue() == "1 of 2, about 1:00 left\n"
