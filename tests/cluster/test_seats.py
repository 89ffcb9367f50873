"""Seats on nodes: no core of a machine twice, no more than a node has, none where what is needed is not there."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lossbench.cluster.seats import CORES, Needs, Node, needs_of, seats
from lossbench.spec.case import Lane
from lossbench.spec.errors import BadInput

GIB = 2**30


@st.composite
def clusters(draw: st.DrawFn) -> list[Node]:
    return [
        Node(
            id=f"n{number}", host=f"h{draw(st.integers(0, 2))}", cores=draw(st.integers(0, 9)),
            memory_bytes=draw(st.integers(0, 64)) * GIB, gpus=draw(st.integers(0, 3)),
            resources=frozenset(draw(st.sets(st.sampled_from(["accelerator:h100", "fast-disk"])))),
        )
        for number in range(draw(st.integers(1, 6)))
    ]  # fmt: skip


NEEDS = st.builds(
    Needs, cores=st.integers(1, 4), memory_bytes=st.integers(1, 8).map(lambda n: n * GIB), gpus=st.integers(0, 1),
    resources=st.sampled_from([(), ("accelerator:h100",)]),
)  # fmt: skip


@given(clusters(), NEEDS)
def test_seats_fit_their_nodes_and_share_nothing(nodes: list[Node], needs: Needs) -> None:
    known = {node.id: node for node in nodes}
    fitting = [
        n for n in nodes if n.cores and n.gpus >= needs.gpus and set(needs.resources) <= n.resources
    ]  # fmt: skip
    if not fitting:
        with pytest.raises(BadInput, match="expected a node with a core"):
            seats(nodes, needs)
        return
    found = seats(nodes, needs)
    used: dict[str, list[int]] = defaultdict(list)
    per_node: dict[str, int] = defaultdict(int)
    for seat in found:
        node = known[seat.node]
        assert seat.cores == min(needs.cores, node.cores)
        used[node.host] += range(seat.first, seat.first + seat.cores)
        per_node[seat.node] += 1
    assert all(len(cores) == len(set(cores)) for cores in used.values()), "a core in two seats"
    assert set(per_node) == {node.id for node in fitting}, "every node that will do has a seat"
    for name, count in per_node.items():
        node = known[name]
        assert count * min(needs.cores, node.cores) <= node.cores
        assert count * needs.gpus <= node.gpus
        assert count == 1 or count * needs.memory_bytes <= node.memory_bytes


def test_nodes_of_one_machine_have_its_cores_in_turn() -> None:
    nodes = [Node(id=name, host="same", cores=2, memory_bytes=64 * GIB) for name in "abc"]
    assert [seat.first for seat in seats(nodes, Needs(cores=2, memory_bytes=GIB))] == [0, 2, 4]


def test_a_lane_on_an_accelerator_asks_for_one() -> None:
    cpu, gpu = Lane(backend="torch"), Lane(backend="jax", device="cuda", threads=6)
    assert needs_of([cpu]).gpus == 0
    needs = needs_of([cpu, gpu], ["accelerator:h100", "accelerator:h100"])
    assert (needs.gpus, needs.cores, needs.resources) == (1, 6, ("accelerator:h100",))
    assert needs_of([cpu]).cores == CORES


def test_what_no_node_has_is_said_with_what_there_is() -> None:
    nodes = [Node(id="a", host="a", cores=8, memory_bytes=GIB, resources=frozenset({"accelerator:a100"}))]
    with pytest.raises(BadInput) as refused:
        seats(nodes, Needs(cores=1, memory_bytes=GIB, resources=("accelerator:h100",)))
    assert "a core and accelerator:h100, received 1 with 8 cores, accelerator:a100" in str(refused.value)
