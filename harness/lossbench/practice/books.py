"""What a practice run keeps: one row an epoch of all frameworks, durable at once, and the state to go on from it.

run.json        the request that `--resume` repeats
journal.jsonl   rows: data, version, spelled, epoch, steps, apart, lost, cause, cost, guide, took, fault
*.csv           the rows of each kind, once the run has ended
states/         parameters and optimisers after the last epoch of a run that is not finished
"""

from __future__ import annotations

import json
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from lossbench.record.bounded import within
from lossbench.record.frames import write_whole
from lossbench.record.journal import Journal, unwritable
from lossbench.record.journal import read as read_journal
from lossbench.record.lock import hold
from lossbench.record.naming import run_id
from lossbench.spec.errors import BadInput, RunDamaged
from lossbench.spec.training import Array

FOLDER: Final = "practice"
STATE_BYTES: Final = 2**32
"""Of the arrays after an epoch; those of the largest model here take 20 MB."""
NOT_OURS: Final = (
    ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, NotImplementedError, OSError, RecursionError,
    RuntimeError, SyntaxError, TypeError, ValueError, zipfile.BadZipFile, zlib.error, struct.error,
    tokenize.TokenError,
)  # fmt: skip
"""What numpy, zipfile and arithmetic raise on values of other types and on damaged archives."""
Kept = Mapping[str, Mapping[str, list[Array]]]
"""Backend -> `parameters` and `state`, as arrays in order."""


class Books:
    """A practice run's folder, being written."""

    def __init__(self, path: Path, request: dict[str, Any]) -> None:
        """Use `create` or `open`."""
        self.path, self.request = path, request
        self._lock = hold(path)
        try:
            self._journal = Journal(path / "journal.jsonl")
        except BadInput:
            os.close(self._lock)
            raise

    @classmethod
    def create(cls, results: Path, request: Mapping[str, Any]) -> Self:
        """A new folder under results/practice. BadInput where it cannot be written."""
        folder = results / FOLDER
        return cls._made(folder / run_id(folder, datetime.now(UTC)), request)

    @classmethod
    def _made(cls, path: Path, request: Mapping[str, Any]) -> Self:
        try:
            (path / "states").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(path, error) from error
        write_whole(path / "run.json", json.dumps(dict(request), indent=1).encode())
        return cls(path, dict(request))

    @classmethod
    def at(cls, path: Path, request: Mapping[str, Any]) -> Self:
        """Goes on with the run in this folder, or begins it there. BadInput where it cannot be written."""
        if (path / "run.json").exists():
            return cls.open(path)
        return cls._made(path, request)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Go on with a run. BadInput where there is none."""
        return cls(path, asked(path))

    def append(self, kind: str, row: Mapping[str, Any]) -> None:
        """Returns when the row survives this process."""
        self._journal.append(kind, row)

    def rows(self, kind: str) -> Iterator[dict[str, Any]]:
        """Rows of one kind, in the order they were written."""
        return rows(self.path, kind)

    def keep(self, run: str, epoch: int, kept: Kept) -> None:
        """Writes the state after an epoch, before its row is appended."""
        arrays = {
            f"{backend}/{name}/{place}": array
            for backend, parts in kept.items()
            for name, values in parts.items()
            for place, array in enumerate(values)
        }
        fresh = self.path / "states" / f".{run}.npz"
        try:
            with fresh.open("wb") as stream:
                np.savez(stream, allow_pickle=False, **arrays)
            fresh.replace(self._state(run, epoch))
        except OSError as error:
            raise unwritable(fresh, error) from error

    def drop(self, run: str, *, but: int) -> None:
        """Removes the states that are no longer needed, also those that a killed process left."""
        for state in (self.path / "states").glob(f"{run}-e*.npz"):
            if state != self._state(run, but):
                state.unlink(missing_ok=True)

    def kept(self, run: str, epoch: int) -> Kept | None:
        """The state after an epoch; None where it is gone."""
        path = self._state(run, epoch)
        if not path.exists():
            return None
        return state(path)

    def close(self) -> None:
        """Sync and close; harmless when repeated."""
        if self._lock >= 0:
            self._journal.close()
            lock, self._lock = self._lock, -1
            os.close(lock)

    def _state(self, run: str, epoch: int) -> Path:
        return self.path / "states" / f"{run}-e{epoch}.npz"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def state(path: Path) -> Kept:
    """Parameters and optimisers as they were saved. RunDamaged where the file is something else."""
    found: dict[str, dict[str, list[Array]]] = {}
    with read_as_written(path), np.load(path, allow_pickle=False) as arrays:
        if sum(member.file_size for member in arrays.zip.infolist()) > STATE_BYTES:
            raise ValueError(f"more than {STATE_BYTES} bytes")
        for key in arrays.files:  # in the order they were saved
            backend, name, _ = key.split("/")
            found.setdefault(backend, {"parameters": [], "state": []})[name].append(np.array(arrays[key]))
    return found


@contextmanager
def read_as_written(path: Path) -> Iterator[None]:
    """Whatever comes of rows or files that lossbench has not written is one sentence: RunDamaged."""
    try:
        yield
    except BadInput:
        raise
    except NOT_OURS as fault:
        raise RunDamaged(
            subject=f"training run {path}", expected="what `lossbench practice` writes",
            received=f"{type(fault).__name__}: {fault}", remedy="restore the file, or run `lossbench practice` again",
        ) from fault  # fmt: skip


def rows(path: Path, kind: str) -> Iterator[dict[str, Any]]:
    """Rows of one kind from a folder; RunDamaged where it cannot be trusted."""
    return (row for found, row in read_journal(path / "journal.jsonl") if found == kind)


def once(path: Path, kind: str, *names: str) -> list[dict[str, Any]]:
    """Rows of one kind, of those that agree in these columns only the last: a run that was killed repeats some."""
    return list({tuple(row[name] for name in names): row for row in rows(path, kind)}.values())


def asked(path: Path) -> dict[str, Any]:
    """The request of a run. BadInput where there is no such run."""
    try:
        return {**json.loads(within(path / "run.json"))}
    except (OSError, ValueError, TypeError, RecursionError) as fault:
        raise BadInput(
            subject=f"practice run {path}", expected="a folder with a run.json", received=str(fault),
            remedy="name another, or run `lossbench practice` again",
        ) from fault  # fmt: skip


def latest(results: Path) -> Path:
    """The newest practice run. BadInput where there is none."""
    found = sorted(p.parent for p in (results / FOLDER).glob("*/run.json"))
    if not found:
        raise BadInput(
            subject=str(results / FOLDER),
            expected="a run",
            received="none",
            remedy="make one with `lossbench practice`",
        )
    return found[-1]
