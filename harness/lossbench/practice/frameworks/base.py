"""What a framework must offer to train: its own layers, its own optimiser, its own losses; numpy in and out.

Parameters cross in the order and the shapes of `lossbench.practice.layout`. A step computes the gradient of the
objective with its penalties and lets the optimiser change the parameters.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lossbench.lanes.backends.base import Backend
from lossbench.practice.causes import EPSILON, Causes
from lossbench.practice.layout import Layout
from lossbench.practice.objective import Part, objective
from lossbench.practice.order import Batch
from lossbench.spec.training import Adam, Array

Tensors = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to build. parts: the losses as this framework spells them."""

    layout: Layout
    parts: tuple[Part, ...]
    optimiser: Adam
    dtype: str
    causes: Causes

    def epsilon(self, default: float) -> float:
        """Adam's epsilon: the experiment's, else the framework's default or, with that cause off, the common one."""
        if self.optimiser.epsilon is not None:
            return self.optimiser.epsilon
        return default if self.causes.epsilon_value else EPSILON


class Trainer(ABC):
    """One model in training."""

    def __init__(self, backend: Backend, plan: Plan) -> None:
        backend.begin(plan.dtype)
        self.backend, self.plan = backend, plan
        self.objective = objective(backend.namespace, plan.parts)
        self.build()

    @abstractmethod
    def build(self) -> None:
        """Makes the layers and the optimiser, imports included."""

    @abstractmethod
    def tensors(self, batch: Batch) -> tuple[Any, ...]:
        """The batch as this framework's own: x, targets by name, noise."""

    @abstractmethod
    def update(self, tensors: tuple[Any, ...]) -> tuple[Any, Tensors]:
        """One step: the objective before it, and the outputs."""

    @abstractmethod
    def forward(self, tensors: tuple[Any, ...]) -> tuple[Any, Tensors]:
        """The objective and the outputs; changes nothing."""

    @abstractmethod
    def gradients(self, tensors: tuple[Any, ...]) -> list[Any]:
        """The gradient by every parameter, in the layout's order; changes nothing."""

    @abstractmethod
    def parameters(self) -> list[Array]:
        """Copies, in the layout's order and shapes."""

    @abstractmethod
    def assign(self, parameters: Sequence[Array]) -> None:
        """The converse of `parameters`."""

    @abstractmethod
    def state(self) -> list[Array]:
        """Everything the optimiser remembers."""

    @abstractmethod
    def restore(self, state: Sequence[Array]) -> None:
        """The converse of `state`."""

    @abstractmethod
    def activations(self, tensors: tuple[Any, ...]) -> list[tuple[str, Array]]:
        """What every layer gives, by its name, from the first."""

    def number(self, value: Any) -> float:
        """A scalar tensor as Python's."""
        return float(self.backend.numpy(value))

    def outputs(self, tensors: Tensors) -> dict[str, Array]:
        """The heads' outputs as numpy."""
        return {name: self.backend.numpy(tensors[name]) for name in self.plan.layout.heads}

    def phases(self, tensors: tuple[Any, ...]) -> dict[str, Callable[[], Any]]:
        """What is timed, each of which holds the one before: forward, backward, step."""
        return {
            "forward": lambda: self.forward(tensors),
            "backward": lambda: self.gradients(tensors),
            "step": lambda: self.update(tensors),
        }
