"""The join keys of everything: Case, Lane and Cell, with ids that are readable and stable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from lossbench.spec.formats import FORMATS
from lossbench.spec.loss import Scalar

Operation = Literal["value", "grad", "grad_target", "jvp"]
"""`value`: the loss. `grad`: the loss together with its gradient by the prediction. `grad_target`: with its gradient by
the target. `jvp`: with its gradient by the prediction in forward mode, a pass for each number."""

Mode = Literal["eager", "compiled", "xla"]
"""`compiled`: tf.function, torch.compile or jax.jit; `xla`: tf.function(jit_compile=True)."""

OPERATIONS: Final[tuple[Operation, ...]] = ("value", "grad", "grad_target", "jvp")
TIMED_OPERATIONS: Final[tuple[Operation, ...]] = ("value", "grad")


def _scalar(value: Scalar) -> str:
    if not isinstance(value, float):
        return str(value)
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One set of inputs of one loss. Holds no arrays: they are a pure function of it (see `inputs`).

    params: sorted (name, value) pairs, defaults spelled out. shape: of y_pred. regime: see `regimes`.
    """

    loss: str
    params: tuple[tuple[str, Scalar], ...] = ()
    shape: tuple[int, ...]
    dtype: str = "float32"
    regime: str = "typical"
    seed: int = 0

    @property
    def id(self) -> str:
        """For example `huber[delta=1,f32,4096x128,typical,s0]`."""
        parts = [f"{name}={_scalar(value)}" for name, value in self.params]
        parts += [FORMATS[self.dtype].short, "x".join(map(str, self.shape)), self.regime, f"s{self.seed}"]
        return f"{self.loss}[{','.join(parts)}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """Where a cell runs: one worker process each.

    interpreter: path of the Python that runs the worker, empty for the harness's own.
    threads: intra-op threads. label: tells lanes apart that differ in nothing else.
    """

    backend: str
    device: str = "cpu"
    mode: Mode = "eager"
    interpreter: str = ""
    threads: int = 1
    label: str = ""

    @property
    def id(self) -> str:
        """For example `torch-cpu-compiled`, with `-t2` and the label appended where set."""
        parts = [self.backend, self.device, self.mode]
        parts += [f"t{self.threads}"] if self.threads != 1 else []
        parts += [self.label] if self.label else []
        return "-".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Case x Binding x Lane x operation: one thing that is run."""

    case: Case
    binding: str
    lane: Lane
    operation: Operation

    @property
    def id(self) -> str:
        """For example `huber[delta=1,f32,16x8,typical,s0]@torch-cpu-eager/functional:grad`."""
        return f"{self.case.id}@{self.lane.id}/{self.binding}:{self.operation}"
