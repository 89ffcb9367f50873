"""Replicates of a lane, seen from the parent: a template process, asked again and again, and replaced when lost."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

from lossbench.lanes.backends import backend_class
from lossbench.lanes.child import Child, ChildLost
from lossbench.lanes.measurement import Paired
from lossbench.lanes.process import START_LIMIT_SECONDS
from lossbench.lanes.versions import Version
from lossbench.spec.case import Cell, Lane
from lossbench.spec.errors import BadInput

BLOCK_SECONDS: Final = 0.25e-3
"""At equal time, blocks of 1.5 ms make a replicate two to four times as noisy."""
GRACE_SECONDS: Final = 10.0


class Source(Protocol):
    """Where a lane's replicates come from. `ready` starts what they need and waits for it."""

    lane: Lane

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...

    def ready(self) -> None: ...

    def replicate(
        self,
        cells: Sequence[tuple[Cell, Mapping[str, str]]],
        *,
        seed: int,
        rounds: int,
        limit_seconds: float,
        core: int,
    ) -> list[Paired]: ...


class Replicas:
    """A context manager around one template process of a lane. Fresh in every sense: a new interpreter.

    seed: of the order in which versions are imported; an even one and the next are each other's opposite.
    """

    def __init__(self, lane: Lane, versions: Sequence[Version], *, seed: int = 0, log_path: Path | None = None) -> None:
        self.lane, self._versions, self._seed, self._log_path = lane, versions, seed, log_path
        self._child: Child | None = None
        self._greeted = False
        self.greeting: Mapping[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def start(self) -> None:
        """Starts the process and returns at once. BadInput where the framework is not installed."""
        if self._child is not None:
            return
        found = backend_class(self.lane.backend)
        if not found.installed():
            raise BadInput(
                subject=f"lane {self.lane.id}",
                expected=f"{found.module} to be installed",
                received="no such package",
                remedy=f"pip install 'lossbench[{self.lane.backend}]', or choose another backend",
            )
        environ = {**found.environ(self.lane.threads, self.lane.device), "PYTHONHASHSEED": "0"}
        self._child = Child("", environ, self._log_path, module="lossbench.lanes.template")
        fields = [asdict(version) for version in self._versions]
        self._child.post({"do": "prepare", "lane": asdict(self.lane), "versions": fields, "seed": self._seed})
        self._greeted = False

    def ready(self) -> None:
        """Waits until the framework and, where that may be, the versions are imported. BadInput where one is not.

        A process that dies meanwhile shows at its first replicate.
        """
        self.start()
        assert self._child is not None, "started"
        if not self._greeted:
            with suppress(ChildLost):
                self.greeting = said(self._child.receive(time.monotonic() + START_LIMIT_SECONDS))
                self._greeted = True

    def replicate(
        self,
        cells: Sequence[tuple[Cell, Mapping[str, str]]],
        *,
        seed: int,
        rounds: int,
        limit_seconds: float,
        core: int = -1,
        block_seconds: float = BLOCK_SECONDS,
        apart: Sequence[Sequence[str]] = (),
    ) -> list[Paired]:
        """One replicate of each cell, in a process of its own. A lost process is a status of every cell.

        core: where the process stays; -1: wherever the system puts it. apart: names of versions that share rounds; a
        cell then has a result for each group, in this order.

        BadInput where a version does not load.
        """
        request = {
            "do": "replicate",
            "cells": [[asdict(cell), dict(names)] for cell, names in cells],
            "seed": seed,
            "rounds": rounds,
            "block_seconds": block_seconds,
            "limit_seconds": limit_seconds,
            "core": core,
            "apart": [list(group) for group in apart],
        }
        try:
            reply = self._asked(request, limit_seconds)
        except ChildLost as lost:
            self._child = None
            reply = {"lost": lost.status, "reason": lost.reason}
        if "lost" in reply:
            return [Paired(status=reply["lost"], reason=reply["reason"])] * (len(cells) * max(1, len(apart)))
        return [Paired(**fields) for fields in reply["cells"]]

    def close(self) -> None:
        """Ends the process, and a replicate with it."""
        if self._child is not None:
            self._child.close()
        self._child = None

    def _asked(self, request: Mapping[str, Any], limit_seconds: float) -> dict[str, Any]:
        self.start()
        assert self._child is not None, "started"
        if not self._greeted:
            self.greeting = said(self._child.receive(time.monotonic() + START_LIMIT_SECONDS))
            self._greeted = True
        deadline = time.monotonic() + limit_seconds + GRACE_SECONDS
        self._child.send(request, deadline)
        reply = said(self._child.receive(deadline))
        return said(reply) if "bad_input" in reply else reply


def said(reply: Mapping[str, Any]) -> dict[str, Any]:
    """What a reply holds; its errors raised or handed on as those of a lost process."""
    if "bad_input" in reply:
        raise BadInput(**reply["bad_input"])
    for status in ("unsupported", "failed"):
        if status in reply:
            return {"lost": status, "reason": reply[status]}
    return dict(reply.get("ok", reply))
