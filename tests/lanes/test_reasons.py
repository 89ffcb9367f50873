"""What was raised, as a row says it."""

from __future__ import annotations

from pathlib import Path

import lossbench
from lossbench.lanes.reasons import REASON_CHARACTERS, reason_of


def test_a_reason_is_one_short_line_without_the_folder_of_this_package() -> None:
    place = Path(lossbench.__file__).resolve().parent / "lanes" / "evaluation.py"
    assert (
        reason_of(ValueError(f"traced at\n {place}:109")) == "ValueError: traced at lossbench/lanes/evaluation.py:109"
    )
    assert len(reason_of(ValueError("x" * 9999))) == REASON_CHARACTERS
