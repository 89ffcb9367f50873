"""The parameters of a model in one order for every framework, and the numbers they start from.

Kernels are (inputs, outputs), or (rows, columns, inputs, outputs) of a convolution; biases begin at zero and kernels
uniform in +- sqrt(6 / (fan in + fan out)): X. Glorot and Y. Bengio (2010), Keras' default.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from lossbench.spec.errors import BadInput
from lossbench.spec.training import Array, Conv, Dense, Flatten, Layer, Model, Pool, Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A layer with its name, the shape of one sample before it and after it, and its (name, shape) parameters."""

    name: str
    layer: Layer
    before: tuple[int, ...]
    after: tuple[int, ...]
    parameters: tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A model laid out: the trunk and each head in order."""

    trunk: tuple[Placed, ...]
    heads: dict[str, tuple[Placed, ...]]

    @property
    def placed(self) -> Iterator[Placed]:
        """Every layer: the trunk's, then each head's."""
        yield from self.trunk
        for layers in self.heads.values():
            yield from layers

    @property
    def names(self) -> tuple[str, ...]:
        """Parameter names in order, e.g. `dense_1/kernel`."""
        return tuple(f"{p.name}/{name}" for p in self.placed for name, _ in p.parameters)

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        return tuple(shape for p in self.placed for _, shape in p.parameters)

    @property
    def size(self) -> int:
        """How many numbers the parameters are."""
        return sum(prod(shape) for shape in self.shapes)

    @property
    def latent(self) -> int:
        """Units of the sampling layer, 0 without one."""
        return next((p.layer.units for p in self.placed if isinstance(p.layer, Sample)), 0)

    @property
    def convolves(self) -> bool:
        return any(isinstance(p.layer, Conv | Pool) for p in self.placed)


def lay_out(model: Model) -> Layout:
    """Names and shapes of every layer. BadInput where a layer cannot take what comes before it."""
    trunk = tuple(_chain(model.trunk, model.inputs, ""))
    shape = trunk[-1].after if trunk else model.inputs
    heads = {name: tuple(_chain(layers, shape, f"{name}_")) for name, layers in model.heads.items()}
    return Layout(trunk=trunk, heads=heads)


def _chain(layers: tuple[Layer, ...], shape: tuple[int, ...], prefix: str) -> Iterator[Placed]:
    for number, layer in enumerate(layers, 1):
        name = f"{prefix}{type(layer).__name__.lower()}_{number}"
        wanted = 3 if isinstance(layer, Conv | Pool) else 1 if isinstance(layer, Dense | Sample) else 0
        if wanted and len(shape) != wanted:
            raise BadInput(
                subject=f"layer {name}", expected=f"samples of {wanted} axes", received=f"samples of shape {shape}",
                remedy="put a Flatten before a Dense layer, and images of rows, columns, channels before a Conv",
            )  # fmt: skip
        placed = _placed(name, layer, shape)
        yield placed
        shape = placed.after


def _placed(name: str, layer: Layer, before: tuple[int, ...]) -> Placed:
    parameters: tuple[tuple[str, tuple[int, ...]], ...] = ()
    if isinstance(layer, Dense):
        after: tuple[int, ...] = (layer.units,)
        parameters = (("kernel", (*before, layer.units)), ("bias", after))
    elif isinstance(layer, Sample):
        after = (layer.units,)
        kernel = (*before, layer.units)
        parameters = (("mean", kernel), ("mean_bias", after), ("logvar", kernel), ("logvar_bias", after))
    elif isinstance(layer, Conv):
        side = layer.window - 1
        after = (before[0] - side, before[1] - side, layer.filters)
        window = (layer.window, layer.window, before[2], layer.filters)
        parameters = (("kernel", window), ("bias", (layer.filters,)))
    elif isinstance(layer, Pool):
        after = (before[0] // layer.window, before[1] // layer.window, before[2])
    else:
        assert isinstance(layer, Flatten)
        after = (prod(before),)
    return Placed(name=name, layer=layer, before=before, after=after, parameters=parameters)


def initial(layout: Layout, seed: int) -> list[Array]:
    """Glorot-uniform kernels and zero biases in float64, the same for every framework and dtype."""
    source = np.random.default_rng([seed, 1])
    found: list[Array] = []
    for shape in layout.shapes:
        if len(shape) == 1:
            found.append(np.zeros(shape))
            continue
        window = prod(shape[:-2])
        bound = np.sqrt(6.0 / (window * (shape[-2] + shape[-1])))
        found.append(source.uniform(-bound, bound, size=shape))
    return found


def flat(parameters: list[Array]) -> Array:
    """All parameters as one vector, in their order."""
    return np.concatenate([p.reshape(-1) for p in parameters])
