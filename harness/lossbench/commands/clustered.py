"""`lossbench run --cluster`: the machines that take a run's answers and times, where it has others than this one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lossbench.bench.carry import Elsewhere
from lossbench.cluster.driver import Driver
from lossbench.cluster.gathering import CLUSTER
from lossbench.cluster.rays import connected
from lossbench.cluster.recorded import expected
from lossbench.cluster.seats import needs_of, seats
from lossbench.lanes.bounds import Bounds
from lossbench.record.run import RunFolder
from lossbench.spec.errors import BadInput
from lossbench.spec.plan import Plan


@contextmanager
def machines(
    address: str, resources: Sequence[str], plan: Plan, begun: RunFolder | None, results: Path,
    say: Callable[[str], None], bounds: Bounds,
) -> Iterator[Elsewhere | None]:  # fmt: skip
    """A cluster with room for the plan, None where no address is given. BadInput.

    begun: the run that goes on. results: holds earlier runs, which tell what a case costs. say: tells of a lost node.
    bounds: of each worker.
    """
    if begun is not None and plan.timed:
        _same(begun, bool(address))
    if not address:
        if resources:
            raise BadInput(
                subject="--needs", expected="--cluster beside it", received="none", remedy="name the cluster too"
            )
        yield None
        return
    with connected(address) as rays:
        seats(rays.nodes(), needs_of(plan.lanes, resources))
        yield Driver(rays, resources, say, expected(results), bounds)


def _same(begun: RunFolder, now: bool) -> None:
    """Times of nodes and of this machine do not belong into one table."""
    before = any(row["key"] == CLUSTER for row in begun.rows("facts"))
    if before != now and any(begun.rows("measurements")):
        places = {True: "on a cluster", False: "on one machine"}
        raise BadInput(
            subject=f"run {begun.id}",
            expected=f"to go on {places[before]}, where it has timed calls before",
            received=places[now],
            remedy="add --cluster" if before else "leave out --cluster",
        )
