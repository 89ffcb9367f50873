"""Where a version of the suites lies: a file or folder named, or what a git revision holds, unpacked for the while."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

from lossbench.spec import catalogue
from lossbench.spec.errors import BadInput


def version(text: str, suite: Path | None, scratch: Path) -> Path:
    """The suite file or folder that `text` means.

    text: a path; or a revision of the repository around `suite`, whose file at that revision is meant. suite: empty for
    the built-in suites. scratch: an empty folder for what is unpacked. BadInput where it is neither.
    """
    path = Path(text)
    if path.suffix == ".py" or path.is_dir():
        if not path.exists():
            raise BadInput(
                subject=f"version {text}",
                expected="a Python file, a folder of them, or a git revision",
                received="nothing at that path",
                remedy="check the path",
            )
        return path.resolve()
    wanted = (suite or catalogue.builtin_suites()).resolve()
    folder = wanted if wanted.is_dir() else wanted.parent
    top = _git(folder, "rev-parse", "--show-toplevel", subject=str(folder)).decode().strip()
    commit = _git(folder, "rev-parse", "--verify", "--end-of-options", f"{text}^{{commit}}", subject=text).decode()
    inside = folder.relative_to(Path(top).resolve())
    archive = _git(Path(top), "archive", commit.strip(), "--", str(inside), subject=f"{inside} at {text}")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(scratch, filter=_inside)
    found = scratch / inside / (wanted.name if wanted.is_file() else "")
    if not found.exists():
        raise BadInput(
            subject=f"{wanted.name} at {text}",
            expected="a file of that revision",
            received="a revision without it",
            remedy="name a revision that has it, or give two files",
        )
    return found


def _inside(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """None for a link that leads out of the folder: it is left out."""
    try:
        return tarfile.data_filter(member, folder)
    except tarfile.FilterError:
        return None


def _git(folder: Path, *words: str, subject: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired) as fault:
        raise BadInput(
            subject=f"version {subject}", expected="git to answer", received=str(fault), remedy="give two files instead"
        ) from fault
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise BadInput(
            subject=f"version {subject}",
            expected="a Python file, a folder of them, or a git revision",
            received=said[-1] if said else "nothing that git knows",
            remedy="check the spelling; a file is named with its .py",
        )
    return done.stdout


def builtin() -> Path:
    """The built-in suites as they lie there now."""
    return catalogue.builtin_suites()
