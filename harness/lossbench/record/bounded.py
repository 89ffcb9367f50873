"""Files of others are read to a bound: what is longer is refused before it fills the memory."""

from __future__ import annotations

from typing import Final

from lossbench.record.stores import Place

MANIFEST_BYTES: Final = 2**24
"""Of a run.json or facts.json; those of a full run have a few kilobytes."""


def within(path: Place, most: int = MANIFEST_BYTES) -> bytes:
    """The content of a file. OSError; ValueError where it is longer than `most` bytes."""
    with path.open("rb") as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise ValueError(f"more than {most} bytes")
    return bytes(content)
