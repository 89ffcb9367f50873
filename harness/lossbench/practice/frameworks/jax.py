"""JAX: layers as plain functions of arrays, Optax's optimiser. Requirements: each of forward, gradient and step is one
jitted function; parameters are a list in the layout's order.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from lossbench.practice.frameworks.base import Tensors, Trainer
from lossbench.practice.layout import Placed
from lossbench.practice.order import Batch
from lossbench.spec.training import Array, Conv, Dense, Flatten, Pool, Sample

DEFAULT_EPSILON = 1e-8


class JaxTrainer(Trainer):
    """Parameters and optimiser state as values, replaced at every step."""

    def build(self) -> None:
        import jax
        import jax.numpy as jnp
        import optax

        self.jax, self.jnp = jax, jnp
        adam = self.plan.optimiser
        self._optimiser = optax.adam(adam.rate, b1=adam.beta_1, b2=adam.beta_2, eps=self.plan.epsilon(DEFAULT_EPSILON))
        self._weights = [jnp.zeros(shape, self.plan.dtype) for shape in self.plan.layout.shapes]
        self._memory = self._optimiser.init(self._weights)
        differentiate = jax.value_and_grad(self._value, has_aux=True)

        def step(weights: Any, memory: Any, tensors: Any) -> Any:
            (value, outputs), gradient = differentiate(weights, tensors)
            change, memory = self._optimiser.update(gradient, memory, weights)
            return optax.apply_updates(weights, change), memory, value, outputs

        self._step, self._forward = jax.jit(step), jax.jit(self._value)
        self._gradient = jax.jit(lambda weights, tensors: differentiate(weights, tensors)[1])

    def _applied(self, placed: Placed, h: Any, weights: Sequence[Any], noise: Any, told: dict[str, Any]) -> Any:
        jax, layer = self.jax, placed.layer
        if isinstance(layer, Sample):
            told["mean"], told["logvar"] = h @ weights[0] + weights[1], h @ weights[2] + weights[3]
            return told["mean"] + self.jnp.exp(0.5 * told["logvar"]) * noise
        if isinstance(layer, Pool):
            window = (1, layer.window, layer.window, 1)
            return jax.lax.reduce_window(h, -self.jnp.inf, jax.lax.max, window, window, "VALID")
        if isinstance(layer, Flatten):
            return self.jnp.reshape(h, (h.shape[0], -1))
        if isinstance(layer, Conv):
            axes = ("NHWC", "HWIO", "NHWC")
            raw = jax.lax.conv_general_dilated(h, weights[0], (1, 1), "VALID", dimension_numbers=axes) + weights[1]
        else:
            raw = h @ weights[0] + weights[1]
        told["raw"] = raw
        if layer.activation == "softmax":
            return jax.nn.softmax(raw)
        return {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid}.get(layer.activation, lambda same: same)(raw)

    def _run(
        self, weights: Sequence[Any], x: Any, noise: Any, every: list[tuple[str, Any]] | None = None
    ) -> dict[str, Any]:
        told: dict[str, Any] = {}
        left = list(weights)

        def chain(h: Any, layers: Sequence[Placed]) -> Any:
            for placed in layers:
                own, left[:] = left[: len(placed.parameters)], left[len(placed.parameters) :]
                h = self._applied(placed, h, own, noise, told)
                if every is not None:
                    every.append((placed.name, h))
            return h

        h = chain(x, self.plan.layout.trunk)
        for head, layers in self.plan.layout.heads.items():
            told[head] = chain(h, layers)
            told[f"{head}/raw"] = told["raw"]
        return told

    def tensors(self, batch: Batch) -> tuple[Any, ...]:
        return self.jnp.asarray(batch.x), {n: self.jnp.asarray(y) for n, y in batch.y.items()}, batch.noise

    def _value(self, weights: Sequence[Any], tensors: tuple[Any, ...]) -> tuple[Any, Tensors]:
        x, targets, noise = tensors
        outputs = self._run(weights, x, noise)
        value, place = self.objective(outputs, targets), 0
        for placed in self.plan.layout.placed:
            if isinstance(placed.layer, Dense) and placed.layer.l2:
                value = value + placed.layer.l2 * self.jnp.sum(weights[place] ** 2)
            place += len(placed.parameters)
        return value, {head: outputs[head] for head in self.plan.layout.heads}

    def update(self, tensors: tuple[Any, ...]) -> tuple[Any, Tensors]:
        self._weights, self._memory, value, outputs = self._step(self._weights, self._memory, tensors)
        return value, outputs

    def forward(self, tensors: tuple[Any, ...]) -> tuple[Any, Tensors]:
        value, outputs = self._forward(self._weights, tensors)
        return value, outputs

    def gradients(self, tensors: tuple[Any, ...]) -> list[Any]:
        return list(self._gradient(self._weights, tensors))

    def parameters(self) -> list[Array]:
        return [np.array(w) for w in self._weights]

    def assign(self, parameters: Sequence[Array]) -> None:
        self._weights = [self.jnp.array(p.astype(self.plan.dtype)) for p in parameters]

    def state(self) -> list[Array]:
        return [np.array(leaf) for leaf in self.jax.tree.leaves(self._memory)]

    def restore(self, state: Sequence[Array]) -> None:
        form = self.jax.tree.structure(self._memory)
        self._memory = self.jax.tree.unflatten(form, [self.jnp.array(values) for values in state])

    def activations(self, tensors: tuple[Any, ...]) -> list[tuple[str, Array]]:
        every: list[tuple[str, Any]] = []
        partial(self._run, every=every)(self._weights, tensors[0], tensors[2])
        return [(name, np.asarray(value)) for name, value in every]
