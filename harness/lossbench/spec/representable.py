"""Values that JSON can say and nothing behind it can hold."""

from __future__ import annotations

import re
from typing import Final

HALF: Final = re.compile("[\ud800-\udfff]")
"""Half a character: no file and no terminal takes it."""
MAX_INTEGER: Final = 2**1023


def representable(value: float | str) -> bool:
    """Whether float64, or UTF-8, can hold it."""
    if isinstance(value, int):
        return abs(value) <= MAX_INTEGER
    return not isinstance(value, str) or not HALF.search(value)
