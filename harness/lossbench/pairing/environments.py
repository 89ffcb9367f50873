"""Interpreters with other versions: an environment that differs from this one in what is named, and in nothing else.

It is a virtual environment that sees everything installed here after its own packages, and in which pip has installed
what was named: pip moves what those versions cannot do without (jaxlib with jax) and leaves the rest as it is.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from lossbench.lanes.backends import BACKENDS, backend_class
from lossbench.lanes.backends.base import cache_folder
from lossbench.spec.errors import BadInput

FOLDER: Final = "environments"
INSTALL_SECONDS: Final = 1800
_VERSIONED: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-\[\],]*\s*(==|~=|>=|<=|<|>|!=)")


def named(text: str) -> bool:
    """Whether a version is a requirement, such as `optax==0.2.7`, and no file, folder or revision."""
    return bool(_VERSIONED.match(text))


def requirements(text: str) -> tuple[Requirement, ...]:
    """`jax==0.9.0 jaxlib==0.9.0`, parted by spaces. BadInput for what pip would not read."""
    try:
        return tuple(Requirement(word) for word in text.split())
    except InvalidRequirement as error:
        raise BadInput(
            subject=f"version {text!r}",
            expected="requirements as pip reads them, parted by spaces, each without a space in it",
            received=str(error).splitlines()[0],
            remedy="write it like 'optax==0.2.7'",
        ) from error


def backends_of(texts: Sequence[str]) -> tuple[str, ...]:
    """The backends whose numbers these packages decide; all where none claims one."""
    names = {canonicalize_name(own.name) for text in texts for own in requirements(text)}
    own = tuple(
        name for name in BACKENDS if names & {canonicalize_name(part) for part in backend_class(name).distributions}
    )
    return own or tuple(BACKENDS)


def interpreter(text: str) -> str:
    """Path of a Python with these versions; empty for this one, where it has them. BadInput where pip cannot."""
    wanted = requirements(text)
    if all(_here(own) for own in wanted):
        return ""
    folder = _folder(wanted)
    if not (folder / "bin" / "python").exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder.parent, prefix="unfinished-"))
        try:
            _build(made, wanted)
            made.rename(folder)  # whoever else built the same meanwhile is as good
        except OSError:
            if not folder.exists():
                raise
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return str(folder / "bin" / "python")


def _here(own: Requirement) -> bool:
    try:
        return own.specifier.contains(metadata.version(own.name), prereleases=True)
    except metadata.PackageNotFoundError:
        return False


def _folder(wanted: Sequence[Requirement]) -> Path:
    """By what was asked for, and by everything that is installed here."""
    installed = sorted(f"{own.name}=={own.version}" for own in metadata.distributions())
    known = "\n".join([sys.executable, sys.version, *sorted(map(str, wanted)), *installed])
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(map(str, wanted)))[:60]
    return cache_folder() / FOLDER / f"{slug}-{hashlib.sha256(known.encode()).hexdigest()[:12]}"


def _build(folder: Path, wanted: Sequence[Requirement]) -> None:
    said = " ".join(map(str, wanted))
    _done([sys.executable, "-m", "venv", "--without-pip", str(folder)], said, "a virtual environment to be made")
    python = str(folder / "bin" / "python")
    site = _done([python, "-c", "import site; print(site.getsitepackages()[0])"], said, "its Python to start").strip()
    beside = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    lines = [f"import site; site.addsitedir({path!r})" for path in beside]
    (Path(site) / "lossbench_beside.pth").write_text("\n".join(lines) + "\n", encoding="utf-8")
    words = ["install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-warn-script-location"]
    _done([python, "-m", "pip", *words, *map(str, wanted)], said, "pip to install it")


def _done(command: Sequence[str], said: str, expected: str) -> str:
    """What a command printed. BadInput where it fails, with the most telling line of what it said."""
    environ = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PIP_USER", "PIP_TARGET")}
    try:
        done = subprocess.run(
            command, env=environ, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )  # fmt: skip
        failed = [line.strip() for line in done.stderr.splitlines() if line.strip()] if done.returncode else []
        telling = [line for line in failed if line.startswith("ERROR:")] or failed or ["no reason given"]
        if not done.returncode:
            return done.stdout
        seen = telling[-1]
    except (OSError, subprocess.TimeoutExpired) as error:
        seen = str(error)
    raise BadInput(
        subject=f"an environment with {said}",
        expected=expected,
        received=seen[:300],
        remedy="check name, version and connection, or name a Python that has it with --base-python or --head-python",
    )
