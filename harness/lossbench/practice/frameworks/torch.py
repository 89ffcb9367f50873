"""PyTorch: torch.nn layers and torch.optim. Requirements: eager autograd, as its tutorials train; kernels and images
are turned around at the border, since Linear keeps (outputs, inputs) and convolutions want channels first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lossbench.practice.frameworks.base import Tensors, Trainer
from lossbench.practice.layout import Placed
from lossbench.practice.order import Batch
from lossbench.spec.training import Array, Conv, Dense, Flatten, Pool, Sample

DEFAULT_EPSILON = 1e-8


class TorchTrainer(Trainer):
    """A torch.nn.ModuleDict of the layers, run in their order."""

    def build(self) -> None:
        import torch

        self.torch: Any = torch
        self._type = getattr(torch, self.plan.dtype)
        self._modules = {p.name: modules for p in self.plan.layout.placed if (modules := self._made(p))}
        self._weights = [w for modules in self._modules.values() for m in modules for w in (m.weight, m.bias)]
        adam = self.plan.optimiser
        self._optimiser = torch.optim.Adam(
            self._weights,
            lr=adam.rate,
            betas=(adam.beta_1, adam.beta_2),
            eps=self.plan.epsilon(DEFAULT_EPSILON),
        )

    def _made(self, placed: Placed) -> tuple[Any, ...]:
        nn, layer = self.torch.nn, placed.layer
        if isinstance(layer, Dense):
            return (nn.Linear(placed.before[0], layer.units, dtype=self._type),)
        if isinstance(layer, Sample):
            return tuple(nn.Linear(placed.before[0], layer.units, dtype=self._type) for _ in range(2))
        if isinstance(layer, Conv):
            return (nn.Conv2d(placed.before[2], layer.filters, layer.window, dtype=self._type),)
        return ()

    def _applied(self, placed: Placed, h: Any, noise: Any, told: dict[str, Any]) -> Any:
        torch, layer = self.torch, placed.layer
        made = self._modules.get(placed.name, ())
        if isinstance(layer, Sample):
            told["mean"], told["logvar"] = made[0](h), made[1](h)
            return told["mean"] + torch.exp(0.5 * told["logvar"]) * noise
        if isinstance(layer, Pool):
            return torch.nn.functional.max_pool2d(h, layer.window)
        if isinstance(layer, Flatten):
            return torch.flatten(h.permute(0, 2, 3, 1), 1)
        assert isinstance(layer, Dense | Conv)
        raw = told["raw"] = made[0](h)
        if layer.activation == "softmax":
            return torch.softmax(raw, dim=-1)
        return {"relu": torch.relu, "sigmoid": torch.sigmoid}.get(layer.activation, lambda same: same)(raw)

    def _run(self, x: Any, noise: Any, every: list[tuple[str, Any]] | None = None) -> dict[str, Any]:
        told: dict[str, Any] = {}
        h = x.permute(0, 3, 1, 2) if self.plan.layout.convolves else x
        for placed in self.plan.layout.trunk:
            h = self._applied(placed, h, noise, told)
            if every is not None:
                every.append((placed.name, h))
        for head, layers in self.plan.layout.heads.items():
            out = h
            for placed in layers:
                out = self._applied(placed, out, noise, told)
                if every is not None:
                    every.append((placed.name, out))
            told[head], told[f"{head}/raw"] = out, told["raw"]
        return told

    def tensors(self, batch: Batch) -> tuple[Any, ...]:
        as_tensor = self.torch.from_numpy
        return as_tensor(batch.x), {name: as_tensor(y) for name, y in batch.y.items()}, as_tensor(batch.noise)

    def _value(self, tensors: tuple[Any, ...]) -> tuple[Any, Tensors]:
        x, targets, noise = tensors
        outputs = self._run(x, noise)
        value = self.objective(outputs, targets)
        for placed in self.plan.layout.placed:
            if isinstance(placed.layer, Dense) and placed.layer.l2:
                value = value + placed.layer.l2 * self.torch.sum(self._modules[placed.name][0].weight ** 2)
        return value, outputs

    def update(self, tensors: tuple[Any, ...]) -> tuple[Any, Tensors]:
        self._optimiser.zero_grad()
        value, outputs = self._value(tensors)
        value.backward()
        self._optimiser.step()
        return value, outputs

    def forward(self, tensors: tuple[Any, ...]) -> tuple[Any, Tensors]:
        with self.torch.no_grad():
            return self._value(tensors)

    def gradients(self, tensors: tuple[Any, ...]) -> list[Any]:
        value, _ = self._value(tensors)
        return [_turned(g.numpy()) for g in self.torch.autograd.grad(value, self._weights)]

    def parameters(self) -> list[Array]:
        return [_turned(w.detach().numpy()).copy() for w in self._weights]

    def assign(self, parameters: Sequence[Array]) -> None:
        with self.torch.no_grad():
            for weight, values in zip(self._weights, parameters, strict=True):
                back = values.transpose(3, 2, 0, 1) if values.ndim == 4 else values.T
                weight.copy_(self.torch.tensor(back.astype(self.plan.dtype)))

    def state(self) -> list[Array]:
        kept = [self._optimiser.state[w] for w in self._weights if w in self._optimiser.state]
        return [np.array(s[name]) for s in kept for name in ("step", "exp_avg", "exp_avg_sq")]

    def restore(self, state: Sequence[Array]) -> None:
        for place, weight in enumerate(self._weights if len(state) else ()):
            of = (self.torch.tensor(values) for values in state[3 * place : 3 * place + 3])
            self._optimiser.state[weight] = dict(zip(("step", "exp_avg", "exp_avg_sq"), of, strict=True))

    def activations(self, tensors: tuple[Any, ...]) -> list[tuple[str, Array]]:
        every: list[tuple[str, Any]] = []
        with self.torch.no_grad():
            self._run(tensors[0], tensors[2], every)
        return [(name, value.numpy()) for name, value in every]


def _turned(weight: Array) -> Array:
    """(outputs, inputs) as (inputs, outputs); a window (outputs, inputs, rows, columns) as (rows, columns, ...)."""
    return weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight.T
