"""Where on the nodes of a cluster a run's lanes sit: a seat is a set of cores of one node that no other seat shares.

A seat holds a worker of every lane of the run, so that what is compared with each other is computed in one place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from lossbench.spec.case import Lane
from lossbench.spec.errors import BadInput

CORES: Final = 2
"""Of a seat, where a node has them: one for the lane that computes, one for the judge of what it computed."""
BYTES_PER_LANE: Final = 700 * 2**20
"""Room for a framework and what it compiles; what a worker may really hold is `--memory-limit`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a seat asks of the cluster. resources: custom ones by name, such as `accelerator:h100`."""

    cores: int
    memory_bytes: int
    gpus: int = 0
    resources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node as the cluster describes it. host: tells machines apart, of which one may carry several nodes."""

    id: str
    host: str
    cores: int
    memory_bytes: int
    gpus: int = 0
    resources: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Cores `first` to `first + cores - 1` among those that the node's machine allows."""

    node: str
    first: int
    cores: int


def needs_of(lanes: Iterable[Lane], resources: Sequence[str] = ()) -> Needs:
    """What a seat with a worker of each lane asks for."""
    seated = tuple(lanes)
    return Needs(
        cores=max([CORES, *(lane.threads for lane in seated)]),
        memory_bytes=BYTES_PER_LANE * len(seated),
        gpus=int(any(lane.device != "cpu" for lane in seated)),
        resources=tuple(dict.fromkeys(resources)),
    )


def seats(nodes: Iterable[Node], needs: Needs) -> tuple[Seat, ...]:
    """As many as the nodes have room for; a node with fewer cores than a seat would take has one with all of them.

    Nodes of one machine have its cores one after the other. BadInput where no node has what is needed.
    """
    found, taken = [], dict[str, int]()
    described = tuple(nodes)
    for node in described:
        first, cores = taken.get(node.host, 0), min(needs.cores, node.cores)
        taken[node.host] = first + node.cores
        if not cores or not set(needs.resources) <= node.resources or node.gpus < needs.gpus:
            continue
        room = [node.cores // cores, max(1, node.memory_bytes // needs.memory_bytes)]
        room += [node.gpus // needs.gpus] if needs.gpus else []
        found += [Seat(node=node.id, first=first + number * cores, cores=cores) for number in range(min(room))]
    if not found:
        raise BadInput(
            subject="the cluster",
            expected=f"a node with {_said(needs)}",
            received=_described(described),
            remedy="name what a node has with --needs, or start one that has it",
        )
    return tuple(found)


def _said(needs: Needs) -> str:
    parts = ["a core", *(["a GPU"] if needs.gpus else []), *needs.resources]
    return " and ".join(parts)


def _described(nodes: Sequence[Node]) -> str:
    kinds = dict.fromkeys(
        ", ".join([f"{n.cores} cores", *([f"{n.gpus} GPUs"] if n.gpus else []), *sorted(n.resources)]) for n in nodes
    )
    return f"{len(nodes)} with {' or '.join(kinds)}" if nodes else "none at all"
