"""A model and its losses as JSON-like values and back, so that they cross to a worker without code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from lossbench.spec.training import Adam, Conv, Dense, Flatten, Layer, Model, Pool, Sample, Term

LAYERS: Final[dict[str, type[Layer]]] = {kind.__name__: kind for kind in (Dense, Conv, Pool, Flatten, Sample)}


def of_model(model: Model) -> dict[str, Any]:
    """The converse of `model`."""
    heads = {name: [_layer(layer) for layer in layers] for name, layers in model.heads.items()}
    return {"inputs": list(model.inputs), "trunk": [_layer(layer) for layer in model.trunk], "heads": heads}


def model(plain: Mapping[str, Any]) -> Model:
    """A Model from what `of_model` gave."""
    return Model(
        inputs=tuple(plain["inputs"]),
        trunk=tuple(_made(layer) for layer in plain["trunk"]),
        heads={name: tuple(_made(layer) for layer in layers) for name, layers in plain["heads"].items()},
    )


def of_value(value: Term | Adam) -> dict[str, Any]:
    """The fields of a term or an optimiser; `Term(**fields)` makes it again."""
    found = {field.name: getattr(value, field.name) for field in fields(value)}
    return {name: dict(item) if isinstance(item, Mapping) else item for name, item in found.items()}


def _layer(layer: Layer) -> dict[str, Any]:
    return {"kind": type(layer).__name__, **{field.name: getattr(layer, field.name) for field in fields(layer)}}


def _made(plain: Mapping[str, Any]) -> Layer:
    return LAYERS[plain["kind"]](**{name: value for name, value in plain.items() if name != "kind"})
