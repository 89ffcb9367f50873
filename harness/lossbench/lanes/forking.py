"""Work in a forked child: a process that shares what is imported and nothing that happens afterwards."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from lossbench.lanes.child import signal_name
from lossbench.lanes.wire import Channel, WireClosedError, WireError

PARENT_DEATH_SIGNAL: Final = 1  # PR_SET_PDEATHSIG of linux/prctl.h


class ForkLost(Exception):  # noqa: N818 - an outcome that becomes a row
    """The child gave no answer: it died (`crashed`) or took too long (`timeout`)."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


def in_a_fork(work: Callable[[], Mapping[str, Any]], limit_seconds: float) -> dict[str, Any]:
    """What the work returns, computed in a child. Raises ForkLost.

    The process must have computed nothing yet in a framework: threads do not survive a fork.
    """
    ours, theirs = socket.socketpair()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _work(work, ours, theirs)
    theirs.close()
    channel = Channel(ours)
    try:
        return channel.receive(time.monotonic() + limit_seconds)
    except TimeoutError:
        raise ForkLost("timeout", f"no answer within {limit_seconds:.0f} s") from None
    except WireClosedError:
        _, state = os.waitpid(pid, 0)
        pid, code = 0, os.waitstatus_to_exitcode(state)
        how = f"killed by {signal_name(-code)}" if code < 0 else f"ended with status {code}"
        raise ForkLost("crashed", f"the replicate's process was {how}") from None
    except WireError as error:
        raise ForkLost("crashed", f"the replicate's answer cannot be read: {error}") from error
    finally:
        channel.close()
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def living_in_a_fork(life: Callable[[], None]) -> str:
    """Waits while a child lives as it is told, on this process's own channel; how it ended: empty for well."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _end_with_parent()
        try:
            life()
        except BaseException as error:  # noqa: BLE001 - beyond this frame lies the parent's program
            os.write(2, f"{type(error).__name__}: {error}\n".encode(errors="replace"))
            os._exit(1)
        os._exit(0)
    _, state = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(state)
    return "" if code == 0 else f"killed by {signal_name(-code)}" if code < 0 else f"ended with status {code}"


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL)


def pin(core: int) -> None:
    """This process stays on a core, where the system offers that and the core is one; what it starts does too."""
    if core >= 0 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {core})


def _work(work: Callable[[], Mapping[str, Any]], ours: socket.socket, theirs: socket.socket) -> None:
    """The child's whole life; it never returns."""
    try:
        ours.close()
        _end_with_parent()
        Channel(theirs).send(work())
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException as error:  # noqa: BLE001 - beyond this frame lies the parent's program
        os.write(2, f"{type(error).__name__}: {error}\n".encode(errors="replace"))
        os._exit(1)
    os._exit(0)
