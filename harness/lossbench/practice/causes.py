"""Why the frameworks part: the named causes, each of which can be switched off alone.

A cause that is on is what the framework does by itself; one that is off is the same arithmetic everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Causes:
    """Which causes are on."""

    epsilon_value: bool = True
    epsilon_placement: bool = True
    bias_correction: bool = True
    l2_rounding: bool = True
    clip: bool = True
    reduction_order: bool = False

    @classmethod
    def off(cls) -> Self:
        """All off."""
        return cls(**{field.name: False for field in fields(cls)})

    def only(self, name: str) -> Causes:
        """These with one more on."""
        return replace(self, **{name: True})


EPSILON: Final = 1e-7
"""What all use where `epsilon_value` is off: Keras' default, with which the sources ran."""

MEANING: Final[dict[str, str]] = {
    "epsilon_value": "Adam's epsilon: 1e-7 in Keras, 1e-8 in PyTorch and Optax; off: 1e-7 in all",
    "epsilon_placement": "Keras adds epsilon before the second moment's bias correction, the others after it; "
    "off: after it in all",
    "bias_correction": "Keras takes the powers of beta of numbers rounded to float32 first, also in float64; "
    "off: of numbers of the run's own dtype",
    "l2_rounding": "Keras rounds the factor of an L2 penalty to float32, also in float64; off: it does not",
    "clip": "the loss of probabilities, clipped or clamped as each library does, or of logits where it has none of "
    "probabilities; off: each library's loss of logits where there is one",
    "reduction_order": "the rows inside each batch in reverse order, so that every sum over the batch is taken "
    "in another order; off: in one order. Each framework against itself",
}
"""What each is, for the report."""
