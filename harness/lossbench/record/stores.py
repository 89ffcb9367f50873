"""Results that lie elsewhere: any address that fsspec reads (s3://, gs://, memory://) stands where a folder may.

Only what is needed is fetched: a table's footer and the columns that are asked for. Runs are written to folders of this
machine, since a journal is appended to and synced; a finished run's folder is copied whole.
"""

from __future__ import annotations

import fnmatch
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol

from lossbench.spec.errors import BadInput

MARK: Final = "://"
UNREADABLE: Final = (OSError, ValueError, RuntimeError)
"""What fsspec's drivers raise where a place cannot be reached."""


class Place(Protocol):
    """A file or a folder: what is asked of a `Path` where it is only read."""

    @property
    def name(self) -> str: ...
    @property
    def parent(self) -> Any: ...
    def __truediv__(self, name: str, /) -> Any: ...
    def exists(self) -> bool: ...
    def is_dir(self) -> bool: ...
    def read_bytes(self) -> bytes: ...
    def open(self, mode: Any = ..., /) -> Any: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A file or folder of an fsspec filesystem. path: as that filesystem writes it. protocol: to be shown."""

    filesystem: Any
    path: str
    protocol: str

    def __str__(self) -> str:
        return f"{self.protocol}{MARK}{self.path.lstrip('/')}"

    def __truediv__(self, name: str) -> Remote:
        return Remote(filesystem=self.filesystem, path=f"{self.path.rstrip('/')}/{name}", protocol=self.protocol)

    @property
    def name(self) -> str:
        """The last part."""
        return self.path.rstrip("/").rpartition("/")[2]

    @property
    def parent(self) -> Remote:
        """The folder around it."""
        around = self.path.rstrip("/").rpartition("/")[0]
        return Remote(filesystem=self.filesystem, path=around, protocol=self.protocol)

    def exists(self) -> bool:
        """Whether anything is there. OSError where that cannot be found out."""
        return bool(self.filesystem.exists(self.path))

    def is_dir(self) -> bool:
        """Whether it is a folder that holds something."""
        return bool(self.filesystem.isdir(self.path))

    def read_bytes(self) -> bytes:
        """The whole of it. OSError."""
        return bytes(self.filesystem.cat_file(self.path))

    def open(self, mode: str = "rb") -> IO[bytes]:
        """For reading. OSError."""
        found: IO[bytes] = self.filesystem.open(self.path, mode)
        return found

    def folders(self, pattern: str) -> Iterator[Remote]:
        """Those in it of such a name, from one listing."""
        for entry in self.filesystem.ls(self.path, detail=True) if self.exists() else ():
            found = Remote(filesystem=self.filesystem, path=str(entry["name"]), protocol=self.protocol)
            if entry["type"] == "directory" and fnmatch.fnmatchcase(found.name, pattern):
                yield found


def place(text: str | Path) -> Path | Remote:
    """A folder of this machine, or an address that fsspec knows. BadInput where its driver is not installed."""
    said = str(text)
    if MARK not in said:
        return Path(text)
    try:
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]  # it publishes no types
    except ImportError:
        raise _unknown(said, "fsspec is not installed", "pip install 'lossbench[stores]'") from None
    try:
        filesystem, path = url_to_fs(said)
    except ImportError as error:
        raise _unknown(said, str(error).rstrip("."), "install that package beside lossbench") from error
    except UNREADABLE as error:
        raise unreadable(said, error) from error
    local = filesystem.protocol in ("file", ("file", "local"))
    return Path(path) if local else Remote(filesystem=filesystem, path=path, protocol=said.partition(MARK)[0])


def arrow(found: Place) -> tuple[str, Any]:
    """The path and the filesystem with which Arrow reads it."""
    from pyarrow.fs import FSSpecHandler, LocalFileSystem, PyFileSystem  # not before a table is read

    if isinstance(found, Remote):
        return found.path, PyFileSystem(FSSpecHandler(found.filesystem))
    return str(found), LocalFileSystem()


def here(asked: Place, option: str) -> Path:
    """A folder of this machine. BadInput for an address, where something is to be written."""
    if isinstance(asked, Path):
        return asked
    raise BadInput(
        subject=option, expected="a folder of this machine to write to", received=str(asked),
        remedy="write to a folder and copy the finished run there",
    )  # fmt: skip


@contextmanager
def near(run: Place) -> Iterator[Path]:
    """The run's folder on this machine: itself, or while it is needed a copy of what is not there. BadInput."""
    if not isinstance(run, Remote):
        yield Path(str(run))
        return
    with tempfile.TemporaryDirectory(prefix="lossbench-") as scratch:
        copy = Path(scratch) / run.name
        try:
            run.filesystem.get(run.path.rstrip("/"), str(copy), recursive=True)
        except UNREADABLE as error:
            raise unreadable(str(run), error) from error
        yield copy


def unreadable(address: str, error: Exception) -> BadInput:
    """What to tell the user where a driver found no way."""
    return _unknown(address, (str(error) or type(error).__name__).rstrip("."), "check that address")


def _unknown(address: str, received: str, remedy: str) -> BadInput:
    return BadInput(subject=address, expected="an address that can be read", received=received, remedy=remedy)
