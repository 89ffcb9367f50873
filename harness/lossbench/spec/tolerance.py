"""How exact an expected value of a case file is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """|computed - expected| <= max(relative * |expected|, absolute)."""

    relative: float = 0.0
    absolute: float = 0.0
