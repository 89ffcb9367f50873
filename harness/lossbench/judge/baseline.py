"""What a gate needs to remember of a run: a small folder that can be committed.

agreement.csv.gz   cell, quantity, verdict, class, convention (against the oracle)
times.csv.gz       cell, group, and per visit the log of its seconds over the group's median in that visit
counts.csv.gz      cell, and what its framework counts: kernels, bytes
facts.json         machine, versions, schema version, counts
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from lossbench.judge import counts, ordered, stacked, timed
from lossbench.judge.timing import Reals
from lossbench.record.bounded import MANIFEST_BYTES, within
from lossbench.record.frames import Tables
from lossbench.record.tables import SCHEMA_VERSION
from lossbench.spec.errors import RunDamaged

AGREEMENT_COLUMNS: Final = ("cell", "quantity", "verdict", "class", "convention")
TIMES_COLUMNS: Final = ("cell", "group", "median_seconds", "log_ratios")
DIGITS: Final = 5
"""Of a logarithm of a ratio: a thousandth of a percent."""
MAX_BYTES: Final = 2**30
"""Of a table when unpacked: a baseline of a million cells has a fifth of it."""
READ: Final = {
    "agreement": ("cell", "quantity", "against", "verdict", "class", "convention"),
    "measurements": timed.READ,
    "cells": counts.COLUMNS,
    "facts": ("key", "value"),
}
"""Table -> the columns of a run that its baseline is made from."""
UNCOUNTED: Final = 1
"""The schema version of baselines that have no counts.csv.gz and otherwise read alike."""
MACHINE: Final = ("machine.cpu", "machine.architecture", "machine.cores", "machine.threads_allowed")
PACKAGES: Final = ("tensorflow", "tensorflow-cpu", "keras", "torch", "jax", "jaxlib", "optax", "numpy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The part of a run that another is compared with. median_seconds only ever serves between like machines."""

    agreement: pd.DataFrame
    times: pd.DataFrame
    counts: pd.DataFrame
    facts: dict[str, str]

    def restricted(self, cells: Collection[str]) -> Baseline:
        """The part of it that speaks of these cells."""
        kept = frozenset(cells)
        frames = (self.agreement, self.times, self.counts)
        agreement, times, counted = (frame[frame["cell"].isin(kept)] for frame in frames)
        return Baseline(agreement=agreement, times=times, counts=counted, facts=self.facts)


def of(tables: Tables) -> Baseline:
    """What is kept of a run."""
    rows = tables.agreement
    rows = rows[rows["against"] == "oracle"] if len(rows) else rows
    agreement = rows.reindex(columns=list(AGREEMENT_COLUMNS)).fillna("")
    wanted = {*MACHINE, *(f"version.{name}" for name in PACKAGES), "commit.id", "profile"}
    facts = {str(k): str(v) for k, v in zip(tables.facts["key"], tables.facts["value"], strict=True) if k in wanted}
    return Baseline(
        agreement=ordered.by(agreement, ("cell", "quantity")).reset_index(drop=True),
        times=_times(tables.measurements),
        counts=counts.of(tables.cells),
        facts=facts,
    )


def _times(measurements: pd.DataFrame) -> pd.DataFrame:
    seen = timed.of(measurements)
    medians, ratios = np.full(len(seen.cells), np.nan), np.full_like(seen.seconds, np.nan)
    for rows, there in stacked.batches(seen.codes, seen.width):
        seconds, cells = seen.at(rows, there), rows[there]
        medians[cells] = stacked.middle(seconds)[there]
        logs = np.log(seconds)
        relative = logs - stacked.middle(np.swapaxes(logs, 1, 2))[:, None, :]
        ratios[seen.start[cells][:, None] + np.arange(seconds.shape[-1])] = np.round(relative[there], DIGITS)
    kept = [ratios[start : start + width] for start, width in zip(seen.start, seen.width, strict=True)]
    return seen.cells.assign(median_seconds=medians, log_ratios=pd.Series(kept, dtype=object))


def distil(tables: Tables) -> dict[str, bytes]:
    """The files of a baseline folder, byte for byte the same for the same run."""
    kept = of(tables)
    times = kept.times.assign(
        log_ratios=[_written(ratios) for ratios in kept.times["log_ratios"]],
        median_seconds=kept.times["median_seconds"].map(lambda seconds: f"{seconds:.4e}"),
    )
    counts = kept.agreement["class"].value_counts().sort_index()
    about = {
        "schema_version": SCHEMA_VERSION,
        "facts": dict(sorted(kept.facts.items())),
        "rows_by_class": {str(name): int(count) for name, count in counts.items()},
        "timed_cells": len(times),
    }
    return {
        "agreement.csv.gz": _packed(kept.agreement),
        "times.csv.gz": _packed(times),
        "counts.csv.gz": _packed(kept.counts),
        "facts.json": (json.dumps(about, indent=1) + "\n").encode(),
    }


def _written(ratios: Reals) -> str:
    """As a JSON list, null where the cell was not measured in a visit of its group."""
    return json.dumps([None if np.isnan(ratio) else ratio for ratio in ratios.tolist()])


def _packed(frame: pd.DataFrame) -> bytes:
    return gzip.compress(frame.to_csv(index=False).encode(), mtime=0)


def load(path: Path) -> Baseline:
    """Read a baseline folder. RunDamaged, naming the file, where it is missing, unreadable or of another schema."""
    version, facts = about(path)
    empty = pd.DataFrame(columns=list(counts.COLUMNS)).astype(dict.fromkeys(counts.COMPARED, int))
    counted = empty if version == UNCOUNTED else counts_of(path)
    return Baseline(agreement=agreement(path), times=times(path), counts=counted, facts=facts)


def about(path: Path) -> tuple[int, dict[str, str]]:
    """Schema version and facts. RunDamaged."""
    try:
        said = json.loads(_read(path, "facts.json"))
        version, facts = said["schema_version"], said["facts"]
        facts = {str(key): str(value) for key, value in facts.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(path / "facts.json", f"{type(error).__name__}: {error}") from error
    if version not in (SCHEMA_VERSION, UNCOUNTED):
        raise _damaged(path / "facts.json", f"schema version {version}, not {SCHEMA_VERSION}")
    return version, facts


def agreement(path: Path) -> pd.DataFrame:
    """Verdicts against the oracle. RunDamaged."""
    return _unpacked(path, "agreement.csv.gz", AGREEMENT_COLUMNS)


def times(path: Path) -> pd.DataFrame:
    """Times relative to their groups. RunDamaged."""
    found = _unpacked(path, "times.csv.gz", TIMES_COLUMNS).drop_duplicates("cell", keep="last", ignore_index=True)
    try:
        seconds = found["median_seconds"].astype(float)
        return found.assign(log_ratios=found["log_ratios"].map(_numbers), median_seconds=seconds)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _damaged(path / "times.csv.gz", str(error)) from error


def counts_of(path: Path) -> pd.DataFrame:
    """What frameworks count. RunDamaged."""
    found = _unpacked(path, "counts.csv.gz", counts.COLUMNS)
    try:
        return found.astype(dict.fromkeys(counts.COMPARED, int))
    except (ValueError, TypeError, OverflowError) as error:
        raise _damaged(path / "counts.csv.gz", str(error)) from error


def _numbers(text: str) -> list[float]:
    found = json.loads(text)
    if not isinstance(found, list):
        raise TypeError(f"{text[:40]!r} is no list of numbers")
    return [np.nan if number is None else float(number) for number in found]


def _unpacked(path: Path, name: str, columns: tuple[str, ...]) -> pd.DataFrame:
    try:
        with gzip.open(BytesIO(_read(path, name))) as packed:
            content = packed.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise _damaged(path / name, f"more than {MAX_BYTES} bytes when unpacked")
        frame = pd.read_csv(BytesIO(content), dtype=str, keep_default_na=False)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise _damaged(path / name, str(error)) from error
    if tuple(frame.columns) != columns:
        raise _damaged(path / name, f"columns {list(frame.columns)}")
    return frame


def _read(path: Path, name: str) -> bytes:
    try:
        return within(path / name, MANIFEST_BYTES if name.endswith(".json") else MAX_BYTES)
    except (OSError, ValueError) as error:
        raise _damaged(path / name, getattr(error, "strerror", "") or str(error)) from error


def _damaged(path: Path, received: str) -> RunDamaged:
    return RunDamaged(
        subject=f"baseline {path}", expected="a file written by `lossbench baseline`", received=received,
        remedy=f"make it from a run with `lossbench baseline --to {path.parent}`",
    )  # fmt: skip
