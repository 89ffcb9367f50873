"""Work that a framework itself counts, held against the baseline's: a count has no noise, so one more is more."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

from lossbench.judge import ordered

COLUMNS: Final = ("cell", "own_kernels", "own_bytes", "counted_by")
COMPARED: Final = {"own_kernels": "kernels", "own_bytes": "bytes"}


def of(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells of a run that a framework counted."""
    counted = cells.reindex(columns=list(COLUMNS))
    return ordered.by(counted[counted["own_kernels"] > 0], ("cell",)).reset_index(drop=True)


def changes(base: pd.DataFrame, head: pd.DataFrame) -> tuple[list[dict[str, Any]], int]:
    """What differs, as the gate's findings have it, and how many cells were compared.

    More kernels or bytes than before is worse, fewer is better; a cell that only one side counted, or that was
    counted in another way, is left out.
    """
    if base.equals(head):
        return [], len(base)
    both = base.merge(head, on=["cell", "counted_by"], suffixes=("_before", "_after"))
    unlike = [(both[f"{column}_before"] != both[f"{column}_after"]).to_numpy() for column in COMPARED]
    found = []
    for row in both[np.logical_or.reduce(unlike)].to_dict("records"):
        for column, name in COMPARED.items():
            before, after = int(row[f"{column}_before"]), int(row[f"{column}_after"])
            if before == after:
                continue
            said = f"{name} a call were {before:,}, are {after:,} ({row['counted_by']})"
            found.append({
                "outcome": "worse" if after > before else "better", "topic": "work", "subject": row["cell"],
                "quantity": name, "before": f"{before:,}", "after": f"{after:,}", "reason": said,
            })  # fmt: skip
    return found, len(both)
