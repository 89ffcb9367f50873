"""Facts about the machine: no framework imported, no secret kept, no git needed."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lossbench.record import machine


def test_no_framework_and_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import sys; from lossbench.record import machine; facts = machine.facts()\n"
        "print(sorted({'tensorflow', 'torch', 'jax', 'keras', 'optax'} & set(sys.modules)))\n"
        "print('hunter2' in repr(facts))"
    )
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "False"]


def test_versions_are_those_of_the_packages() -> None:
    assert machine.versions()["version.numpy"] == np.__version__


def test_commit_of_a_repository(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        done = subprocess.run(
            ["git", "-C", str(tmp_path), *identity, *words], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    git("init", "-q")
    assert machine.commit(tmp_path) == {}
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-q", "-m", "one")
    assert machine.commit(tmp_path) == {"commit.id": git("rev-parse", "HEAD"), "commit.dirty": "no"}
    (tmp_path / "file").write_text("2")
    assert machine.commit(tmp_path)["commit.dirty"] == "yes"


def test_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.commit(tmp_path) == {}
