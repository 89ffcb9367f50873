"""What the search asks of the frameworks: answers of several lanes side by side, and verdicts on small witnesses."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, Self

from lossbench.bench.hunting.witness import Witness
from lossbench.judge.agreement import judge_one
from lossbench.judge.claims import LaneLike
from lossbench.judge.reference import Evaluate, Reference, from_oracle
from lossbench.judge.verdict import Quantity, Verdict
from lossbench.lanes.measurement import Answer
from lossbench.spec.errors import BadInput
from lossbench.spec.loss import Binding

LIMIT_SECONDS: Final = 30.0
TOGETHER: Final = 64
NO_RESULT: Final = (BadInput, ValueError, ArithmeticError, LookupError, TypeError, AttributeError, AssertionError)
"""What the oracle raises where it has no result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question under way."""

    backend: str
    binding: Binding
    answer: Future[Answer]


class Asking:
    """The lanes (backend -> lane), each answering one question after another on a thread of its own."""

    def __init__(self, lanes: Mapping[str, LaneLike], *, evaluate: Evaluate = from_oracle) -> None:
        self.lanes, self._evaluate = lanes, evaluate
        self._stack = ExitStack()
        self._threads = {name: self._stack.enter_context(ThreadPoolExecutor(max_workers=1)) for name in lanes}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for thread in self._threads.values():
            thread.shutdown(wait=False, cancel_futures=True)
        self._stack.close()

    def bindings(self, witness: Witness) -> list[tuple[str, Binding]]:
        """Every spelling that these lanes have of the loss."""
        return [(name, binding) for name in self.lanes for binding in witness.loss.bindings_of(name)]

    def post(self, witness: Witness, backend: str, binding: Binding) -> Asked:
        """Ask without waiting."""
        answer = self._threads[backend].submit(self._ask, witness, backend, binding)
        return Asked(backend=backend, binding=binding, answer=answer)

    def ask(self, witness: Witness, backend: str, binding: Binding) -> Answer:
        """Ask and wait."""
        return self.post(witness, backend, binding).answer.result()

    def _ask(self, witness: Witness, backend: str, binding: Binding) -> Answer:
        try:
            return self.lanes[backend].answer_given(
                witness.loss.name,
                binding.name,
                witness.all_params,
                witness.arrays,
                witness.dtype,
                "grad",
                LIMIT_SECONDS,
            )
        except BadInput as error:
            return Answer(status="failed", reason=str(error))

    def reference(self, witness: Witness) -> Reference:
        """The exact results of a witness."""
        return Reference(
            loss=witness.loss, params=witness.all_params, arrays=witness.arrays, dtype=witness.dtype, grad=True,
            evaluate=self._evaluate,
        )  # fmt: skip

    def verdict(self, witness: Witness, backend: str, binding: Binding, quantity: Quantity) -> Verdict | None:
        """The verdict on one quantity, as `lossbench check` gives it; None where the oracle has no result.

        A few rows that stand alone are asked as part of `TOGETHER`, so that compilers see few shapes.
        """
        if witness.separable and witness.rows < TOGETHER:
            answer = rows_of(self.ask(witness.padded(TOGETHER), backend, binding), slice(0, witness.rows))
        else:
            answer = self.ask(witness, backend, binding)
        return self.judged(witness, answer, backend, binding, quantity)

    def judged(
        self, witness: Witness, answer: Answer, backend: str, binding: Binding, quantity: Quantity,
        reference: Reference | None = None,
    ) -> Verdict | None:  # fmt: skip
        """The verdict on an answer that is there already."""
        try:
            return judge_one(reference or self.reference(witness), f"hunt@{backend}:grad", answer, quantity, binding)
        except NO_RESULT:
            return None


def rows_of(answer: Answer, rows: slice) -> Answer:
    """An answer's part for some rows."""
    value = answer.value[rows] if answer.value is not None and answer.value.ndim else None
    return replace(answer, value=value, grad=None if answer.grad is None else answer.grad[rows])
