"""Threads that ask several lanes at once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def threads(most: int | None = None) -> Iterator[ThreadPoolExecutor]:
    """Waits for them at its end; not where something was raised, so that Ctrl-C need not wait for their workers."""
    pool = ThreadPoolExecutor(most)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
