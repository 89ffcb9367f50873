"""Ray, and nothing else of lossbench imports it: nodes, and an actor for each seat that asks for its resources."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from typing import Any, Final

from lossbench.cluster.place import Place
from lossbench.cluster.seats import Needs, Node, Seat
from lossbench.spec.errors import BadInput

REMOTE: Final = re.compile(r"ray://(?P<host>\[[0-9a-fA-F:.]+\]|[\w.-]+):(?P<port>\d{1,5})")
NAMED: Final = re.compile(r"(?P<host>[\w.-]+):(?P<port>\d{1,5})")
"""A cluster as Ray's own variable RAY_ADDRESS names it for `auto`."""
CONNECT_SECONDS: Final = 5.0
POLL_SECONDS: Final = 2.0
"""How long a seat waits for a row before it says that there is none."""
TOKEN: Final = 0.001
"""Of a custom resource: it says where a seat may be, and is not used up."""

Told = list[tuple[str, dict[str, Any]]]
"""Rows and words of a seat, in their order: see `place.Tray`."""


class Seated(Place):
    """The class of the actors, at the top of a module so that a node finds it by name."""

    def greet(self) -> Told:
        """What `Place.hello` says, or why this cannot be a seat."""
        try:
            return [("hello", self.hello())]
        except BadInput as error:
            return [("bad_input", {p: getattr(error, p) for p in ("subject", "expected", "received", "remedy")})]


class Rays:
    """A connected cluster, as the driver needs it."""

    def __init__(self, ray: Any) -> None:
        """Use `connected`."""
        self._ray = ray
        self._actors: dict[Seat, Any] = {}
        self._asked: dict[Any, Seat] = {}

    def nodes(self) -> tuple[Node, ...]:
        """Those that live, as Ray describes them."""
        found = []
        for node in self._ray.nodes():
            if not node["Alive"]:
                continue
            resources = node["Resources"]
            found.append(
                Node(
                    id=node["NodeID"], host=node["NodeManagerHostname"], cores=int(resources.get("CPU", 0)),
                    memory_bytes=int(resources.get("memory", 0)), gpus=int(resources.get("GPU", 0)),
                    resources=frozenset(name for name in resources if not name.startswith("node:")),
                )
            )  # fmt: skip
        return tuple(found)

    def seat(self, seat: Seat, needs: Needs, setup: Mapping[str, Any]) -> None:
        """Asks for an actor there; it is heard of when the cluster has room for it."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        there = NodeAffinitySchedulingStrategy(seat.node, soft=False)
        actor = (
            self._ray.remote(Seated)
            .options(
                num_cpus=seat.cores, num_gpus=needs.gpus, resources=dict.fromkeys(needs.resources, TOKEN),
                max_concurrency=2, max_restarts=0, scheduling_strategy=there,
            )
            .remote(dict(setup))
        )  # fmt: skip
        self._actors[seat] = actor
        self._asked[actor.greet.remote()] = seat

    def begin(self, seat: Seat, work: Mapping[str, Any]) -> None:
        """Gives a seat its share; what becomes of it is heard."""
        self._actors[seat].begin.remote(dict(work))

    def heard(self, wait_seconds: float) -> Iterator[tuple[Seat, Told]]:
        """What seats have to tell; a lost one tells `lost`, once, with the reason."""
        if not self._asked:
            return
        self._ray.wait(list(self._asked), num_returns=1, timeout=wait_seconds)
        ready, _ = self._ray.wait(list(self._asked), num_returns=len(self._asked), timeout=0)
        failures = self._ray.exceptions
        for asked in ready:
            seat = self._asked.pop(asked)
            try:
                told = self._ray.get(asked)
            except failures.RayTaskError:  # lossbench's own fault, with the traceback from there
                raise
            except failures.RayError as error:
                self.leave(seat)
                yield seat, [("lost", {"reason": _why(error)})]
            else:
                self._asked[self._actors[seat].rows.remote(POLL_SECONDS)] = seat
                yield seat, told

    def leave(self, seat: Seat) -> None:
        """Ends a seat; its workers end with it."""
        if (actor := self._actors.pop(seat, None)) is not None:
            self._asked = {asked: other for asked, other in self._asked.items() if other != seat}
            self._ray.kill(actor)

    def close(self) -> None:
        """Ends all seats."""
        for seat in tuple(self._actors):
            self.leave(seat)


@contextmanager
def connected(address: str) -> Iterator[Rays]:
    """An existing cluster: `auto` for the one that this machine belongs to, else `ray://host:port`. BadInput."""
    remote = REMOTE.fullmatch(address)
    if address != "auto" and remote is None:
        raise _unreachable("auto, or ray://host:port", repr(address), "write one of the two")
    if find_spec("ray") is None:
        raise _unreachable("Ray to be installed", "no such package", "pip install 'lossbench[cluster]'")
    remote = remote or NAMED.fullmatch(os.environ.get("RAY_ADDRESS", ""))
    if remote is not None:
        _look(remote["host"].strip("[]"), int(remote["port"]))
    import ray

    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split()).partition(". ")[0].rstrip(".")[:200]
        raise _unreachable("a running Ray cluster", reason, "start one with `ray start --head`, or name it") from error
    finally:
        signal.signal(signal.SIGTERM, before)  # the run's own, which keeps what was measured
    rays = Rays(ray)
    # Ray writes there how the logs of a lost node end, at the latest when it is left, whatever it was told of logs
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        try:
            yield rays
        finally:
            rays.close()
            ray.shutdown()
            signal.signal(signal.SIGTERM, before)


def _why(error: Exception) -> str:
    """What ended a seat, without Ray's account of addresses and processes."""
    text = str(error)
    if "node has died" in text or "node died" in text:
        return "the node is gone"
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [type(error).__name__]
    return f"the process there ended: {lines[-1][:200]}"


def _look(host: str, port: int) -> None:
    """Ray itself would try for half a minute."""
    try:
        socket.create_connection((host, port), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        received = (getattr(error, "strerror", None) or str(error)).lower()
        raise _unreachable("a Ray cluster there", f"{received} at {host}:{port}", "check host and port") from error


def _unreachable(expected: str, received: str, remedy: str) -> BadInput:
    return BadInput(subject="--cluster", expected=expected, received=received, remedy=remedy)
