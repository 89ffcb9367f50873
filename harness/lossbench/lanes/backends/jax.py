"""JAX with Optax. Requirements: `eager` dispatches op by op, `compiled` is jax.jit over the whole function,
gradient included; float64 is really float64 and float32 keeps JAX's defaults (see `begin`).

On the CPU asynchronous dispatch is switched off: results of independent calls may otherwise finish out of
order, and waiting for the last one would not mean that all are computed.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from lossbench.lanes import counts
from lossbench.lanes.backends.base import (
    Backend,
    Function,
    NoGradientError,
    Tensor,
    UnsupportedError,
    cache_folder,
    narrowed,
)
from lossbench.spec.ops import Array, Ops


class JaxOps:
    """The vocabulary as a JAX user writes it; `m.jax`, `m.jnp`, `m.optax` (None where it is not installed)."""

    def __init__(self, jax: Any, jnp: Any, optax: Any) -> None:
        self.jax, self.jnp, self.optax = jax, jnp, optax
        self.float_type = jnp.float32
        self.abs, self.exp, self.expm1, self.log, self.log1p = jnp.abs, jnp.exp, jnp.expm1, jnp.log, jnp.log1p
        self.sqrt, self.square, self.power = jnp.sqrt, jnp.square, jnp.power
        self.cosh, self.tanh, self.sigmoid, self.softplus = jnp.cosh, jnp.tanh, jax.nn.sigmoid, jax.nn.softplus
        self.maximum, self.minimum, self.clip, self.logical_and = jnp.maximum, jnp.minimum, jnp.clip, jnp.logical_and
        self.sum, self.mean, self.max = jnp.sum, jnp.mean, jnp.max
        self.log_softmax, self.softmax = jax.nn.log_softmax, jax.nn.softmax
        self.matmul, self.transpose = jnp.matmul, jnp.matrix_transpose
        self.expand_dims, self.moveaxis, self.reshape = jnp.expand_dims, jnp.moveaxis, jnp.reshape
        self.stack, self.concat = jnp.stack, jnp.concatenate

    def constant(self, value: float, like: Array) -> Array:
        return self.jnp.asarray(value, dtype=like.dtype)

    def where(self, condition: Array, a: Array | float, b: Array | float) -> Array:
        if not hasattr(a, "dtype") and not hasattr(b, "dtype"):
            a = self.jnp.asarray(a, dtype=self.float_type)
        return self.jnp.where(condition, a, b)

    def logsumexp(self, a: Array, axis: int = -1, keepdims: bool = False) -> Array:
        return self.jax.nn.logsumexp(a, axis=axis, keepdims=keepdims)

    def index(self, a: Array, key: Any) -> Array:
        return a[key]

    def one_hot(self, indices: Array, classes: int, like: Array) -> Array:
        return self.jax.nn.one_hot(indices, classes, dtype=like.dtype)

    def take_class(self, a: Array, indices: Array) -> Array:
        if a.ndim == 1:
            return a[indices]
        return self.jnp.take_along_axis(a, indices[..., None], axis=-1)[..., 0]

    def cast(self, a: Array, like: Array) -> Array:
        return a.astype(like.dtype)


COMPILING: Final = tuple(f"/jax/core/compile/{part}_duration" for part in ("jaxpr_to_mlir_module", "backend_compile"))
"""What JAX calls the two steps of making a program, which come one after the other, to those who listen."""


class Stopwatch:
    """Adds up how long JAX says that it compiled; also operation by operation, as eager calls do."""

    def __init__(self, jax: Any) -> None:
        self.seconds = 0.0
        jax.monitoring.register_event_duration_secs_listener(self._heard)

    def _heard(self, event: str, seconds: float, **_: Any) -> None:
        if event in COMPILING:
            self.seconds += seconds


stopwatch = cache(Stopwatch)
"""One a process: JAX keeps those who listen."""


class JaxBackend(Backend):
    """JAX on the CPU or, with device `cuda`, on its default GPU."""

    name, module = "jax", "jax"
    modes = ("eager", "compiled")
    distributions = ("jax", "jaxlib", "optax")
    preload = ("jax", "jax.numpy", "optax")
    compiles_each_shape = True

    @classmethod
    @contextmanager
    def borrowed(cls) -> Iterator[int]:
        import jax

        config = cast(Any, jax).config
        names = ("jax_enable_x64", "jax_cpu_enable_async_dispatch")
        before = {name: config.values[name] for name in names}
        try:
            yield 1
        finally:
            for name, value in before.items():
                config.update(name, value)

    @staticmethod
    def environ(threads: int, device: str) -> dict[str, str]:
        single = " intra_op_parallelism_threads=1" if threads == 1 else ""
        return {
            "OMP_NUM_THREADS": str(threads),
            "NPROC": str(threads),  # the size of XLA's own thread pool on the CPU
            "XLA_FLAGS": f"--xla_cpu_multi_thread_eigen={str(threads > 1).lower()}{single}",
            "JAX_PLATFORMS": device,
            "JAX_COMPILATION_CACHE_DIR": str(cache_folder() / "jax"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            **({"CUDA_VISIBLE_DEVICES": ""} if device == "cpu" else {}),
        }

    def __init__(self, *, threads: int = 1, device: str = "cpu") -> None:
        super().__init__(threads=threads, device=device)
        import jax
        import jax.numpy as jnp

        try:
            import optax
        except ImportError:  # JAX alone still runs the formulas and jax.nn
            optax = None
        self.jax, self.jnp, self.optax = cast(Any, jax), cast(Any, jnp), optax
        if device == "cpu":
            self.jax.config.update("jax_cpu_enable_async_dispatch", False)  # an environment variable has no effect here
        if device not in self.devices():
            raise UnsupportedError(f"jax sees no device {device!r} (it sees {', '.join(self.devices())})")
        self._ops = JaxOps(jax, jnp, optax)
        self._stopwatch = stopwatch(jax)

    @property
    def namespace(self) -> Ops:
        return cast(Ops, self._ops)

    def begin(self, dtype: str) -> None:
        self.jax.config.update("jax_enable_x64", dtype == "float64")
        self._ops.float_type = self.jnp.dtype(dtype)

    def devices(self) -> tuple[str, ...]:
        kinds = {device.platform for device in self.jax.devices()}
        return tuple(sorted({"cpu"} | {"cuda" if kind == "gpu" else kind for kind in kinds}))

    def array(self, values: npt.NDArray[Any], dtype: str, *, differentiable: bool = False) -> Tensor:  # noqa: ARG002
        # ml_dtypes gives numpy a bfloat16: converted there, once, since the values fit exactly
        typed = values if values.dtype.kind in "biu" else values.astype(self.jnp.dtype(dtype))
        return self.jnp.array(typed)

    def numpy(self, tensor: Tensor) -> npt.NDArray[Any]:
        return narrowed(np.asarray(tensor))

    def dtype_of(self, tensor: Tensor) -> str:
        return str(self.jnp.asarray(tensor).dtype)

    def compiled(self, fn: Function, mode: str) -> Function:
        if mode != "compiled":
            return super().compiled(fn, mode)
        return cast(Function, self.jax.jit(fn))

    def value_and_grad(self, fn: Function, *, argnum: int = 1, mode: str = "eager") -> Function:
        def total(*args: Tensor) -> tuple[Tensor, Tensor]:
            value = fn(*args)
            if not self.jnp.issubdtype(value.dtype, self.jnp.floating):
                raise NoGradientError
            return self.jnp.sum(value), value

        differentiate = self.jax.value_and_grad(total, argnums=argnum, has_aux=True)

        def run(*args: Tensor) -> tuple[Tensor, Tensor]:
            (_, value), gradient = differentiate(*args)
            return value, gradient

        return self.compiled(run, mode)

    def forward_gradient(self, fn: Function, *, argnum: int = 1) -> Function:
        jax, jnp = self.jax, self.jnp

        def run(*args: Tensor) -> tuple[Tensor, Tensor]:
            point = args[argnum]

            def total(moving: Tensor) -> Tensor:
                return jnp.sum(fn(*args[:argnum], moving, *args[argnum + 1 :]))

            directions = jnp.eye(point.size, dtype=point.dtype).reshape((point.size, *point.shape))
            try:
                slopes = jax.vmap(lambda along: jax.jvp(total, (point,), (along,))[1])(directions)
            except TypeError as error:
                if "custom_vjp" in str(error):
                    raise UnsupportedError("no forward mode: " + str(error).split(". ")[0]) from error
                raise
            return fn(*args), slopes.reshape(point.shape)

        return run

    def counted(self, call: Function, mode: str, arguments: tuple[Tensor, ...]) -> counts.Counts:
        return counts.xla(call, arguments) if mode == "compiled" else counts.UNCOUNTED

    def compiled_seconds(self) -> float:
        return self._stopwatch.seconds

    def wait(self, result: Any) -> None:
        self.jax.block_until_ready(result)

    @property
    def facts(self) -> Mapping[str, str | float | int]:
        return {
            "threads": self.threads,
            "x64": int(self.jax.config.jax_enable_x64),
            "platform": self.jax.default_backend(),
        }

    def public_losses(self) -> dict[str, str]:
        if self.optax is None:
            return {}
        return {
            f"optax.losses.{name}": "class" if inspect.isclass(thing) else "function"
            for name, thing in sorted(vars(self.optax.losses).items())
            if not name.startswith("_") and callable(thing) and name not in OPTAX_NOT_LOSSES
        }


OPTAX_NOT_LOSSES = frozenset({"smooth_labels"})
