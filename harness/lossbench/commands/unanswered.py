"""What a user is told of workers that died, hung or did not come up."""

from __future__ import annotations

from typing import Final

from lossbench.bench.asked_again import FACT
from lossbench.record.frames import Tables
from lossbench.record.lost import NOT_VISITED, no_answer
from lossbench.spec.plain import plain

MOST_SHOWN: Final = 4
CHARACTERS: Final = 240


def sentences(tables: Tables, run: str) -> list[str]:
    """One for each lane and reason, the commonest first, and what to do; none where every worker lived."""
    cells, blocks = tables.cells, tables.measurements
    lost = cells[[no_answer(row) for row in cells[["status", "digest"]].to_dict("records")]]
    cut = blocks[blocks["status"].isin(NOT_VISITED)]
    found = []
    for rows, what in ((lost, "cells"), (cut, "visits")):
        for (lane, status, reason), count in rows[["lane", "status", "reason"]].value_counts().items():
            found.append(f"{lane}: {count} {what} {status}: {_short(reason)}")
    beyond = [f"and {len(found) - MOST_SHOWN} more reasons"] if len(found) > MOST_SHOWN else []
    again = [f"`lossbench run --resume {run}` takes them again"] if found else []
    died = tables.facts.loc[tables.facts["key"].str.startswith(FACT), "value"]
    told = [f"{len(died)} times a worker died and was asked again, last {_short(died.iloc[-1])}"] if len(died) else []
    return [*told, *found[:MOST_SHOWN], *beyond, *again]


def _short(reason: str) -> str:
    text = plain(reason)
    return text if len(text) <= CHARACTERS else f"{text[: CHARACTERS - 3]}..."
