"""Which rows say that there was no answer: the worker died, hung or did not come up. A resumed run asks again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

GONE: Final = ("crashed", "timeout")
NOT_VISITED: Final = (*GONE, "skipped")
"""Of a visit: skipped is one for which there was no worker."""


def no_answer(row: Mapping[str, Any]) -> bool:
    """Of a row of `cells`: whether nothing was computed on its inputs, for a reason that may not come again.

    What a loss raises has the digest of its inputs; a framework that cannot be imported never comes to them.
    """
    return row["status"] in GONE or (row["status"] == "failed" and not row["digest"])
