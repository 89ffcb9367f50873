"""What a worker may use of the machine, watched from outside and never asked of the worker.

Frameworks reserve many times the address space that they use, so a limit on that (RLIMIT_AS, RLIMIT_DATA) would
refuse what never costs anything; what is counted is what is resident (docs/decisions/0056).
"""

from __future__ import annotations

import math
import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lossbench.spec.errors import BadInput

PROC: Final = Path("/proc")
LOOK_SECONDS: Final = 0.05
"""Between two looks at the worker; what it may hold beyond its bound is what it can touch meanwhile."""
FAMILY_SECONDS: Final = 1.0
"""Between two looks at which processes it has started: that means reading all of /proc."""
UNITS: Final = {
    "": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
AMOUNT: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """memory_bytes: resident memory of a worker and of what it starts. seconds: of one request. 0: no bound."""

    memory_bytes: int = 0
    seconds: float = 0.0

    def within(self, limit_seconds: float) -> float:
        """The shorter of a request's own limit and the user's."""
        return min(limit_seconds, self.seconds or math.inf)


def bytes_of(text: str) -> int:
    """`4GiB`, `500 MB`, `1073741824` as bytes; 0 of nothing. BadInput, also where the system cannot be watched."""
    if not text:
        return 0
    found = AMOUNT.fullmatch(text)
    amount = round(float(found[1]) * UNITS.get(found[2], 0)) if found else 0
    if not amount:
        raise BadInput(
            subject="--memory-limit",
            expected="an amount of memory",
            received=repr(text),
            remedy="write it like 4GiB, 500MiB or a number of bytes",
        )
    if not (PROC / "self" / "statm").exists():
        raise BadInput(
            subject="--memory-limit",
            expected="a system with /proc, where a worker's memory can be read",
            received="none",
            remedy="leave it out, or run on Linux",
        )
    return amount


class Watch:
    """Looks at how much memory a process and those of its group hold."""

    def __init__(self, leader: int) -> None:
        self._leader, self._family, self._looked = leader, [leader], 0.0

    def held_bytes(self) -> int:
        """Resident bytes; of several processes each its share of what they have in common. 0 of one that has ended."""
        if time.monotonic() - self._looked > FAMILY_SECONDS:
            self._family, self._looked = group(self._leader), time.monotonic()
        if self._family == [self._leader]:
            return _resident(self._leader)
        return sum(_share(pid) for pid in self._family)


def group(leader: int) -> list[int]:
    """The processes of a process group, its leader first."""
    found = [leader]
    for name in os.listdir(PROC):
        if name.isdigit() and int(name) != leader:
            with suppress(OSError, ValueError, IndexError):  # it ended meanwhile
                if int((PROC / name / "stat").read_text().rpartition(")")[2].split()[2]) == leader:
                    found.append(int(name))
    return found


def _resident(pid: int) -> int:
    with suppress(OSError, ValueError, IndexError):
        return int((PROC / str(pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _share(pid: int) -> int:
    """The proportional set size: a page that n processes hold counts 1/n."""
    with suppress(OSError):
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return _resident(pid)


def said(count: int) -> str:
    """`1.5 GiB`."""
    for mark in ("GiB", "MiB", "KiB"):
        if count >= UNITS[mark]:
            return f"{count / UNITS[mark]:.3g} {mark}"
    return f"{count} bytes"


def offer_to_the_system() -> None:
    """Where memory runs out, the system ends this process before the one that keeps the books."""
    with suppress(OSError):
        (PROC / "self" / "oom_score_adj").write_text("500")
