"""`python -m lossbench.practice.worker --fd N`: one framework that trains, behind a socket, until the parent is gone.

Like a lane's worker, and with its transport: the standard library, numpy, the suites and one framework.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lossbench.lanes.backends import backend_class
from lossbench.lanes.evaluation import plan
from lossbench.lanes.reasons import reason_of, trace_of
from lossbench.lanes.session import RAISED
from lossbench.lanes.worker import run
from lossbench.practice.objective import spelling
from lossbench.practice.session import Session
from lossbench.spec.catalogue import load
from lossbench.spec.errors import BadInput

Message = Mapping[str, Any]


class Training:
    """Answers one request after another; several runs may be open, by name."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}

    def reply(self, request: Message) -> dict[str, Any]:
        """The answer to a request, errors included."""
        try:
            return {"ok": getattr(self, f"_{request['do']}")(request)}
        except BadInput as error:
            return {"bad_input": {n: getattr(error, n) for n in ("subject", "expected", "received", "remedy")}}
        except RAISED as error:
            return {"failed": reason_of(error), "traceback": trace_of(error)}

    def _hello(self, request: Message) -> dict[str, str]:
        self._backend = backend_class(request["backend"])(threads=int(request["threads"]))
        self._catalogue = load()
        return self._backend.versions()

    def _build(self, request: Message) -> dict[str, Any]:
        self._sessions[request["run"]] = session = Session(self._backend, self._catalogue, request)
        return {"spelled": session.spelled}

    def _advance(self, request: Message) -> dict[str, Any]:
        names = ("epoch", "first", "count", "record")
        return self._of(request).advance(**{name: request[name] for name in names})

    def _finish(self, request: Message) -> dict[str, float]:
        return self._of(request).finish()

    def _save(self, request: Message) -> dict[str, Any]:
        return self._of(request).save()

    def _restore(self, request: Message) -> None:
        self._of(request).restore(request["kept"])

    def _cost(self, request: Message) -> dict[str, Any]:
        return self._of(request).cost(rounds=int(request["rounds"]))

    def _forget(self, request: Message) -> None:
        self._sessions.pop(request["run"], None)

    def _slopes(self, request: Message) -> Any:
        """The slope of each unreduced loss by its prediction, in float64."""
        backend, loss = self._backend, self._catalogue.find(request["loss"])
        backend.begin("float64")
        binding = spelling(loss, backend.name, request["params"])
        asked = plan(loss, binding, {**request["params"], "reduction": "sum"})
        m = backend.namespace

        def total(y_true: Any, y_pred: Any) -> Any:
            return m.sum(binding.call(m, y_true, y_pred, **asked.handed))  # a sum already, where the binding reduces

        y_pred = backend.array(np.asarray(request["y_pred"]), "float64", differentiable=True)
        y_true = backend.array(np.asarray(request["y_true"]), "float64")
        return backend.numpy(backend.value_and_grad(total)(y_true, y_pred)[1])

    def _of(self, request: Message) -> Session:
        return self._sessions[request["run"]]


if __name__ == "__main__":
    run(Training())
