"""A gradient checked without a formula: central differences of the function itself, in float64.

At a kink the two one-sided differences part; anything between them is a subgradient and right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Reals = npt.NDArray[np.float64]

STEP: Final = float(np.finfo(np.float64).eps ** (1 / 3))
"""Relative step of a central difference: truncation and rounding errors are then both about eps**(2/3)."""

TOLERANCE: Final = 1e-6
"""Relative to the largest slope: thousands of times what a step of that size leaves, far below any planted factor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slopes:
    """Per element of the prediction: one-sided differences, and whether the gradient lies between them."""

    backward: Reals
    forward: Reals
    agrees: npt.NDArray[np.bool_]
    worst_index: tuple[int, ...]

    @property
    def right(self) -> bool:
        """Whether every element agrees."""
        return bool(self.agrees.all())


def check(
    total: Callable[[Reals], float], at: npt.NDArray[Any], grad: npt.NDArray[Any], *, wide: bool = True
) -> Slopes:
    """Compare `grad` with differences of `total` (the summed loss as a function of the prediction) at a point.

    wide: whether `total` computes in float64; a function that casts to float32 gets a step and a tolerance to suit.
    """
    step, tolerance = (STEP, TOLERANCE) if wide else (2.0**-8, 2e-2)
    point = np.asarray(at, dtype=np.float64)
    backward, forward = np.empty(point.shape), np.empty(point.shape)
    here = total(point)
    for index in np.ndindex(point.shape):
        size = step * max(1.0, abs(float(point[index])))
        ends = []
        for side in (-1.0, 1.0):
            moved = point.copy()
            moved[index] += side * size
            ends.append((total(moved) - here) / float(moved[index] - point[index]))
        backward[index], forward[index] = ends
    low, high = np.minimum(backward, forward), np.maximum(backward, forward)
    central = (backward + forward) / 2
    scale = max(1e-3, float(np.abs(central).max(initial=0.0)))
    kinked = high - low > 1e3 * step * scale  # curvature parts them by about the step, a kink by far more
    slack = np.where(kinked, 0.0, np.inf)
    given = np.asarray(grad, dtype=np.float64)
    off = np.abs(given - central)
    agrees = (off <= tolerance * scale) | ((slack == 0) & (given >= low - tolerance) & (given <= high + tolerance))
    worst = np.unravel_index(int(np.argmax(np.where(agrees, -1.0, np.nan_to_num(off, nan=np.inf)))), point.shape)
    return Slopes(backward=backward, forward=forward, agrees=agrees, worst_index=tuple(map(int, worst)))
