"""One input after another into a reader, watched: what it opens, runs and starts, how long it takes, how it refuses.

An audit hook cannot be taken back, so this is for processes of their own.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lossbench.lanes.wire import WireError
from lossbench.spec.errors import BadInput

CPU_SECONDS = 1.0
"""Of this process, user and system: a machine's other work is no hang."""
LONGEST_SENTENCE = 10_000
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
PLACES = (
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.chmod",
    "os.chown",
)
NEVER = (
    "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "pty.", "socket.connect",
    "socket.bind", "socket.sendto", "pickle.find_class", "ctypes.dlopen", "os.kill", "os.killpg", "os.putenv",
)  # fmt: skip


class Escaped(BaseException):
    """A reader did what data must not make it do."""


class Hung(BaseException):
    """A reader took more than a second of processor time."""


@dataclass(frozen=True, kw_only=True)
class Reader:
    """mutated: an input. read: raises BadInput or WireError where it refuses. writes: the one folder it may write."""

    name: str
    mutated: Callable[[random.Random], bytes]
    read: Callable[[bytes], Any]
    writes: Path | None = None


@dataclass
class Tally:
    """What came of the inputs. faults: of each kind the first."""

    read: int = 0
    refused: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)
    longest_cpu_seconds: float = 0.0
    longest_seconds: float = 0.0

    def add(self, kind: str, said: str) -> None:
        self.kinds[kind] += 1
        self.faults.setdefault(kind, said)


_watched: Reader | None = None


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _watched is None:
        return
    if event == "open":
        path, mode, flags = arguments
        if isinstance(flags, int) and flags & WRITING and not _inside(path):
            raise Escaped(f"opened {path!r} for writing ({mode})")
    elif event in PLACES or event.startswith("shutil."):
        if not all(_inside(path) for path in arguments if isinstance(path, str | bytes | os.PathLike)):
            raise Escaped(f"{event} {arguments!r}")
    elif event == "exec":
        code = arguments[0]
        if not (code.co_name == "<module>" and Path(code.co_filename).is_absolute()):  # an import is no input's doing
            raise Escaped(f"executed {code!r}")
    elif event.startswith(NEVER):
        raise Escaped(f"{event} {arguments!r:.200}")


def _inside(path: Any) -> bool:
    if _watched is None or _watched.writes is None or not isinstance(path, str | bytes | os.PathLike):
        return False
    return Path(os.path.realpath(os.fsdecode(path))).is_relative_to(_watched.writes)


def _overdue(*_: object) -> None:
    raise Hung(f"more than {CPU_SECONDS:g} s of processor time")


def begin() -> None:
    """Once in a process."""
    sys.addaudithook(_hook)
    signal.signal(signal.SIGPROF, _overdue)


def tried(reader: Reader, number: int, tally: Tally) -> None:
    """Input `number` of a reader: the same in every process."""
    global _watched
    content = reader.mutated(random.Random(f"{reader.name} {number}"))
    began, began_cpu = time.perf_counter(), time.process_time()
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        _watched = reader
        reader.read(content)
        tally.read += 1
    except (BadInput, WireError) as error:
        _watched = None
        tally.refused += 1
        said = str(error)
        if isinstance(error, BadInput) and not (said.isprintable() and len(said) <= LONGEST_SENTENCE):
            tally.add("refused in what is no line to print", f"input {number}: {said[:300]!r}")
    except (Exception, Escaped, Hung, MemoryError) as fault:  # noqa: BLE001 - whatever else comes is what is looked for
        _watched = None
        places = [f for f in traceback.extract_tb(fault.__traceback__) if "/lossbench/" in f.filename]
        place = f"{Path(places[-1].filename).name}:{places[-1].lineno}" if places else "?"
        tally.add(f"{type(fault).__name__} at {place}", f"input {number}: {fault!r:.300}")
    finally:
        _watched = None
        signal.setitimer(signal.ITIMER_PROF, 0)
    tally.longest_cpu_seconds = max(tally.longest_cpu_seconds, time.process_time() - began_cpu)
    tally.longest_seconds = max(tally.longest_seconds, time.perf_counter() - began)
