"""Several versions of somebody's code in one process: the same file, or two of one name, imported side by side."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lossbench.spec import catalogue, suitefile
from lossbench.spec.catalogue import Catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """name: `base`, `head` or `control`, a mark in module names. path: a suite file or folder.

    builtin: whether the built-in suites stand beside it, as marked functions (`like`) need. extra: work, as a
    fraction of the base's time, that each of its blocks does besides: a slowdown of the head, planted.
    """

    name: str
    path: str
    builtin: bool
    extra: float = 0.0

    @property
    def files(self) -> tuple[Path, ...]:
        """The Python files that are read."""
        path = Path(self.path)
        return tuple(sorted(path.glob("*.py"))) if path.is_dir() else (path,)


def load(versions: Sequence[Version], backend: str, builtin: Catalogue | None = None) -> dict[str, Catalogue]:
    """The catalogue of each version, by its name, in the order given. BadInput where one does not load.

    builtin: the built-in suites where they are loaded already.
    """
    found: dict[str, Catalogue] = {}
    for version in versions:
        if version.extra:
            continue
        with own_neighbours(Path(version.path)):
            found[version.name] = catalogue.load(
                [Path(version.path)],
                version.builtin and builtin is None,
                backend=backend,
                version=f"_{version.name}",
                beside=builtin if version.builtin else None,
            )
    return found | {version.name: found["base"] for version in versions if version.extra}


def order(versions: Sequence[Version], seed: int) -> list[Version]:
    """At random, by the seed; that of an odd seed is the opposite of that of the even one before it."""
    keys = {version.name: random.Random(f"{seed // 2} {version.name}").random() for version in versions}
    return sorted(versions, key=lambda version: keys[version.name], reverse=bool(seed % 2))


def light(versions: Sequence[Version]) -> bool:
    """Whether no file of theirs imports a framework, with which it could compute at import."""
    return not any(suitefile.needs_framework(file) for version in versions for file in version.files)


@contextmanager
def own_neighbours(path: Path) -> Iterator[None]:
    """Modules that a file imports from its own folder are its own: the next version imports them anew.

    A neighbour that is imported only when the loss is called is not found afterwards, rather than be the wrong one.
    """
    folder = (path if path.is_dir() else path.parent).resolve()
    known, search = set(sys.modules), list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = search
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            marked = name.startswith(suitefile.PREFIX)
            if name not in known and file and not marked and folder in Path(file).resolve().parents:
                del sys.modules[name]


def paired(base: Catalogue, head: Catalogue) -> Mapping[str, str]:
    """Names of the base's losses that the head has too; of one loss each, whatever they are called, the pair."""
    if len(base.losses) == len(head.losses) == 1:
        return dict(zip(base.losses, head.losses, strict=True))
    return {name: name for name in base.losses if name in head.losses}
