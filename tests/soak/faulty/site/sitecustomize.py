"""In a worker's interpreter: commits a fault in the middle of a computation, as user code would, when told to.

SIGUSR1 tells it to; which fault stands in the file of the process's number below the folder LOSSBENCH_SOAK. A fault
that was committed is a line of the file `committed` there.
"""

from __future__ import annotations

import ctypes
import functools
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

MOST_BYTES = 6 * 2**30
PIECE_BYTES = 32 * 2**20
_held: list[bytearray] = []


def aborts() -> None:
    os.abort()


def segfaults() -> None:
    ctypes.string_at(0)


def hangs() -> None:
    time.sleep(3600)


def hoards() -> None:
    """Takes memory and touches it, until somebody ends this process."""
    while len(_held) * PIECE_BYTES < MOST_BYTES:
        _held.append(bytearray(b"x") * PIECE_BYTES)
    raise MemoryError("nobody has stopped it")


def prints() -> None:
    for descriptor in (1, 2):
        os.write(descriptor, b"words without end " * 200_000)


def forks() -> None:
    """Both processes come back, and go on as if each were the worker."""
    os.fork()


def answers_too_much() -> None:
    """The next reply is over the bound of a frame."""
    from lossbench.lanes import wire

    bound, encode = wire.MAX_HEADER_BYTES, wire.encode

    def over(message: Any) -> Any:
        wire.MAX_HEADER_BYTES, wire.encode = 1, encode
        try:
            return encode(message)
        finally:
            wire.MAX_HEADER_BYTES = bound

    wire.encode = over


FAULTS = {
    fault.__name__: fault for fault in (aborts, segfaults, hangs, hoards, prints, forks, answers_too_much)
}  # fmt: skip


def _armed(orders: Path, name: str) -> None:
    from lossbench.lanes.session import Session

    originals = {method: getattr(Session, method) for method in ("_guarded", "block")}

    def commit(method: str) -> Any:
        @functools.wraps(originals[method])
        def first(self: Any, *args: Any, **options: Any) -> Any:
            for each, original in originals.items():
                setattr(Session, each, original)
            with (orders / "committed").open("a") as said:
                said.write(f"{name}\n")
            FAULTS[name]()
            return originals[method](self, *args, **options)

        return first

    for method in originals:
        setattr(Session, method, commit(method))


def _told(number: int, frame: Any) -> None:  # noqa: ARG001
    orders = Path(os.environ["LOSSBENCH_SOAK"])
    if "lossbench.lanes.session" in sys.modules and hasattr(sys.modules["lossbench.lanes.session"], "Session"):
        _armed(orders, (orders / str(os.getpid())).read_text())


if "LOSSBENCH_SOAK" in os.environ and "lossbench.lanes.worker" in sys.orig_argv:
    signal.signal(signal.SIGUSR1, _told)
