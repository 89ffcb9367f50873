"""Trainers by the name of their backend; nothing here imports a framework."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from lossbench.practice.frameworks.base import Trainer

TRAINERS: Final[dict[str, str]] = {
    "tensorflow": "lossbench.practice.frameworks.tensorflow:KerasTrainer",
    "torch": "lossbench.practice.frameworks.torch:TorchTrainer",
    "jax": "lossbench.practice.frameworks.jax:JaxTrainer",
}


def trainer_class(name: str) -> type[Trainer]:
    """The class behind a backend's name; KeyError where there is none."""
    module, _, found = TRAINERS[name].partition(":")
    trainer: type[Trainer] = getattr(import_module(module), found)
    return trainer
