"""What stands in the way of a cluster is one sentence; what travels arrives as it was; a seat keeps to its cores."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from lossbench.cluster import parcels, rays
from lossbench.cluster.rays import connected
from lossbench.commands.clustered import machines
from lossbench.lanes.process import UNBOUNDED
from lossbench.record.run import RunFolder
from lossbench.spec import catalogue, plan
from lossbench.spec.case import Case, Cell, Lane
from lossbench.spec.errors import BadInput


def refused(address: str) -> str:
    with pytest.raises(BadInput) as said, connected(address):
        pass
    return str(said.value)


@pytest.mark.parametrize("address", ["nowhere", "ray://", "ray://host", "http://host:1", "ray://host:1/path", "AUTO"])
def test_an_address_that_is_none(address: str) -> None:
    assert refused(address) == (
        f"--cluster: expected auto, or ray://host:port, received {address!r}; write one of the two."
    )


@pytest.mark.parametrize("port", ["9", "99999"])
def test_a_port_where_nobody_listens(port: str) -> None:
    assert f"127.0.0.1:{port}; check host and port." in refused(f"ray://127.0.0.1:{port}")


def test_auto_where_the_environment_names_what_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    assert "received connection refused at 127.0.0.1:9" in refused("auto")


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rays, "find_spec", lambda _: None)
    assert refused("auto").endswith("received no such package; pip install 'lossbench[cluster]'.")


def test_what_a_lost_seat_says_names_no_address() -> None:
    told = RuntimeError("The actor died.\n ip: 10.0.0.7\n The actor died because its node has died. Node Id: 1f")
    assert rays._why(told) == "the node is gone"


def test_times_go_on_where_they_began(tmp_path: Path) -> None:
    known = catalogue.load(backend="")
    timed = plan.make(known, plan.profile_named("quick"), losses=("huber",), backends=("jax",))
    with RunFolder.create(tmp_path) as begun:
        begun.append("facts", {"key": "cluster", "value": "yes"})
        with machines("", (), timed, begun, tmp_path, print, UNBOUNDED) as nothing:
            assert nothing is None, "nothing was timed yet"
        begun.append("measurements", {"cell": "c", "visit": 0})
        with pytest.raises(BadInput, match="add --cluster"), machines("", (), timed, begun, tmp_path, print, UNBOUNDED):
            pass


def test_needs_without_a_cluster(tmp_path: Path) -> None:
    known = catalogue.load(backend="")
    chosen = plan.make(known, plan.profile_named("agreement"), losses=("huber",), backends=("jax",))
    with (
        pytest.raises(BadInput, match="--needs"),
        machines("", ("accelerator:h100",), chosen, None, tmp_path, print, UNBOUNDED),
    ):
        pass


def test_cells_and_suites_arrive_as_they_were(tmp_path: Path) -> None:
    lanes = (Lane(backend="torch"), Lane(backend="jax", device="cuda", mode="compiled", threads=3, label="x"))
    case = Case(loss="huber", params=(("delta", 0.1), ("name", "a")), shape=(4, 8), dtype="bfloat16", seed=3)
    cell = Cell(case=case, binding="f", lane=lanes[1], operation="grad")
    sent = json.loads(json.dumps([parcels.fields_of(cell, lanes), [asdict(lane) for lane in lanes]]))
    assert parcels.cell_of(*sent) == cell
    package = tmp_path / "mine"
    (package / "part").mkdir(parents=True)
    (package / "__init__.py").write_text("A = 1\n")
    (package / "part" / "b.py").write_text("B = 'ä'\n", encoding="utf-8")
    (package / "data.bin").write_bytes(b"\xff")
    (tmp_path / "one.py").write_text("C = 3\n")
    packed = json.loads(json.dumps(parcels.packed([package, tmp_path / "one.py"])))
    there = parcels.unpacked(packed, tmp_path / "there")
    assert [path.name for path in there] == ["mine", "one.py"]
    assert (there[0] / "part" / "b.py").read_text(encoding="utf-8") == "B = 'ä'\n"
    assert not (there[0] / "data.bin").exists()


SIT = """
import os, sys, threading
from lossbench.cluster.place import _sit
go, seen = threading.Event(), []
thread = threading.Thread(target=lambda: (go.wait(), seen.append(sorted(os.sched_getaffinity(0)))))
thread.start()
every = sorted(os.sched_getaffinity(0))
too_many = _sit(0, len(every) + 1), sorted(os.sched_getaffinity(0)) == every
own = _sit(len(every) - 1, 1)
go.set()
thread.join()
print(too_many == (False, True), own, seen == [every[-1:]], sorted(os.sched_getaffinity(0)) == every[-1:])
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not bind processes to cores")
def test_a_seat_keeps_all_its_threads_to_its_cores() -> None:
    done = subprocess.run([sys.executable, "-c", SIT], capture_output=True, text=True, timeout=120)
    assert done.stdout == "True True True True\n", done.stderr
