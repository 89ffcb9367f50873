"""How far parameters of two frameworks are apart after a step: the norm of the difference, and relative to the norm."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from lossbench.spec.training import Array


def pairs(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Every two frameworks, in order."""
    return tuple(combinations(names, 2))


def distances(parameters: Mapping[str, Array]) -> dict[tuple[str, str], tuple[Array, Array]]:
    """Pair -> (norm of the difference, the same over the norm of the first), a number a step.

    parameters: backend -> (steps, size); as many steps are compared as both have.
    """
    found = {}
    for one, other in pairs(tuple(parameters)):
        count = min(len(parameters[one]), len(parameters[other]))
        first = np.asarray(parameters[one][:count], np.float64)
        apart = np.linalg.norm(first - np.asarray(parameters[other][:count], np.float64), axis=1)
        found[one, other] = (apart, apart / np.linalg.norm(first, axis=1))
    return found


def digits(relative: float) -> float:
    """Decimal digits that agree."""
    return 17.0 if relative == 0 else max(0.0, float(-np.log10(relative)))
