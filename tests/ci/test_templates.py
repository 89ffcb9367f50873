"""What other projects' CI takes from here: valid by the published schemas, and its steps run as the shell they are."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
from ruamel.yaml import YAML

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "show"))
import synthetic_run

from lossbench.judge import baseline

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = files("check_jsonschema") / "builtin_schemas" / "vendor"
RUN = "20261122T140300Z-abc123"


def read(name: str) -> Any:
    return YAML(typ="safe").load((ROOT / name).read_text(encoding="utf-8"))


def schema(name: str) -> Any:
    return json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("file", "name"), [("action.yml", "github-actions"), ("ci/gitlab.yml", "gitlab-ci")])
def test_it_is_valid(file: str, name: str) -> None:
    kind = schema(name)
    validator = jsonschema.validators.validator_for(kind)(kind)
    assert [error.message for error in validator.iter_errors(read(file))] == []
    spoilt = {"runs": {"using": "composite", "steps": [{"run": "x"}]}, "name": "n", "description": "d"}
    assert list(validator.iter_errors(spoilt if name == "github-actions" else {"job": {"script": 7}}))


def test_the_hook_has_what_pre_commit_requires() -> None:
    (hook,) = read(".pre-commit-hooks.yaml")
    assert {"id", "name", "entry", "language"} <= set(hook)
    assert hook["language"] == "system"


def test_no_step_pastes_what_a_user_wrote_into_its_script() -> None:
    for step in read("action.yml")["runs"]["steps"]:
        assert "${{" not in step["run"]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with `lossbench` and `python` on its path, a recorded run and a baseline of it.

    `pip` and `run` only say what they were given; with CHECKED set the real command line reads the options of `run`
    and then lacks a loss of that name.
    """
    tables = synthetic_run.make(synthetic_run.catalogue(1).losses)
    synthetic_run.record(tmp_path / "results", tables, name=RUN)
    (tmp_path / "kept").mkdir()
    for name, content in baseline.distil(tables).items():
        (tmp_path / "kept" / name).write_bytes(content)
    tools = tmp_path / "tools"
    tools.mkdir()
    real = f'PYTHONPATH="{ROOT / "harness"}" "{sys.executable}" -m lossbench "$@"'
    say = 'printf "%s\\n" "{} $*" >>said\n'
    checked = '[ -n "$CHECKED" ] || exit 0; set -- "$@" --loss none_such'
    scripts = {
        "lossbench": say.format("lossbench") + f'if [ "$1" = run ]; then {checked}; fi\n{real}\n',
        "python": say.format("python"),
    }
    for name, script in scripts.items():
        (tools / name).write_text("#!/bin/bash\n" + script)
        (tools / name).chmod(0o755)
    return tmp_path


def shell(place: Path, script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    path = f"{place / 'tools'}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "GITHUB_OUTPUT": str(place / "output"), **variables}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script, *arguments]
    return subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=120)


def test_the_steps_of_the_action_run(place: Path) -> None:
    install, run, gate = read("action.yml")["runs"]["steps"]
    hostile = "torch $(touch hit); `touch hit`"
    assert shell(place, install["run"], INSTALL=hostile, ACTION="/the action").returncode == 0
    done = shell(place, run["run"], OPTIONS="--profile quick --dtype float32", CHECKED="1")
    assert done.returncode == 2
    assert "none_such" in done.stderr  # every option before it was understood
    summary = place / "summary.md"
    done = shell(
        place, gate["run"], BASELINE="kept", OPTIONS="--only agreement --no-ledger", GITHUB_STEP_SUMMARY=str(summary)
    )
    assert done.returncode == 0, done.stderr
    assert summary.read_text(encoding="utf-8").startswith("### lossbench: nothing got worse")
    assert ET.parse(place / "lossbench.xml").getroot()[0].get("failures") == "0"
    assert json.loads((place / "lossbench.sarif").read_text())["runs"][0]["results"] == []
    assert (place / "output").read_text().split() == ["report=reports/latest/index.html", "sarif=lossbench.sarif"]
    assert "python -m pip install --quiet /the action torch $(touch hit); `touch hit`" in (place / "said").read_text()
    assert not (place / "hit").exists()


def test_the_script_of_the_gitlab_job_runs(place: Path) -> None:
    job = read("ci/gitlab.yml")[".lossbench"]
    install, run, gate = job["script"]
    given = {**job["variables"], "LOSSBENCH_BASELINE": "kept", "LOSSBENCH_GATE": "--only agreement --no-ledger"}
    assert shell(place, install, **given).returncode == 0
    assert shell(place, run, **given).returncode == 0
    assert "lossbench run --profile quick\n" in (place / "said").read_text()
    assert shell(place, gate, **given).returncode == 0
    assert (place / job["artifacts"]["reports"]["junit"]).exists()


def test_the_hook_runs_over_every_file(place: Path) -> None:
    (hook,) = read(".pre-commit-hooks.yaml")
    for name in ("my losses.py", "other_loss.py"):
        (place / name).write_text("def mine(y_true, y_pred):\n    return (y_true - y_pred) ** 2\n")
    done = shell(place, hook["entry"] + ' "$@"', "hook", "my losses.py", "other_loss.py")
    assert done.returncode == 0, done.stderr
    assert (place / "said").read_text() == (
        "lossbench run --profile quick --no-report --suite my losses.py --suite other_loss.py\n"
    )


def test_the_workflow_can_be_called_and_is_valid() -> None:
    kind = schema("github-workflows")
    validator = jsonschema.validators.validator_for(kind)(kind)
    flow = read(".github/workflows/lossbench.yml")
    assert [error.message for error in validator.iter_errors(flow)] == []
    assert list(validator.iter_errors({**flow, "jobs": {"losses": {"runs-on": "x", "steps": [{"run": 7}]}}}))
    assert set(flow["on"]) == {"workflow_call"}
    asked = {name for step in flow["jobs"]["losses"]["steps"] for name in re.findall(r"inputs\.([\w-]+)", str(step))}
    assert asked == set(flow["on"]["workflow_call"]["inputs"])


def test_the_steps_of_the_workflow_run(place: Path) -> None:
    job = read(".github/workflows/lossbench.yml")["jobs"]["losses"]
    steps = {step["name"]: step for step in job["steps"] if "name" in step}
    assert all("${{" not in step["run"] for step in steps.values() if "run" in step)
    assert shell(place, steps["Install"]["run"], INSTALL="lossbench[torch] $(touch hit)").returncode == 0
    assert shell(place, steps["Run"]["run"], OPTIONS="--profile quick").returncode == 0
    done = shell(place, steps["Gate"]["run"], BASELINE="kept", OPTIONS="--only agreement --no-ledger")
    assert done.returncode == 0, done.stderr
    said = (place / "said").read_text()
    assert "python -m pip install --quiet lossbench[torch] $(touch hit)\n" in said
    assert "lossbench run --profile quick\n" in said
    assert not (place / "hit").exists()
    kept = steps["Keep"]["with"]["path"].split()
    assert [name for name in kept[1:] if not (place / name).exists()] == []
