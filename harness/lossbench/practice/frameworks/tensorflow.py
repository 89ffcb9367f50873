"""TensorFlow: keras.layers in a functional keras.Model, a keras optimiser. Requirements: a step is one tf.function, as
Model.fit makes it; the loss sees the activation's own output, since Keras looks behind a softmax in a graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lossbench.practice.frameworks.base import Tensors, Trainer
from lossbench.practice.layout import Placed
from lossbench.practice.order import Batch
from lossbench.spec.training import Adam, Array, Conv, Dense, Flatten, Pool, Sample

DEFAULT_EPSILON = 1e-7


class KerasTrainer(Trainer):
    """A functional model whose outputs are the heads, what goes into their activation, and the latent numbers."""

    def build(self) -> None:
        import keras
        import tensorflow as tf

        self.tf, self.keras = tf, keras
        keras.config.set_dtype_policy(self.plan.dtype)  # kept from the first layer on, whatever floatx becomes
        self._layers: list[Any] = []
        layout = self.plan.layout
        first = next(iter(layout.placed))
        x = keras.Input(first.before, dtype=self.plan.dtype)
        noise = keras.Input((layout.latent,), dtype=self.plan.dtype)
        told: dict[str, Any] = {}
        every: dict[str, Any] = {}
        h = x
        for placed in layout.trunk:
            h = self._applied(placed, h, noise, told)
            every[placed.name] = h
        outputs: dict[str, Any] = {}
        for head, layers in layout.heads.items():
            out = h
            for placed in layers:
                out = self._applied(placed, out, noise, told)
                every[placed.name] = out
            outputs[head], outputs[f"{head}/raw"] = out, told["raw"]
        outputs |= {name: told[name] for name in ("mean", "logvar") if name in told}
        self._model = keras.Model([x, noise], outputs)
        self._every = keras.Model([x, noise], every)
        self._weights = [w for layer in self._layers for w in (layer.kernel, layer.bias)]
        self._optimiser = self._adam(self.plan.optimiser)
        self._optimiser.build(self._weights)

        def step(tensors: Any) -> Any:
            with tf.GradientTape() as tape:
                value, outputs = self._value(tensors)
            self._optimiser.apply(tape.gradient(value, self._weights), self._weights)
            return value, outputs

        def gradient(tensors: Any) -> Any:
            with tf.GradientTape() as tape:
                value, _ = self._value(tensors)
            return tape.gradient(value, self._weights)

        self._step, self._gradient, self._forward = (tf.function(f) for f in (step, gradient, self._value))

    def _adam(self, adam: Adam) -> Any:
        tf, keras = self.tf, self.keras
        causes, dtype = self.plan.causes, self.plan.dtype
        epsilon = self.plan.epsilon(DEFAULT_EPSILON)

        class AfterCorrection(keras.optimizers.Adam):  # type: ignore[misc,name-defined]
            """Adam with epsilon added after the bias correction, by growing it along."""

            @property
            def epsilon(self) -> Any:
                step = tf.cast(self.iterations + 1, dtype)
                return tf.constant(epsilon, dtype) * tf.sqrt(1 - tf.pow(tf.constant(adam.beta_2, dtype), step))

            @epsilon.setter
            def epsilon(self, value: float) -> None:
                """Given to the constructor; the property has it already."""

        made = keras.optimizers.Adam if causes.epsilon_placement else AfterCorrection
        found = made(learning_rate=adam.rate, beta_1=adam.beta_1, beta_2=adam.beta_2, epsilon=epsilon)
        if not causes.bias_correction:  # Keras casts a Python number by way of float32
            found.beta_1, found.beta_2 = tf.constant(adam.beta_1, dtype), tf.constant(adam.beta_2, dtype)
        return found

    def _applied(self, placed: Placed, h: Any, noise: Any, told: dict[str, Any]) -> Any:
        layers, layer = self.keras.layers, placed.layer
        if isinstance(layer, Sample):
            made = [layers.Dense(layer.units), layers.Dense(layer.units)]
            self._layers += made
            told["mean"], told["logvar"] = made[0](h), made[1](h)
            return told["mean"] + self.keras.ops.exp(0.5 * told["logvar"]) * noise
        if isinstance(layer, Pool):
            return layers.MaxPooling2D(layer.window)(h)
        if isinstance(layer, Flatten):
            return layers.Flatten()(h)
        if isinstance(layer, Conv):
            own = layers.Conv2D(layer.filters, layer.window)
        else:
            assert isinstance(layer, Dense)
            own = layers.Dense(layer.units, kernel_regularizer=self._penalty(layer.l2))
        self._layers.append(own)
        told["raw"] = own(h)
        return told["raw"] if layer.activation == "linear" else layers.Activation(layer.activation)(told["raw"])

    def _penalty(self, l2: float) -> Any:
        if not l2:
            return None
        if self.plan.causes.l2_rounding:
            return self.keras.regularizers.L2(l2)
        tf = self.tf
        return lambda kernel: tf.constant(l2, kernel.dtype) * tf.reduce_sum(tf.square(kernel))

    def tensors(self, batch: Batch) -> tuple[Any, ...]:
        constant = self.tf.constant
        return constant(batch.x), {name: constant(y) for name, y in batch.y.items()}, constant(batch.noise)

    def _value(self, tensors: tuple[Any, ...]) -> tuple[Any, Tensors]:
        x, targets, noise = tensors
        outputs = self._model([x, noise], training=True)
        value = self.objective(outputs, targets)
        for penalty in self._model.losses:
            value = value + penalty
        return value, outputs

    def update(self, tensors: tuple[Any, ...]) -> tuple[Any, Tensors]:
        value, outputs = self._step(tensors)
        return value, outputs

    def forward(self, tensors: tuple[Any, ...]) -> tuple[Any, Tensors]:
        value, outputs = self._forward(tensors)
        return value, outputs

    def gradients(self, tensors: tuple[Any, ...]) -> list[Any]:
        return list(self._gradient(tensors))

    def parameters(self) -> list[Array]:
        return [np.array(w.numpy()) for w in self._weights]

    def assign(self, parameters: Sequence[Array]) -> None:
        for weight, values in zip(self._weights, parameters, strict=True):
            weight.assign(values.astype(self.plan.dtype))

    def state(self) -> list[Array]:
        return [np.array(v.numpy()) for v in self._optimiser.variables]

    def restore(self, state: Sequence[Array]) -> None:
        for variable, values in zip(self._optimiser.variables, state, strict=True):
            variable.assign(values)

    def activations(self, tensors: tuple[Any, ...]) -> list[tuple[str, Array]]:
        found = self._every([tensors[0], tensors[2]])
        return [(placed.name, np.asarray(found[placed.name])) for placed in self.plan.layout.placed]
