"""What the machine can do at most, measured before anything else runs, and what each timed cell must touch."""

from __future__ import annotations

import subprocess
from typing import Final

from lossbench.judge import work
from lossbench.record import ceilings
from lossbench.record.run import RunFolder
from lossbench.spec.catalogue import Catalogue
from lossbench.spec.plan import Plan

NOT_MEASURED: Final = "ceiling.not_measured"
"""The fact that says why a run has no limits."""


def note(plan: Plan, catalogue: Catalogue, folder: RunFolder, threads: int) -> None:
    """Facts of the machine, and a row of the work table for each timed cell on the CPU; nothing where none is timed."""
    timed = [cell for cell in plan.cells if cell.id in plan.timed and cell.lane.device == "cpu"]
    if not timed:
        return
    try:
        found = ceilings.measure(threads)
    except (subprocess.SubprocessError, OSError, ValueError) as error:
        folder.append("facts", {"key": NOT_MEASURED, "value": str(error)})
        return
    for key, rate in found.facts().items():
        folder.append("facts", {"key": key, "value": f"{rate:.4g}"})
    known: dict[tuple[str, str], work.Work] = {}
    for cell in timed:
        about = (cell.case.id, cell.operation)
        if about not in known:
            known[about] = work.must_touch(catalogue.losses[cell.case.loss], cell.case, cell.operation)
        folder.append("work", work.row(cell, known[about], found))
