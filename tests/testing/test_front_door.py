"""The pytest front door: right and wrong losses in a user's own test file, and what it costs whoever does not ask."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest
import torch

from lossbench.spec import live
from lossbench.spec.errors import BadInput
from lossbench.testing import assert_loss_agrees, assert_same_loss

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs" / "testing-your-losses.md"


def pytest_run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """pytest in a process of its own, as another project runs it."""
    plugin = ["-plossbench_pytest", "-pno:cacheprovider", "-pno:benchmark", "--strict-markers", "-rA", "--tb=short"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugin, *arguments, str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "harness")},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


def third(y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor:
    return (y_true - y_pred) ** 2 / 3


def quartic(y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor:
    return (y_true - y_pred) ** 4


def huber(y_true: torch.Tensor, y_pred: torch.Tensor, delta: float = 1.0) -> torch.Tensor:
    return torch.nn.functional.huber_loss(y_pred, y_true, delta=delta)


USERS = """
import pytest, torch

def forgets_half(y_true, y_pred):
    error = (y_true - y_pred).abs()
    return torch.where(error <= 1, error**2, error - 0.5).mean()

def test_right(loss_agrees):
    loss_agrees(lambda t, p: torch.nn.functional.huber_loss(p, t, delta=2.0), like="huber", delta=2.0, pred_first=False)

def test_wrong(loss_agrees):
    loss_agrees(forgets_half, like="huber")

@pytest.mark.loss_dtype("float64", "float16")
@pytest.mark.loss_regime("zeros")
def test_marks_choose(loss_agrees):
    loss_agrees(forgets_half, like="huber")

def test_no_such_loss(loss_agrees):
    loss_agrees(forgets_half, like="hubert")

def test_another_framework(assert_same_loss):
    import jax.numpy as jnp

    def squares(y_true, y_pred):
        return jnp.mean(jnp.square(y_true - y_pred))

    assert_same_loss(torch.nn.MSELoss(), squares, like="mse")

def test_settings_are_put_back(loss_agrees):
    import jax

    loss_agrees(lambda y_true, y_pred: (y_true - y_pred) ** 2, like="mse", backend="jax", dtypes=["float64"])
    assert not jax.config.jax_enable_x64

def test_not_the_same(assert_same_loss):
    assert_same_loss(torch.nn.HuberLoss(), torch.nn.MSELoss(), like="huber", regimes=["typical"])
"""


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("users")
    (folder / "test_theirs.py").write_text(USERS)
    for name, text in re.findall(r"```python\n# (test_\w+\.py)\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL):
        (folder / name).write_text(text)
    return pytest_run(folder).stdout


def failure_of(name: str, output: str) -> str:
    """The lines of a failing test."""
    found = re.search(rf"_+ {name} _+\n(.*?)(?=\n_{{4,}} |\n=====)", output, re.DOTALL)
    assert found, output
    return found[1]


@pytest.mark.parametrize("name", ["test_right", "test_another_framework", "test_settings_are_put_back"])
def test_what_is_right_passes(name: str, users: str) -> None:
    assert f"PASSED test_theirs.py::{name}" in users, users


def test_what_is_wrong_says_verdict_worst_input_and_what_it_is_instead(users: str) -> None:
    said = failure_of("test_wrong", users)
    assert said.startswith("forgets_half is not huber in torch ")
    worst = re.search(r"worst input: y_true = (\S+), y_pred = (\S+)\n", said)
    assert worst
    error = float(worst[1]) - float(worst[2])
    assert 0 < abs(error) <= 1  # beyond 1 the two formulas are the same
    assert "convention: is the definition without_half" in said or "is the definition without_half" in said
    assert "it is huber_s4" in said
    assert "Traceback" not in said
    assert ".py:" not in said


def test_marks_say_what_is_tried(users: str) -> None:
    said = failure_of("test_marks_choose", users)
    assert re.search(r"(float64|float16), zeros inputs", said)
    assert "typical" not in said
    assert " of 4 comparisons fail" in said


def test_a_name_that_does_not_exist_is_one_sentence(users: str) -> None:
    assert failure_of("test_no_such_loss", users).count("\n") == 0
    assert "did you mean huber" in users


def test_two_that_differ(users: str) -> None:
    said = failure_of("test_not_the_same", users)
    assert said.startswith("HuberLoss (torch ")
    assert "MSELoss (torch" in said
    assert "worst input: y_true = " in said


@pytest.mark.parametrize(
    "name", ["test_losses.py::test_my_loss", "test_losses.py::test_both_are_one", "test_marked.py::test_squares"]
)
def test_the_examples_of_the_page_pass(name: str, users: str) -> None:
    assert f"PASSED {name}" in users, users


def test_who_does_not_ask_pays_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text(
        "import sys\n"
        "def test_own():\n"
        "    roots = {name.partition('.')[0] for name in sys.modules}\n"
        "    assert 'lossbench_pytest' in roots\n"
        "    assert roots & {'lossbench', 'numpy', 'pandas', 'torch', 'jax', 'tensorflow'} == set()\n"
    )
    assert "1 passed" in pytest_run(tmp_path).stdout


def test_pytest_finds_it_by_itself() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["entry-points"]["pytest11"] == {"lossbench_pytest": "lossbench_pytest"}
    carried = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert carried["harness/lossbench_pytest.py"] == "lossbench_pytest.py"


def test_settings_of_the_framework_are_put_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        assert_loss_agrees(huber, "huber", delta=0.5, regimes=["typical"])
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_a_parameter_with_a_name_is_passed() -> None:
    assert_loss_agrees(huber, "huber", delta=3.0, regimes=["typical", "kink"])


@pytest.mark.parametrize(("function", "said"), [(third, "0.333333 times mse"), (quartic, "defect")])
def test_a_wrong_loss_is_named(function: object, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        assert_loss_agrees(function, "mse", regimes=["typical"])  # type: ignore[arg-type]


def test_a_gradient_that_is_not_its_own_is_seen() -> None:
    def detached(y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor:
        return (y_true - y_pred.detach()) * (y_true - y_pred)

    with pytest.raises(AssertionError, match="grad, float32, typical"):
        assert_loss_agrees(detached, "mse")
    with pytest.raises(AssertionError, match="grad, float32, typical"):
        assert_same_loss(detached, torch.nn.MSELoss())


def test_noise_is_no_difference_and_a_convention_is_one() -> None:
    def rearranged(y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor:
        return (y_true * y_true - 2 * y_true * y_pred + y_pred * y_pred).sum() / y_pred.numel()

    assert_same_loss(rearranged, torch.nn.MSELoss(), dtypes=["float64", "float32", "bfloat16"])

    def clipped(y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.binary_cross_entropy(y_pred.clamp(1e-7, 1 - 1e-7), y_true)

    assert_same_loss(clipped, torch.nn.BCELoss())
    with pytest.raises(AssertionError, match="saturated"):
        assert_same_loss(clipped, torch.nn.BCELoss(), like="binary_crossentropy")


def test_at_a_kink_any_subgradient_is_right() -> None:
    def right_sided(y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor:
        error = y_pred - y_true
        return torch.where(error >= 0, error, -error).mean()

    assert_same_loss(right_sided, torch.nn.L1Loss(), like="mae", regimes=["kink", "zeros"])


def test_what_raises_says_so() -> None:
    def raises(y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor:
        raise ValueError(f"on purpose, {y_true.shape} {y_pred.shape}")

    for ask in (lambda: assert_loss_agrees(raises, "mse"), lambda: assert_same_loss(raises, third)):
        with pytest.raises(AssertionError, match="on purpose"):
            ask()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (lambda: assert_loss_agrees(lambda a, b: a - b, "mse"), "pred_first"),
        (lambda: assert_loss_agrees(third, "mse", dtypes=["float12"]), "float12"),
        (lambda: assert_loss_agrees(third, "mse", regimes=["odd"]), "odd"),
        (lambda: assert_loss_agrees(third, "mse", delta=1.0), "delta"),
        (lambda: assert_same_loss(third, third, regimes=["kink"]), "like="),
        (lambda: assert_loss_agrees(third, "mse", backend="theano"), "theano"),
    ],
)
def test_bad_input_is_a_sentence(asked: object, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        asked()  # type: ignore[operator]


def test_order_and_framework_are_read_off_the_callable() -> None:
    assert live.described(torch.nn.functional.huber_loss).reversed
    assert live.described(torch.nn.MSELoss()).backends == ("torch",)
    assert not live.described(third).reversed
    assert live.described(third, backend="keras").backends == ("tensorflow",)


def test_the_types_of_the_parameters_tell_the_framework(monkeypatch: pytest.MonkeyPatch) -> None:
    def methods_alone(y_true: torch.Tensor, y_pred: torch.Tensor) -> torch.Tensor:
        return (y_true - y_pred).abs().mean()

    other = ModuleType("tensorflow")
    other.__spec__ = ModuleSpec("tensorflow", None)
    monkeypatch.setitem(sys.modules, "tensorflow", other)
    assert live.described(methods_alone).backends == ("torch",)
