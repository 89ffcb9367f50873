"""One axis of a picture that is drawn without a plotting library: from data to drawing units, and its ticks.

Ticks are chosen as matplotlib's `MaxNLocator` chooses them, so that all pictures of a page look alike; a test holds
the two together.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from lossbench.show import format as fmt

Reals = npt.NDArray[np.float64]

STEPS: Final = (0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 2.5, 5.0, 10.0, 20.0)
LEAST_TICKS: Final = 2
LINEAR_SHARE: Final = 0.6
"""Of a decade: what the linear part of a `bent` axis takes."""
PLAIN: Final = (1e-4, 1e6)
"""Between these the labels of ticks are written without a power of ten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """low, high: of the data. start, end: the same in drawing units. bent: linear to one and logarithmic above."""

    low: float
    high: float
    start: float
    end: float
    bent: bool = False

    def at(self, values: Any) -> Reals:
        """Drawing units of data, of any shape; NaN stays."""
        low, high = (float(self._turned(np.float64(edge))) for edge in (self.low, self.high))
        share: Reals = (self._turned(np.asarray(values, np.float64)) - low) / (high - low)
        return self.start + (self.end - self.start) * share

    def _turned(self, values: Any) -> Any:
        if not self.bent:
            return values
        linear = LINEAR_SHARE / 0.9  # nine tenths of a decade lie between one and ten
        size = np.abs(values)
        return np.where(size <= 1, values * linear, np.sign(values) * (linear + np.log10(np.maximum(size, 1))))


def room(values: Reals, margin: float) -> tuple[float, float]:
    """The range of the finite values with a margin at each end; a range all the same around one value, or none."""
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    if high - low <= 1e-15 * max(abs(low), abs(high)):
        wide = 0.05 * abs(low) or 0.05
        low, high = low - wide, high + wide
    return low - margin * (high - low), high + margin * (high - low)


def ticks(low: float, high: float, most: int) -> list[float]:
    """Multiples of a round number from low to high, at most so many stretches, and two ticks at least."""
    wanted = (high - low) / most
    scale = 10.0 ** math.floor(math.log10(wanted))
    large = next((n for n, step in enumerate(STEPS) if step * scale >= wanted), len(STEPS) - 1)
    found: list[float] = []
    for step in (each * scale for each in reversed(STEPS[: large + 1])):
        numbers = range(math.ceil(low / step - 1e-10), math.floor(high / step + 1e-10) + 1)
        found = [number * step for number in numbers]
        if len(found) >= LEAST_TICKS:
            break
    return found


def labels(places: Sequence[float]) -> tuple[list[str], int]:
    """As many decimals as tell all apart, of the places over a power of ten; it is 0 where plain numbers are short."""
    largest = max(map(abs, places), default=0.0)
    power = 0 if not largest or PLAIN[0] <= largest < PLAIN[1] else math.floor(math.log10(largest))
    plain = [place / 10.0**power for place in places]
    step = min((b - a for a, b in itertools.pairwise(plain)), default=largest) or 1.0
    least = max(0, -math.floor(math.log10(step) + 1e-9))
    decimals = least if math.isclose(round(step, least), step, rel_tol=1e-6) else least + 1
    return [f"{place + 0.0:.{decimals}f}".replace("-", fmt.MINUS) for place in plain], power
