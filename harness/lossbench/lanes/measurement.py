"""What a lane answers: plain values that cross the wire and become rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

Status = Literal["ok", "absent", "unsupported", "failed", "timeout", "crashed", "skipped"]
"""ok; absent: the framework has no such loss; unsupported: dtype, device, mode or parameter;
failed: raised; timeout: over the limit, killed; crashed: the process died; skipped: with a reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one cell computed, once, on its inputs.

    digest: SHA-256 of the inputs as the worker built them. value: reduced or unreduced losses.
    grad: derivative of the summed value by y_pred (by y_true for operation `grad_target`), its shape; None for `value`.
    Arrays are in the carrier type of the dtype (see `lossbench.spec.formats`); result_dtype is the
    framework's own name of the value's type. compile_seconds: time to trace and compile; of eager calls what
    JAX compiles for each operation, 0 elsewhere.
    first_call_seconds: the first call, compilation excluded where the framework tells them apart.
    own_kernels, own_bytes, own_operations, counted_by: what the framework says a call does, see `counts`; asked of
    cells that are to be timed.
    printed: what the call wrote to stdout and stderr (first 2000 characters).
    """

    status: Status
    reason: str = ""
    traceback: str = ""
    digest: str = ""
    value: npt.NDArray[np.floating] | None = None
    grad: npt.NDArray[np.floating] | None = None
    result_dtype: str = ""
    prepare_seconds: float = 0.0
    compile_seconds: float = 0.0
    first_call_seconds: float = 0.0
    own_kernels: int = 0
    own_bytes: int = 0
    own_operations: int = 0
    counted_by: str = ""
    printed: str = ""
    facts: Mapping[str, str | float | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """One replicate of one cell: two versions, and the first one twice, timed in turn in a process of their own.

    seconds_per_call: of shape (rounds, versions, 2), a round being a palindrome of blocks, each the mean over
    `loops` calls. planted_per_call: of the same shape, what of that is work planted into a version; empty where none
    is. same_value: whether the versions computed the same bits, in value and gradient. spent_seconds: on preparing and
    timing the cell, 0 where nobody looked.
    """

    status: Status
    reason: str = ""
    loops: int = 0
    spent_seconds: float = 0.0
    seconds_per_call: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0, 2)))
    planted_per_call: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0, 2)))
    same_value: bool = True


QUIET: Final = 0.25
LEAST_QUIET: Final = 6


def quiet(blocks: int) -> int:
    """Of so many blocks of a version, how many count: the quickest quarter, at least six where there are as many.

    Few blocks are long ones, each with some of every disturbance: then the mean of more is steadier.
    """
    return max(min(blocks, LEAST_QUIET), round(QUIET * blocks))


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One visit to a cell: the seconds per call of each round, each the mean over `loops` calls: throughput.

    latency_seconds: median of calls each of which is waited for. opening_seconds: the call that opens the visit, in
    caches that hold others' data. Both NaN where there is none. busy_seconds: that all calls of the visit took.
    """

    status: Status
    reason: str = ""
    loops: int = 0
    seconds_per_call: tuple[float, ...] = ()
    latency_seconds: float = math.nan
    opening_seconds: float = math.nan
    busy_seconds: float = 0.0
    peak_bytes: int = 0
