"""`lossbench compare` on two versions: planted slowdowns, unchanged code, git revisions, faults, exit statuses."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from lossbench import BadInput
from lossbench.__main__ import main
from lossbench.commands.timing import fraction
from lossbench.judge.change import Rule
from lossbench.lanes.measurement import Paired
from lossbench.lanes.versions import Version
from lossbench.pairing import campaign as campaigns
from lossbench.pairing import trees
from lossbench.pairing.campaign import Campaign
from lossbench.pairing.sides import sides
from lossbench.spec.case import Case, Cell, Lane

LANES = (Lane(backend="torch"), Lane(backend="jax"))


class FakeReplicas:
    """Stands in for a template process: answers by lane and number of the process, without a framework."""

    made: ClassVar[list[FakeReplicas]] = []
    noise: ClassVar[np.random.Generator] = np.random.default_rng(5)

    def __init__(self, lane: Lane, versions: Sequence[Any], *, seed: int) -> None:  # noqa: ARG002
        self.lane, self.names = lane, [version.name for version in versions]
        FakeReplicas.made.append(self)

    def __enter__(self) -> FakeReplicas:
        return self

    def __exit__(self, *_: object) -> None: ...

    def start(self) -> None: ...

    def ready(self) -> None: ...

    def replicate(self, cells: Sequence[Any], **_: Any) -> list[Paired]:
        return [self.paired(cell) for cell, _ in cells]

    def paired(self, cell: Cell) -> Paired:
        name = cell.case.loss
        if name == "dies":
            return Paired(status="crashed", reason="killed by SIGSEGV")
        first = "control" not in self.names
        head = {"slow": 1.10, "unsteady": 1.10, "once": 1.10 if first else 1.0}.get(name, 1.0)
        factors = {"base": 1.0, "control": 1.10 if name == "unsteady" else 1.0, "head": head}
        shape = (4, len(self.names), 2)
        seconds = np.array([factors[own] for own in self.names])[:, None] * np.exp(
            0.005 * self.noise.standard_normal(shape)
        )
        return Paired(status="ok", loops=1, seconds_per_call=seconds)


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> type[FakeReplicas]:
    FakeReplicas.made = []
    monkeypatch.setattr(campaigns, "Replicas", FakeReplicas)
    return FakeReplicas


def carried(names: Sequence[str], budget_seconds: float = 60.0) -> Campaign:
    cells = [
        (Cell(case=Case(loss=name, shape=(4,)), binding="b", lane=lane, operation="grad"), {})
        for name in names for lane in LANES
    ]  # fmt: skip
    versions = [Version(name=name, path="", builtin=False) for name in ("base", "control", "head")]
    made = Campaign(versions=versions, cells=cells, rule=Rule(cells=len(cells)), budget_seconds=budget_seconds)
    made.run()
    return made


def verdicts(made: Campaign) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for course in made.courses:
        found.setdefault(course.cell.case.loss, set()).add(course.judgement.verdict)
    return found


def test_what_is_said_of_each(faked: type[FakeReplicas]) -> None:
    made = carried(["same", "slow", "once", "unsteady", "dies"])
    assert verdicts(made) == {
        "same": {"PASS"}, "slow": {"FAIL"}, "once": {"PASS"}, "unsteady": {"INVALID"}, "dies": {"INVALID"},
    }  # fmt: skip
    names = [["base", "head"]] * 4 + [["base", "control", "head"]] * 4
    assert [made.names for made in faked.made] == names, "suspects are asked again in two interpreters started anew"
    slow = next(course for course in made.courses if course.cell.case.loss == "slow")
    assert slow.first is not None
    assert slow.first.suspect
    assert slow.judgement.change == pytest.approx(0.10, abs=0.01)
    assert len(slow.raw) == slow.first.replicates + slow.judgement.replicates
    assert "SIGSEGV" in next(c for c in made.courses if c.cell.case.loss == "dies").judgement.reason


@pytest.mark.usefixtures("faked")
def test_replicates_go_where_the_verdict_is_open() -> None:
    made = carried(["same", "slow"])
    taken = {course.cell.case.loss: len(course.raw) for course in made.courses}
    assert taken["same"] <= 4, "a quiet cell is settled at the first looks"
    assert taken["slow"] > 12


@pytest.mark.usefixtures("faked")
def test_without_a_budget_nothing_is_claimed() -> None:
    made = carried(["same", "slow"], budget_seconds=1e-9)
    assert verdicts(made) == {"same": {"INCONCLUSIVE"}, "slow": {"INCONCLUSIVE"}}
    assert made.replicates == 0


LOSS = """
import torch

def mine(y_true, y_pred):
    error = y_pred - y_true
    {more}
    return (error * error).mean()
"""
LIGHT = """
from lossbench import Binding, Loss, domains

def call(m, y_true, y_pred):
    return y_pred - y_true

{name} = Loss(name="{name}", title="t", summary="s", formula="f", source="s", reference=call,
              inputs=dict(y_true=domains.REAL, y_pred=domains.REAL),
              bindings=(Binding(backend="torch", name="formula", call=call, docs=()),))
"""
SLOWER = "for _ in range(3): torch.sin(error)"


@pytest.fixture
def compare(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["lossbench", "compare", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(str(ended.value.code)), capsys.readouterr().out

    return run


def test_a_users_loss_before_and_after(compare: Any, tmp_path: Path) -> None:
    """Real torch: several times the work is found by few processes on any machine."""
    for name, more in (("old", "pass"), ("new", SLOWER)):
        (tmp_path / f"{name}.py").write_text(LOSS.format(more=more))
    base, head = str(tmp_path / "old.py"), str(tmp_path / "new.py")
    words = ("--operation", "value", "--budget", "120s", "--margin", "20%", "--json")
    status, out = compare("--base", base, "--head", head, *words)
    found = json.loads(out)
    (cell,) = found["cells"]
    assert (status, cell["verdict"]) == (1, "FAIL"), out
    assert cell["same_value"]
    assert cell["change"] > 0.5
    assert cell["low"] > 0.01


def test_a_revision_is_unpacked_with_its_neighbours(tmp_path: Path) -> None:
    repository, scratch = tmp_path / "repository", tmp_path / "scratch"
    (repository / "losses").mkdir(parents=True)
    scratch.mkdir()
    suite = repository / "losses" / "mine.py"
    suite.write_text("OLD = 1\n")
    (repository / "losses" / "beside.py").write_text("B = 1\n")
    (repository / "losses" / "data").symlink_to(tmp_path)
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "first"]):
        subprocess.run(["git", "-C", str(repository), *words], check=True)
    suite.write_text("NEW = 1\n")
    found = trees.version("HEAD", suite, scratch)
    assert found.read_text() == "OLD = 1\n"
    assert (found.parent / "beside.py").exists()
    assert not (found.parent / "data").exists(), "a link out of the repository is left out"
    assert trees.version(str(suite), None, scratch) == suite
    with pytest.raises(BadInput, match="no-such-branch"):
        trees.version("no-such-branch", suite, scratch)
    with pytest.raises(BadInput, match="nothing at that path"):
        trees.version(str(repository / "gone.py"), None, scratch)


def test_the_built_in_suites_have_the_quick_profiles_cells(tmp_path: Path) -> None:
    found = sides(trees.builtin(), trees.builtin(), losses=["huber"], backends=["torch", "jax"])
    assert {cell.lane.id for cell, _ in found.cells} == {"torch-cpu-eager", "jax-cpu-eager", "jax-cpu-compiled"}
    assert (found.missing, found.new) == ((), ())
    for file, name in (("a", "mine"), ("b", "yours")):
        (tmp_path / f"{file}.py").write_text(
            LIGHT.format(name=name) + (LIGHT.format(name="third") if file == "b" else "")
        )
    with pytest.raises(BadInput, match="base and head"):
        sides(tmp_path / "a.py", tmp_path / "b.py")


@pytest.mark.parametrize(("text", "value"), [("5%", 0.05), ("0.05", 0.05), (" 12.5% ", 0.125)])
def test_fractions(text: str, value: float) -> None:
    assert fraction(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "%", "-1%", "0", "nan", "5 percent", "inf"])
def test_no_fractions(text: str) -> None:
    with pytest.raises(BadInput):
        fraction(text)
