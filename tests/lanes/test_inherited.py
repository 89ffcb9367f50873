"""A worker inherits what frameworks read and none of the secrets around it; what it answers is checked."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossbench.lanes import replies
from lossbench.lanes.process import LaneProcess
from lossbench.lanes.wire import WireError
from lossbench.spec import inherited, suitefile
from lossbench.spec.case import Case, Cell, Lane

HERE = Path(__file__).parent
FAKE = "fake_backend:FakeBackend"
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "canary-1", "GITHUB_TOKEN": "canary-2", "TF_TOKEN_app_example_org": "canary-3",
    "TF_VAR_password": "canary-4", "JAX_API_KEY": "canary-5", "DATABASE_URL": "canary-6", "PIP_INDEX_URL": "canary-7",
    "HTTPS_PROXY": "canary-8", "PYTHON_KEYRING_PASSWORD": "canary-9",
}  # fmt: skip
READ = {
    "OMP_NUM_THREADS": "1",
    "XLA_FLAGS": "--x",
    "CUDA_VISIBLE_DEVICES": "0",
    "LC_ALL": "C.UTF-8",
    "TORCH_HOME": "/t",
}


@pytest.fixture(autouse=True)
def _around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (SECRETS | READ).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", str(HERE))
    monkeypatch.syspath_prepend(str(HERE))


def test_what_frameworks_read_passes_and_secrets_do_not() -> None:
    found = inherited.environ()
    assert {name: found.get(name) for name in READ} == READ
    assert found["PATH"] == os.environ["PATH"]
    assert not set(SECRETS) & set(found)


def test_a_name_that_is_asked_for_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(inherited.PASS, "DATABASE_URL, MODEL_FOLDER")
    monkeypatch.setenv("MODEL_FOLDER", "/models")
    found = inherited.environ()
    assert (found["DATABASE_URL"], found["MODEL_FOLDER"]) == ("canary-6", "/models")
    assert "GITHUB_TOKEN" not in found


def test_a_suite_that_prints_its_environment_prints_no_secret() -> None:
    with LaneProcess(Lane(backend=FAKE), [HERE / "fake_backend.py"], builtin=False) as lane:
        case = Case(loss="fake_tells", shape=(3, 2))
        answer = lane.answer(Cell(case=case, binding="fake", lane=Lane(backend=FAKE), operation="value"), 20)
    assert "FAKE_THREADS" in answer.printed
    assert "canary" not in answer.printed + answer.reason + answer.traceback


def test_a_suite_that_is_described_sees_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("import os, sys\nassert not [v for v in os.environ.values() if 'canary' in v]\nimport pandas\n")
    assert suitefile.describe(path, None, 0).contents.functions == {}
    path.write_text("import os, sys\nassert 'GITHUB_TOKEN' in os.environ\nimport pandas\n")
    with pytest.raises(Exception, match="AssertionError"):
        suitefile.describe(path, None, 1)


@pytest.mark.parametrize(
    "reply",
    [
        {}, {"ok": 1, "failed": 3}, {"bad_input": None}, {"bad_input": {"subject": "s"}},
        {"bad_input": dict.fromkeys(("subject", "expected", "received", "remedy"), 1)},
    ],
)  # fmt: skip
def test_a_reply_of_another_form_is_refused(reply: Any) -> None:
    with pytest.raises(WireError):
        replies.said(reply)


@pytest.mark.parametrize(
    "reply",
    [
        None, [], {"status": "ok", "more": 1}, {"status": "fine"}, {"status": ["ok"]}, {"status": "ok", "reason": 1},
        {"status": "ok", "value": [1.0]}, {"status": "ok", "own_bytes": "1"}, {"status": "ok", "facts": {"a": []}},
        {"status": "ok", "prepare_seconds": True}, {"status": "ok", "value": np.array(["x"])},
    ],
)  # fmt: skip
def test_an_answer_of_another_form_is_refused(reply: Any) -> None:
    with pytest.raises(WireError):
        replies.answer(reply)


@pytest.mark.parametrize("rounds", [None, 3, "12", [1], ["a"], [[0.1]]])
def test_a_block_of_another_form_is_refused(rounds: Any) -> None:
    with pytest.raises(WireError):
        replies.block({"status": "ok", "seconds_per_call": rounds})


def test_user_code_that_writes_on_the_wire_costs_its_worker() -> None:
    with LaneProcess(Lane(backend=FAKE), [HERE / "fake_backend.py"], builtin=False) as lane:
        for name in ("fake_forges", "fake_good"):
            case = Case(loss=name, shape=(3, 2))
            answer = lane.answer(Cell(case=case, binding="fake", lane=Lane(backend=FAKE), operation="value"), 20)
            if name == "fake_forges":
                assert answer.status == "crashed"
                assert "cannot be read" in answer.reason
        assert answer.status == "ok"
