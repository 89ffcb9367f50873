"""PyTorch. Requirements: eager autograd on leaves; torch.compile for forward, AOT autograd for backward.

`compiled` asks for one graph first (fullgraph); where a loss breaks the graph it is compiled as users would
get it, and the fact `graph` says `broken`. The timed call of `grad` is forward plus backward.
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
    with_own_code,
)
from lossbench.spec.ops import Array, Axis, Ops


class TorchOps:
    """The vocabulary as a PyTorch user writes it; `m.torch`, `m.F` (torch.nn.functional), `m.nn`."""

    def __init__(self, torch: Any) -> None:
        self.torch, self.nn, self.F = torch, torch.nn, torch.nn.functional
        self.float_type = torch.float32
        self.abs, self.exp, self.expm1, self.log, self.log1p = (
            torch.abs,
            torch.exp,
            torch.expm1,
            torch.log,
            torch.log1p,
        )
        self.sqrt, self.square, self.power = torch.sqrt, torch.square, torch.pow
        self.cosh, self.tanh, self.sigmoid = torch.cosh, torch.tanh, torch.sigmoid
        self.softplus = torch.nn.functional.softplus
        self.clip, self.logical_and, self.matmul = torch.clamp, torch.logical_and, torch.matmul
        self.moveaxis, self.reshape, self.expand_dims = torch.movedim, torch.reshape, torch.unsqueeze

    def constant(self, value: float, like: Array) -> Array:
        return self.torch.tensor(value, dtype=like.dtype, device=like.device)

    def maximum(self, a: Array, b: Array | float) -> Array:
        return self.torch.maximum(a, b) if isinstance(b, self.torch.Tensor) else self.torch.clamp(a, min=b)

    def minimum(self, a: Array, b: Array | float) -> Array:
        return self.torch.minimum(a, b) if isinstance(b, self.torch.Tensor) else self.torch.clamp(a, max=b)

    def where(self, condition: Array, a: Array | float, b: Array | float) -> Array:
        if not isinstance(a, self.torch.Tensor) and not isinstance(b, self.torch.Tensor):
            a = self.torch.tensor(a, dtype=self.float_type, device=condition.device)
        return self.torch.where(condition, a, b)

    def sum(self, a: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        return self.torch.sum(a, dim=axis, keepdim=keepdims)

    def mean(self, a: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        return self.torch.mean(a, dim=axis, keepdim=keepdims)

    def max(self, a: Array, axis: Axis = None, keepdims: bool = False) -> Array:
        return self.torch.amax(a, dim=() if axis is None else axis, keepdim=keepdims)

    def logsumexp(self, a: Array, axis: int = -1, keepdims: bool = False) -> Array:
        return self.torch.logsumexp(a, dim=axis, keepdim=keepdims)

    def log_softmax(self, a: Array, axis: int = -1) -> Array:
        return self.torch.log_softmax(a, dim=axis)

    def softmax(self, a: Array, axis: int = -1) -> Array:
        return self.torch.softmax(a, dim=axis)

    def transpose(self, a: Array) -> Array:
        return self.torch.transpose(a, -2, -1)

    def stack(self, arrays: list[Array], axis: int = 0) -> Array:
        return self.torch.stack(arrays, dim=axis)

    def concat(self, arrays: list[Array], axis: int = 0) -> Array:
        return self.torch.cat(arrays, dim=axis)

    def index(self, a: Array, key: Any) -> Array:
        return a[key]

    def one_hot(self, indices: Array, classes: int, like: Array) -> Array:
        # torch.nn.functional.one_hot raises on an index outside the range; the vocabulary wants zeros
        return (indices[..., None] == self.torch.arange(classes, device=indices.device)).to(like.dtype)

    def take_class(self, a: Array, indices: Array) -> Array:
        indices = indices.long()
        if a.ndim == 1:
            return a[indices]
        return self.torch.gather(a, -1, indices[..., None])[..., 0]

    def cast(self, a: Array, like: Array) -> Array:
        return a.to(like.dtype)


class TorchBackend(Backend):
    """PyTorch on the CPU or, with device `cuda`, on the current GPU."""

    name, module = "torch", "torch"
    modes = ("eager", "compiled")
    distributions = ("torch",)
    preload = ("torch",)
    compiler = ("torch._dynamo", "torch._inductor.compile_fx")  # 3 s, else paid by every replicate

    @classmethod
    @contextmanager
    def borrowed(cls) -> Iterator[int]:
        import torch

        threads = torch.get_num_threads()
        try:
            yield threads
        finally:
            torch.set_num_threads(threads)

    @staticmethod
    def environ(threads: int, device: str) -> dict[str, str]:
        count, caches = str(threads), cache_folder() / "torch"
        return {
            "OMP_NUM_THREADS": count,
            "MKL_NUM_THREADS": count,
            "TORCHINDUCTOR_CACHE_DIR": str(caches / "inductor"),
            "TRITON_CACHE_DIR": str(caches / "triton"),
            "TORCHINDUCTOR_FX_GRAPH_CACHE": "1",
            "TORCHINDUCTOR_COMPILE_THREADS": "1",  # compiles in the worker: no pool of processes to outlive it
            **({"CUDA_VISIBLE_DEVICES": ""} if device == "cpu" else {}),
        }

    def __init__(self, *, threads: int = 1, device: str = "cpu") -> None:
        super().__init__(threads=threads, device=device)
        import torch

        self.torch: Any = torch
        if device not in self.devices():
            raise UnsupportedError(f"torch sees no device {device!r} (it sees {', '.join(self.devices())})")
        torch.set_num_threads(threads)
        self._ops = TorchOps(torch)
        self._broken_graph = False

    @property
    def namespace(self) -> Ops:
        return cast(Ops, self._ops)

    def begin(self, dtype: str) -> None:
        self._ops.float_type = getattr(self.torch, dtype)
        self._broken_graph = False

    def devices(self) -> tuple[str, ...]:
        return ("cpu", "cuda") if self.torch.cuda.is_available() else ("cpu",)

    def array(self, values: npt.NDArray[Any], dtype: str, *, differentiable: bool = False) -> Tensor:
        if values.dtype.kind in "iu":
            return self.torch.tensor(values.astype(np.int64), device=self.device)  # its losses index with int64
        if values.dtype.kind == "b":
            return self.torch.tensor(values, device=self.device)
        tensor = self.torch.tensor(values, device=self.device).to(getattr(self.torch, dtype))
        return tensor.requires_grad_() if differentiable else tensor

    def numpy(self, tensor: Tensor) -> npt.NDArray[Any]:
        tensor = tensor.detach()
        if tensor.dtype in (self.torch.bfloat16, self.torch.float16):
            tensor = tensor.float()
        return np.asarray(tensor.cpu().numpy())

    def dtype_of(self, tensor: Tensor) -> str:
        return str(tensor.dtype).removeprefix("torch.")

    def compiled(self, fn: Function, mode: str, *, fullgraph: bool = True) -> Function:
        if mode != "compiled":
            return super().compiled(fn, mode)
        return cast(Function, self.torch.compile(with_own_code(fn), dynamic=False, fullgraph=fullgraph))

    def value_and_grad(self, fn: Function, *, argnum: int = 1, mode: str = "eager", fullgraph: bool = True) -> Function:
        def value_and_total(*args: Tensor) -> tuple[Tensor, Tensor]:
            value = fn(*args)
            return value, value.sum()

        forward = self.compiled(value_and_total, mode, fullgraph=fullgraph)
        autograd = self.torch.autograd.grad

        def run(*args: Tensor) -> tuple[Tensor, Tensor]:
            leaf = args[argnum]
            if not leaf.requires_grad:
                leaf = leaf.detach().requires_grad_()
                args = (*args[:argnum], leaf, *args[argnum + 1 :])
            value, total = forward(*args)
            if not total.requires_grad:
                raise NoGradientError
            (gradient,) = autograd(total, leaf, allow_unused=True)
            if gradient is None:
                raise NoGradientError
            return value, gradient

        return run

    def forward_gradient(self, fn: Function, *, argnum: int = 1) -> Function:
        torch = self.torch

        def run(*args: Tensor) -> tuple[Tensor, Tensor]:
            point = args[argnum].detach()

            def total(moving: Tensor) -> Tensor:
                return fn(*args[:argnum], moving, *args[argnum + 1 :]).sum()

            directions = torch.eye(point.numel(), dtype=point.dtype, device=point.device).reshape(-1, *point.shape)
            try:
                slopes = [torch.func.jvp(total, (point,), (along,))[1] for along in directions]
            except NotImplementedError as error:
                raise UnsupportedError("no forward mode: " + str(error).split(". ")[0]) from error
            return fn(*args), torch.stack(slopes).reshape(point.shape) if slopes else torch.zeros_like(point)

        return run

    def first_call(self, fn: Function, mode: str, grad: bool, arguments: tuple[Tensor, ...]) -> tuple[Function, Any]:
        if mode != "compiled":
            return super().first_call(fn, mode, grad, arguments)
        try:
            return super().first_call(fn, mode, grad, arguments)
        except self.torch._dynamo.exc.Unsupported:
            self._broken_graph = True
        call = self.value_and_grad(fn, mode=mode, fullgraph=False) if grad else self.compiled(fn, mode, fullgraph=False)
        return call, call(*arguments)

    def counted(self, call: Function, mode: str, arguments: tuple[Tensor, ...]) -> counts.Counts:
        return counts.UNCOUNTED if mode == "compiled" else counts.dispatched(self.torch, call, arguments)

    def wait(self, result: Any) -> None:  # noqa: ARG002 - the CPU has computed before it returns
        if self.device != "cpu":
            self.torch.cuda.synchronize()

    def peak_bytes(self) -> int:
        return super().peak_bytes() if self.device == "cpu" else int(self.torch.cuda.max_memory_allocated())

    @property
    def facts(self) -> Mapping[str, str | float | int]:
        return {
            "threads": self.torch.get_num_threads(),
            "cpu_capability": self.torch.backends.cpu.get_cpu_capability(),
            **({"graph": "broken"} if self._broken_graph else {}),
        }

    def public_losses(self) -> dict[str, str]:
        functional, nn = self.torch.nn.functional, self.torch.nn
        endings = ("_loss", "cross_entropy", "cross_entropy_with_logits", "_embedding_loss")
        names = [n for n in dir(functional) if not n.startswith("_")]
        found = {
            f"torch.nn.functional.{n}": "function"
            for n in names
            if (n.endswith(endings) or n in ("kl_div",)) and callable(getattr(functional, n))
        }
        found |= {
            f"torch.nn.{n}": "class"
            for n in dir(nn)
            if n.endswith("Loss") and inspect.isclass(getattr(nn, n)) and not n.startswith("_")
        }
        return found | {"torch.nn.functional.cosine_similarity": "function"}
