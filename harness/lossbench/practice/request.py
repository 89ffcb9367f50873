"""What a practice run is asked for, as plain JSON values: a resumed run repeats it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from lossbench.record import requested
from lossbench.spec.training import Experiment

GUIDE: Final = "guide"
"""The word for the guide among experiments."""
SKETCHED: Final = ("T3", "T5", "T8-huber-5%")
"""What a benchmark run trains: a loss of probabilities, one with a penalty, one of amounts under outliers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked. epochs 0: each experiment's own; short: its shortened form.

    sketch: no costs and no guide; of the causes only all off and all on, in float64.
    """

    only: tuple[str, ...] = ()
    seeds: int = 5
    epochs: int = 0
    short: bool = False
    sketch: bool = False
    backends: tuple[str, ...] = ("tensorflow", "torch", "jax")
    data: str = ""

    @classmethod
    def of(cls, stored: dict[str, Any]) -> Request:
        """From what `stored` gave. RunDamaged."""
        known = {field.name for field in fields(cls)}
        return requested.read(cls, {name: value for name, value in stored.items() if name in known}, run="of training")

    def stored(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return asdict(self)

    def epochs_of(self, experiment: Experiment) -> int:
        """How many epochs of this experiment."""
        return self.epochs or (experiment.short if self.short else experiment.epochs)

    @property
    def guided(self) -> bool:
        """Whether the guide is measured."""
        return not self.sketch and (not self.only or GUIDE in self.only)


def sketch(backends: tuple[str, ...]) -> Request:
    """The shortened form that is part of a benchmark run."""
    return Request(only=SKETCHED, seeds=1, short=True, sketch=True, backends=backends)
