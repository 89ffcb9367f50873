"""Which suites of a recorded run may be imported: those that this user has run here before, or names again.

Results are data: a run.json from a stranger may name any file, and importing a suite runs it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from lossbench.lanes.backends.base import cache_folder
from lossbench.record import requested
from lossbench.record import run as runs
from lossbench.record.stores import Place
from lossbench.spec.errors import BadInput

NOTED: Final = "suites.txt"
"""In the cache folder: one absolute path a line."""


def note(suites: Iterable[Path]) -> None:
    """Remember files that the user has named; a cache that cannot be written is no reason to stop."""
    fresh = [str(path.resolve()) for path in suites]
    fresh = [line for line in fresh if "\n" not in line and line not in _noted()]
    if not fresh:
        return
    try:
        cache_folder().mkdir(parents=True, exist_ok=True)
        with (cache_folder() / NOTED).open("a", encoding="utf-8") as stream:
            stream.writelines(f"{line}\n" for line in fresh)
    except OSError:
        return


def suites(run: Place, named: Sequence[Path] = ()) -> tuple[list[Path], list[Path]]:
    """The suites that describe a run: those named by the user now, else those of its request; and those left out.

    RunDamaged where the manifest cannot be read.
    """
    if named:
        return list(named), []
    noted = _noted()
    there = [path for path in _asked(run) if os.path.exists(path)]
    return [path for path in there if str(path) in noted], [path for path in there if str(path) not in noted]


def left_out(run: Place, refused: Sequence[Path]) -> str:
    """What to say of suites that were not imported; empty where there are none."""
    if not refused:
        return ""
    return (
        f"run {run.name} names {', '.join(map(str, refused))}, which you have not run on this machine: left out, since "
        "a suite is code; look at it and add --suite to have its losses described"
    )


def demand(run: Place, named: Sequence[Path] = ()) -> None:
    """BadInput where a run that is to go on would import a suite that the user has neither run nor named."""
    known = {*_noted(), *(str(path.resolve()) for path in named)}
    refused = [path for path in _asked(run) if str(path) not in known]
    if refused:
        raise BadInput(
            subject=f"run {run.name}",
            expected="suites that you have run on this machine",
            received=", ".join(map(str, refused)),
            remedy="look at the file, for a suite is code, and name it again with --suite",
        )


def _asked(run: Place) -> list[Path]:
    named = requested.texts(runs.manifest(run)["request"], "suites", run=run.name)
    return [Path(os.path.realpath(text)) for text in named]


def _noted() -> frozenset[str]:
    try:
        return frozenset((cache_folder() / NOTED).read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError):
        return frozenset()
