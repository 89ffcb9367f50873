"""A training run as one value: data, model, losses, optimiser, and what a source says came of it.

A suite builds `Experiment` values from these; each framework makes the same model of them with its own layers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import numpy.typing as npt

from lossbench.spec.loss import Scalar

Activation = Literal["linear", "relu", "sigmoid", "softmax"]
Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dense:
    """A fully connected layer. l2: times the sum of squared weights (not biases) is added to the loss."""

    units: int
    activation: Activation = "linear"
    l2: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Conv:
    """A convolution of a square window without padding, stride 1, over images in rows, columns, channels."""

    filters: int
    window: int = 3
    activation: Activation = "linear"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """The largest of each square of pixels; what does not fill a square at the edge is dropped."""

    window: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Flatten:
    """Rows, columns, channels as one axis, in that order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A latent normal: two dense layers give `mean` and `logvar`; mean + exp(logvar / 2) noise goes on."""

    units: int


Layer = Dense | Conv | Pool | Flatten | Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """inputs: shape of one sample. trunk: layers in order. heads: output name -> its layers after the trunk."""

    inputs: tuple[int, ...]
    trunk: tuple[Layer, ...]
    heads: Mapping[str, tuple[Layer, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One loss of the objective.

    loss: a name of the catalogue. head: the output it takes, also the name of its target.
    weight: what it is multiplied with. params: the loss's own. latents: whether it takes `mean` and `logvar`.
    raw: it takes the numbers before the output's activation, as losses of logits do anyway.
    """

    loss: str
    head: str = "y"
    weight: float = 1.0
    params: Mapping[str, Scalar] = field(default_factory=lambda: MappingProxyType({}))
    latents: bool = False
    raw: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Adam:
    """Adam of D. P. Kingma and J. Ba (2015). epsilon None: each framework's own default (1e-7 in Keras, else 1e-8)."""

    rate: float = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sets:
    """What a run trains on. x: (samples, ...); y: target name -> (samples, ...); both also for the test.

    divisor: x is divided by it in the dtype of the run, so that pixels may travel as bytes.
    """

    x: Array
    y: Mapping[str, Array]
    x_test: Array
    y_test: Mapping[str, Array]
    divisor: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a source prints: `quantity` (loss, val_loss, a metric, val_ and a metric) after an epoch, from 1."""

    epoch: int
    quantity: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One training run.

    id: as the catalogue numbers it, with a variant behind a dash. make: `make(seed, images)` gives the data; images is
    None unless `images` says that it needs them. documented: what the source prints. unsaid: what one would have to
    know to repeat it, in words. metrics: names of `lossbench.practice.metrics`. short: epochs of the shortened form.
    """

    id: str
    title: str
    source: str
    make: Callable[[int, Any], Sets]
    model: Model
    loss: tuple[Term, ...]
    epochs: int
    batch: int
    metrics: tuple[str, ...]
    images: bool = False
    optimiser: Adam = field(default_factory=Adam)
    documented: tuple[Outcome, ...] = ()
    unsaid: tuple[str, ...] = ()
    short: int = 1
