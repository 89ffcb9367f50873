"""Rows on disk the moment they are measured: one checksummed JSON line each, in a file that only grows.

A line is written by one `write` before `append` returns, so that a process that is killed has lost nothing that
it acknowledged; it is synced to the device when the journal closes and every 50 ms, for the power's sake.
"""

from __future__ import annotations

import errno
import json
import math
import os
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np

from lossbench.record.stores import Place
from lossbench.spec.errors import BadInput, RunDamaged

SYNC_SECONDS: Final = 0.05
"""A sync was seen to take 0.2 to 0.4 ms: under 1% of the time at this pace, and never within a timed call."""
ELSEWHERE: Final = "choose a writable folder with --results or --reports"
SPACE: Final = "free some space and resume the run, nothing measured before is lost"
REMEDIES: Final = {
    errno.EACCES: ELSEWHERE, errno.EPERM: ELSEWHERE, errno.EROFS: ELSEWHERE,
    errno.ENOTDIR: "name a folder: a part of that path is a file", errno.EEXIST: "name a folder: that is a file",
    errno.EISDIR: "name a file: that is a folder", errno.ENOENT: "check that path: a part of it does not exist",
    errno.ENOSPC: SPACE, errno.EFBIG: SPACE, errno.EDQUOT: SPACE, errno.EIO: SPACE,
}  # fmt: skip
"""What helps, by the number of the system's error."""
MAX_LINE_BYTES: Final = 2**26
"""Of a row: the largest, a map, has a few megabytes."""
_CHECKSUM: Final = 8
"""Hexadecimal digits of the CRC-32 that begins a line, before a space."""


def unwritable(path: Path | str, error: OSError) -> BadInput:
    """What to tell the user when a file cannot be written."""
    reason = (error.strerror or str(error)).lower()
    remedy = REMEDIES.get(error.errno or 0, "check that path")
    return BadInput(subject=str(path), expected="a file that can be written", received=reason, remedy=remedy)


def encode(kind: str, row: Mapping[str, Any]) -> bytes:
    """One line: checksum, space, `[kind, row]` as JSON, newline. NaN and infinities become what `float` reads."""
    body = json.dumps([kind, _plain(row)], separators=(",", ":"), allow_nan=False).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def read(path: Place) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows in the order they were written; a torn last line is ignored. RunDamaged at any other damage."""
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        raise RunDamaged(
            subject=f"run {path.parent.name}",
            expected=f"its journal {path.name}",
            received="no such file",
            remedy="name another run, or run again",
        ) from None
    with stream:
        for number, line in enumerate(iter(partial(stream.readline, MAX_LINE_BYTES), b""), start=1):
            if not line.endswith(b"\n") and len(line) < MAX_LINE_BYTES:
                return
            checksum, _, body = line[:-1].partition(b" ")
            if len(checksum) != _CHECKSUM or checksum != b"%08x" % zlib.crc32(body):
                raise RunDamaged(
                    subject=f"{path.parent.name}/{path.name} line {number}",
                    expected="a row with its checksum",
                    received=repr(line[:40])[1:],
                    remedy="restore the file, or cut it before that line to keep what stands above",
                )
            yield _row(path, number, body)


def _row(path: Place, number: int, body: bytes) -> tuple[str, dict[str, Any]]:
    try:
        kind, row = json.loads(body)
        if isinstance(kind, str) and isinstance(row, dict):
            return kind, row
    except (ValueError, TypeError, RecursionError):
        pass  # said below, like any other row that this journal cannot have written
    raise RunDamaged(
        subject=f"{path.parent.name}/{path.name} line {number}",
        expected="the name of a table and a row of it",
        received=repr(body[:40])[1:],
        remedy="restore the file: lossbench has not written that line",
    )


class Journal:
    """Appends rows. BadInput where the file cannot be written; nothing acknowledged earlier is lost then.

    One process (the run folder's lock sees to that), any of its threads: lanes note themselves from theirs.
    """

    def __init__(self, path: Path) -> None:
        self.path, self._turn = path, threading.Lock()
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            self._size = _whole(path)
            self._cut()
        except OSError as error:
            raise unwritable(path, error) from error
        self._synced = time.monotonic()

    def append(self, kind: str, row: Mapping[str, Any]) -> None:
        """Returns when the row survives this process."""
        line = encode(kind, row)
        with self._turn:
            try:
                written = os.write(self._descriptor, line)
                while written < len(line):
                    written += os.write(self._descriptor, line[written:])
            except OSError as error:
                self._cut()
                raise unwritable(self.path, error) from error
            self._size += len(line)
            if time.monotonic() - self._synced > SYNC_SECONDS:
                self._sync(self._descriptor)
                self._synced = time.monotonic()

    def close(self) -> None:
        """Sync and close; harmless when repeated."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            try:
                self._sync(descriptor)
            finally:
                os.close(descriptor)

    def _sync(self, descriptor: int) -> None:
        try:
            os.fdatasync(descriptor)
        except OSError as error:
            raise unwritable(self.path, error) from error

    def _cut(self) -> None:
        """Drop half a line at the end, so that the next one stands alone."""
        os.ftruncate(self._descriptor, self._size)
        os.lseek(self._descriptor, self._size, os.SEEK_SET)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _whole(path: Path) -> int:
    """Bytes up to and with the last newline."""
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        while size:
            start = max(0, size - 65_536)
            stream.seek(start)
            block = stream.read(size - start)
            if (at := block.rfind(b"\n")) >= 0:
                return start + at + 1
            size = start
    return 0


def _plain(value: Any) -> Any:
    """JSON values: numpy's numbers and arrays as Python's, NaN and infinities as text."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value
