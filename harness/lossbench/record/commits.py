"""A folder as each commit of a branch has it: baselines that are committed are a history of runs."""

from __future__ import annotations

import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from lossbench.spec.errors import BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A folder at a commit, unpacked. name: date and abbreviated commit."""

    name: str
    path: Path


def versions(folder: Path, revision: str, scratch: Path, most: int = 50) -> list[Kept]:
    """What the commits of a revision that changed the folder made of it, the oldest first.

    folder: as in the work tree, where it need not exist. scratch: an empty folder for what is unpacked. most: how many,
    the latest. BadInput where git knows neither.
    """
    top = Path(_git(_existing(folder), revision, "rev-parse", "--show-toplevel").decode().strip())
    inside = str(folder.resolve().relative_to(top.resolve()))
    form = "--format=%H %cd %h"
    log = _git(
        top, revision, "log", f"-{most}", "--date=format:%Y-%m-%d", form, "--end-of-options", revision, "--", inside
    )
    found = []
    for line in reversed(log.decode().splitlines()):
        commit, date, short = line.split()
        archive = _git(top, revision, "archive", commit, "--", inside, missing=True)
        if archive:
            with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
                tar.extractall(scratch / commit, filter="data")
            found.append(Kept(name=f"{date} {short}", path=scratch / commit / inside))
    return found


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(path for path in (folder.resolve(), *folder.resolve().parents) if path.is_dir())


def _git(folder: Path, revision: str, *words: str, missing: bool = False) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, timeout=120, check=False)
        said = done.stderr.decode(errors="replace").strip().splitlines()
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise _unknown(revision, str(fault)) from fault
    if done.returncode and not missing:
        raise _unknown(revision, said[-1] if said else "nothing that git knows")
    return b"" if done.returncode else done.stdout


def _unknown(revision: str, received: str) -> BadInput:
    return BadInput(
        subject=f"--git {revision}", expected="a revision of the repository around the folder", received=received,
        remedy="name a branch or a tag of that repository",
    )  # fmt: skip
