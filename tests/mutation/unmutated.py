"""The other half of the mutation check: the unmutated bindings over many seeds, where every defect is one too many.

A defect is a finding about a framework, which then stands in the ledger, or a mistake of this project.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import pandas as pd

from lossbench.bench.judging import RunJudge
from lossbench.bench.pool import Pool
from lossbench.judge import ledger
from lossbench.lanes import schedule
from lossbench.plugin import execute
from lossbench.record.run import RunFolder
from lossbench.spec import catalogue, plan
from lossbench.spec.profiles import EAGER, EDGES, Profile, Sweep

SEEDS = 10
DTYPES = ("float32", "float64")


def profile(seeds: Sequence[int], dtypes: Sequence[str]) -> Profile:
    """Every regime and binding of the standard profile's agreement, nothing timed."""
    sweep = Sweep(
        modes=EAGER,
        dtypes=tuple(dtypes),
        regimes=("typical", *EDGES),
        operations=("grad",),
        seeds=tuple(seeds),
    )
    return Profile(name="unmutated", summary="every binding, unmutated", sweeps=(sweep,), timed_seconds=0)


def agreement(seeds: Sequence[int], dtypes: Sequence[str] = DTYPES, losses: Sequence[str] = ()) -> pd.DataFrame:
    """The agreement table of the unmutated bindings."""
    known = catalogue.load()
    wanted = plan.make(known, profile(seeds, dtypes), losses=losses)
    results = Path(tempfile.mkdtemp(prefix="unmutated-"))
    with Pool(logs=results) as pool, RunFolder.create(results) as folder:
        pool.start(wanted.lanes)
        outcome = execute(wanted, folder, pool.shared, RunJudge(known), order=schedule.visits)
    return outcome.tables.agreement


def main() -> int:
    """Prints what is seen; 1 where a defect is not in the ledger."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many, from --first on")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--dtypes", nargs="+", default=list(DTYPES))
    parser.add_argument("--loss", nargs="*", default=[], help="patterns; all losses by default")
    parser.add_argument("--keep", type=Path, help="a Parquet file for the whole agreement table")
    asked = parser.parse_args()
    started = time.monotonic()
    rows = agreement(range(asked.first, asked.first + asked.seeds), asked.dtypes, asked.loss)
    rows = rows[rows["against"] == "oracle"]
    if asked.keep:
        rows.to_parquet(asked.keep)
    entries = import_module("lossbench.suites.ledger").LEDGER
    found = ledger.compare(entries, rows)
    print(rows.groupby("class")["cell"].count().to_string())
    defects = rows[rows["class"] == "defect"]
    for (loss, backend, binding, dtype, regime, quantity), group in defects.groupby(
        ["loss", "backend", "binding", "dtype", "regime", "quantity"]
    ):
        print(f"defect {loss} {backend}/{binding} {dtype} {regime} {quantity}: {len(group)} of {asked.seeds} seeds; "
              f"{group['cell'].iloc[0]}: {group['reason'].iloc[0]}")  # fmt: skip
    seconds = time.monotonic() - started
    print(
        f"{len(rows)} verdicts of {rows['cell'].nunique()} cells over {asked.seeds} seeds in {seconds:.0f} s: "
        f"{len(defects)} defects, {len(found.unlisted)} of them not in the ledger"
    )
    return int(bool(found.unlisted))


if __name__ == "__main__":
    sys.exit(main())
