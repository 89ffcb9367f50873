"""Every loss there is: the built-in suites, installed ones, and the files a user names. Every list derives from it."""

from __future__ import annotations

import difflib
import fnmatch
import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType

import lossbench
from lossbench.spec import suitefile
from lossbench.spec.errors import BadInput
from lossbench.spec.functions import Function
from lossbench.spec.loss import Loss
from lossbench.spec.suitefile import Contents
from lossbench.spec.userloss import UserLoss, renamed, user_loss

ENTRY_POINTS = "lossbench.suites"
_ORDER = (
    "regression", "classification", "probabilistic", "margin", "similarity", "generative", "segmentation",
    "sequence", "composite",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """losses: by name, in the order of their families. families: loss name -> name of its suite file.

    files: loss name -> the file it comes from.
    """

    losses: Mapping[str, Loss]
    families: Mapping[str, str]
    files: Mapping[str, Path]

    def family(self, name: str) -> str:
        """The suite file's name without its ending, e.g. `regression`."""
        return self.families[self.find(name).name]

    def find(self, name: str) -> Loss:
        """A loss by its name or an alias; BadInput lists what is close."""
        if name in self.losses:
            return self.losses[name]
        for loss in self.losses.values():
            if name in loss.aliases:
                return loss
        raise self._unknown(name)

    def select(self, patterns: Iterable[str] = ()) -> tuple[Loss, ...]:
        """Losses whose name, alias or family matches a pattern (`*entropy*`, `huber,mae`), in catalogue order.

        No pattern selects all; BadInput where a pattern matches nothing.
        """
        wanted = [p.strip() for pattern in patterns for p in pattern.split(",") if p.strip()]
        if not wanted:
            return tuple(self.losses.values())
        chosen: set[str] = set()
        for pattern in wanted:
            matched = {loss.name for loss in self.losses.values() if self._matches(loss, pattern)}
            if not matched:
                raise self._unknown(pattern)
            chosen |= matched
        return tuple(loss for name, loss in self.losses.items() if name in chosen)

    def _matches(self, loss: Loss, pattern: str) -> bool:
        names = (loss.name, *loss.aliases, self.families[loss.name])
        return any(fnmatch.fnmatchcase(name, pattern) for name in names)

    def _unknown(self, name: str) -> BadInput:
        names = [n for loss in self.losses.values() for n in (loss.name, *loss.aliases)]
        close = difflib.get_close_matches(name.strip("*"), names, n=5, cutoff=0.5)
        close += [n for n in names if name.strip("*") and name.strip("*") in n and n not in close][:5]
        known = f"{len(self.losses)} losses" if len(self.losses) > 12 else ", ".join(self.losses) or "none"
        return BadInput(
            subject="loss",
            expected=f"the name of a loss or a pattern that matches one ({known})",
            received=repr(name),
            remedy=f"did you mean {', '.join(close)}" if close else "see `lossbench list`",
        )


def load(
    paths: Sequence[Path] = (),
    builtin: bool = True,
    *,
    backend: str | None = None,
    version: str = "",
    beside: Catalogue | None = None,
) -> Catalogue:
    """The catalogue: built-in and installed suites, then the files and folders named.

    backend: of the worker that loads; empty in a process that may import no framework; None goes by what is
    imported already. A file that needs a framework is described (see `suitefile`) where there is none, and left
    out of the worker of another one. version: a mark in the names of the modules of `paths`, so that one process
    can hold several versions of a file, or one twice. beside: losses that are there already.
    BadInput for a file that cannot be imported or holds no loss, and for two losses of one name.
    """
    contents: list[Contents] = []
    if builtin:
        contents += _folder(builtin_suites(), f"{lossbench.__name__}.suites", backend)
        paths = (*_installed(), *paths)
    for path in dict.fromkeys(Path(p).resolve() for p in paths):
        contents += _named(path, backend, version)
    return _assembled(contents, beside)


def builtin_suites() -> Path:
    """The folder of the built-in suites: in the package, or beside it in a checkout."""
    package = Path(lossbench.__file__).resolve().parent
    installed = package / "suites"
    return installed if installed.is_dir() else package.parents[1] / "suites"


def _installed() -> tuple[Path, ...]:
    """The files of installed suites, found without importing them."""
    found = []
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda p: p.name):
        spec = importlib.util.find_spec(point.module)
        if spec is not None and spec.origin is not None:
            origin = Path(spec.origin)
            found.append(origin.parent if origin.name == "__init__.py" else origin)
    return tuple(found)


def _named(path: Path, backend: str | None, version: str) -> list[Contents]:
    if path.is_dir():
        contents = _folder(path, suitefile.folder_package(path, version=version), backend)
    elif path.is_file():
        package = suitefile.folder_package(path.parent, version=version) if suitefile.needs_neighbours(path) else ""
        read = suitefile.read(path, package, backend, version)
        if read is None:
            return []
        contents = [read]
    else:
        raise BadInput(
            subject=f"suite {path}",
            expected="a Python file or a folder of them",
            received="nothing at that path",
            remedy="name an existing file with --suite",
        )
    if not any(c.losses or c.functions for c in contents):
        reasons = "; ".join(reason for c in contents for reason in c.passed_over) or "no functions at all"
        raise BadInput(
            subject=f"suite {path}",
            expected="a Loss, a function of (y_true, y_pred) or a factory of one",
            received=reasons,
            remedy="add one",
        )
    return contents


def _folder(folder: Path, package: str, backend: str | None) -> list[Contents]:
    if not folder.is_dir():
        return []
    suitefile.folder_package(folder, package)
    files = [f for f in folder.glob("*.py") if not f.name.startswith("_")]
    rank = {name: i for i, name in enumerate(_ORDER)}
    files.sort(key=lambda f: (rank.get(f.stem, len(rank)), f.stem))
    read = (suitefile.read(f, package, backend) for f in files)
    return [c for c in read if c is not None]


def _assembled(contents: Sequence[Contents], beside: Catalogue | None) -> Catalogue:
    losses: dict[str, Loss] = {} if beside is None else dict(beside.losses)
    files: dict[str, Path] = {} if beside is None else dict(beside.files)

    def add(loss: Loss, path: Path) -> None:
        if losses.get(loss.name) is loss:  # imported from another suite file
            return
        if loss.name in losses and isinstance(loss, UserLoss):
            loss = renamed(loss, f"{path.stem}.{loss.name}")
        if loss.name in losses:
            raise BadInput(
                subject=f"loss {loss.name!r} in {path}",
                expected="a name of its own",
                received=f"the name of the loss in {files[loss.name]}",
                remedy="rename one",
            )
        losses[loss.name], files[loss.name] = loss, path

    for c in contents:
        for loss in c.losses:
            add(loss, c.path)
    known = _catalogue(losses, files)
    for c in contents:
        for name, function in c.functions.items():
            if c.losses and not function.like:
                continue  # beside Loss values, an unmarked function is a part of theirs
            target = _liked(known, function, c.path) if function.like else None
            add(
                user_loss(function, name=name, file=c.path.name, target=target, obj=c.objects.get(name)),
                c.path,
            )
    return _catalogue(losses, files)


def _liked(known: Catalogue, function: Function, path: Path) -> Loss:
    try:
        return known.find(function.like)
    except BadInput as fault:
        raise BadInput(
            subject=f"like({function.like!r}) at {path}:{function.line}",
            expected=fault.expected, received=fault.received, remedy=fault.remedy,
        ) from fault  # fmt: skip


def _catalogue(losses: Mapping[str, Loss], files: Mapping[str, Path]) -> Catalogue:
    return Catalogue(
        losses=MappingProxyType(dict(losses)),
        families=MappingProxyType({name: path.stem for name, path in files.items()}),
        files=MappingProxyType(dict(files)),
    )
