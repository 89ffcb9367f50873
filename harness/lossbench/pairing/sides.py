"""Base and head made concrete: what both have to be timed, and what only one of them has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lossbench.lanes.backends import installed_backends
from lossbench.lanes.versions import Version, paired
from lossbench.spec import catalogue, plan, suitefile
from lossbench.spec.case import Cell
from lossbench.spec.catalogue import Catalogue
from lossbench.spec.errors import BadInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """versions: base, control (the base again) and head, in the order in which workers report them.

    cells: what is timed, each with the head's name of the loss where it is another. every: all that the profile
    compares, of the base. missing, new: losses of one side.
    """

    versions: tuple[Version, ...]
    cells: tuple[tuple[Cell, Mapping[str, str]], ...]
    every: tuple[Cell, ...]
    missing: tuple[str, ...]
    new: tuple[str, ...]


def sides(
    base: Path,
    head: Path,
    *,
    profile: str = "quick",
    losses: Sequence[str] = (),
    backends: Sequence[str] = (),
    modes: Sequence[str] = (),
    operations: Sequence[str] = (),
) -> Sides:
    """The timed cells of a profile that base and head both have. BadInput where there are none."""
    versions = tuple(
        Version(name=name, path=str(path), builtin=_marked(path))
        for name, path in (("base", base), ("control", base), ("head", head))
    )
    before, after = (_own(version) for version in (versions[0], versions[2]))
    names = paired(before, after)
    asked = tuple(backends) or installed_backends()
    made = plan.make(
        before, plan.profile_named(profile), losses=losses, backends=asked, modes=modes, operations=operations
    )
    timed = [cell for cell in made.cells if cell.id in made.timed]
    cells = []
    for cell in timed:
        other = names.get(cell.case.loss)
        bindings = () if other is None else after.losses[other].bindings_of(cell.lane.backend)
        if other is not None and any(binding.name == cell.binding for binding in bindings):
            cells.append((cell, {} if other == cell.case.loss else {"head": other}))
    if not cells:
        raise BadInput(
            subject="base and head",
            expected="a loss of the same name, backend and binding in both, that the profile times",
            received=f"{', '.join(before.losses) or 'none'} and {', '.join(after.losses) or 'none'}",
            remedy="give the functions one name, or widen the selection",
        )
    return Sides(
        versions=versions,
        cells=tuple(cells),
        every=made.cells,
        missing=tuple(sorted(set(before.losses) - set(names))),
        new=tuple(sorted(set(after.losses) - set(names.values()))),
    )


def _marked(path: Path) -> bool:
    """Whether a function of the file is marked `like` a built-in loss, which must then be there too."""
    if path.is_dir() or suitefile.needs_neighbours(path):
        return False
    contents = suitefile.read(path, "", "", "_marks")
    return contents is not None and any(function.like for function in contents.functions.values())


def _own(version: Version) -> Catalogue:
    """The version's catalogue without what stands beside it."""
    path = Path(version.path)
    known = catalogue.load([path], version.builtin, backend="", version=f"_{version.name}")
    own = {name: loss for name, loss in known.losses.items() if path in (known.files[name], known.files[name].parent)}
    return Catalogue(
        losses=own,
        families={name: known.families[name] for name in own},
        files={name: known.files[name] for name in own},
    )
