"""A curve in a few lines of a terminal: 2 x 4 dots a character."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from lossbench.show import format as fmt

BLANK: Final = 0x2800
DOTS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of the Braille patterns by row and column of the dot."""


def curve(x: Sequence[float], y: Sequence[float], *, width: int = 36, height: int = 6) -> list[str]:
    """Lines of a plot with the ends of both axes; empty where fewer than two points are finite."""
    points = [(a, b) for a, b in zip(x, y, strict=True) if math.isfinite(a) and math.isfinite(b)]
    if len(points) < 2:
        return []
    low, high = min(b for _, b in points), max(b for _, b in points)
    left, right = points[0][0], points[-1][0]
    masks = [[0] * width for _ in range(height)]
    for column in range(2 * width):
        at = left + (right - left) * column / (2 * width - 1)
        level = (_between(points, at) - low) / ((high - low) or 1.0)
        row = round((1 - level) * (4 * height - 1))
        masks[row // 4][column // 2] |= DOTS[row % 4][column % 2]
    labels = [""] * height
    labels[0], labels[-1] = fmt.significant(high, 2), fmt.significant(low, 2)
    room = max(map(len, labels))
    lines = [
        f"{label:>{room}} {''.join(chr(BLANK + m) for m in row)}" for label, row in zip(labels, masks, strict=True)
    ]
    ends = fmt.significant(left, 2), fmt.significant(right, 2)
    return [*lines, f"{'':>{room}} {ends[0]}{ends[1]:>{width - len(ends[0])}}"]


def _between(points: Sequence[tuple[float, float]], at: float) -> float:
    """The value at a place, on the straight line between its neighbours."""
    after = next((i for i, (x, _) in enumerate(points) if x >= at), len(points) - 1)
    (x0, y0), (x1, y1) = points[max(after - 1, 0)], points[after]
    return y1 if x1 == x0 else y0 + (y1 - y0) * min(max((at - x0) / (x1 - x0), 0.0), 1.0)


def bar(length: float, longest: float, *, width: int = 16) -> str:
    """A bar in eighths of a character."""
    if not (math.isfinite(length) and longest > 0):
        return ""
    eighths = max(round(8 * width * min(length / longest, 1.0)), 1)
    return "█" * (eighths // 8) + ("▏▎▍▌▋▊▉"[eighths % 8 - 1] if eighths % 8 else "")
