"""Somebody's function in somebody's process: the worker's own code, and every setting of the framework put back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy.typing as npt

from lossbench.lanes.backends import backend_class
from lossbench.lanes.measurement import Answer
from lossbench.lanes.session import Session
from lossbench.spec import catalogue
from lossbench.spec.case import Operation
from lossbench.spec.catalogue import Catalogue
from lossbench.spec.functions import Function
from lossbench.spec.loss import Loss
from lossbench.spec.userloss import BINDING, UserLoss, user_loss


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """A function that can be asked. lane: `<backend>-cpu-<mode>`; versions: of its framework."""

    loss: UserLoss
    session: Session
    versions: Mapping[str, str]

    @property
    def lane(self) -> str:
        """As the ids of cells name it."""
        return f"{self.session.backend.name}-cpu-{self.session.mode}"

    @property
    def place(self) -> str:
        """The framework with the version that decides the numbers, for a sentence."""
        name, version = next(iter(self.versions.items()), (self.session.backend.name, ""))
        return f"{name} {version}".strip()

    def ask(self, arrays: Mapping[str, npt.NDArray[Any]], dtype: str) -> Answer:
        """Value and gradient on given inputs; what the function raises becomes a status."""
        return self.answer_given(self.loss.name, BINDING, dict(self.loss.params), arrays, dtype, "grad")

    def answer_given(
        self,
        loss: str,
        binding: str,
        params: Mapping[str, Any],
        arrays: Mapping[str, npt.NDArray[Any]],
        dtype: str,
        operation: Operation,
        limit_seconds: float = 0.0,  # noqa: ARG002 - in one's own process no limit holds
    ) -> Answer:
        """As a lane's."""
        return self.session.answer_given(loss, binding, params, arrays, dtype, operation)


@contextmanager
def visiting(function: Function, obj: Callable[..., Any], like: Loss | None, mode: str) -> Iterator[Guest]:
    """The function ready to be asked, until the end of the block. like: the loss that it should be."""
    loss = user_loss(function, name=function.name, file=_file(obj), target=like, obj=obj)
    found = backend_class(function.backends[0])
    with found.borrowed() as threads:
        backend = found(threads=threads)
        losses = {loss.name: loss}
        session = Session(backend, Catalogue(losses=losses, families={}, files={}), mode)
        yield Guest(loss=loss, session=session, versions=backend.versions())


@cache
def documented() -> Catalogue:
    """The built-in and installed losses, read once a process."""
    return catalogue.load(backend="")


def _file(obj: Any) -> str:
    code = getattr(obj, "__code__", None)
    return str(code.co_filename).rpartition("/")[2] if code else str(getattr(obj, "__module__", ""))
