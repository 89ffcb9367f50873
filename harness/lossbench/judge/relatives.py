"""Which documented loss a function is closest to: equal, equal under a definition, a multiple, or merely near."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lossbench.judge.reference import Evaluate, from_oracle
from lossbench.spec import inputs
from lossbench.spec.case import Case
from lossbench.spec.errors import BadInput
from lossbench.spec.loss import Loss

Value = Callable[[Mapping[str, npt.NDArray[Any]]], float | None]
"""The function's reduced loss on given float64 inputs; None where it gives none."""

Sample = tuple[float, Mapping[str, npt.NDArray[Any]]]
"""The function's value and the inputs it was given."""

SHAPE: Final = (3, 4)
SEEDS: Final = (0, 1, 2)
SCREENED: Final = 2
"""Seeds on which every loss is compared: one number is a multiple of any other, two are not. All decide on the rest."""
SAME: Final = 1e-6
"""Relative: Keras' own functions compute in float32 whatever they are given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relative:
    """A documented loss beside a function. factor: the function over the loss, where it is one number.

    relation: `same`, `definition` (named), `multiple`, or `near`. max_rel: largest relative difference, after
    the factor where there is one.
    """

    loss: str
    relation: str
    definition: str = ""
    factor: float = 1.0
    max_rel: float

    @property
    def sentence(self) -> str:
        """In words."""
        if self.relation == "same":
            return f"is {self.loss} (largest relative difference {self.max_rel:.2g})"
        if self.relation == "definition":
            return f"is {self.loss} under the definition {self.definition} (to {self.max_rel:.2g})"
        if self.relation == "multiple":
            return f"is {self.factor:.6g} times {self.loss} (to {self.max_rel:.2g})"
        return f"is nearest to {self.loss}, yet up to {self.max_rel:.2g} (relative) away"


def nearest(
    value: Value,
    losses: Iterable[Loss],
    *,
    like: str = "",
    evaluate: Evaluate = from_oracle,
    seeds: Iterable[int] = SEEDS,
) -> list[Relative]:
    """The catalogue's losses by their distance on their own typical inputs, the closest first.

    Among equals the one that it is said to be `like` goes first, then those that the sources document.
    """
    screened: list[tuple[Loss, list[Sample]]] = []
    for loss in losses:
        samples = _samples(value, loss, tuple(seeds)[:SCREENED])
        if samples is not None:
            screened.append((loss, samples))
    found: list[tuple[Loss, Relative]] = []
    for loss, samples in screened:
        relative = _beside(loss, samples, evaluate)
        if relative is not None and relative.relation != "near":
            more = _samples(value, loss, tuple(seeds))
            relative = relative if more is None else _beside(loss, more, evaluate)
        found += [] if relative is None else [(loss, relative)]
    if not any(relative.relation == "same" for _, relative in found):
        by_name = {loss.name: samples for loss, samples in screened}
        found = [(loss, _renamed(loss, relative, by_name[loss.name], evaluate)) for loss, relative in found]

    def key(pair: tuple[Loss, Relative]) -> tuple[float, ...]:
        loss, relative = pair
        order = {"same": 0, "definition": 1, "multiple": 2, "near": 3}[relative.relation]
        away = relative.max_rel if relative.relation == "near" else 0.0
        factor = round(abs(float(np.log(abs(relative.factor)))), 6)
        return order, away, loss.name != like, not loss.documented_in, factor

    return [relative for _, relative in sorted(found, key=key)]


def _samples(value: Value, loss: Loss, seeds: tuple[int, ...]) -> list[Sample] | None:
    """The function's values on typical inputs of a loss; None where it has none or the loss takes further arrays."""
    samples: list[Sample] = []
    for seed in seeds:
        given = _arrays(loss, seed)
        mine = None if given is None or set(given) != {"y_true", "y_pred"} else value(given)
        if given is None or mine is None or not np.isfinite(mine):
            return None
        samples.append((mine, given))
    return samples


def _beside(loss: Loss, samples: list[Sample], evaluate: Evaluate) -> Relative | None:
    """Beside the loss as it is: the same, a multiple, or near."""
    mine = np.array([value for value, _ in samples])
    own = _values(loss, "exact", samples, evaluate)
    if own is None:
        return None
    away = _away(mine, own)
    if away <= SAME:
        return Relative(loss=loss.name, relation="same", max_rel=away)
    if np.all(own != 0):
        factor = float(np.median(mine / own))
        if factor and (to := _away(mine, factor * own)) <= SAME:
            return Relative(loss=loss.name, relation="multiple", factor=factor, max_rel=to)
    return Relative(loss=loss.name, relation="near", max_rel=away)


def _renamed(loss: Loss, relative: Relative, samples: list[Sample], evaluate: Evaluate) -> Relative:
    """The same under one of the loss's known definitions, where one fits; the first sample rules most of them out."""
    mine = np.array([value for value, _ in samples])
    for definition in loss.definitions:
        first = _values(loss, definition.name, samples[:1], evaluate)
        if first is None or _away(mine[:1], first) > SAME:
            continue
        other = _values(loss, definition.name, samples, evaluate)
        if other is not None and (to := _away(mine, other)) <= SAME:
            return Relative(loss=loss.name, relation="definition", definition=definition.name, max_rel=to)
    return relative


def _away(mine: npt.NDArray[np.float64], own: npt.NDArray[np.float64]) -> float:
    with np.errstate(all="ignore"):
        relative = np.where(mine == own, 0.0, np.abs(mine - own) / np.maximum(np.abs(mine), np.abs(own)))
    return float(np.nan_to_num(relative, nan=np.inf).max())


def _arrays(loss: Loss, seed: int) -> dict[str, npt.NDArray[Any]] | None:
    try:
        case = Case(loss=loss.name, params=tuple(sorted(loss.params.items())), shape=SHAPE, dtype="float64", seed=seed)
        return dict(inputs.build(loss, case).arrays)
    except BadInput:  # this loss has no inputs of such a shape
        return None


def _values(loss: Loss, definition: str, samples: list[Sample], evaluate: Evaluate) -> npt.NDArray[np.float64] | None:
    found = []
    for _, arrays in samples:
        try:
            exact = evaluate(loss, dict(loss.params), arrays, "float64", definition=definition, grad=False)
        except BadInput:  # the oracle cannot decide there, or nothing says what the loss is
            return None
        number = np.asarray(exact.value.rounded("float64"))
        if number.ndim or not np.isfinite(number):
            return None
        found.append(float(number))
    return np.array(found)
