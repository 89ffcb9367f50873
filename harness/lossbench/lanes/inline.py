"""The lane of a debugger: the worker's own code in this process, same interface, no protection.

One framework a process, as in a worker; time limits do not hold, and a crash is this process's crash.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from lossbench.lanes.backends import backend_class
from lossbench.lanes.clock import LaneClock
from lossbench.lanes.measurement import Answer, Block
from lossbench.lanes.session import Session
from lossbench.spec.case import Cell, Lane
from lossbench.spec.catalogue import load


class InlineLane:
    """Like `LaneProcess`, in this process. `limit_seconds` is accepted and ignored."""

    def __init__(self, lane: Lane, suites: Sequence[Path] = (), *, builtin: bool = True) -> None:
        self.lane, self.clock = lane, LaneClock()
        self._suites, self._builtin = suites, builtin
        self._session: Session | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def start(self) -> None:
        """Nothing to start; the framework is imported by `ready`."""

    def close(self) -> None:
        self._session = None

    def ready(self, limit_seconds: float = 0.0) -> Mapping[str, Any]:  # noqa: ARG002
        """Imports the framework; what the worker's `hello` would say."""
        backend = self._open().backend
        return {
            "versions": backend.versions(),
            "facts": dict(backend.facts),
            "devices": list(backend.devices()),
            "modes": list(backend.modes),
        }

    def answer(self, cell: Cell, limit_seconds: float = 0.0, *, keep: bool = False, digest: str = "") -> Answer:  # noqa: ARG002
        return self._open().answer(cell, keep=keep)

    def answer_given(
        self,
        loss: str,
        binding: str,
        params: Mapping[str, Any],
        arrays: Mapping[str, Any],
        dtype: str,
        operation: str,
        limit_seconds: float = 0.0,  # noqa: ARG002
    ) -> Answer:
        return self._open().answer_given(loss, binding, params, arrays, dtype, operation)

    def block(
        self,
        cell: Cell,
        rounds: int,
        loops: int = 0,
        limit_seconds: float = 0.0,  # noqa: ARG002
        *,
        target_seconds: float = 2e-3,
    ) -> Block:
        block = self._open().block(cell, rounds, loops, target_seconds)
        for seconds in block.seconds_per_call:
            self.clock.advance(seconds)
        return block

    def round(self, cell: Cell, loops: int = 0, limit_seconds: float = 0.0) -> Block:
        return self.block(cell, 1, loops, limit_seconds)

    def forget(self, cell_id: str | None = None) -> None:
        self._open().forget(cell_id)

    def public_losses(self) -> dict[str, str]:
        return self._open().backend.public_losses()

    def _open(self) -> Session:
        if self._session is None:
            found = backend_class(self.lane.backend)
            os.environ.update(found.environ(self.lane.threads, self.lane.device))
            backend = found(threads=self.lane.threads, device=self.lane.device)
            self._session = Session(backend, load(self._suites, builtin=self._builtin), self.lane.mode)
        return self._session
