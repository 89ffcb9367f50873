"""What may be imported where: importlib escapes a linter, so a fresh interpreter is asked."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {"tensorflow", "keras", "torch", "jax", "jaxlib", "optax", "ml_dtypes"}
PARENT_ONLY = {"pandas", "pyarrow", "scipy", "matplotlib", "pytest", "typer", "flint", "mpmath", "jinja2", "psutil"}


@pytest.mark.parametrize(
    "module",
    [
        "lossbench.lanes.process",
        "lossbench.lanes.worker",
        "lossbench.lanes.backends.torch",
        "lossbench.lanes.backends.tensorflow",
        "lossbench.lanes.backends.jax",
    ],
)
def test_a_lane_is_standard_library_and_numpy(module: str) -> None:
    code = (
        f"import importlib, json, sys; importlib.import_module({module!r})\n"
        "from lossbench.lanes.backends import BACKENDS, backend_class\n"
        "for name in BACKENDS: backend_class(name).environ(1, 'cpu'); backend_class(name).installed()\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert set(json.loads(done.stdout)) & (HEAVY | PARENT_ONLY) == set()
