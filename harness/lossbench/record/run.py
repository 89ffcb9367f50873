"""One folder a run: rows are journaled as they are measured, Parquet and CSV follow when it ends.

run.json            id, schema version, state, and the request that `--resume` repeats
journal.jsonl       every row, durable at once
*.parquet, *.csv    the tables, once the run has ended (also by Ctrl-C)
benchmark.json      pytest-benchmark's own book
lock                who is writing
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal, Self

import pyarrow as pa

from lossbench.record import frames
from lossbench.record.bounded import within
from lossbench.record.frames import Tables
from lossbench.record.journal import Journal, unwritable
from lossbench.record.journal import read as read_journal
from lossbench.record.lock import hold
from lossbench.record.lost import NOT_VISITED, no_answer
from lossbench.record.naming import run_id
from lossbench.record.stores import UNREADABLE, Place, Remote, unreadable
from lossbench.record.tables import SCHEMA_VERSION, TABLES, Row
from lossbench.spec.errors import BadInput, RunDamaged

JUDGED: Final = "judged"
"""Journal-only: a case whose answers are all in and judged, so that a resumed run need not take them again."""

NAMED: Final = "*T*Z-*"
"""Names of runs' folders."""

State = Literal["running", "interrupted", "finished"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a run already holds: judged cases, answered cells, and (cell, visit) of blocks.

    Not among them is what had no answer, and a case with such a cell.
    """

    cases: frozenset[str]
    cells: frozenset[str]
    blocks: frozenset[tuple[str, int]]


class RunFolder:
    """A run being written. Only one process at a time: a lock says which; it goes when that process goes."""

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        """Use `create` or `open`."""
        self.path, self._manifest = path, manifest
        self._lock = hold(path)
        try:
            self._journal = Journal(path / "journal.jsonl")
            self._say(state="running")
        except BadInput:
            os.close(self._lock)
            raise

    @classmethod
    def create(cls, results: Path, *, request: Mapping[str, Any] | None = None) -> Self:
        """A new folder under `results`. request: JSON values that are needed to repeat the run. BadInput."""
        now = datetime.now(UTC)
        name = run_id(results, now)
        path = results / name
        try:
            path.mkdir(parents=True)
        except OSError as error:
            raise unwritable(path, error) from error
        created = now.isoformat(timespec="seconds")
        manifest = {"id": name, "schema_version": SCHEMA_VERSION, "created_utc": created, "request": request or {}}
        return cls(path, manifest)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Go on with a run that ended early. BadInput, RunDamaged."""
        return cls(path, manifest(path))

    @property
    def id(self) -> str:
        """The folder's name: UTC time and a few random digits."""
        return self.path.name

    @property
    def request(self) -> dict[str, Any]:
        """What `create` was given."""
        return dict(self._manifest["request"])

    @property
    def benchmark_json(self) -> Path:
        """Where pytest-benchmark keeps its book of this run."""
        return self.path / "benchmark.json"

    def append(self, table: str, row: Row) -> None:
        """Returns when the row survives this process. TypeError on an unknown column, BadInput if the disk is full."""
        self._journal.append(table, TABLES[table].row(row))

    def judged(self, case: str) -> None:
        """Note that a case is complete: answers and agreement."""
        self._journal.append(JUDGED, {"case": case})

    def done(self) -> Done:
        """What need not be measured again."""
        judged, cells, blocks = set(), {}, set()
        for kind, row in read_journal(self._journal.path):
            if kind == JUDGED:
                judged.add(row["case"])
            elif kind == "cells":
                cells[row["cell"]] = row
                judged.discard(row["case"])  # without this answer
            elif kind == "measurements" and row["status"] not in NOT_VISITED:
                blocks.add((row["cell"], row["visit"]))
        open_cases = {row["case"] for row in cells.values() if no_answer(row)}
        return Done(
            cases=frozenset(judged - open_cases),
            cells=frozenset(name for name, row in cells.items() if not no_answer(row)),
            blocks=frozenset(blocks),
        )

    def rows(self, table: str) -> Iterator[dict[str, Any]]:
        """The rows of a table as they were appended; NaN and infinities are the strings that `float` reads."""
        return (row for kind, row in read_journal(self._journal.path) if kind == table)

    def finish(self, *, complete: bool = True) -> Tables:
        """Write Parquet and CSV, release the folder, and return what was written. BadInput if the disk is full."""
        contents = _from_journal(self.path)
        tables = frames.tables(contents)
        for name, table in TABLES.items():
            frames.write_parquet(self.path / f"{name}.parquet", contents[name])
            text = frames.csv(frames.summary(table, getattr(tables, name)))
            frames.write_whole(self.path / f"{name}.csv", text.encode())
        self._say(state="finished" if complete else "interrupted")
        self.close()
        return tables

    def close(self) -> None:
        """Release the folder without writing the tables; `read` still finds every row. Harmless when repeated."""
        if self._lock >= 0:
            self._journal.close()
            lock, self._lock = self._lock, -1
            os.close(lock)

    def _say(self, *, state: State) -> None:
        self._manifest["state"] = state
        frames.write_whole(self.path / "run.json", json.dumps(self._manifest, indent=1).encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read(path: Place, *, only: Mapping[str, Sequence[str]] | None = None) -> Tables:
    """The tables of a run, finished, killed or still going. RunDamaged if they cannot be trusted.

    only: table -> the columns that are needed; the rest of a finished run is not read.
    """
    if manifest(path)["state"] == "running":
        return frames.tables(_from_journal(path))
    return frames.tables(frames.read_all(path, only))


def manifest(path: Place) -> dict[str, Any]:
    """What run.json says: id, schema_version, created_utc, state, request. RunDamaged."""
    subject = f"run {path.name}"
    try:
        content = json.loads(within(path / "run.json"))
        version, found = content["schema_version"], content["state"]
        content["request"] = {**content.get("request", {})}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        received = (
            "an unreadable one" if (path / "run.json").exists() else "none" if path.is_dir() else "no such folder"
        )
        remedy = f"name a run in {path.parent}/, or run again"
        raise RunDamaged(subject=subject, expected="a run.json", received=received, remedy=remedy) from None
    frames.check_version(subject, str(version))
    return dict(content, state=found)


def latest(results: Place) -> Place:
    """The newest run of a results folder. BadInput if there is none."""
    found = recorded(results)
    if not found:
        raise BadInput(subject=str(results), expected="a run", received="none", remedy="make one with `lossbench run`")
    return found[-1]


def going(path: Place) -> bool:
    """Whether some process writes the run at this moment; a killed one does not, whatever run.json says."""
    if isinstance(path, Remote):
        return False
    try:
        descriptor = os.open(str(path / "lock"), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def recorded(results: Place) -> list[Place]:
    """The folders of all runs of a results folder, the oldest first. BadInput where it cannot be looked at."""
    try:
        inside = results.folders(NAMED) if isinstance(results, Remote) else Path(str(results)).glob(NAMED)
        return sorted((path for path in inside if (path / "run.json").exists()), key=lambda path: path.name)
    except UNREADABLE as error:
        raise unreadable(str(results), error) from error


def _from_journal(path: Place) -> dict[str, pa.Table]:
    rows: dict[str, list[Row]] = {name: [] for name in TABLES}
    for kind, row in read_journal(path / "journal.jsonl"):
        if kind in rows:
            rows[kind].append(row)
    try:
        return frames.with_peaks({name: frames.arrow(table, rows[name]) for name, table in TABLES.items()})
    except (KeyError, TypeError, ValueError, OverflowError, pa.ArrowException) as error:
        raise RunDamaged(
            subject=f"{path.name}/journal.jsonl",
            expected="rows of the columns that lossbench writes",
            received=f"{type(error).__name__}: {error}",
            remedy="restore the file: lossbench has not written such a row",
        ) from error
