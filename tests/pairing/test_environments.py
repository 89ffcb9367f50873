"""Versions in environments of their own: built by pip from a folder, reused, refused in one sentence, compared."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest

from lossbench import BadInput
from lossbench.__main__ import main
from lossbench.pairing import environments

BODY = (
    "def scaled(error):\n    for _ in range({further}):\n        (error * error).sum()\n    return error * {factor}\n"
)
LOSS = """
import torch

try:
    from tinyloss import scaled
except ImportError:  # where the suite is only read
    scaled = None

def mine(y_true, y_pred):
    return scaled(y_pred - y_true).abs().mean()
"""


@pytest.fixture
def offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two versions of a package, the only place where pip may look, and an empty cache."""
    folder = tmp_path / "offered"
    folder.mkdir()
    for version, body in (("1.0", BODY.format(further=0, factor=1.0)), ("2.0", BODY.format(further=20, factor=1.001))):
        about = f"tinyloss-{version}.dist-info"
        with zipfile.ZipFile(folder / f"tinyloss-{version}-py3-none-any.whl", "w") as wheel:
            wheel.writestr("tinyloss.py", body)
            wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: tinyloss\nVersion: {version}\n")
            wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{about}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("LOSSBENCH_CACHE", str(tmp_path / "cache"))
    return folder


def test_an_environment_differs_in_what_is_named_alone(offered: Path) -> None:
    python = environments.interpreter("tinyloss==1.0")
    code = "import numpy, tinyloss, importlib.metadata as m; print(numpy.__file__, m.version('tinyloss'))"
    file, version = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    import numpy as np

    assert (Path(file), version) == (Path(np.__file__), "1.0")
    for wheel in offered.iterdir():
        wheel.unlink()
    assert environments.interpreter("tinyloss==1.0") == python, "built once"
    with pytest.raises(BadInput, match=r"tinyloss==2\.0.*No matching distribution"):
        environments.interpreter("tinyloss==2.0")
    left = [path.name for path in Path(python).parents[2].iterdir()]
    assert left == [Path(python).parents[1].name], "nothing unfinished is left"


def test_what_is_installed_needs_no_environment() -> None:
    assert environments.interpreter("numpy>=1.0") == ""


@pytest.mark.parametrize("text", ["optax==", "optax == 0.2.7", "==1"])
def test_no_requirements(text: str) -> None:
    with pytest.raises(BadInput, match="requirements"):
        environments.requirements(text)


@pytest.mark.parametrize(
    ("text", "named", "backends"),
    [
        ("optax==0.2.7", True, ("jax",)), ("keras>=3", True, ("tensorflow",)), ("torch==2.12.1", True, ("torch",)),
        ("main", False, None), ("v1.2", False, None), ("old.py", False, None), ("HEAD~2", False, None),
    ],
)  # fmt: skip
def test_what_is_a_requirement(text: str, named: bool, backends: tuple[str, ...] | None) -> None:
    assert environments.named(text) is named
    assert backends is None or environments.backends_of([text]) == backends


@pytest.mark.slow
def test_two_versions_on_one_screen(
    offered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Real torch, real pip: the second version is slower and off by a thousandth."""
    assert offered
    suite = tmp_path / "mine.py"
    suite.write_text(LOSS)
    words = ["--base", "tinyloss==1.0", "--head", "tinyloss==2.0", "--suite", str(suite), "--backend", "torch"]
    found = ran(monkeypatch, capsys, *words, "--operation", "value", "--budget", "40s", "--margin", "20%", "--json")
    assert found["exit_status"] == 1
    assert found["compared"] == len(found["moved"]) == len({own["cell"] for own in found["moved"]}) > 0
    assert not any(own["within_rounding"] for own in found["moved"])
    assert all(own["head"] == pytest.approx(1.001 * own["base"], rel=1e-5) for own in found["moved"])
    (cell,) = found["cells"]
    assert cell["replicates"] >= 1
    assert cell["change"] > 0.3
    assert not cell["same_value"]


def ran(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    monkeypatch.setattr("sys.argv", ["lossbench", "compare", *words])
    with pytest.raises(SystemExit):
        main()
    said = capsys.readouterr()
    assert not said.err
    return json.loads(said.out)
