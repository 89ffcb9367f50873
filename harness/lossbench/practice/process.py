"""A worker that trains, as the parent holds it: requests with a time limit, and faults as sentences."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from lossbench.lanes.backends import backend_class
from lossbench.lanes.child import Child, ChildLost
from lossbench.lanes.wire import WireError
from lossbench.practice.causes import Causes
from lossbench.spec import plainly
from lossbench.spec.errors import BadInput, LossbenchError
from lossbench.spec.training import Experiment, Sets

START_SECONDS: Final = 180.0
LIMIT_SECONDS: Final = 900.0
MODULE: Final = "lossbench.practice.worker"
Answer = TypeVar("Answer")


class TrainingFault(LossbenchError):  # noqa: N818 - reads as what happened
    """A worker that raised, crashed or took too long; the text says which and why."""


class Trainee:
    """One framework's worker."""

    def __init__(self, backend: str, *, threads: int = 1) -> None:
        self.backend = backend
        environ = backend_class(backend).environ(threads, "cpu")
        self._child = Child("", environ, None, module=MODULE)
        self._threads = threads
        self.versions: dict[str, str] = {}

    def start(self) -> None:
        """Imports the framework. BadInput, TrainingFault."""
        self.versions = self.ask("hello", limit=START_SECONDS, backend=self.backend, threads=self._threads)

    def build(
        self, run: str, experiment: Experiment, sets: Sets, *, seed: int, dtype: str, causes: Causes
    ) -> tuple[str, ...]:
        """Makes the model; gives the spelling of each loss."""
        told = self.ask(
            "build", run=run, seed=seed, dtype=dtype, causes=asdict(causes), batch=experiment.batch,
            metrics=list(experiment.metrics), model=plainly.of_model(experiment.model),
            loss=[plainly.of_value(term) for term in experiment.loss],
            optimiser=plainly.of_value(experiment.optimiser),
            sets={"x": sets.x, "y": dict(sets.y), "x_test": sets.x_test, "y_test": dict(sets.y_test),
                  "divisor": sets.divisor},
        )  # fmt: skip
        return tuple(told["spelled"])

    def ask(self, do: str, *, limit: float = LIMIT_SECONDS, **request: Any) -> Any:
        """One request and its answer. BadInput as the worker raised it; TrainingFault for every other fault."""
        deadline = time.monotonic() + limit
        try:
            self._child.send({"do": do, **request}, deadline)
            reply: Mapping[str, Any] = self._child.receive(deadline)
        except (ChildLost, WireError) as fault:
            raise TrainingFault(f"{self.backend}: {fault}") from fault
        if "bad_input" in reply:
            raise BadInput(**reply["bad_input"])
        if "failed" in reply:
            raise TrainingFault(f"{self.backend}: {reply['failed']}")
        return reply["ok"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._child.close()


def at_once(trainees: Mapping[str, Trainee], ask: Callable[[str, Trainee], Answer]) -> dict[str, Answer]:
    """The answers of workers that are asked at the same time, in their order; the first fault is raised.

    What they compute does not depend on it; what it takes does, so nothing that is timed is asked this way.
    """
    with ThreadPoolExecutor(max(1, len(trainees))) as threads:
        asked = {name: threads.submit(ask, name, trainee) for name, trainee in trainees.items()}
        return {name: answer.result() for name, answer in asked.items()}
