"""Where a gate's answer goes besides the terminal: files that were asked for, and the CI's own summary."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from lossbench.bench import trust
from lossbench.judge.gate import GateResult
from lossbench.judge.ledger import LedgerResult
from lossbench.record import frames
from lossbench.record.journal import unwritable
from lossbench.record.stores import Place
from lossbench.show import exports
from lossbench.show.junit import junit as as_junit
from lossbench.show.sarif import Where
from lossbench.show.sarif import sarif as as_sarif
from lossbench.spec import catalogue, places

SUMMARY = "GITHUB_STEP_SUMMARY"
"""The variable with which a GitHub job names the file that becomes its summary."""


def write(
    result: GateResult,
    defects: LedgerResult | None,
    run: Place,
    *,
    cells: Iterable[str],
    markdown: Path | None,
    junit: Path | None,
    sarif: Path | None,
) -> None:
    """Write each file that is asked for, and append to the step's summary where there is one. BadInput if it cannot."""
    text = exports.markdown(result, defects)
    if markdown is not None:
        frames.write_whole(markdown, text.encode())
    if junit is not None:
        frames.write_whole(junit, as_junit(result, cells=sorted(cells)).encode())
    if sarif is not None:
        frames.write_whole(sarif, as_sarif(result, defects, _where(run)).encode())
    if summary := os.environ.get(SUMMARY):
        try:
            with Path(summary).open("a", encoding="utf-8") as stream:
                stream.write(text)
        except OSError as error:
            raise unwritable(Path(summary), error) from error


def _where(run: Place) -> Where:
    known = catalogue.load(trust.suites(run)[0], backend="")

    def where(loss: str, backend: str, binding: str) -> tuple[str, int] | None:
        place = places.of_binding(known, loss, backend, binding)
        return (address(place.file), place.line) if place else None

    return where


def address(file: Path) -> str:
    """Relative to where the command runs, as a code-scanning view wants it; absolute for a file elsewhere."""
    whole, here = file.resolve(), Path.cwd().resolve()
    return whole.relative_to(here).as_posix() if whole.is_relative_to(here) else whole.as_uri()
