"""A command's docstring as its help: sentences flow, examples keep their lines."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final

EXAMPLE: Final = "Example: "
KEPT: Final = "\b"
"""What tells click to leave the lines of a paragraph as they are."""


def of(command: Callable[..., Any]) -> str:
    """The sentences, then the examples, one a line."""
    lines = (inspect.getdoc(command) or "").splitlines()
    sentences = "\n".join(line for line in lines if not line.startswith(EXAMPLE)).strip()
    examples = [f"  {line.removeprefix(EXAMPLE)}" for line in lines if line.startswith(EXAMPLE)]
    return "\n\n".join([sentences, *(["\n".join([KEPT, "Examples:", *examples])] if examples else [])])
