"""Imports point one way, frameworks stay in their files, suites speak to public names: held, and a breach is caught."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import lossbench

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "harness" / "lossbench"
SUITES = ROOT / "suites"
MAX_LINES = 300
FRAMEWORKS = {"tensorflow", "keras", "torch", "jax", "jaxlib", "optax"}
HEAVY = {"pandas", "pyarrow", "scipy", "mpmath", "flint", "matplotlib", "jinja2", "typer", "rich", "pytest", "psutil"}


def linted(folder: Path) -> subprocess.CompletedProcess[str]:
    """import-linter on the package in `folder`, by the contracts of the repository."""
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", code, "--config", str(ROOT / ".importlinter"), "--no-cache"],
        env={**os.environ, "PYTHONPATH": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_contracts_hold() -> None:
    done = linted(PACKAGE.parent)
    assert done.returncode == 0, done.stdout
    assert "4 kept, 0 broken" in done.stdout


BREACHES = {
    "a framework in the judge": (
        "judge/breach.py", "import torch\n", "A framework is imported in its own backend file only BROKEN",
    ),
    "a framework inside a function of a neighbouring backend": (
        "lanes/backends/base.py", "\n\ndef breach():\n    import jax\n",
        "A framework is imported in its own backend file only BROKEN",
    ),
    "Ray beside its own module": (
        "cluster/driver.py", "\n\ndef breach():\n    import ray\n", "Ray is imported in one module only BROKEN",
    ),
    "spec with pandas": ("spec/breach.py", "import pandas\n", "spec and lanes need numpy alone BROKEN"),
    "record looks up to the judge": (
        "record/breach.py", "from lossbench.judge import gate\n", "Imports point one way BROKEN",
    ),
    "a lane reads the record": (
        "lanes/breach.py", "from lossbench.record import run\n", "Imports point one way BROKEN",
    ),
    "a room that no layer names": ("attic.py", "", "lossbench.attic"),
}  # fmt: skip


@pytest.mark.parametrize("name", BREACHES)
def test_a_breach_is_caught(name: str, tmp_path: Path) -> None:
    file, text, said = BREACHES[name]
    copy = tmp_path / "lossbench"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    with (copy / file).open("a", encoding="utf-8") as module:
        module.write(text)
    done = linted(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert said in done.stdout


ALLOWED_IN_SUITES = (sys.stdlib_module_names | {"numpy"}) - {"importlib", "subprocess", "socket"}


def beyond_public_names(source: str) -> list[str]:
    """What a suite imports besides the standard library, numpy, its neighbours and lossbench's public names."""
    wrong = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            wrong += [a.name for a in node.names if a.name.partition(".")[0] not in ALLOWED_IN_SUITES]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            module = node.module or ""
            if module == "lossbench":
                wrong += [f"lossbench.{a.name}" for a in node.names if a.name not in lossbench.__all__]
            elif module.partition(".")[0] not in ALLOWED_IN_SUITES:
                wrong.append(module)
    return wrong


@pytest.mark.parametrize("file", sorted(SUITES.glob("*.py")), ids=lambda file: file.name)
def test_a_suite_speaks_only_to_public_names(file: Path) -> None:
    assert beyond_public_names(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("from lossbench.spec import ops", ["lossbench.spec"]),
        ("from lossbench.spec.loss import Loss", ["lossbench.spec.loss"]),
        ("import lossbench.spec", ["lossbench.spec"]),
        ("from lossbench import spec", ["lossbench.spec"]),
        ("def late():\n    import torch", ["torch"]),
        ("import importlib", ["importlib"]),
        ("from lossbench import Loss, domains\nfrom ._native import keras\nimport math", []),
    ],
)
def test_a_suite_that_reaches_further_is_caught(source: str, seen: list[str]) -> None:
    assert beyond_public_names(source) == seen


def test_a_suite_author_needs_few_names() -> None:
    names = [name for name in lossbench.__all__ if not name.startswith("__")]
    assert len(names) <= 10
    assert all(hasattr(lossbench, name) for name in names)


def loaded_after(code: str) -> set[str]:
    """Top-level names in sys.modules of a fresh interpreter that ran the code."""
    say = "\nimport json, sys\nprint(json.dumps(sorted({n.partition('.')[0] for n in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code + say], capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "module", ["lossbench", "lossbench.spec.catalogue", "lossbench.lanes.process", "lossbench.lanes.worker"]
)
def test_what_a_foreign_interpreter_imports_is_light(module: str) -> None:
    assert loaded_after(f"import {module}") & (FRAMEWORKS | HEAVY) == set()


def test_the_built_in_suites_import_no_framework() -> None:
    code = "from lossbench.spec import catalogue; assert catalogue.load().losses"
    assert loaded_after(code) & (FRAMEWORKS | HEAVY) == set()


def test_the_command_line_imports_no_framework() -> None:
    """Hence report, gate and compare work where none is installed; the worker alone has one."""
    assert loaded_after("from lossbench.__main__ import _commands; _commands()") & (FRAMEWORKS | {"ray"}) == set()


def test_the_import_test_can_fail() -> None:
    assert loaded_after("import lossbench, pandas") & HEAVY >= {"pandas"}


@pytest.mark.parametrize("room", sorted(p.name for p in PACKAGE.iterdir() if p.is_dir() and p.name != "__pycache__"))
def test_no_module_is_long(room: str) -> None:
    lines = {
        str(file.relative_to(PACKAGE)): len(file.read_text(encoding="utf-8").splitlines())
        for file in (PACKAGE / room).rglob("*.py")
    }
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


def test_the_median_module_is_short() -> None:
    lines = sorted(len(file.read_text(encoding="utf-8").splitlines()) for file in PACKAGE.rglob("*.py"))
    assert lines[len(lines) // 2] <= 120


def test_there_is_no_drawer_for_everything() -> None:
    names = {file.stem for file in (*PACKAGE.rglob("*"), *SUITES.rglob("*"))}
    assert names & {"utils", "util", "helpers", "helper", "common", "manager", "core", "misc"} == set()
