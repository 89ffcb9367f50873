"""A backend of numpy that misbehaves on demand, and the losses that make it: what lanes must survive."""

# ruff: noqa: ARG001 - a binding takes what it is given
from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import stat
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from lossbench import Binding, Loss, domains
from lossbench.lanes import wire
from lossbench.lanes.backends.base import Backend
from lossbench.lanes.wire import MAGIC, PREFIX

NAME = "fake_backend:FakeBackend"


class FakeOps:
    """As much of the vocabulary as the losses below and `reduce` use."""

    float_type = np.float32

    def mean(self, a: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return np.mean(a, axis=axis, keepdims=keepdims, dtype=a.dtype)

    def sum(self, a: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return np.sum(a, axis=axis, keepdims=keepdims, dtype=a.dtype)

    def cast(self, a: Any, like: Any) -> Any:
        return np.asarray(a).astype(like.dtype)

    def expand_dims(self, a: Any, axis: int) -> Any:
        return np.expand_dims(a, axis)

    def constant(self, value: float, like: Any) -> Any:
        return np.asarray(value, like.dtype)


class FakeBackend(Backend):
    name, module = NAME, "numpy"
    distributions = ("numpy",)
    dtypes = ("float64", "float32")

    @staticmethod
    def environ(threads: int, device: str) -> dict[str, str]:
        return {"FAKE_THREADS": str(threads), "FAKE_DEVICE": device}

    @property
    def namespace(self) -> Any:
        return FakeOps()

    def array(self, values: Any, dtype: str, *, differentiable: bool = False) -> Any:  # noqa: ARG002
        lies = os.environ.get("FAKE_LIES") == "1"
        return values + 1 if lies else values.copy()

    def numpy(self, tensor: Any) -> Any:
        return np.asarray(tensor)

    def dtype_of(self, tensor: Any) -> str:
        return str(tensor.dtype)

    def value_and_grad(self, fn: Any, *, argnum: int = 1, mode: str = "eager") -> Any:  # noqa: ARG002
        return lambda *args: (fn(*args), np.full_like(args[argnum], np.float32(0.5)))

    def wait(self, result: Any) -> None:
        pass

    def public_losses(self) -> dict[str, str]:
        return {"fake.good": "function"}


class ImpossibleBackend(FakeBackend):
    """One whose framework no interpreter has."""

    module = "no_such_framework_anywhere"


class DyingBackend(FakeBackend):
    """One whose import ends the process."""

    def __init__(self, **options: Any) -> None:  # noqa: ARG002
        os.abort()


class RaisingBackend(FakeBackend):
    """One whose framework cannot be imported."""

    def __init__(self, **options: Any) -> None:  # noqa: ARG002
        raise ImportError("libfake.so: cannot open shared object file")


class PrintingBackend(FakeBackend):
    """One whose framework prints megabytes while it is imported."""

    def __init__(self, **options: Any) -> None:
        os.write(1, b"first words\n" + b"x" * 3_000_000)
        os.write(2, b"y" * 3_000_000)
        super().__init__(**options)


class HoardingBackend(FakeBackend):
    """One whose framework takes a gigabyte while it is imported."""

    def __init__(self, **options: Any) -> None:
        hoard()
        super().__init__(**options)


held: list[bytearray] = []


def hoard() -> None:
    """Touches a gigabyte, piece by piece, and sits on it."""
    while len(held) < 128:
        held.append(bytearray(b"x") * 2**23)
    time.sleep(600)


def good(m: Any, y_true: Any, y_pred: Any) -> Any:
    return (y_pred - y_true) ** 2


def raises(m: Any, y_true: Any, y_pred: Any) -> Any:
    raise RuntimeError("deliberately " + "long " * 200)


def exits(m: Any, y_true: Any, y_pred: Any) -> Any:
    sys.exit(3)


def leaves_a_file(m: Any, y_true: Any, y_pred: Any) -> Any:
    handle, name = tempfile.mkstemp()
    os.close(handle)
    print(name, flush=True)
    os.abort()


def aborts(m: Any, y_true: Any, y_pred: Any) -> Any:
    sys.stderr.write("about to abort\n")
    os.abort()


def segfaults(m: Any, y_true: Any, y_pred: Any) -> Any:
    ctypes.string_at(0)


def is_killed(m: Any, y_true: Any, y_pred: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def hangs(m: Any, y_true: Any, y_pred: Any) -> Any:
    time.sleep(600)


def hangs_with_a_child(m: Any, y_true: Any, y_pred: Any) -> Any:
    pid = os.fork()
    if pid:
        print(f"child {pid}", flush=True)
    time.sleep(600)


def forks(m: Any, y_true: Any, y_pred: Any) -> Any:
    """Both processes come back with the losses."""
    os.fork()
    return good(m, y_true, y_pred)


def leaves_a_child(m: Any, y_true: Any, y_pred: Any) -> Any:
    """As one that deadlocks: threads do not survive a fork, and locks do."""
    pid = os.fork()
    if not pid:
        time.sleep(600)
    print(f"child {pid}", flush=True)
    return good(m, y_true, y_pred)


def aborts_with_a_child(m: Any, y_true: Any, y_pred: Any) -> Any:
    """What it forked holds all of its descriptors, the socket too."""
    if not os.fork():
        time.sleep(600)
    os.abort()


def dies_once(m: Any, y_true: Any, y_pred: Any) -> Any:
    """As something from outside would: the first worker that comes here is killed."""
    mark = Path(os.environ["FAKE_FOLDER"]) / "died"
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return good(m, y_true, y_pred)


def hoards(m: Any, y_true: Any, y_pred: Any) -> Any:
    hoard()


def hoards_in_a_child(m: Any, y_true: Any, y_pred: Any) -> Any:
    if not os.fork():
        hoard()
    time.sleep(600)


def answers_too_much(m: Any, y_true: Any, y_pred: Any) -> Any:
    """The bound of a frame is lowered for one reply, instead of 8 GiB being made."""
    bound, encode = wire.MAX_HEADER_BYTES, wire.encode

    def over(message: Any) -> Any:
        wire.MAX_HEADER_BYTES, wire.encode = 1, encode
        try:
            return encode(message)
        finally:
            wire.MAX_HEADER_BYTES = bound

    wire.encode = over
    return good(m, y_true, y_pred)


def prints(m: Any, y_true: Any, y_pred: Any) -> Any:
    print("first words")
    os.write(1, b"x" * 3_000_000)
    os.write(2, b"y" * 3_000_000)
    return good(m, y_true, y_pred)


def closes(m: Any, y_true: Any, y_pred: Any) -> Any:
    os.closerange(3, 100)
    return good(m, y_true, y_pred)


def tells(m: Any, y_true: Any, y_pred: Any) -> Any:
    print({name: value for name, value in os.environ.items() if name.startswith("FAKE") or "canary" in value})
    return good(m, y_true, y_pred)


def forges(m: Any, y_true: Any, y_pred: Any) -> Any:
    header = json.dumps({"message": {"ok": {"status": ["ok"]}}, "arrays": []}).encode()
    for descriptor in range(3, 100):
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.write(descriptor, PREFIX.pack(MAGIC, len(header), 0) + header)
    return good(m, y_true, y_pred)


def wrong_shape(m: Any, y_true: Any, y_pred: Any) -> Any:
    return good(m, y_true, y_pred)[:, :1]


def returns_text(m: Any, y_true: Any, y_pred: Any) -> Any:
    return "a loss"


def with_delta(m: Any, y_true: Any, y_pred: Any, delta: float = 1.0, **arrays: Any) -> Any:
    total = delta * good(m, y_true, y_pred)
    for array in arrays.values():
        total = total + array
    return total


def native(m: Any, y_true: Any, y_pred: Any, *, reduction: str) -> Any:
    losses = good(m, y_true, y_pred)
    return {"mean": m.mean, "sum": m.sum}.get(reduction, lambda a: a)(losses)


def _loss(name: str, call: Any, **binding: Any) -> Loss:
    return Loss(
        name=f"fake_{name}",
        title=name,
        summary="A fake.",
        formula="(p - y)^2",
        source="none",
        inputs={"y_true": domains.REAL, "y_pred": domains.REAL},
        params={"delta": 1.0},
        accepts=("offset", "extras", "label_smoothing"),
        reference=good,
        bindings=(Binding(backend=NAME, name="fake", call=call, docs=(), **binding),),
    )


good_loss = _loss("good", good)
raises_loss = _loss("raises", raises)
exits_loss = _loss("exits", exits)
leaves_a_file_loss = _loss("leaves_a_file", leaves_a_file)
aborts_loss = _loss("aborts", aborts)
segfaults_loss = _loss("segfaults", segfaults)
is_killed_loss = _loss("is_killed", is_killed)
hangs_loss = _loss("hangs", hangs)
child_loss = _loss("hangs_with_a_child", hangs_with_a_child)
forks_loss = _loss("forks", forks)
leaves_a_child_loss = _loss("leaves_a_child", leaves_a_child)
aborts_with_a_child_loss = _loss("aborts_with_a_child", aborts_with_a_child)
dies_once_loss = _loss("dies_once", dies_once)
hoards_loss = _loss("hoards", hoards)
hoards_in_a_child_loss = _loss("hoards_in_a_child", hoards_in_a_child)
answers_too_much_loss = _loss("answers_too_much", answers_too_much)
prints_loss = _loss("prints", prints)
closes_loss = _loss("closes", closes)
tells_loss = _loss("tells", tells)
forges_loss = _loss("forges", forges)
wrong_shape_loss = _loss("wrong_shape", wrong_shape)
returns_text_loss = _loss("returns_text", returns_text)
delta_loss = _loss("with_delta", with_delta, accepts=("delta", "offset", "extras"))
native_loss = _loss("native", native, accepts=("reduction",))
