"""Who writes a run's folder: one process at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from lossbench.record.journal import unwritable
from lossbench.spec.errors import BadInput


def hold(path: Path) -> int:
    """An flock on the folder's `lock`; closing the descriptor gives it up. BadInput.

    The kernel drops it with its process, so that a dead writer never blocks the next.
    """
    file = path / "lock"
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise unwritable(file, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise BadInput(
            subject=f"run {path.name}",
            expected="to be its only writer",
            received=f"process {owner} writing it",
            remedy="wait for that process or end it, then resume",
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor
