"""What a user is told of workers that died, hung or did not come up."""

from __future__ import annotations

from collections import Counter
from typing import Final

import pandas as pd

from lossbench.bench.asked_again import FACT
from lossbench.record.frames import Tables
from lossbench.record.lost import NOT_VISITED, no_answer
from lossbench.spec.plain import plain

MOST_SHOWN: Final = 4
CHARACTERS: Final = 240


def sentences(tables: Tables, run: str) -> list[str]:
    """One for each lane and reason, the commonest first, and what to do; none where every worker lived."""
    cells, blocks = tables.cells, tables.measurements
    lost = [no_answer({"status": status, "digest": digest}) for status, digest in _rows(cells, "status", "digest")]
    found = []
    for rows, what in ((cells.loc[lost], "cells"), (blocks[blocks["status"].isin(NOT_VISITED)], "visits")):
        for (lane, status, reason), count in Counter(_rows(rows, "lane", "status", "reason")).most_common():
            found.append(f"{lane}: {count} {what} {status}: {_short(reason)}")
    beyond = [f"and {len(found) - MOST_SHOWN} more reasons"] if len(found) > MOST_SHOWN else []
    again = [f"`lossbench run --resume {run}` takes them again"] if found else []
    died = tables.facts.loc[tables.facts["key"].str.startswith(FACT), "value"]
    told = [f"{len(died)} times a worker died and was asked again, last {_short(died.iloc[-1])}"] if len(died) else []
    return [*told, *found[:MOST_SHOWN], *beyond, *again]


def _rows(frame: pd.DataFrame, *columns: str) -> list[tuple[str, ...]]:
    """These columns, row by row."""
    return [tuple(map(str, row)) for row in frame[list(columns)].itertuples(index=False)]


def _short(reason: str) -> str:
    text = plain(reason)
    return text if len(text) <= CHARACTERS else f"{text[: CHARACTERS - 3]}..."
