"""Somebody else's loss: right and wrong functions in a real lane, and one run of the command line over them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lossbench.judge.custom import CustomResult, judge_custom
from lossbench.lanes.process import LaneProcess
from lossbench.spec import catalogue
from lossbench.spec.case import Lane
from lossbench.spec.catalogue import Catalogue
from lossbench.spec.userloss import UserLoss

MINE = """
import numpy as np
import torch
from lossbench import like

@like("mse")
def good(y_true, y_pred):
    return (y_true - y_pred) ** 2

@like("huber_s4", delta=1.0)
def with_threshold(threshold=1.0):
    def custom_loss(y_true, y_pred):
        error = (y_true - y_pred).abs()
        return torch.where(error <= threshold, error**2, threshold * (error - 0.5 * threshold))
    return custom_loss

@like("huber", delta=2.0)
def with_delta(delta=1.0):
    def custom_loss(y_true, y_pred):
        return torch.nn.functional.huber_loss(y_pred, y_true, delta=delta, reduction="none")
    return custom_loss

@like("huber")
def not_huber(y_true, y_pred):
    error = (y_true - y_pred).abs()
    return torch.where(error <= 1, error**2, error - 0.5)

@like("mae")
def twice(y_true, y_pred):
    return 2 * (y_true - y_pred).abs()

@like("mse")
def half_detached(y_true, y_pred):
    return (y_true - y_pred.detach()) * (y_true - y_pred)

@like("kl_divergence")
def swapped(y_true, y_pred):
    return (y_pred * torch.log(y_pred / y_true)).sum(-1)

def plain(y_true, y_pred):
    return (y_true - y_pred).abs()

def plain_factory(weight=3.0):
    def loss(y_true, y_pred):
        return weight * (y_true - y_pred) ** 2
    return loss

def wrong_slope(y_true, y_pred):
    return (y_true - y_pred.detach()) ** 2 + 0 * y_pred

def returns_numpy(y_true, y_pred):
    return np.abs(y_true.detach().numpy() - y_pred.detach().numpy())

def returns_pair(y_true, y_pred):
    return y_pred, y_true

def wrong_shape(y_true, y_pred):
    return torch.zeros(7) + y_pred.sum()

def unconnected(y_true, y_pred):
    return (y_true - y_pred.detach()) ** 2

def not_a_number(y_true, y_pred):
    return torch.sqrt(y_pred - y_pred - 1e-3)

def raises(y_true, y_pred):
    raise ValueError("on purpose")
"""

EXPECTED = {
    "good": (0, "mse"), "with_threshold": (0, "huber_s4"), "with_delta": (0, "huber"), "not_huber": (1, "huber_s4"),
    "twice": (1, "mae"), "half_detached": (1, "mse"), "swapped": (1, "kl_divergence"), "plain": (0, "mae"),
    "plain_factory": (0, "mse"), "wrong_slope": (1, "mse"), "returns_numpy": (2, ""), "returns_pair": (2, ""),
    "wrong_shape": (2, ""), "unconnected": (2, "mse"), "not_a_number": (1, ""), "raises": (2, ""),
}  # fmt: skip
"""Exit status, and the documented loss nearest to it, by what the functions are."""

SAID = {
    "returns_numpy": "returned a numpy.ndarray", "returns_pair": "returned a tuple", "wrong_shape": "(7,)",
    "unconnected": "gradient is None", "raises": "on purpose", "not_a_number": "nan",
    "wrong_slope": "where differences give",
}  # fmt: skip


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mine") / "mine.py"
    path.write_text(MINE)
    return path


@pytest.fixture(scope="module")
def known(mine: Path) -> Catalogue:
    return catalogue.load([mine])


@pytest.fixture(scope="module")
def lane(mine: Path) -> Iterator[LaneProcess]:
    with LaneProcess(Lane(backend="torch"), [mine]) as process:
        yield process


def judged(name: str, known: Catalogue, lane: LaneProcess) -> CustomResult:
    loss = known.losses[name]
    assert isinstance(loss, UserLoss)
    return judge_custom(loss, lane.lane.id, lane, catalogue=known.losses.values(), like=loss.like)


def test_the_process_that_plans_imported_no_framework(known: Catalogue) -> None:
    assert set(EXPECTED) <= set(known.losses)
    assert known.losses["plain"].bindings[0].backend == "torch"


@pytest.mark.parametrize("name", EXPECTED)
def test_what_is_found_of_a_function(name: str, known: Catalogue, lane: LaneProcess) -> None:
    status, nearest = EXPECTED[name]
    result = judged(name, known, lane)
    assert result.exit_status == status, [check.reason for check in result.checks if check.fatal]
    assert (result.relatives[0].loss if result.relatives else "") == nearest
    if name in SAID:
        assert any(SAID[name] in check.reason for check in result.checks if check.fatal)


@pytest.mark.parametrize(("name", "factor"), [("twice", 2.0), ("plain_factory", 3.0)])
def test_a_multiple_is_named(name: str, factor: float, known: Catalogue, lane: LaneProcess) -> None:
    relative = judged(name, known, lane).relatives[0]
    assert relative.relation == "multiple"
    assert relative.factor == pytest.approx(factor, rel=1e-6)


def test_a_run_over_a_file_of_ones_own(tmp_path: Path) -> None:
    """With --json: the exit status, each function beside its nearest relative, and both in the report."""
    (tmp_path / "mine.py").write_text(MINE)
    done = subprocess.run(
        [sys.executable, "-m", "lossbench", "run", "--suite", "mine.py", "--loss", "good,twice,plain", "--json",
         "--profile", "quick", "--dtype", "float32", "--backend", "torch", "--seconds", "0.1"],
        cwd=tmp_path, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    record = json.loads(done.stdout)
    assert (done.returncode, record["exit_status"]) == (1, 1), done.stderr
    found = {result["checks"][0]["loss"]: result for result in record["custom"]}
    assert {name: result["exit_status"] for name, result in found.items()} == {"good": 0, "twice": 1, "plain": 0}
    assert found["plain"]["relatives"][0]["loss"] == "mae"
    page = (tmp_path / record["report"]).read_text(encoding="utf-8")
    assert "times mae" in page
    assert "twice" in page
