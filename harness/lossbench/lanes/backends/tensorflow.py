"""TensorFlow with Keras. Requirements: tf.function for `compiled`, jit_compile=True for `xla`, and the gradient
tape inside the compiled function, so that forward and backward are one graph.

AutoGraph is off at first, since losses are array code; a loss that branches in Python on a tensor is traced
again with it, as tf.function would by default, and the fact `autograph` says so.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

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
    with_own_code,
)
from lossbench.spec.ops import Array, Axis, Ops


class TensorFlowOps:
    """The vocabulary as a TensorFlow user writes it; `m.tf`, `m.keras`."""

    def __init__(self, tf: Any, keras: Any) -> None:
        self.tf, self.keras = tf, keras
        self.float_type = tf.float32
        math = tf.math
        self.abs, self.exp, self.expm1, self.log, self.log1p = math.abs, math.exp, math.expm1, math.log, math.log1p
        self.sqrt, self.square, self.power = math.sqrt, math.square, math.pow
        self.cosh, self.tanh, self.sigmoid, self.softplus = math.cosh, math.tanh, math.sigmoid, math.softplus
        self.maximum, self.minimum, self.clip = math.maximum, math.minimum, tf.clip_by_value
        self.logical_and, self.matmul, self.transpose = math.logical_and, tf.linalg.matmul, tf.linalg.matrix_transpose
        self.expand_dims, self.reshape, self.stack, self.concat = tf.expand_dims, tf.reshape, tf.stack, tf.concat

    def constant(self, value: float, like: Array) -> Array:
        return self.tf.constant(value, dtype=like.dtype)

    def where(self, condition: Array, a: Array | float, b: Array | float) -> Array:
        dtype = getattr(a, "dtype", None) or getattr(b, "dtype", None) or self.float_type
        convert = self.tf.convert_to_tensor
        return self.tf.where(condition, convert(a, dtype=dtype), convert(b, dtype=dtype))

    def sum(self, a: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        return self.tf.math.reduce_sum(a, axis=axis, keepdims=keepdims)

    def mean(self, a: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        return self.tf.math.reduce_mean(a, axis=axis, keepdims=keepdims)

    def max(self, a: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        return self.tf.math.reduce_max(a, axis=axis, keepdims=keepdims)

    def logsumexp(self, a: Array, axis: int = -1, keepdims: bool = False) -> Array:
        return self.tf.math.reduce_logsumexp(a, axis=axis, keepdims=keepdims)

    def log_softmax(self, a: Array, axis: int = -1) -> Array:
        return self.tf.nn.log_softmax(a, axis=axis)

    def softmax(self, a: Array, axis: int = -1) -> Array:
        return self.tf.nn.softmax(a, axis=axis)

    def moveaxis(self, a: Array, source: int, target: int) -> Array:
        order = list(range(a.shape.rank))
        order.insert(target % a.shape.rank, order.pop(source))
        return self.tf.transpose(a, order)

    def index(self, a: Array, key: Any) -> Array:
        return a[key]

    def one_hot(self, indices: Array, classes: int, like: Array) -> Array:
        return self.tf.one_hot(indices, classes, dtype=like.dtype)

    def take_class(self, a: Array, indices: Array) -> Array:
        return self.tf.gather(a, indices, axis=-1, batch_dims=a.shape.rank - 1)

    def cast(self, a: Array, like: Array) -> Array:
        return self.tf.cast(a, like.dtype)


class TensorFlowBackend(Backend):
    """TensorFlow on the CPU or, with device `cuda`, on its first GPU."""

    name, module = "tensorflow", "tensorflow"
    modes = ("eager", "compiled", "xla")
    distributions = ("tensorflow", "tensorflow-cpu", "keras")
    preload = ("tensorflow", "keras")

    @classmethod
    @contextmanager
    def borrowed(cls) -> Iterator[int]:
        import keras
        import tensorflow as tf

        tf.config.list_logical_devices()  # from here on the numbers of threads cannot change
        floatx = keras.config.floatx()
        try:
            yield tf.config.threading.get_intra_op_parallelism_threads()
        finally:
            keras.config.set_floatx(floatx)

    @staticmethod
    def environ(threads: int, device: str) -> dict[str, str]:
        count = str(threads)
        return {
            "OMP_NUM_THREADS": count,
            "TF_NUM_INTRAOP_THREADS": count,
            "TF_NUM_INTEROP_THREADS": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "KERAS_BACKEND": "tensorflow",
            "KERAS_HOME": str(cache_folder() / "keras"),
            **({"CUDA_VISIBLE_DEVICES": ""} if device == "cpu" else {}),
        }

    def __init__(self, *, threads: int = 1, device: str = "cpu") -> None:
        super().__init__(threads=threads, device=device)
        import keras
        import tensorflow as tf

        self.tf, self.keras = cast(Any, tf), cast(Any, keras)
        if device not in self.devices():
            raise UnsupportedError(f"tensorflow sees no device {device!r} (it sees {', '.join(self.devices())})")
        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        except RuntimeError:  # inline lane: the context exists already; facts state what is in force
            pass
        self._device = "/CPU:0" if device == "cpu" else "/GPU:0"
        self._ops = TensorFlowOps(tf, keras)
        self._autograph = False

    @property
    def namespace(self) -> Ops:
        return cast(Ops, self._ops)

    def begin(self, dtype: str) -> None:
        self.keras.config.set_floatx(dtype)
        self._ops.float_type = self.tf.as_dtype(dtype)
        self._autograph = False

    def devices(self) -> tuple[str, ...]:
        return ("cpu", "cuda") if self.tf.config.list_physical_devices("GPU") else ("cpu",)

    def array(self, values: npt.NDArray[Any], dtype: str, *, differentiable: bool = False) -> Tensor:  # noqa: ARG002
        # converted by numpy's ml_dtypes, since TensorFlow's own cast may flush subnormal numbers
        typed = values if values.dtype.kind in "biu" else values.astype(self.tf.as_dtype(dtype).as_numpy_dtype)
        with self.tf.device(self._device):
            return self.tf.constant(typed)

    def numpy(self, tensor: Tensor) -> npt.NDArray[Any]:
        return narrowed(np.asarray(self.tf.convert_to_tensor(tensor).numpy()))

    def dtype_of(self, tensor: Tensor) -> str:
        return str(self.tf.convert_to_tensor(tensor).dtype.name)

    def compiled(self, fn: Function, mode: str) -> Function:
        if mode not in ("compiled", "xla"):
            return super().compiled(fn, mode)
        return cast(
            Function, self.tf.function(with_own_code(fn), autograph=self._autograph, jit_compile=mode == "xla" or None)
        )

    def value_and_grad(self, fn: Function, *, argnum: int = 1, mode: str = "eager") -> Function:
        tf = self.tf

        def run(*args: Tensor) -> tuple[Tensor, Tensor]:
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(args[argnum])
                value = fn(*args)
            gradient = tape.gradient(value, args[argnum])  # of the sum: that is what TensorFlow means by it
            if gradient is None:
                raise NoGradientError
            return value, tf.convert_to_tensor(gradient)

        return self.compiled(run, mode)

    def forward_gradient(self, fn: Function, *, argnum: int = 1) -> Function:
        tf = self.tf

        def run(*args: Tensor) -> tuple[Tensor, Tensor]:
            point = args[argnum]
            size = int(tf.size(point))
            slopes = []
            for along in tf.reshape(tf.eye(size, dtype=point.dtype), [size, *point.shape]):
                try:
                    with tf.autodiff.ForwardAccumulator(point, along) as forward:
                        total = tf.reduce_sum(fn(*args))
                except LookupError as error:  # an operation without a gradient
                    raise UnsupportedError(f"no forward mode: {error}") from error
                slope = forward.jvp(total)
                if slope is None:
                    raise NoGradientError
                slopes.append(slope)
            return fn(*args), tf.reshape(tf.stack(slopes), point.shape) if slopes else tf.zeros_like(point)

        return run

    def first_call(self, fn: Function, mode: str, grad: bool, arguments: tuple[Tensor, ...]) -> tuple[Function, Any]:
        try:
            return super().first_call(fn, mode, grad, arguments)
        except self.tf.errors.OperatorNotAllowedInGraphError:
            self._autograph = True
        return super().first_call(fn, mode, grad, arguments)

    def counted(self, call: Function, mode: str, arguments: tuple[Tensor, ...]) -> counts.Counts:
        return counts.nodes(call, arguments) if mode != "eager" else counts.UNCOUNTED

    def wait(self, result: Any) -> None:  # noqa: ARG002 - the CPU has computed before it returns
        if self.device != "cpu":
            self.tf.test.experimental.sync_devices()

    @property
    def facts(self) -> Mapping[str, str | float | int]:
        return {
            "threads": self.tf.config.threading.get_intra_op_parallelism_threads(),
            "keras_backend": self.keras.config.backend(),
            **({"autograph": "on"} if self._autograph else {}),
        }

    def public_losses(self) -> dict[str, str]:
        found = {}
        tf = self.tf
        for path, module in (("tf.keras.losses", tf.keras.losses), ("tf.compat.v1.losses", tf.compat.v1.losses)):
            for name in dir(module):
                thing = getattr(module, name)
                if name.startswith("_") or not callable(thing) or name in KERAS_NOT_LOSSES | V1_NOT_LOSSES:
                    continue
                found[f"{path}.{name}"] = "class" if inspect.isclass(thing) else "function"
        for name in dir(tf.nn):
            if ("loss" in name.split("_") or "cross_entropy" in name) and name not in NN_NOT_LOSSES:
                found[f"tf.nn.{name}"] = "function"
        return found


NN_NOT_LOSSES = frozenset({"compute_average_loss", "scale_regularization_loss"})
KERAS_NOT_LOSSES = frozenset({"Loss", "Reduction", "deserialize", "get", "serialize"})
V1_NOT_LOSSES = frozenset(
    {"Reduction", "add_loss", "compute_weighted_loss", "get_losses", "get_regularization_loss"}
    | {"get_regularization_losses", "get_total_loss"}
)
