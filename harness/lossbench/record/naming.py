"""The name of a run: when it began, in UTC, and a few random digits. Runs are put in order by their names."""

from __future__ import annotations

import re
import secrets
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

FORMAT: Final = "%Y%m%dT%H%M%SZ"
NAME: Final = re.compile(r"(\d{8}T\d{6}Z)-\w+")


def run_id(results: Path, now: datetime) -> str:
    """A name after those of all runs in the folder: a clock that was set back must not hide the run that it times."""
    stamps = [found[1] for path in results.glob("*T*Z-*") if (found := NAME.fullmatch(path.name))]
    stamp = f"{now:{FORMAT}}"
    if stamps and stamp <= max(stamps):
        with suppress(ValueError, OverflowError):  # no date that this lossbench has written
            stamp = f"{datetime.strptime(max(stamps), FORMAT).replace(tzinfo=UTC) + timedelta(seconds=1):{FORMAT}}"
    return f"{stamp}-{secrets.token_hex(3)}"
