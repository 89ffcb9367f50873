"""Text from suites and frameworks on its way to a terminal."""

from __future__ import annotations

from rich.text import Text

from lossbench.spec.plain import plain


def said(text: object, style: str = "") -> Text:
    """For a table: no markup is read in it."""
    return Text(plain(str(text)), style)
