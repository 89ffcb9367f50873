"""A lane as a worker process: a context manager that answers about cells and survives its worker.

A worker that raises, aborts, prints, hangs or is killed costs the cell it was at, whose answer says so; the
next cell gets a new worker. One that died is asked for once more first, anew: what came from outside does not come
again. `start` returns at once, so that several lanes import their frameworks together.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar, cast

from lossbench.lanes import replies
from lossbench.lanes.backends import backend_class
from lossbench.lanes.bounds import Bounds
from lossbench.lanes.child import Child, ChildLost
from lossbench.lanes.clock import LaneClock
from lossbench.lanes.measurement import Answer, Block, Status
from lossbench.lanes.wire import WireError
from lossbench.spec.case import Cell, Lane
from lossbench.spec.errors import BadInput

START_LIMIT_SECONDS: Final = 180.0
ANSWER_LIMIT_SECONDS: Final = 60.0
BLOCK_TARGET_SECONDS: Final = 2e-3
MAX_FAILED_STARTS: Final = 3
UNBOUNDED: Final = Bounds()
Told = TypeVar("Told")


class LaneLost(Exception):  # noqa: N818 - an outcome that becomes a row
    """There is no answer; what the row says instead. by_chance: it may not come again."""

    def __init__(self, status: str, reason: str, trace: str = "", *, by_chance: bool = False) -> None:
        super().__init__(reason)
        self.status, self.reason, self.trace = cast(Status, status), reason, trace
        self.by_chance = by_chance or status == "crashed"


class LaneProcess:
    """Answers about cells from a worker process of the lane.

    suites: files beyond the built-in suites. log_path: where what the worker prints is kept, bounded. told: hears why a
    worker died whose request was made again. unanswered: how many requests there was no answer to.
    """

    def __init__(
        self,
        lane: Lane,
        suites: Sequence[Path] = (),
        log_path: Path | None = None,
        *,
        builtin: bool = True,
        bounds: Bounds = UNBOUNDED,
        told: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.lane, self.clock = lane, LaneClock()
        self._suites, self._log_path, self._builtin = [str(path) for path in suites], log_path, builtin
        self._child: Child | None = None
        self._greeting: dict[str, Any] | None = None
        self._refusal: LaneLost | None = None
        self._failed_starts = 0
        self._printed = ""
        self._bounds, self._told, self.unanswered = bounds, told, 0
        self._deadly: set[str] = set()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Of the worker, where one lives."""
        return None if self._child is None else self._child.pid

    def start(self) -> None:
        """Starts the worker and returns at once; `ready` waits for it. BadInput where it cannot run at all."""
        if self._child is not None:
            return
        found = backend_class(self.lane.backend)
        if not self.lane.interpreter and not found.installed():
            raise BadInput(
                subject=f"lane {self.lane.id}",
                expected=f"{found.module} to be installed",
                received="no such package",
                remedy=f"pip install 'lossbench[{self.lane.backend}]', or choose another backend",
            )
        environ = found.environ(self.lane.threads, self.lane.device)
        try:
            self._child = Child(self.lane.interpreter, environ, self._log_path, memory_bytes=self._bounds.memory_bytes)
        except OSError as error:
            raise BadInput(
                subject=f"lane {self.lane.id}",
                expected="a Python interpreter",
                received=f"{self.lane.interpreter} ({error.strerror})",
                remedy="check the path",
            ) from error
        self._greeting = None
        self._child.post({"do": "hello", "lane": asdict(self.lane)})
        self._child.post({"do": "load", "suites": self._suites, "builtin": self._builtin})

    def ready(self, limit_seconds: float = START_LIMIT_SECONDS) -> Mapping[str, Any]:
        """Waits until the worker has imported its framework and the suites; versions, facts, devices, modes.

        Raises BadInput where the interpreter lacks the framework or a suite does not load, and LaneLost where
        the lane cannot run (its device or mode is not there, or the worker dies at the start).
        """
        if self._refusal is not None:
            raise LaneLost(self._refusal.status, self._refusal.reason, self._refusal.trace)
        for last in (False, True):
            self.start()
            if self._greeting is None:
                try:
                    self._greet(time.monotonic() + limit_seconds)
                except LaneLost as lost:
                    if last or not lost.by_chance or self._refusal is not None:
                        raise
                    self._told(lost.reason)
        assert self._greeting is not None, "greeted, or raised"
        return self._greeting

    def _greet(self, deadline: float) -> None:
        try:
            greeting = self._said(self._received(deadline))  # of hello
            self._said(self._received(deadline))  # of load
        except LaneLost as lost:
            self._failed_starts += 1
            if lost.status in ("unsupported", "failed") or self._failed_starts >= MAX_FAILED_STARTS:
                reason = f"lane {self.lane.id} does not start: {lost.reason}"
                self._refusal = LaneLost(lost.status, reason, lost.trace)
                self.close()
            raise
        self._greeting, self._failed_starts = greeting, 0

    def answer(
        self, cell: Cell, limit_seconds: float = ANSWER_LIMIT_SECONDS, *, keep: bool = False, digest: str = ""
    ) -> Answer:
        """Computes a cell once. keep: hold it ready for blocks. digest: of the inputs, where known; another fails."""
        answer = self._answered({"do": "answer", "cell": asdict(cell), "keep": keep}, limit_seconds)
        if digest and answer.digest and answer.digest != digest:
            return Answer(
                status="failed",
                reason=f"the worker's inputs differ: digest {answer.digest[:12]}..., expected {digest[:12]}...",
                digest=answer.digest,
            )
        return answer

    def answer_given(
        self, loss: str, binding: str, params: Mapping[str, Any], arrays: Mapping[str, Any], dtype: str,
        operation: str, limit_seconds: float = ANSWER_LIMIT_SECONDS,
    ) -> Answer:  # fmt: skip
        """Computes a loss on given arrays (`y_true`, `y_pred`, further inputs); params may hold arrays too.

        Floats are rounded to the dtype in the worker; inputs whose domain is an index become int32.
        """
        request = {
            "do": "given",
            "loss": loss,
            "binding": binding,
            "params": dict(params),
            "arrays": dict(arrays),
            "dtype": dtype,
            "operation": operation,
        }
        return self._answered(request, limit_seconds)

    def block(
        self,
        cell: Cell,
        rounds: int,
        loops: int = 0,
        limit_seconds: float = ANSWER_LIMIT_SECONDS,
        *,
        target_seconds: float = BLOCK_TARGET_SECONDS,
    ) -> Block:
        """One visit: `rounds` rounds of `loops` calls; loops 0 finds and keeps a number that lasts target_seconds."""
        request = {"do": "block", "cell": asdict(cell), "rounds": rounds, "loops": loops}
        try:
            block = self._asked({**request, "target_seconds": target_seconds}, limit_seconds, replies.block)
        except LaneLost as lost:
            # a lane that is not there has not failed at this cell
            return Block(status="skipped" if lost.status == "failed" else lost.status, reason=lost.reason)
        for seconds in block.seconds_per_call:
            self.clock.advance(seconds)
        return block

    def round(self, cell: Cell, loops: int = 0, limit_seconds: float = ANSWER_LIMIT_SECONDS) -> Block:
        """One round; the clock has advanced by its seconds per call: what `benchmark.pedantic` calls."""
        return self.block(cell, 1, loops, limit_seconds)

    def forget(self, cell_id: str | None = None) -> None:
        """Lets the worker drop a prepared cell, or all; nothing to do where no worker lives."""
        if self._child is None or self._greeting is None:
            return
        with contextlib.suppress(LaneLost):  # a dead worker has forgotten everything
            self._call({"do": "forget", "cell_id": cell_id}, ANSWER_LIMIT_SECONDS)

    def public_losses(self) -> dict[str, str]:
        """Qualified public name -> `class` or `function`, from the installed framework. Raises LaneLost."""
        return cast(dict[str, str], self._call({"do": "coverage"}, START_LIMIT_SECONDS))

    def close(self) -> None:
        """Ends the worker. The lane can be started again."""
        if self._child is not None:
            self._child.close()
        self._child = self._greeting = None

    def _answered(self, request: Mapping[str, Any], limit_seconds: float) -> Answer:
        try:
            answer = self._asked(request, limit_seconds, replies.answer)
        except LaneLost as lost:
            return Answer(status=lost.status, reason=lost.reason, traceback=lost.trace, printed=self._printed)
        assert self._child is not None, "a reply came from a child"
        return replace(answer, printed=self._child.printed)

    def _asked(self, request: Mapping[str, Any], limit_seconds: float, read: Callable[[Any], Told]) -> Told:
        """What a worker says to it, a second one where the first died at it. Raises LaneLost.

        What died twice at one loss is not asked twice for that loss again: each time costs a framework's start.
        """
        loss = request["cell"]["case"]["loss"] if "cell" in request else request["loss"]
        try:
            try:
                return self._call(request, limit_seconds, read)
            except LaneLost as lost:
                if not lost.by_chance or self._refusal is not None or loss in self._deadly:
                    raise
                self._told(lost.reason)
            try:
                return self._call(request, limit_seconds, read)
            except LaneLost:
                self._deadly.add(loss)
                raise
        except LaneLost:
            self.unanswered += 1
            raise

    def _call(
        self, request: Mapping[str, Any], limit_seconds: float, read: Callable[[Any], Told] = lambda told: told
    ) -> Told:
        self.ready()
        told = self._said(self._exchange(request, time.monotonic() + self._bounds.within(limit_seconds)))
        return self._checked(read, told)

    def _checked(self, read: Callable[[Any], Told], told: Any) -> Told:
        """What is no answer ends the worker: whatever wrote it, it cannot be trusted further."""
        try:
            return read(told)
        except WireError as error:
            self.close()
            raise LaneLost("crashed", f"the worker's answer cannot be read: {error}") from error

    def _exchange(self, request: Mapping[str, Any], deadline: float) -> dict[str, Any]:
        assert self._child is not None, "started"
        self._printed = ""
        try:
            self._child.send(request, deadline)
        except WireError as error:  # the request itself cannot travel: the worker never saw it
            raise BadInput(
                subject="a request to a lane",
                expected="numbers, text, lists, dicts and arrays",
                received=str(error),
                remedy="give plain values",
            ) from error
        except ChildLost as lost:
            raise self._lost(lost) from lost
        return self._received(deadline)

    def _received(self, deadline: float) -> dict[str, Any]:
        assert self._child is not None, "started"
        try:
            return self._child.receive(deadline)
        except ChildLost as lost:
            raise self._lost(lost) from lost

    def _lost(self, lost: ChildLost) -> LaneLost:
        self._printed = "" if self._child is None else self._child.printed
        self._child = self._greeting = None
        return LaneLost(lost.status, lost.reason, lost.trace)

    def _said(self, reply: Mapping[str, Any]) -> Any:
        """What a reply holds, its errors raised."""
        reply = self._checked(replies.said, reply)
        if "bad_input" in reply:
            self.close()
            raise BadInput(**reply["bad_input"])
        for status in ("unsupported", "failed"):
            if status in reply:
                raise LaneLost(status, reply[status], reply.get("traceback", ""), by_chance=reply.get("unsent", False))
        return reply["ok"]
