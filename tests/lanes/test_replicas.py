"""Versions of a file side by side in forked replicates: which is slower, which differs, and what a fault costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from lossbench import BadInput
from lossbench.judge.replicates import log_ratios
from lossbench.lanes.forking import ForkLost, in_a_fork
from lossbench.lanes.measurement import Paired
from lossbench.lanes.replicas import Replicas
from lossbench.lanes.versions import Version, paired
from lossbench.spec import catalogue
from lossbench.spec.case import Case, Cell, Lane

HERE = Path(__file__).parent
FAKE = "fake_backend:FakeBackend"
LOSS = """
import os, time
from lossbench import Binding, Loss, domains
{neighbour}

def call(m, y_true, y_pred):
    {before}
    return {times} * (y_pred - y_true) ** 2

loss = Loss(name="{name}", title="t", summary="s", formula="f", source="s", reference=call,
            inputs=dict(y_true=domains.REAL, y_pred=domains.{domain}),
            bindings=(Binding(backend="fake_backend:FakeBackend", name="fake", call=call, docs=()),))
"""


@pytest.fixture(scope="module", autouse=True)
def _importable() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(HERE))
        patch.syspath_prepend(str(HERE))
        yield


def written(folder: Path, times: str = "1", before: str = "pass", neighbour: str = "", **other: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "mine.py"
    fields = {"name": "mine", "domain": "REAL"} | other
    file.write_text(LOSS.format(times=times, before=before, neighbour=neighbour, **fields))
    return file


def replicated(base: Path, head: Path, names: Mapping[str, str] | None = None, times: int = 1) -> list[Paired]:
    versions = [
        Version(name=name, path=str(path), builtin=False)
        for name, path in (("base", base), ("control", base), ("head", head))
    ]
    case = Case(loss="mine", shape=(64, 64))
    cell = Cell(case=case, binding="fake", lane=Lane(backend=FAKE), operation="value")
    with Replicas(cell.lane, versions) as replicas:
        found = []
        for seed in range(times):
            found += replicas.replicate(
                [(cell, names or {})], seed=seed, rounds=4, limit_seconds=20, block_seconds=5e-4
            )
        return found


def test_real_work_in_the_head_shows_and_the_control_does_not(tmp_path: Path) -> None:
    slow = written(tmp_path / "head", before="[(y_pred - y_true) ** 2 for _ in range(20)]")
    found = replicated(written(tmp_path / "base"), slow, times=3)
    assert [f.status for f in found] == ["ok"] * 3
    ratios = np.array([log_ratios(f.seconds_per_call) for f in found])
    assert np.median(ratios[:, 1]) > np.log(3)
    assert abs(np.median(ratios[:, 0])) < np.log(2)
    assert all(f.same_value for f in found)
    assert found[0].seconds_per_call.shape[1:] == (3, 2)
    assert found[0].loops >= 1


def test_work_besides_is_a_slowdown_of_the_first_version(tmp_path: Path) -> None:
    """As much work again, and the control with none."""
    path = str(written(tmp_path / "base", before="[(y_pred - y_true) ** 2 for _ in range(5)]"))
    versions = [Version(name=name, path=path, builtin=False) for name in ("base", "control", "head")]
    versions.append(Version(name="slow1", path=path, builtin=False, extra=1.0))
    cell = Cell(case=Case(loss="mine", shape=(64, 64)), binding="fake", lane=Lane(backend=FAKE), operation="value")
    with Replicas(cell.lane, versions) as replicas:
        found = [
            replicas.replicate(
                [(cell, {}), (cell, {})], seed=seed, rounds=5, limit_seconds=20, block_seconds=1e-3, apart=apart
            )
            for seed, apart in enumerate([(), (), (("base", "head"), ("base", "slow1")), (("base", "slow1"),)])
        ]
    assert [len(replicate) for replicate in found] == [2, 2, 4, 2]
    assert [r.seconds_per_call.shape[1] for r in found[1] + found[2]] == [4, 4, 2, 2, 2, 2]
    slowed = [*found[0], *found[1], found[2][1], found[2][3], *found[3]]
    ratios = [log_ratios(paired.seconds_per_call)[-1] for paired in slowed]
    assert abs(np.median(ratios) - np.log(2)) < 0.35
    unchanged = [*found[0], *found[1], found[2][0], found[2][2]]
    assert abs(np.median([log_ratios(p.seconds_per_call[:, :2])[0] for p in unchanged])) < 0.35


def test_a_neighbour_of_the_same_name_is_each_versions_own(tmp_path: Path) -> None:
    for name, factor in (("base", 1), ("head", 2)):
        written(tmp_path / name, times="factor.FACTOR", neighbour="import factor")
        (tmp_path / name / "factor.py").write_text(f"FACTOR = {factor}\n")
    (found,) = replicated(tmp_path / "base" / "mine.py", tmp_path / "head" / "mine.py")
    assert (found.status, found.same_value) == ("ok", False)
    (found,) = replicated(tmp_path / "base" / "mine.py", tmp_path / "base" / "mine.py")
    assert (found.status, found.same_value) == ("ok", True)


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [
        ("os.abort()", "crashed", "SIGABRT"),
        ("os._exit(7)", "crashed", "ended with status 7"),
        ("raise RuntimeError('on purpose')", "failed", "head: RuntimeError: on purpose"),
    ],
)
def test_a_fault_costs_its_replicate_alone(tmp_path: Path, fault: str, status: str, said: str) -> None:
    once = f"""
    if os.path.exists({str(tmp_path / "armed")!r}):
        os.unlink({str(tmp_path / "armed")!r})
        {fault}
    """
    (tmp_path / "armed").touch()
    head = written(tmp_path / "head", before=once)
    first, second = replicated(written(tmp_path / "base"), head, times=2)
    assert first.status == status
    assert said in first.reason
    assert second.status == "ok"


def test_other_inputs_are_not_compared(tmp_path: Path) -> None:
    (found,) = replicated(written(tmp_path / "base"), written(tmp_path / "head", domain="POSITIVE"))
    assert (found.status, found.reason) == ("skipped", "the versions declare other inputs for this loss")


def test_a_loss_renamed(tmp_path: Path) -> None:
    base, head = written(tmp_path / "base"), written(tmp_path / "head", name="mine_v2")
    names = paired(*(catalogue.load([file], builtin=False, version=f"_{file.parent.name}") for file in (base, head)))
    assert names == {"mine": "mine_v2"}


def test_a_version_that_does_not_load_is_bad_input(tmp_path: Path) -> None:
    head = written(tmp_path / "head", neighbour="import no_such_module_anywhere")
    with pytest.raises(BadInput, match="no_such_module_anywhere"):
        replicated(written(tmp_path / "base"), head)


def test_a_fork_that_hangs_is_ended() -> None:
    import os

    with pytest.raises(ForkLost, match="no answer") as lost:
        in_a_fork(lambda: {"read": os.read(os.pipe()[0], 1)}, 0.2)
    assert lost.value.status == "timeout"


def test_a_fork_shares_nothing_that_happens_in_it() -> None:
    seen: list[int] = []
    assert in_a_fork(lambda: {"length": seen.append(1) or len(seen)}, 20) == {"length": 1}  # type: ignore[func-returns-value]
    assert in_a_fork(lambda: {"length": seen.append(1) or len(seen)}, 20) == {"length": 1}  # type: ignore[func-returns-value]
    assert seen == []


TORCH = """
import torch
{at_import}

def mine(y_true, y_pred):
    return (y_pred - y_true).abs().sum() * WEIGHT
"""


def test_a_real_framework_whose_file_computes_at_import(tmp_path: Path) -> None:
    """Imported in each child: in the template its threads would not survive the fork."""
    for name in ("base", "head"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.py").write_text(TORCH.format(at_import="WEIGHT = torch.ones(200, 200).sum() / 4e4"))
    cell = Cell(case=Case(loss="mine", shape=(32, 8)), binding="user", lane=Lane(backend="torch"), operation="grad")
    versions = [
        Version(name=name, path=str(tmp_path / folder / "mine.py"), builtin=False)
        for name, folder in (("base", "base"), ("control", "base"), ("head", "head"))
    ]
    with Replicas(cell.lane, versions) as replicas:
        for seed in range(2):
            (found,) = replicas.replicate([(cell, {})], seed=seed, rounds=2, limit_seconds=60, block_seconds=2e-4)
            assert (found.status, found.reason, found.same_value) == ("ok", "", True)
