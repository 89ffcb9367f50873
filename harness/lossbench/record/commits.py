"""Baselines that git keeps, a history of runs: a folder as each commit of a branch has it, and notes on commits."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Self

from lossbench.spec.errors import BadInput

NOTES: Final = "refs/notes/lossbench"
"""A note is one file: a tar archive of a baseline's."""
FILES: Final = frozenset({"agreement.csv.gz", "times.csv.gz", "counts.csv.gz", "facts.json"})
"""Of a baseline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A folder at a commit, unpacked. name: date and abbreviated commit."""

    name: str
    path: Path


def versions(folder: Path, revision: str, scratch: Path, most: int = 50) -> list[Kept]:
    """What the commits of a revision that changed the folder made of it, the oldest first.

    folder: as in the work tree, where it need not exist. scratch: an empty folder for what is unpacked. most: how many,
    the latest. Links and other files are left out. BadInput where git knows neither.
    """
    asked = f"--git {revision}"
    top = Path(_git(_existing(folder), asked, "rev-parse", "--show-toplevel").decode().strip())
    inside = str(folder.resolve().relative_to(top.resolve()))
    form = "--format=%H %cd %h"
    log = _git(
        top, asked, "log", f"-{most}", "--date=format:%Y-%m-%d", form, "--end-of-options", revision, "--", inside
    )
    found = []
    for line in reversed(log.decode().splitlines()):
        commit, date, short = line.split()
        archive = _git(top, asked, "archive", commit, "--", inside, missing=True)
        if archive:
            place = scratch / commit
            place.mkdir()
            with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
                for member in tar:
                    name = PurePosixPath(member.name)
                    if name.parent == PurePosixPath(inside) and name.name in FILES and member.isreg():
                        (place / name.name).write_bytes(_content(tar, member, name.name))
            found.append(Kept(name=f"{date} {short}", path=place))
    return found


def annotate(files: Mapping[str, bytes], folder: Path) -> str:
    """Keeps a baseline's files as a note on the commit that is checked out around the folder; its abbreviated name.

    An earlier note of that commit is replaced. BadInput where there is no such commit.
    """
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    around = _existing(folder)
    blob = _git(around, "--note", "hash-object", "-w", "--stdin", given=packed.getvalue()).decode().strip()
    _git(around, "--note", "notes", "--ref", NOTES, "add", "--force", "--reuse-message", blob, "HEAD")
    return _git(around, "--note", "rev-parse", "--short", "HEAD").decode().strip()


def noted(folder: Path, scratch: Path, most: int = 50) -> list[Kept]:
    """What the notes of the repository around the folder hold, in the order of their commits, the oldest first.

    most: how many, the latest. BadInput where git knows none; RunDamaged is for whoever reads the files.
    """
    around = _existing(folder)
    pairs = [line.split() for line in _git(around, "--notes", "notes", "--ref", NOTES, "list").decode().splitlines()]
    dated = []
    for blob, commit in pairs:
        about = _git(around, "--notes", "log", "-1", "--date=format:%Y-%m-%d", "--format=%ct %cd %h", commit).decode()
        seconds, date, short = about.split()
        dated.append((int(seconds), f"{date} {short}", commit, blob))
    found = []
    for _, name, commit, blob in sorted(dated)[-most:]:
        place = scratch / commit
        place.mkdir()
        unpack(_git(around, "--notes", "cat-file", "blob", blob), place, name)
        found.append(Kept(name=name, path=place))
    return found


def unpack(packed: bytes, place: Path, name: str) -> None:
    """The files of a note into an empty folder, and nothing anywhere else. BadInput where it is no baseline."""
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:", tarinfo=_File) as tar:  # "r:": not compressed
            for member in tar:
                (place / member.name).write_bytes(_content(tar, member, member.name))
    except (tarfile.TarError, OSError, ValueError, EOFError, OverflowError) as fault:
        raise BadInput(
            subject=f"the note on {name}", expected="a baseline that `lossbench baseline --note` wrote",
            received=str(fault), remedy=f"git notes --ref {NOTES} remove {name.split()[-1]}",
        ) from fault  # fmt: skip


class _File(tarfile.TarInfo):
    """A header of a plain file: extensions of the format, which no note needs, are refused before they are followed."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """As tarfile's. ReadError for a header of anything else."""
        found = super().frombuf(buf, encoding, errors)
        if found.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
            raise tarfile.ReadError(f"a header of type {found.type!r}")
        return found


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo, name: str) -> bytes:
    """Bytes alone: modes, owners and times of a stranger's archive are not taken over."""
    inside = tar.extractfile(member) if name in FILES and member.isreg() and not member.issparse() else None
    if inside is None:
        raise tarfile.TarError(f"a member {member.name!r}")
    with inside:
        return inside.read()


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(path for path in (folder.resolve(), *folder.resolve().parents) if path.is_dir())


def _git(folder: Path, asked: str, *words: str, missing: bool = False, given: bytes = b"") -> bytes:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, timeout=120, check=False, input=given
        )
        said = done.stderr.decode(errors="replace").strip().splitlines()
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise _unknown(asked, str(fault)) from fault
    if done.returncode and not missing:
        raise _unknown(asked, said[-1] if said else "nothing that git knows")
    return b"" if done.returncode else done.stdout


def _unknown(asked: str, received: str) -> BadInput:
    notes = asked.startswith("--note")
    return BadInput(
        subject=asked, received=received,
        expected="a repository with a commit around the folder" if notes else "a revision of the repository around it",
        remedy="see what git says of it" if notes else "name a branch or a tag of that repository",
    )  # fmt: skip
