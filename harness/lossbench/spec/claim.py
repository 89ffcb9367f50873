"""A claim that a source makes in prose, as something that a machine can find true or false.

The same finding is asked of the oracle and of every spelling, so that a claim about mathematics and what a
framework makes of it stand side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt


class NotMeasured(Exception):  # noqa: N818 - an outcome that becomes a row
    """There is no number to look at; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A loss and the gradient of its sum by the prediction at one place.

    error: why there are none, or empty. note: what else is to be known of the gradient, from the oracle.
    """

    numbers: npt.NDArray[Any] | None = None
    slopes: npt.NDArray[Any] | None = None
    error: str = ""
    note: str = ""

    @property
    def value(self) -> npt.NDArray[np.float64]:
        """The loss. NotMeasured where the call gave none."""
        return self._known(self.numbers, "value")

    @property
    def grad(self) -> npt.NDArray[np.float64]:
        """Its gradient. NotMeasured where the call gave none."""
        return self._known(self.slopes, "gradient")

    def _known(self, found: npt.NDArray[Any] | None, what: str) -> npt.NDArray[np.float64]:
        if found is None:
            raise NotMeasured(self.error or f"no {what} came back")
        return np.asarray(found, np.float64)


class Ask(Protocol):
    """Computes a loss at one place: params may hold `reduction` (none unless said otherwise) and further inputs."""

    def __call__(self, loss: str, y_true: Any, y_pred: Any, **params: Any) -> Measured: ...


Finding = tuple[bool | None, str, str]
"""Whether it holds (None: cannot be said), the measured numbers, and the finding in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One statement. id: as the catalogue numbers it, a letter for each part that can be true by itself.

    loss: the loss whose spellings are asked; a finding that needs a second loss gets the spelling of the same
    name, or the backend's documented one. claimed: the statement in our own words. unfit: spellings that the
    statement cannot be asked of, with the reason.
    """

    id: str
    loss: str
    source: str
    claimed: str
    finds: Callable[[Ask], Finding]
    unfit: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        for text in ("id", "loss", "source", "claimed"):
            if not getattr(self, text).strip():
                raise TypeError(f"Claim {self.id!r}: {text} is required, got an empty string; write it")
