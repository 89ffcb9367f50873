"""Which of the frameworks' public losses are bound, counted from the installed packages themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lossbench.lanes.backends import backend_class
from lossbench.lanes.process import LaneProcess
from lossbench.spec.case import Lane
from lossbench.spec.loss import Loss


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One public loss of a framework. losses: those whose bindings exercise it."""

    backend: str
    api: str
    kind: str
    losses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """rows: every public loss. backends: those asked. missing: backend -> why it could not be asked.

    losses: how many losses were looked at. empty: (loss, backend) without any binding.
    """

    rows: tuple[Api, ...]
    backends: tuple[str, ...]
    missing: Mapping[str, str]
    losses: int
    empty: tuple[tuple[str, str], ...]


def survey(losses: Sequence[Loss], backends: Sequence[str]) -> Coverage:
    """Ask each backend's worker for its public losses and look them up in the bindings' `docs`."""
    rows: list[Api] = []
    missing: dict[str, str] = {}
    for backend in backends:
        if not backend_class(backend).installed():
            missing[backend] = f"not installed, so its public losses are unknown; `pip install 'lossbench[{backend}]'`"
            continue
        with LaneProcess(Lane(backend=backend)) as lane:
            public = lane.public_losses()
        bound = _bound(losses, backend)
        rows += [
            Api(backend=backend, api=api, kind=kind, losses=tuple(bound.get(api, ()))) for api, kind in public.items()
        ]
    empty = tuple((loss.name, backend) for loss in losses for backend in backends if not loss.bindings_of(backend))
    return Coverage(rows=tuple(rows), backends=tuple(backends), missing=missing, losses=len(losses), empty=empty)


def _bound(losses: Sequence[Loss], backend: str) -> dict[str, list[str]]:
    """Qualified name -> the losses whose bindings exercise it."""
    found: dict[str, list[str]] = {}
    for loss in losses:
        for binding in loss.bindings_of(backend):
            for api in binding.docs:
                if loss.name not in found.setdefault(api, []):
                    found[api].append(loss.name)
    return found
