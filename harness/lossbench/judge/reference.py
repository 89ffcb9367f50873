"""The exact results of one case under each definition, computed once however many cells share the case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from lossbench.judge.elements import ExactResult, Known
from lossbench.judge.verdict import Quantity
from lossbench.spec.errors import BadInput
from lossbench.spec.loss import Loss


class Exact(Protocol):
    """What is needed of the oracle's answer."""

    @property
    def value(self) -> ExactResult: ...
    @property
    def grad(self) -> ExactResult | None: ...


Evaluate = Callable[..., Exact]


def from_oracle(*args: Any, **kwargs: Any) -> Exact:
    """The oracle itself."""
    from lossbench.judge.oracle import evaluate  # so that judging recorded rows never builds it

    exact: Exact = evaluate(*args, **kwargs)
    return exact


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The exact results of one case under each definition, computed when first asked for.

    arrays: the inputs as the backends saw them. digest: of those inputs, where known. grad: whether gradients
    will be asked for, so that the first evaluation of a definition is also the last.
    """

    loss: Loss
    params: Mapping[str, Any]
    arrays: Mapping[str, npt.NDArray[Any]]
    dtype: str
    digest: str = ""
    grad: bool = False
    evaluate: Evaluate = from_oracle
    _known: dict[tuple[str, bool], Exact | BadInput] = field(default_factory=dict, repr=False)
    _numbers: dict[tuple[str, Quantity], Known] = field(default_factory=dict, repr=False)
    _beside: dict[str, Reference] = field(default_factory=dict, repr=False)

    def exact(self, definition: str = "exact", *, grad: bool = True) -> Exact:
        """The exact value, and the gradient where `grad`, under a definition. BadInput where nothing decides it."""
        grad = grad or self.grad
        asked = (definition, (definition, True) in self._known or grad)
        if asked not in self._known:
            try:
                found: Exact | BadInput = self.evaluate(
                    self.loss, self.params, self.arrays, self.dtype, definition=definition, grad=grad
                )
            except BadInput as undecided:  # found out once, at the price of every precision
                found = undecided
            self._known[asked] = found
        result = self._known[asked]
        if isinstance(result, BadInput):
            raise result
        return result

    def _by_target(self, definition: str) -> Exact:
        return self.evaluate(self.loss, self.params, self.arrays, self.dtype, definition=definition, wrt="y_true")

    def beside(self, name: str, arrays: Mapping[str, npt.NDArray[Any]], dtype: str) -> Reference:
        """The same question about other inputs, asked once for each name."""
        if name not in self._beside:
            self._beside[name] = Reference(
                loss=self.loss, params=self.params, arrays=arrays, dtype=dtype, grad=self.grad, evaluate=self.evaluate
            )
        return self._beside[name]

    def quantity(self, quantity: Quantity, definition: str = "exact") -> Known:
        """One of the two exact arrays, as numbers."""
        if (definition, quantity) not in self._numbers:
            exact = (
                self._by_target(definition)
                if quantity == "grad_target"
                else self.exact(definition, grad=quantity != "value")
            )
            source = exact.value if quantity == "value" else exact.grad
            assert source is not None, "the oracle was asked for a gradient"
            self._numbers[definition, quantity] = Known.of(source, self.dtype)
        return self._numbers[definition, quantity]

    @property
    def nan_inputs(self) -> bool:
        """Whether any input is NaN: only then is NaN ever an answer."""
        return any(bool(np.isnan(a).any()) for a in map(np.asarray, self.arrays.values()) if a.dtype.kind == "f")
