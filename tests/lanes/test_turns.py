"""Interpreters in turn: which is slower, which differs, what a fault costs. Real processes, a stand-in framework."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lossbench import BadInput
from lossbench.judge.replicates import log_ratios
from lossbench.lanes.turns import Interpreter, Turns
from lossbench.spec.case import Case, Cell, Lane

HERE = Path(__file__).parent
FAKE = "fake_backend:FakeBackend"
CELL = Cell(case=Case(loss="mine", shape=(64, 64)), binding="fake", lane=Lane(backend=FAKE), operation="value")
LOSS = """
import os
from lossbench import Binding, Loss, domains

HEAD = bool(os.environ.get("IS_HEAD"))

def call(m, y_true, y_pred):
    {body}
    return (y_pred - y_true) ** 2

loss = Loss(name="mine", title="t", summary="s", formula="f", source="s", reference=call,
            inputs=dict(y_true=domains.REAL, y_pred=domains.REAL),
            bindings=(Binding(backend="fake_backend:FakeBackend", name="fake", call=call, docs=()),))
"""


@pytest.fixture(scope="module", autouse=True)
def _importable() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(HERE))
        patch.syspath_prepend(str(HERE))
        yield


def turns(folder: Path, body: str) -> Turns:
    """Base and control in this interpreter; the head's says that it is the head's."""
    (folder / "mine.py").write_text(LOSS.format(body=body))
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nIS_HEAD=1 exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    pythons = {"base": "", "control": "", "head": str(python)}
    sides = [Interpreter(name=name, python=path) for name, path in pythons.items()]
    return Turns(CELL.lane, sides, [folder / "mine.py"], builtin=False)


def test_work_in_one_interpreter_shows(tmp_path: Path) -> None:
    with turns(tmp_path, "[(y_pred - y_true) ** 2 for _ in range(30 * HEAD)]") as source:
        found = [source.replicate([(CELL, {})], seed=n, rounds=3, limit_seconds=60, core=-1)[0] for n in range(3)]
    assert [paired.status for paired in found] == ["ok"] * 3
    assert all(paired.same_value for paired in found)
    assert found[0].seconds_per_call.shape[1:] == (3, 2)
    ratios = np.median([log_ratios(paired.seconds_per_call) for paired in found], axis=0)
    assert ratios[1] > np.log(3)
    assert abs(ratios[0]) < np.log(2)


def test_other_values_are_seen(tmp_path: Path) -> None:
    with turns(tmp_path, "y_pred = y_pred * (1 + HEAD * 1e-6)") as source:
        (found,) = source.replicate([(CELL, {})], seed=1, rounds=2, limit_seconds=60, core=-1)
    assert (found.status, found.same_value) == ("ok", False)


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [("os.abort()", "crashed", "head: .*SIGABRT"), ("raise ValueError('on purpose')", "failed", "head: .*on purpose")],
)
def test_a_fault_costs_its_replicate_alone(tmp_path: Path, fault: str, status: str, said: str) -> None:
    armed = tmp_path / "armed"
    armed.touch()
    body = f"""
    if HEAD and os.path.exists({str(armed)!r}):
        os.unlink({str(armed)!r})
        {fault}
    """
    with turns(tmp_path, body) as source:
        first, second = (
            source.replicate([(CELL, {})], seed=n, rounds=2, limit_seconds=60, core=-1)[0] for n in range(2)
        )
    assert first.status == status
    assert re.search(said, first.reason)
    assert second.status == "ok"


@pytest.mark.parametrize(("words", "seen"), [("", "No such file"), ("#!/bin/sh\nexit 3\n", "status 3")])
def test_an_interpreter_that_cannot_serve_is_bad_input(tmp_path: Path, words: str, seen: str) -> None:
    python = tmp_path / "python"
    if words:
        python.write_text(words)
        python.chmod(0o755)
    with (
        pytest.raises(BadInput, match=seen),
        Turns(CELL.lane, [Interpreter(name="base", python=str(python))]) as source,
    ):
        source.ready()
