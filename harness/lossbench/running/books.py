"""pytest-benchmark's session: started quietly and apart from the user's own pytest settings, one record a cell."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lossbench.record.journal import unwritable

_OURS = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "", "PYTEST_PLUGINS": "", "PYTEST_XDIST_WORKER": ""}


def merge(records: list[Any]) -> None:
    """Of the records of one item, one a visit, make one with all rounds in the order they were taken. In place."""
    first: dict[str, Any] = {}
    for record in records:
        kept = first.setdefault(record.fullname, record)
        if kept is not record:
            for seconds in record.stats.data:
                kept.stats.update(seconds)
    records[:] = first.values()


def run_pytest(json_path: Path, plugin: object) -> int:
    """Collect and run `cells.py` with the plugin; pytest-benchmark writes its JSON. Returns pytest's exit status.

    BadInput where that file cannot be written: nothing else in there raises what is of the system.
    """
    module = Path(__file__).with_name("cells.py")
    with _environment():
        try:
            return int(pytest.main(_arguments(module, json_path), plugins=[plugin]))
        except OSError as error:
            raise unwritable(json_path, error) from error


def _arguments(module: Path, json_path: Path) -> list[str]:
    without = ("cacheprovider", "terminal", "faulthandler", "logging", "junitxml", "pastebin", "stepwise", "doctest")
    return [
        str(module),
        f"--rootdir={module.parent}",
        f"--config-file={os.devnull}",
        "--noconftest",
        "--import-mode=importlib",
        "--assert=plain",
        "--capture=no",
        "-Wignore::pytest_benchmark.logger.PytestBenchmarkWarning",
        *(f"-pno:{name}" for name in without),
        "-ppytest_benchmark.plugin",
        "--benchmark-quiet",
        f"--benchmark-json={json_path}",
    ]


@contextmanager
def _environment() -> Iterator[None]:
    """Other plugins and options that the user has for their own tests would change the run."""
    before = {name: os.environ.get(name) for name in _OURS}
    os.environ.update(_OURS)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
