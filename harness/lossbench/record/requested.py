"""What a run was asked for, read back from its manifest: a file that may be somebody else's."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar

from lossbench.spec.errors import RunDamaged

Asked = TypeVar("Asked")


def read(kind: type[Asked], stored: Any, *, run: str) -> Asked:
    """A dataclass of texts, numbers and tuples of texts, each of the type of its default. RunDamaged."""
    defaults = {f.name: f.default for f in fields(kind) if f.default is not MISSING}  # type: ignore[arg-type]
    if not isinstance(stored, Mapping):
        raise _damaged(run, f"a {type(stored).__name__}")
    for name, value in stored.items():
        if name not in defaults:
            raise _damaged(run, f"{name!r}, which it does not know")
        if not _fits(value, defaults[name]):
            raise _damaged(run, f"{name} = {repr(value)[:60]}")
    return kind(**{name: tuple(v) if isinstance(v, list) else v for name, v in stored.items()})


def texts(stored: Any, name: str, *, run: str) -> tuple[str, ...]:
    """One list of texts of a request; empty where it has none. RunDamaged."""
    value: Any = stored.get(name, ()) if isinstance(stored, Mapping) else None
    if not _fits(value, ()) or not all(map(_path, value)):
        raise _damaged(run, f"{name} = {repr(value)[:60]}")
    return tuple(value)


def _path(text: str) -> bool:
    """Whether a file could have the name."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _fits(value: Any, default: Any) -> bool:
    if isinstance(default, tuple):
        return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(default)


def _damaged(run: str, received: str) -> RunDamaged:
    return RunDamaged(
        subject=f"run {run}", expected="a request that this lossbench knows", received=received,
        remedy="start a new run",
    )  # fmt: skip
