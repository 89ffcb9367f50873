"""Replicates of a lane over several interpreters: base, control and head are processes visited in turn.

Each interpreter has its own framework, so that the versions do not fit into one process. All processes of a replicate
are forked anew from templates, stay on one core, see the same inputs (proven by digest) and take turns, a block of
calls each, in the palindromes of `replicate`; the parent says whose turn it is.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np

from lossbench.lanes.backends import backend_class
from lossbench.lanes.child import Child, ChildLost
from lossbench.lanes.measurement import Answer, Paired
from lossbench.lanes.process import START_LIMIT_SECONDS
from lossbench.lanes.replicas import said
from lossbench.lanes.replicate import another, same
from lossbench.spec.case import Cell, Lane
from lossbench.spec.errors import BadInput

BLOCK_SECONDS: Final = 1e-3
"""Longer than within one process: each turn begins with another's memory in the caches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """name: base, control or head. python: its path, empty for the harness's own."""

    name: str
    python: str


def useless(lane: Lane, seen: str) -> BadInput:
    """An interpreter that cannot serve a lane, and why."""
    return BadInput(
        subject=f"the interpreter {lane.interpreter or 'of lossbench'}",
        expected=f"a Python of at least 3.11 with numpy and a {backend_class(lane.backend).module} that starts",
        received=seen,
        remedy="install what is missing there, or name versions that fit together, such as 'jax==A optax==B'",
    )


class Side:
    """A template process of one interpreter, and at times a child of it that answers instead."""

    def __init__(self, own: Interpreter, lane: Lane, suites: Sequence[Path], builtin: bool) -> None:
        self.own, self._lane, self._suites, self._builtin = own, lane, [str(path) for path in suites], builtin
        self._child: Child | None = None
        self.versions: Mapping[str, str] = {}

    def ready(self) -> None:
        """Starts the interpreter and waits for its framework. BadInput where it cannot serve."""
        if self._child is not None:
            return
        environ = backend_class(self._lane.backend).environ(self._lane.threads, self._lane.device)
        try:
            self._child = Child(
                self.own.python, {**environ, "PYTHONHASHSEED": "0"}, None, module="lossbench.lanes.template"
            )
            self._child.post({"do": "prepare", "lane": asdict(self._lane), "versions": [], "seed": 0})
            greeting = said(self._child.receive(time.monotonic() + START_LIMIT_SECONDS))
        except OSError as error:
            raise useless(replace(self._lane, interpreter=self.own.python), error.strerror or str(error)) from error
        except ChildLost as lost:
            self._child = None
            raise useless(replace(self._lane, interpreter=self.own.python), lost.reason) from lost
        if "lost" in greeting:
            raise useless(replace(self._lane, interpreter=self.own.python), greeting["reason"])
        self.versions = greeting["versions"]

    def begin(self, core: int, deadline: float) -> None:
        """Forks a child that answers from here on. BadInput where a suite does not load."""
        self.ready()
        self.ask({"do": "live", "core": core}, deadline)
        self.ask({"do": "hello", "lane": asdict(self._lane)}, deadline)
        self.ask({"do": "load", "suites": self._suites, "builtin": self._builtin}, deadline)

    def end(self, deadline: float) -> None:
        """Ends the child; the template answers again."""
        self.ask({"do": "bye"}, deadline)

    def ask(self, request: Mapping[str, Any], deadline: float) -> dict[str, Any]:
        """A reply. ChildLost where there is none, or where the child died instead."""
        assert self._child is not None, "ready"
        self._child.send(request, deadline)
        reply = said(self._child.receive(deadline))
        if "lost" in reply:
            raise ChildLost(reply["lost"], f"{self.own.name}: {reply['reason']}", "")
        if reply.get("ended"):
            raise ChildLost("crashed", f"{self.own.name}: the replicate's process was {reply['ended']}", "")
        return reply

    def close(self) -> None:
        """Ends the template, and a child with it."""
        if self._child is not None:
            self._child.close()
        self._child = None


class Turns:
    """A lane's replicates, as `Replicas` gives them for versions of code.

    interpreters: base first. seen: takes, by lane and interpreter, the distributions that decide the numbers.
    """

    def __init__(
        self, lane: Lane, interpreters: Sequence[Interpreter], suites: Sequence[Path] = (), *, builtin: bool = True,
        seen: dict[Lane, Mapping[str, Mapping[str, str]]] | None = None,
    ) -> None:  # fmt: skip
        self.lane, self._seen = lane, {} if seen is None else seen
        self._sides = [Side(own, lane, suites, builtin) for own in interpreters]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def ready(self) -> None:
        """Waits until every interpreter has imported its framework."""
        for side in self._sides:
            side.ready()
        self._seen[self.lane] = {side.own.name: side.versions for side in self._sides}

    def replicate(
        self,
        cells: Sequence[tuple[Cell, Mapping[str, str]]],
        *,
        seed: int,
        rounds: int,
        limit_seconds: float,
        core: int,
    ) -> list[Paired]:
        """One replicate of each cell, in processes of their own. A lost one is a status of every cell left."""
        drawn, found = random.Random(seed), list[Paired]()
        deadline = time.monotonic() + limit_seconds
        try:
            for side in drawn.sample(self._sides, len(self._sides)):
                side.begin(core, deadline)
            for cell, _ in cells:
                found.append(self._one(cell, rounds, drawn, deadline))
            for side in self._sides:
                side.end(deadline)
        except ChildLost as lost:
            self.close()
            found += [Paired(status=lost.status, reason=lost.reason)] * (len(cells) - len(found))  # type: ignore[arg-type]
        return found

    def _one(self, cell: Cell, rounds: int, drawn: random.Random, deadline: float) -> Paired:
        answers: dict[str, Answer] = {}
        began = time.monotonic()
        for side in drawn.sample(self._sides, len(self._sides)):
            answer = Answer(**side.ask({"do": "hold", "cell": asdict(cell)}, deadline))
            answers[side.own.name] = answer
        for side in self._sides:  # the base's first: what it cannot do either is no change
            answer = answers[side.own.name]
            if answer.status != "ok":
                return Paired(status=answer.status, reason=f"{side.own.name}: {answer.reason}")
        if len({answer.digest for answer in answers.values()}) > 1:
            return Paired(status="skipped", reason="the interpreters draw other inputs for this case")
        loops = self._sides[0].ask({"do": "size", "block_seconds": BLOCK_SECONDS}, deadline)["loops"]
        first, *others = (answers[side.own.name] for side in self._sides)
        seconds = self._palindromes(loops, rounds, drawn, deadline, time.monotonic() - began)
        return Paired(
            status="ok", loops=loops, seconds_per_call=np.stack(seconds),
            same_value=all(same(first, other) for other in others),
        )  # fmt: skip

    def _palindromes(
        self, loops: int, rounds: int, drawn: random.Random, deadline: float, preparing: float
    ) -> list[np.ndarray[Any, Any]]:
        """As within one process."""
        count = len(self._sides)
        seconds: list[np.ndarray[Any, Any]] = []
        took: list[float] = []
        while another(took, rounds, 2 * count * BLOCK_SECONDS, preparing):
            began, block = time.monotonic(), np.empty((count, 2))
            there = drawn.sample(range(count), count)
            for way, places in enumerate((there, there[::-1])):
                for place in places:
                    told = self._sides[place].ask({"do": "turn", "loops": loops}, deadline)
                    block[place, way] = told["seconds"]
            seconds.append(block)
            took.append(time.monotonic() - began)
        return seconds

    def close(self) -> None:
        """Ends all processes; they start again when asked."""
        for side in self._sides:
            side.close()
