"""`python -m lossbench.lanes.template --fd N`: a worker that imports a framework, computes nothing, and forks.

A file that imports a framework itself might compute at import, so it is imported in each child; all else once, here.
"""

from __future__ import annotations

import gc
import importlib
import platform
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from lossbench.lanes import versions
from lossbench.lanes.backends import backend_class
from lossbench.lanes.backends.base import Backend, UnsupportedError, installed_versions
from lossbench.lanes.forking import ForkLost, in_a_fork, living_in_a_fork, pin
from lossbench.lanes.measurement import Paired
from lossbench.lanes.reasons import reason_of
from lossbench.lanes.replicate import replicate
from lossbench.lanes.session import RAISED
from lossbench.lanes.turning import Turning
from lossbench.lanes.versions import Version
from lossbench.lanes.worker import Message, Worker, cell_of, run, serve, shallow
from lossbench.spec import catalogue, inputs
from lossbench.spec.case import Case, Lane
from lossbench.spec.catalogue import Catalogue
from lossbench.spec.errors import BadInput
from lossbench.spec.inputs import Inputs
from lossbench.spec.loss import Loss


class Template(Worker):
    """Answers `prepare` once, then `replicate`, or `live` and whatever a child of its own is asked."""

    def __init__(self) -> None:
        super().__init__()
        self._drawn: dict[Case, tuple[Loss, Inputs]] = {}
        self._catalogues: dict[str, Catalogue] | None = None
        self._builtin: Catalogue | None = None

    def _prepare(self, request: Message) -> dict[str, Any]:
        self._lane = lane = Lane(**request["lane"])
        self._kind: type[Backend] = backend_class(lane.backend)
        self._versions = [Version(**fields) for fields in request["versions"]]
        started = time.perf_counter()
        compiler = self._kind.compiler if lane.mode != "eager" else ()
        for module in (*(self._kind.preload or (self._kind.module,)), *compiler):
            with suppress(ImportError):  # a part that is not installed; without the framework itself each child says so
                importlib.import_module(module)
        if any(version.builtin for version in self._versions):
            self._builtin = catalogue.load(backend=lane.backend)
        if versions.light(self._versions):
            self._catalogues = versions.load(
                versions.order(self._versions, request["seed"]), lane.backend, self._builtin
            )
        gc.collect()
        gc.freeze()
        warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message=".*fork", category=RuntimeWarning)
        return {
            "import_seconds": time.perf_counter() - started,
            "python": platform.python_version(),
            "versions": installed_versions(self._kind.distributions),
        }

    def _replicate(self, request: Message) -> dict[str, Any]:
        if self._catalogues is not None:
            self._draw(request)
        try:
            return in_a_fork(lambda: self._child(request), request["limit_seconds"])
        except ForkLost as lost:
            return {"lost": lost.status, "reason": lost.reason}

    def _live(self, request: Message) -> dict[str, Any]:
        """A child takes over the channel and answers as a worker of its own until `bye`; this process then goes on."""

        def life() -> None:
            pin(request["core"])
            self.channel.send({"ok": {}})
            serve(self.channel, Turning())

        return {"ended": living_in_a_fork(life)}

    def _child(self, request: Message) -> dict[str, Any]:
        """In the forked process: the framework is told its threads, wakes up, and works."""
        try:
            pin(request["core"])
            assert self._lane is not None, "prepare comes before replicate"
            known = self._catalogues or versions.load(self._versions, self._lane.backend, self._builtin)
            backend = self._kind(threads=self._lane.threads, device=self._lane.device)
            found = replicate(
                backend,
                {version.name: known[version.name] for version in self._versions},
                [(cell_of(cell), names) for cell, names in request["cells"]],
                mode=self._lane.mode,
                rounds=request["rounds"],
                block_seconds=request["block_seconds"],
                seed=request["seed"],
                extra={version.name: version.extra for version in self._versions if version.extra},
                apart=request.get("apart", ()),
                build=self._built,
            )
            return {"cells": [shallow(paired) for paired in found]}
        except BadInput as error:
            return {"bad_input": {part: getattr(error, part) for part in ("subject", "expected", "received", "remedy")}}
        except UnsupportedError as error:
            paired = Paired(status="unsupported", reason=str(error))
            return {"cells": [shallow(paired)] * self._owed(request)}
        except RAISED as error:
            paired = Paired(status="failed", reason=reason_of(error))
            return {"cells": [shallow(paired)] * self._owed(request)}

    @staticmethod
    def _owed(request: Message) -> int:
        """Results of a replicate."""
        return len(request["cells"]) * max(1, len(request.get("apart", ())))

    def _draw(self, request: Mapping[str, Any]) -> None:
        """Inputs are drawn before the fork, once; a loss for which they cannot be says so in its child."""
        assert self._catalogues is not None, "loaded"
        for fields, _ in request["cells"]:
            case = cell_of(fields).case
            if case not in self._drawn and case.loss in self._catalogues["base"].losses:
                loss = self._catalogues["base"].losses[case.loss]
                with suppress(BadInput):
                    self._drawn[case] = loss, inputs.build(loss, case)

    def _built(self, loss: Loss, case: Case) -> Inputs:
        drawn = self._drawn.get(case)
        if drawn is not None and drawn[0].inputs == loss.inputs:
            return drawn[1]
        built = inputs.build(loss, case)
        self._drawn.setdefault(case, (loss, built))
        return built


if __name__ == "__main__":
    run(Template())
