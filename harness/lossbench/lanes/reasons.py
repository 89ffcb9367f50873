"""What was raised, as the text of a row."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Final

REASON_CHARACTERS: Final = 500
PACKAGE: Final = str(Path(__file__).resolve().parents[1])


def reason_of(error: BaseException) -> str:
    """One line: the type and what it says, shortened; this package's folder is nobody's business."""
    text = " ".join(f"{type(error).__name__}: {error}".split()).replace(PACKAGE, "lossbench")
    return text if len(text) <= REASON_CHARACTERS else text[: REASON_CHARACTERS - 3] + "..."


def trace_of(error: BaseException) -> str:
    """The traceback as text, the harness's own frames included, for `-v` and the log."""
    return "".join(traceback.format_exception(error))[-20_000:]
