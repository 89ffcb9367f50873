"""What a framework says at length, in the part that a reader needs first; the rest is folded behind it."""

from __future__ import annotations

import re
from typing import Final

LONGEST: Final = 150
"""Characters; a sentence of this package is rarely longer."""

CLAUSE: Final = re.compile(r"[:;]\s")
_MODULE: Final = re.compile(r"\b(?:[a-z_]\w*\.)+(?=[A-Z]\w*(?:Error|Exception|Warning)\b)")
_SENTENCE: Final = re.compile(r"(?<=[.!?]) +(?=[A-Z(\"'])|\s*\n+\s*|\s+See https?://")


def shortly(reason: str) -> str:
    """The error's own name without its module, and its first sentence, cut at a word where that is long.

    What is short already comes back as it is.
    """
    if len(reason) <= LONGEST and "\n" not in reason:
        return reason
    named = _MODULE.sub("", reason.strip())
    first = next((part for part in _SENTENCE.split(named) if part), "").strip()
    if len(first) <= LONGEST:
        return first
    return first[: first.rfind(" ", LONGEST // 2, LONGEST) if " " in first[LONGEST // 2 : LONGEST] else LONGEST] + " …"


def clause(reason: str) -> str:
    """What stands before the first colon or semicolon: the numbers after it have columns of their own."""
    return shortly(CLAUSE.split(reason, maxsplit=1)[0])
