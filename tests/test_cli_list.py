"""`lossbench list`: whole names in a narrow terminal, every Keras class bound, no loss without a backend; the wheel."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from rich.console import Console

from lossbench.commands.coverage import survey
from lossbench.lanes.backends import BACKENDS
from lossbench.show import terminal
from lossbench.spec import catalogue

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("columns", [80, 120])
def test_no_name_is_cut(columns: int) -> None:
    known = catalogue.load()
    console = Console(file=io.StringIO(), width=columns, force_terminal=False)
    console.print(terminal.losses(known.losses.values(), known.families))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert {line.split()[0] for line in lines if line[:1].strip()} >= set(known.losses)
    assert max(map(len, lines)) <= columns
    assert not any("…" in line for line in lines)


def test_no_documented_loss_has_an_empty_backend() -> None:
    empty = [
        (loss.name, backend) for loss in catalogue.load().losses.values() for backend in BACKENDS
        if not loss.bindings_of(backend)
    ]  # fmt: skip
    assert empty == []


@pytest.fixture(scope="module")
def enumerated() -> dict[str, dict[str, tuple[str, ...]]]:
    """backend -> public name -> the losses bound to it, as the installed packages have it."""
    found = survey(tuple(catalogue.load().losses.values()), tuple(BACKENDS))
    assert not found.missing
    return {b: {row.api: row.losses for row in found.rows if row.backend == b} for b in BACKENDS}


def test_every_class_of_keras_losses_is_bound(enumerated: dict[str, dict[str, tuple[str, ...]]]) -> None:
    classes = {
        name: losses for name, losses in enumerated["tensorflow"].items()
        if name.startswith("tf.keras.losses.") and name.rpartition(".")[2][0].isupper()
    }  # fmt: skip
    assert len(classes) >= 20
    assert [name for name, losses in classes.items() if not losses] == []


@pytest.mark.parametrize(
    ("backend", "prefixes"),
    [("tensorflow", ("tf.keras.losses.",)), ("torch", ("torch.nn.",)), ("jax", ("optax.losses.",))],
)
def test_docs_name_what_there_is(
    backend: str, prefixes: tuple[str, ...], enumerated: dict[str, dict[str, tuple[str, ...]]]
) -> None:
    """A public loss that a binding says it exercises exists under that very name."""
    docs = {
        name for loss in catalogue.load().losses.values() for b in loss.bindings_of(backend) for name in b.docs
        if name.startswith(prefixes) and ("loss" in name.lower().rpartition(".")[2])
    }  # fmt: skip
    assert docs - set(enumerated[backend]) == set()


def test_a_torch_class_is_bound_when_its_function_is(enumerated: dict[str, dict[str, tuple[str, ...]]]) -> None:
    torch = enumerated["torch"]
    for function, module in (("mse_loss", "MSELoss"), ("huber_loss", "HuberLoss"), ("l1_loss", "L1Loss")):
        assert torch[f"torch.nn.functional.{function}"]
        assert torch[f"torch.nn.{module}"]


def test_the_wheel_carries_the_suites_and_the_templates(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    if "No module named" in done.stderr or "hatchling" in done.stdout + done.stderr:
        pytest.skip("hatchling or build is not installed here, and a test may not fetch it")
    assert done.returncode == 0, done.stderr
    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    assert {f"lossbench/suites/{file.name}" for file in (ROOT / "suites").glob("*.py")} <= names
    assert "lossbench/show/templates/page.html" in names
    assert not any(name.startswith(("tests/", "results/", "reports/")) for name in names)
