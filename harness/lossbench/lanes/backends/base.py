"""What a framework must offer to serve as a lane.

Requirements: the harness asks for environment variables before the framework is imported, so
`environ` is static and imports nothing; the framework is imported in the constructor and nowhere else;
`wait` has one meaning everywhere (the value is computed, on every device); a method that a backend
lacks raises with the reason, and the cell becomes `unsupported`.

The worker calls `begin(dtype)` before it prepares or calls a cell: inside a cell the framework's *default*
float type is the one under test, as for a user who works in that type (Keras: floatx, so that
`keras.losses.Huber()` neither widens nor narrows; JAX: x64 only for float64, so that float32 behaves as in
a fresh session). Bindings therefore pass no dtype.

Modes: `eager` op by op; `compiled` the framework's own compiler as users call it; `xla` tf.function(jit_compile=True).
"""

from __future__ import annotations

import os
import resource
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from types import FunctionType
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from lossbench.lanes.counts import UNCOUNTED, Counts
from lossbench.spec.ops import Ops

Tensor = Any
Function = Callable[..., Any]

_copies = count()


class UnsupportedError(Exception):
    """The backend cannot do this: dtype, device, mode or operation. Its text is the cell's reason."""


class NoGradientError(Exception):
    """The loss does not depend on the prediction in a way that the framework can differentiate."""

    def __init__(self) -> None:
        super().__init__("gradient is None: the loss does not depend on y_pred differentiably")


def cache_folder() -> Path:
    """Where compile caches live: `$LOSSBENCH_CACHE`, else the user's cache folder."""
    configured = os.environ.get("LOSSBENCH_CACHE")
    if configured:
        return Path(configured).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lossbench"


def with_own_code(fn: Function) -> Function:
    """The same function with a code object of its own.

    torch.compile and tf.function count recompilations per code object; thousands of cells that are closures
    of one `def` would otherwise exhaust that count and fall back to eager. Code objects compare by value,
    so the copy gets a name of its own.
    """
    if not isinstance(fn, FunctionType):
        return fn
    code = fn.__code__.replace(co_name=f"{fn.__code__.co_name}_{next(_copies)}")
    own = FunctionType(code, fn.__globals__, fn.__name__, fn.__defaults__, fn.__closure__)
    own.__kwdefaults__ = fn.__kwdefaults__
    return own


class Backend(ABC):
    """One framework. See the module's docstring for what every method owes."""

    name: ClassVar[str]
    module: ClassVar[str]  # what `import` is given
    modes: ClassVar[tuple[str, ...]] = ("eager",)
    distributions: ClassVar[tuple[str, ...]] = ()  # whose versions decide the numbers
    preload: ClassVar[tuple[str, ...]] = ()  # importing these computes nothing, so that a process may fork after it
    compiler: ClassVar[tuple[str, ...]] = ()  # the same of what compiled modes import besides
    compiles_each_shape: ClassVar[bool] = False  # eager calls too, every operation for each shape and dtype
    dtypes: ClassVar[tuple[str, ...]] = ("float64", "float32", "bfloat16", "float16")

    def __init__(self, *, threads: int = 1, device: str = "cpu") -> None:
        self.threads, self.device = threads, device

    @classmethod
    def installed(cls) -> bool:
        """Whether this interpreter has the framework; does not import it."""
        return find_spec(cls.module) is not None

    @classmethod
    @contextmanager
    def borrowed(cls) -> Iterator[int]:
        """Somebody else's process: gives the number of threads in force; at the end every setting is as it was."""
        yield 1

    @staticmethod
    def environ(threads: int, device: str) -> dict[str, str]:  # noqa: ARG004 - the default needs neither
        """Variables that count only when set before the import."""
        return {}

    @property
    @abstractmethod
    def namespace(self) -> Ops:
        """`m`: the vocabulary of `lossbench.spec.ops`, plus the framework's own modules."""

    def begin(self, dtype: str) -> None:  # noqa: B027 - a framework without a default type has nothing to do
        """Makes `dtype` the framework's default float type, until the next call."""

    def devices(self) -> tuple[str, ...]:
        """Kinds of devices that are there."""
        return ("cpu",)

    @abstractmethod
    def array(self, values: npt.NDArray[Any], dtype: str, *, differentiable: bool = False) -> Tensor:
        """A tensor on the lane's device. Floats come in the carrier type and become `dtype`; integers stay integers."""

    @abstractmethod
    def numpy(self, tensor: Tensor) -> npt.NDArray[Any]:
        """Exactly the tensor's values; 16-bit floats as float32."""

    @abstractmethod
    def dtype_of(self, tensor: Tensor) -> str:
        """The framework's own name of the type, without prefix: `float32`, `bfloat16`, `int64`."""

    def compiled(self, fn: Function, mode: str) -> Function:
        """`fn` as this mode calls it; `eager` is `fn` itself."""
        if mode == "eager":
            return fn
        raise UnsupportedError(f"{self.name} has no mode {mode!r} (it has {', '.join(self.modes)})")

    @abstractmethod
    def value_and_grad(self, fn: Function, *, argnum: int = 1, mode: str = "eager") -> Function:
        """A function of the same arguments: `(value, d sum(value) / d args[argnum])`, compiled as the mode says."""

    def forward_gradient(self, fn: Function, *, argnum: int = 1) -> Function:  # noqa: ARG002
        """As `value_and_grad`, by forward mode: a pass along each number of the argument, eagerly."""
        raise UnsupportedError(f"{self.name} has no forward mode here")

    def first_call(self, fn: Function, mode: str, grad: bool, arguments: tuple[Tensor, ...]) -> tuple[Function, Any]:
        """Compiles, calls once, and returns the callable to keep with its result.

        A backend overrides it where a failed first attempt has a documented second way.
        """
        call = self.value_and_grad(fn, mode=mode) if grad else self.compiled(fn, mode)
        return call, call(*arguments)

    def compiled_seconds(self) -> float:
        """What this process has spent compiling so far, in whatever mode; stays 0 where the framework does not tell."""
        return 0.0

    @abstractmethod
    def wait(self, result: Any) -> None:
        """Returns when everything issued so far is computed, on every device."""

    def counted(self, call: Function, mode: str, arguments: tuple[Tensor, ...]) -> Counts:  # noqa: ARG002
        """What the framework says that this call does, see `lossbench.lanes.counts`; nothing where it does not say."""
        return UNCOUNTED

    def peak_bytes(self) -> int:
        """The most memory held so far: on the CPU the process's peak resident size, which never falls."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return int(peak if sys.platform == "darwin" else peak * 1024)

    def versions(self) -> dict[str, str]:
        """Distribution -> version, of those that decide the numbers; absent ones are left out."""
        return installed_versions(self.distributions)

    @property
    def facts(self) -> Mapping[str, str | float | int]:
        """What a reader of the numbers should know about this lane: threads, caches, precision switches."""
        return {"threads": self.threads}

    def public_losses(self) -> dict[str, str]:
        """Qualified public name -> `class` or `function`, of every loss that the installed package offers."""
        return {}


def installed_versions(distributions: tuple[str, ...]) -> dict[str, str]:
    """Distribution -> version; those not installed are left out."""
    found = {}
    for name in distributions:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def narrowed(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A framework's numpy array with ml_dtypes' or numpy's 16-bit floats widened to float32, exactly."""
    if values.dtype.kind in "biu" or values.dtype in (np.float32, np.float64):
        return values
    return values.astype(np.float32)
