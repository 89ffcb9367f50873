"""Plain functions become losses without being called, and without a framework in the process that plans."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lossbench import BadInput, like
from lossbench.spec import catalogue
from lossbench.spec.loss import Loss
from lossbench.spec.userloss import UserLoss

TARGET = """
from lossbench import Binding, Loss, domains
huber_like = Loss(
    name="huber", title="Huber", summary="s", formula="f", source="s", unit="row", accepts=("axis",),
    inputs={"y_true": domains.REAL, "y_pred": domains.NONNEGATIVE}, params={"delta": 1.5, "scale": 1.0},
    reference=lambda x, y_true, y_pred, delta, scale: (y_pred - y_true) * delta * scale,
    kinks=lambda delta, scale: (-delta, delta),
    bindings=(),
)
"""


def load(folder: Path, text: str, name: str = "mine.py") -> dict[str, Loss]:
    (folder / "target.py").write_text(TARGET)
    (folder / name).write_text(text)
    return dict(catalogue.load([folder / "target.py", folder / name], builtin=False).losses)


def user(losses: dict[str, Loss], name: str) -> UserLoss:
    loss = losses[name]
    assert isinstance(loss, UserLoss)
    return loss


def test_a_mark_changes_nothing_else() -> None:
    def f(y_true: float, y_pred: float) -> float:
        return y_pred - y_true

    assert like("huber", delta=2.0)(f) is f
    assert f(1.0, 3.0) == 2.0


def test_a_marked_function_takes_everything_from_its_relative(tmp_path: Path) -> None:
    losses = load(
        tmp_path,
        "from lossbench import like\n@like('huber', delta=2.0)\ndef mine(y_true, y_pred):\n    '''Ours.'''\n"
        "    return y_pred - y_true\n",
    )
    mine, target = user(losses, "mine"), losses["huber"]
    assert (mine.like, mine.judged, mine.line, mine.file) == ("huber", True, 3, "mine.py")
    assert mine.params == {"delta": 2.0, "scale": 1.0}
    assert (mine.reference, mine.inputs, mine.unit, mine.kinks) == (
        target.reference, target.inputs, target.unit, target.kinks,
    )  # fmt: skip
    assert mine.summary == "Ours."
    assert mine.bindings[0].call(None, 1.0, 3.0, delta=2.0, scale=1.0) == 2.0


def test_without_a_mark_there_is_no_reference(tmp_path: Path) -> None:
    mine = user(load(tmp_path, "def mine(y_true, y_pred):\n    return y_pred - y_true\n"), "mine")
    assert not mine.judged
    assert {d.kind for d in mine.inputs.values()} == {"real"}
    with pytest.raises(BadInput, match="add @like"):
        mine.reference(None, 1.0, 2.0)


def test_arithmetic_alone_runs_on_every_backend(tmp_path: Path) -> None:
    mine = user(load(tmp_path, "def mine(y_true, y_pred, scale=2.0):\n    return scale * (y_pred - y_true)\n"), "mine")
    assert [b.backend for b in mine.bindings] == ["tensorflow", "torch", "jax"]
    assert mine.params == {"scale": 2.0}
    arrays = np.array([1.0]), np.array([4.0])
    assert mine.bindings[0].call(None, *arrays, scale=3.0) == 9.0


def test_a_factory_is_called_with_its_parameters_and_only_when_run(tmp_path: Path) -> None:
    losses = load(
        tmp_path,
        "calls = []\n"
        "def with_threshold(threshold=1):\n"
        "    calls.append(threshold)\n"
        "    def loss(y_true, y_pred):\n"
        "        return (y_pred - y_true) * threshold\n"
        "    return loss\n"
        "def shorter(threshold=1):\n"
        "    return lambda y_true, y_pred: threshold\n",
    )
    assert {"with_threshold", "shorter"} <= set(losses)
    made = user(losses, "with_threshold")
    assert made.params == {"threshold": 1}
    calls = sys.modules[made.bindings[0].call.__closure__[2].cell_contents.__module__].calls  # type: ignore[attr-defined,index]
    assert calls == []
    assert made.bindings[0].call(None, 1.0, 3.0, threshold=5) == 10.0
    assert made.bindings[0].call(None, 1.0, 4.0, threshold=5) == 15.0
    assert calls == [5]


def test_a_factory_without_defaults_takes_them_from_the_mark(tmp_path: Path) -> None:
    losses = load(
        tmp_path,
        "from lossbench import like\n"
        "@like('huber', delta=3.0)\n"
        "def made(delta):\n"
        "    def loss(y_true, y_pred):\n"
        "        return (y_pred - y_true) * delta\n"
        "    return loss\n",
    )
    assert user(losses, "made").bindings[0].call(None, 1.0, 2.0, delta=3.0, scale=1.0) == 3.0


def test_the_prediction_may_come_first(tmp_path: Path) -> None:
    mine = user(load(tmp_path, "def mine(input, target):\n    return input - target\n"), "mine")
    assert mine.bindings[0].call(None, 1.0, 4.0) == 3.0
    assert "y_pred, y_true" in mine.bindings[0].differs


def test_what_is_no_loss_is_passed_over_and_never_called(tmp_path: Path) -> None:
    losses = load(
        tmp_path,
        "from math import atan2\n"
        "def main():\n    raise SystemExit('called')\n"
        "def _private(y_true, y_pred):\n    return 0\n"
        "def dot(a, b):\n    return a * b\n"
        "def three(y_true, y_pred, w):\n    return 0\n"
        "class Thing:\n    def __init__(self, y_true, y_pred): ...\n"
        "def mine(y_true, y_pred):\n    return 0\n",
    )
    assert set(losses) == {"huber", "mine"}


def test_a_file_of_nothing_but_other_functions_says_why_each_is_none(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        load(tmp_path, "def dot(a, b):\n    return a\ndef needs(k):\n    return lambda y_true, y_pred: k\n")
    assert "dot (line 1)" in caught.value.received
    assert "needs (line 3): a factory whose parameters ('k',) have no default" in caught.value.received


def test_the_relative_must_exist_and_know_its_parameters(tmp_path: Path) -> None:
    source = "from lossbench import like\n@like({})\ndef mine(y_true, y_pred):\n    return 0\n"
    with pytest.raises(BadInput, match="did you mean huber"):
        load(tmp_path, source.format("'hubr'"))
    with pytest.raises(BadInput, match="received dleta"):
        load(tmp_path, source.format("'huber', dleta=1.0"))
    with pytest.raises(BadInput, match="one of tensorflow, torch, jax, received 'theano'"):
        load(tmp_path, source.format("'huber', backend='theano'"))


def test_a_function_that_shares_a_name_gets_its_file_before_it(tmp_path: Path) -> None:
    losses = load(tmp_path, "from lossbench import like\n@like('huber')\ndef huber(y_true, y_pred):\n    return 0\n")
    assert list(losses) == ["huber", "mine.huber"]
    assert user(losses, "mine.huber").like == "huber"


def test_the_file_may_say_its_framework(tmp_path: Path) -> None:
    losses = load(tmp_path, "BACKEND = 'jax'\ndef mine(y_true, y_pred):\n    return y_pred.mean()\n")
    assert [b.backend for b in losses["mine"].bindings] == ["jax"]


# --- files that need a framework ------------------------------------------------------------------

FAKES = {
    "torch": "def abs(a):\n    return a if a > 0 else -a\nclass nn: pass\n",
    "jax": "import numpy as numpy\ndef jit(f):\n    import functools\n"
    "    class Jitted:\n        def __init__(self): functools.update_wrapper(self, f)\n"
    "        def __call__(self, *a): return f(*a)\n    return Jitted()\n",
}
"""Stand-ins under the frameworks' names: what counts is who imports them, and that takes milliseconds."""

MIXED = """
print("a line that is not JSON")
import jax, torch
from lossbench import like

def helper(a):
    return torch.abs(a)

@like("huber", delta=2.0)
def through_a_helper(y_true, y_pred):
    return helper(y_pred - y_true)

@jax.jit
def jitted(y_true, y_pred):
    return y_pred - y_true

def inside(y_true, y_pred):
    import jax
    return y_pred
"""

PROGRAM = """
import json, sys
from pathlib import Path
import lossbench
if sys.argv[2]:
    __import__(sys.argv[2])
from lossbench.spec import catalogue
try:
    losses = catalogue.load([Path(p) for p in sys.argv[3:]], builtin=False, backend=sys.argv[2]).losses
except lossbench.BadInput as fault:
    Path(sys.argv[1]).write_text(json.dumps({p: getattr(fault, p) for p in fault.__dict__ if p[0] != "_"}))
    sys.exit()
user = {n: [b.backend for b in l.bindings] for n, l in losses.items() if n != "huber"}
called = {}
for n in user:
    try:
        called[n] = losses[n].bindings[0].call(None, 1.0, -3.0, delta=2.0)
    except lossbench.BadInput as fault:
        called[n] = fault.expected
known = sorted({"torch", "jax", "tensorflow"} & set(sys.modules))
Path(sys.argv[1]).write_text(json.dumps([user, called, known]))
"""


@pytest.fixture(name="apart")
def _apart(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Load suites in a process of its own, whose frameworks are stand-ins, and which may have imported one."""
    fakes = tmp_path / "fakes"
    fakes.mkdir()
    for name, text in FAKES.items():
        (fakes / f"{name}.py").write_text(text)
    (tmp_path / "target.py").write_text(TARGET)
    (tmp_path / "program.py").write_text(PROGRAM)

    def run(text: str, framework: str = "") -> list[dict[str, object]]:
        (tmp_path / "mine.py").write_text(text)
        path = os.pathsep.join([str(fakes), *(p for p in sys.path if p)])
        out = tmp_path / "out.json"
        argv = [str(out), framework, str(tmp_path / "target.py"), str(tmp_path / "mine.py")]
        subprocess.run(
            [sys.executable, str(tmp_path / "program.py"), *argv], env={**os.environ, "PYTHONPATH": path}, check=True
        )
        told = json.loads(out.read_text())
        if isinstance(told, dict):
            raise BadInput(**told)
        return list(told)

    return run


def test_the_planning_process_describes_and_imports_no_framework(apart) -> None:  # type: ignore[no-untyped-def]
    backends, called, imported = apart(MIXED)
    assert backends == {"through_a_helper": ["torch"], "jitted": ["jax"], "inside": ["jax"]}
    assert imported == []
    assert set(called.values()) == {"to be called in the worker of its framework"}


def test_a_worker_has_the_same_losses_and_calls_them(apart) -> None:  # type: ignore[no-untyped-def]
    backends, called, imported = apart(MIXED, "torch")
    assert backends == {"through_a_helper": ["torch"], "jitted": ["jax"], "inside": ["jax"]}
    assert called["through_a_helper"] == 4.0
    assert "torch" in imported


def test_a_worker_leaves_the_file_of_another_framework_alone(apart) -> None:  # type: ignore[no-untyped-def]
    backends, _, imported = apart("import torch\ndef mine(y_true, y_pred):\n    return torch.abs(y_pred)\n", "jax")
    assert backends == {}
    assert imported == ["jax"]


def test_a_fault_is_reported_from_the_describing_process(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import scipy\n\nboom = 1 / 0\n")
    with pytest.raises(BadInput, match=r"mine\.py:3: .*ZeroDivisionError"):
        catalogue.load([tmp_path / "mine.py"], backend="", builtin=False)
    (tmp_path / "quits.py").write_text("import scipy, os\nos._exit(7)\n")
    with pytest.raises(BadInput, match="ended with 7"):
        catalogue.load([tmp_path / "quits.py"], backend="", builtin=False)


def test_a_loss_value_beside_a_framework_is_refused(apart) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BadInput, match="received other beside torch"):
        apart(TARGET.replace('"huber"', '"other"') + "\nimport torch\n")
