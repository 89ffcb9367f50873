"""`python -m lossbench.lanes.worker --fd N`: one framework behind a socket, until the parent says bye or is gone.

Imports the standard library, numpy, `lossbench.spec`, `lossbench.lanes`, the suites and one framework, so an
interpreter with only that framework can serve. stdout and stderr belong to the user's code; answers
travel on descriptor N. The parent holds this process's stdin open: its end means the parent is dead.
"""

from __future__ import annotations

import argparse
import ctypes
import dataclasses
import faulthandler
import gc
import io
import os
import platform
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, Protocol

from lossbench.lanes.backends import backend_class
from lossbench.lanes.backends.base import UnsupportedError
from lossbench.lanes.bounds import offer_to_the_system
from lossbench.lanes.measurement import Answer, Block, Paired
from lossbench.lanes.reasons import reason_of, trace_of
from lossbench.lanes.session import RAISED, Session, flush
from lossbench.lanes.wire import Channel, WireClosedError, WireError
from lossbench.spec.case import Case, Cell, Lane
from lossbench.spec.catalogue import load
from lossbench.spec.errors import BadInput

Message = Mapping[str, Any]


class Worker:
    """Answers one request after another. The backend is made on `hello`, the session on `load`.

    channel: where requests come from, known before the first.
    """

    channel: Channel

    def __init__(self) -> None:
        self._session: Session | None = None
        self._lane: Lane | None = None

    def reply(self, request: Message) -> dict[str, Any]:
        """The answer to a request, errors included: they are answers too."""
        try:
            handler = getattr(self, f"_{request['do']}")
            return {"ok": handler(request)}
        except BadInput as error:
            parts = ("subject", "expected", "received", "remedy")
            return {"bad_input": {part: getattr(error, part) for part in parts}}
        except UnsupportedError as error:
            return {"unsupported": str(error)}
        except RAISED as error:
            return {"failed": reason_of(error), "traceback": trace_of(error)}

    def _hello(self, request: Message) -> dict[str, Any]:
        self._lane = lane = Lane(**request["lane"])
        found = backend_class(lane.backend)
        if not found.installed():
            raise BadInput(
                subject=f"lane {lane.id}",
                expected=f"an interpreter with {found.module}",
                received=f"{sys.executable} without it",
                remedy=f"pip install 'lossbench[{lane.backend}]', or name another interpreter or backend",
            )
        started = time.perf_counter()
        backend = found(threads=lane.threads, device=lane.device)
        if lane.mode not in found.modes:
            raise UnsupportedError(f"{found.name} has no mode {lane.mode!r} (it has {', '.join(found.modes)})")
        self._backend = backend
        return {
            "import_seconds": time.perf_counter() - started,
            "python": platform.python_version(),
            "versions": backend.versions(),
            "facts": dict(backend.facts),
            "devices": list(backend.devices()),
            "modes": list(found.modes),
        }

    def _load(self, request: Message) -> dict[str, Any]:
        assert self._lane is not None, "hello comes before load"
        catalogue = load([Path(path) for path in request["suites"]], builtin=request["builtin"])
        self._session = Session(self._backend, catalogue, self._lane.mode)
        gc.collect()
        gc.freeze()  # a framework's millions of objects are never garbage: later collections pass them over
        return {"losses": len(catalogue.losses)}

    def _answer(self, request: Message) -> dict[str, Any]:
        return shallow(self._ready.answer(cell_of(request["cell"]), keep=request["keep"]))

    def _given(self, request: Message) -> dict[str, Any]:
        names = ("loss", "binding", "params", "arrays", "dtype", "operation")
        return shallow(self._ready.answer_given(**{name: request[name] for name in names}))

    def _block(self, request: Message) -> dict[str, Any]:
        names = ("rounds", "loops", "target_seconds")
        return shallow(self._ready.block(cell_of(request["cell"]), **{name: request[name] for name in names}))

    def _forget(self, request: Message) -> None:
        self._ready.forget(request["cell_id"])

    def _coverage(self, request: Message) -> dict[str, str]:  # noqa: ARG002 - every handler takes its request
        return self._backend.public_losses()

    @property
    def _ready(self) -> Session:
        assert self._session is not None, "load comes before any cell"
        return self._session


def shallow(result: Answer | Block | Paired) -> dict[str, Any]:
    """A dataclass's fields by name, arrays not copied."""
    return {field.name: getattr(result, field.name) for field in dataclasses.fields(result)}


def cell_of(fields: Message) -> Cell:
    """A cell from the fields that `dataclasses.asdict` gave."""
    return Cell(**{**fields, "case": Case(**fields["case"]), "lane": Lane(**fields["lane"])})


class Replies(Protocol):
    """What answers requests."""

    def reply(self, request: Message) -> dict[str, Any]: ...


def serve(channel: Channel, worker: Replies) -> bool:
    """Until `bye`, or until the parent is gone: gives whether somebody said `bye`."""
    c_library, owner = ctypes.CDLL(None), os.getpid()
    if isinstance(worker, Worker):
        worker.channel = channel
    while True:
        try:
            request = channel.receive()
        except WireClosedError:
            return False
        if request["do"] == "bye":
            return True
        reply = worker.reply(request)
        if os.getpid() != owner:  # user code forked, and both came back: one answer is enough
            os._exit(0)
        flush()
        c_library.fflush(None)
        try:
            channel.send(reply)
        except WireClosedError:
            return False
        except WireError as error:  # nothing of it was sent
            channel.send({"failed": f"the answer cannot be sent: {error}", "unsent": True})


def _end_with_parent() -> None:
    os.read(0, 1)  # the parent writes nothing: this returns when it is gone
    _end_alone()


def _end_alone() -> NoReturn:
    """With all that user code has started here: a process that it forked may hang, and nobody is left to end it."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def run(worker: Replies) -> None:
    """The whole life of a worker's process, for whatever answers in it."""
    parser = argparse.ArgumentParser(description="a lane's worker; started by lossbench, not by hand")
    parser.add_argument("--fd", type=int, required=True, help="descriptor of the connected socket")
    descriptor = parser.parse_args().fd
    os.set_inheritable(descriptor, False)  # what user code starts must not hold the socket open
    faulthandler.enable()
    offer_to_the_system()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # so that words survive an abort, in their order
    threading.Thread(target=_end_with_parent, daemon=True).start()
    channel = Channel(socket.socket(fileno=descriptor))
    ended = serve(channel, worker)
    flush()
    if not ended:
        _end_alone()
    os._exit(0)  # frameworks may hang or crash in their exit handlers; everything is said


def main() -> None:
    run(Worker())


if __name__ == "__main__":
    main()
