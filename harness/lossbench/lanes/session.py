"""What a worker does with a cell: build its inputs, prepare the call once, run it, time it.

The same code serves the worker process and the inline lane. Whatever a loss raises becomes an answer.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from lossbench.lanes import derivatives, evaluation
from lossbench.lanes.backends.base import Backend, NoGradientError, Tensor, UnsupportedError
from lossbench.lanes.measurement import Answer, Block
from lossbench.lanes.reasons import reason_of, trace_of
from lossbench.lanes.stopwatch import Prepared, calibrated, timed, undisturbed, waited
from lossbench.spec import inputs
from lossbench.spec.case import Case, Cell
from lossbench.spec.catalogue import Catalogue
from lossbench.spec.errors import BadInput
from lossbench.spec.loss import Binding, Loss

RAISED: Final = (Exception, SystemExit)  # a loss may raise anything, and may call sys.exit
LARGE_BYTES: Final = 4 * 2**20
HELD_BYTES: Final = 256 * 2**20
"""Arguments of a cell from which on it counts, and of all such together that stay between visits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What is to be computed: a cell's, or somebody's own arrays. `named`: parameters and further inputs."""

    loss: Loss
    binding: Binding
    named: Mapping[str, Any]
    arrays: Mapping[str, Any]
    dtype: str
    mode: str
    operation: str
    digest: str

    @property
    def grad(self) -> bool:
        return self.operation != "value"


class Session:
    """One backend in one mode with one catalogue, and the cells prepared so far."""

    def __init__(
        self,
        backend: Backend,
        catalogue: Catalogue,
        mode: str,
        build: Callable[[Loss, Case], inputs.Inputs] = inputs.build,
    ) -> None:
        self.backend, self.catalogue, self.mode = backend, catalogue, mode
        self._build = build
        self._kept: dict[str, Prepared] = {}
        self._last: tuple[str, Prepared] | None = None
        self._inputs: tuple[Case, inputs.Inputs] | None = None

    def answer(self, cell: Cell, *, keep: bool = False) -> Answer:
        """Computes a cell once. keep: hold it ready for `block` until `forget`; the latest is held in any case."""
        answer, prepared = self._guarded(lambda: self._task(cell))
        if prepared is None:
            return answer
        self._last = (cell.id, prepared)
        if not keep:
            return answer
        self._keep(cell, prepared)
        try:
            counted: Mapping[str, Any] = self.backend.counted(prepared.call, cell.lane.mode, prepared.arguments)
        except RAISED as error:  # a call that cannot be counted is timed all the same
            counted = {"counted_by": f"nobody: {reason_of(error)}"}
        return replace(answer, **counted)

    def prepared(self, cell: Cell) -> tuple[Answer, Prepared | None]:
        """Computes a cell once and hands over the call to time, None where there is no answer."""
        return self._guarded(lambda: self._task(cell))

    def answer_given(
        self,
        loss: str,
        binding: str,
        params: Mapping[str, Any],
        arrays: Mapping[str, Any],
        dtype: str,
        operation: str,
    ) -> Answer:
        """Computes given inputs once; arrays are rounded to the dtype first."""
        answer, _ = self._guarded(lambda: self._given(loss, binding, params, arrays, dtype, operation))
        return answer

    def block(self, cell: Cell, rounds: int, loops: int, target_seconds: float) -> Block:
        """One visit. loops 0: as many calls as make a round last about target_seconds, found on the first visit."""
        prepared = self._kept.get(cell.id)
        if prepared is None and self._last is not None and self._last[0] == cell.id:
            prepared = self._last[1]
        if prepared is None:
            answer = self.answer(cell, keep=True)
            if answer.status != "ok":
                return Block(status=answer.status, reason=answer.reason)
            prepared = self._kept[cell.id]
        self.backend.begin(prepared.dtype)
        try:
            prepared.arguments = prepared.arguments or self._arguments(self._task(cell))
            self._keep(cell, prepared)
            began = time.perf_counter()
            with undisturbed():
                opening = timed(prepared, self.backend.wait, 1)
                count = loops or prepared.loops or calibrated(prepared, self.backend.wait, target_seconds)
                prepared.loops = count
                seconds = tuple(timed(prepared, self.backend.wait, count) / count for _ in range(rounds))
                latency = waited(prepared, self.backend.wait, seconds, count) if loops else math.nan
        except RAISED as error:
            return Block(status="failed", reason=reason_of(error))
        return Block(
            status="ok", loops=count, seconds_per_call=seconds, latency_seconds=latency, opening_seconds=opening,
            busy_seconds=time.perf_counter() - began, peak_bytes=self.backend.peak_bytes(),
        )  # fmt: skip

    def _keep(self, cell: Cell, prepared: Prepared) -> None:
        """Between visits too; of large arguments those last used, the others are built again."""
        self._kept.pop(cell.id, None)
        self._kept[cell.id] = prepared
        large = [other for other in self._kept.values() if other.arguments and other.held_bytes >= LARGE_BYTES]
        held = sum(other.held_bytes for other in large)
        for other in large[:-1]:
            if held > HELD_BYTES:
                other.arguments, held = (), held - other.held_bytes

    def forget(self, cell_id: str | None) -> None:
        """Drops a prepared cell, or all of them."""
        self._last = None
        if cell_id is None:
            self._kept.clear()
        else:
            self._kept.pop(cell_id, None)

    def _task(self, cell: Cell) -> Task:
        loss = self.catalogue.find(cell.case.loss)
        if self._inputs is None or self._inputs[0] != cell.case:
            self._inputs = (cell.case, self._build(loss, cell.case))
        built = self._inputs[1]
        further = {name: array for name, array in built.arrays.items() if name not in ("y_true", "y_pred")}
        return Task(
            loss=loss,
            binding=self._binding(loss, cell.binding),
            named={**dict(cell.case.params), **further},
            arrays=built.arrays,
            dtype=cell.case.dtype,
            mode=cell.lane.mode,
            operation=cell.operation,
            digest=built.digest,
        )

    def _given(
        self, name: str, binding: str, params: Mapping[str, Any], arrays: Mapping[str, Any], dtype: str, operation: str
    ) -> Task:
        loss = self.catalogue.find(name)
        settled = evaluation.settled(loss, arrays, dtype)
        further = {n: array for n, array in settled.items() if n not in ("y_true", "y_pred")}
        return Task(
            loss=loss,
            binding=self._binding(loss, binding),
            named={**params, **further},
            arrays=settled,
            dtype=dtype,
            mode=self.mode,
            operation=operation,
            digest=inputs.digest(settled),
        )

    def _binding(self, loss: Loss, name: str) -> Binding:
        bindings = loss.bindings_of(self.backend.name)
        for binding in bindings:
            if binding.name == name:
                return binding
        known = ", ".join(b.name for b in bindings) or "none"
        raise AbsentError(f"{loss.name} has no binding {name!r} on {self.backend.name} (it has {known})")

    def _program(self, task: Task) -> evaluation.Program:
        plan = evaluation.plan(task.loss, task.binding, task.named)
        y_true, y_pred = task.arrays["y_true"], task.arrays["y_pred"]
        return evaluation.Program(task.loss, task.binding, self.backend.namespace, plan, y_true, y_pred)

    def _arguments(self, task: Task) -> tuple[Tensor, ...]:
        return evaluation.placed(self.backend, self._program(task).handed_over(), task.dtype, grad=task.grad)

    def _guarded(self, task_of: Callable[[], Task]) -> tuple[Answer, Prepared | None]:
        digest = ""
        try:
            task = task_of()
            digest = task.digest
            return self._computed(task)
        except AbsentError as error:
            return Answer(status="absent", reason=str(error), digest=digest), None
        except UnsupportedError as error:
            return Answer(status="unsupported", reason=str(error), digest=digest), None
        except (NoGradientError, evaluation.WrongOutput, BadInput) as error:
            return Answer(status="failed", reason=str(error), digest=digest), None
        except RAISED as error:
            return Answer(status="failed", reason=reason_of(error), traceback=trace_of(error), digest=digest), None

    def _computed(self, task: Task) -> tuple[Answer, Prepared]:
        backend = self.backend
        if task.dtype not in backend.dtypes:
            raise UnsupportedError(f"{backend.name} has no {task.dtype}")
        if task.mode not in backend.modes:
            raise UnsupportedError(f"{backend.name} has no mode {task.mode!r} (it has {', '.join(backend.modes)})")
        started = time.perf_counter()
        backend.begin(task.dtype)
        program = self._program(task)
        arrays = program.handed_over()
        arguments = evaluation.placed(backend, arrays, task.dtype, grad=task.grad)
        eager = task.mode == "eager"
        placed, spent = time.perf_counter(), backend.compiled_seconds()
        fn = program.checked(remember=eager)
        derived = None
        if task.operation == "grad_target":
            derived = derivatives.by_target(backend, fn, task.arrays["y_true"], task.mode)
        elif task.operation == "jvp":
            derived = derivatives.forward(backend, fn, task.arrays["y_pred"], task.mode)
        if derived is None:
            call, result = backend.first_call(fn, task.mode, task.grad, arguments)
        else:
            call, result = derived, derived(*arguments)
        backend.wait(result)
        first_seconds = time.perf_counter() - placed
        compile_seconds = min(first_seconds, backend.compiled_seconds() - spent)
        if eager:
            first_seconds -= compile_seconds
        if eager and derived is None:
            call = backend.value_and_grad(program.lean()) if task.grad else program.lean()
        elif not eager:  # what a second call does not need was compilation
            again = time.perf_counter()
            result = call(*arguments)
            backend.wait(result)
            second_seconds = time.perf_counter() - again
            first_seconds, compile_seconds = second_seconds, max(0.0, first_seconds - second_seconds)
        value, grad = result if task.grad else (result, None)
        gradient = None if grad is None else backend.numpy(grad)
        by = "y_true" if task.operation == "grad_target" else "y_pred"
        if gradient is not None and gradient.shape != np.shape(task.arrays[by]):
            raise evaluation.WrongOutput(
                f"gradient has shape {gradient.shape}; expected {by}'s {np.shape(task.arrays[by])}"
            )
        answer = Answer(
            status="ok",
            digest=task.digest,
            value=backend.numpy(value),
            grad=gradient,
            result_dtype=backend.dtype_of(value),
            prepare_seconds=placed - started,
            compile_seconds=compile_seconds,
            first_call_seconds=first_seconds,
            facts=dict(backend.facts),
        )
        held_bytes = sum(np.asarray(array).nbytes for array in arrays)
        return answer, Prepared(call=call, arguments=arguments, dtype=task.dtype, held_bytes=held_bytes)


class AbsentError(Exception):
    """The framework has no such loss."""


def flush() -> None:
    """What user code printed leaves the process before the answer does."""
    sys.stdout.flush()
    sys.stderr.flush()
