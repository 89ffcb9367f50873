"""Defects known in the pinned versions, reviewed: a run that sees another fails, as does one that misses any."""

from __future__ import annotations

from typing import Final

from lossbench import KnownDefect

LEDGER: Final[tuple[KnownDefect, ...]] = ()
