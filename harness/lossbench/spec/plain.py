"""Text of unknown origin on its way to a person: nothing in it moves the cursor, hides or turns text."""

from __future__ import annotations

import unicodedata


def plain(text: str) -> str:
    """Control and direction characters, and what no font has, as readable escapes; line ends and tabs as spaces."""
    return text if text.isprintable() else "".join(_shown(c) for c in text)


def _shown(character: str) -> str:
    if character in "\t\n\r":
        return " "
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"):
        return character.encode("unicode_escape").decode()
    return character
