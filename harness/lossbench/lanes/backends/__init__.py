"""Backends by name. `module:Class` names one of somebody else's; nothing here imports a framework."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from lossbench.lanes.backends.base import Backend
from lossbench.spec.errors import BadInput

BACKENDS: Final[dict[str, str]] = {
    "tensorflow": "lossbench.lanes.backends.tensorflow:TensorFlowBackend",
    "torch": "lossbench.lanes.backends.torch:TorchBackend",
    "jax": "lossbench.lanes.backends.jax:JaxBackend",
}


def backend_class(name: str) -> type[Backend]:
    """The class behind a backend's name, or behind `module:Class`. BadInput if there is none."""
    location = BACKENDS.get(name, name)
    module_name, _, class_name = location.partition(":")
    if not class_name:
        raise BadInput(
            subject=f"backend {name!r}",
            expected=f"one of {', '.join(BACKENDS)}, or module:Class",
            received=repr(name),
            remedy="correct the name, or give the class of a backend of your own as module:Class",
        )
    try:
        found = getattr(import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise BadInput(
            subject=f"backend {name!r}",
            expected="an importable module with that class",
            received=f"{type(error).__name__}: {error}",
            remedy="check the spelling and PYTHONPATH",
        ) from error
    if not (isinstance(found, type) and issubclass(found, Backend)):
        raise BadInput(
            subject=f"backend {name!r}",
            expected="a subclass of lossbench.lanes.backends.base.Backend",
            received=repr(found),
            remedy="derive it from Backend",
        )
    return found


def installed_backends() -> tuple[str, ...]:
    """The built-in backends whose framework this interpreter has; imports none of them."""
    return tuple(name for name in BACKENDS if backend_class(name).installed())
