"""What travels to a seat, as plain JSON values: files of suites, cells without their repetitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any, Final

from lossbench.spec.case import Case, Cell, Lane
from lossbench.spec.errors import BadInput

MOST_BYTES: Final = 16 * 2**20
"""Of all suite files together: a folder with data in it is no suite."""

Packed = list[dict[str, Any]]


def packed(suites: Sequence[Path]) -> Packed:
    """The Python files of suites, each a file or a folder, as text. BadInput where they are too large."""
    found, size = [], 0
    for path in suites:
        files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
        texts = {file.relative_to(path.parent).as_posix(): file.read_text(encoding="utf-8") for file in files}
        found.append({"name": path.name, "files": texts})
        size += sum(map(len, texts.values()))
    if size > MOST_BYTES:
        raise BadInput(
            subject="--suite",
            expected=f"at most {MOST_BYTES // 2**20} MiB of Python files, which are sent to every node",
            received=f"{size / 2**20:.0f} MiB",
            remedy="name the files that hold the losses",
        )
    return found


def unpacked(suites: Packed, folder: Path) -> list[Path]:
    """Writes them below `folder`, each suite in a folder of its own; their paths."""
    found = []
    for number, suite in enumerate(suites):
        root = folder / str(number)
        for name, text in suite["files"].items():
            inside = PurePosixPath(name)
            assert not {"/", ".."} & set(inside.parts), "names come from `packed`"
            (root / inside).parent.mkdir(parents=True, exist_ok=True)
            (root / inside).write_text(text, encoding="utf-8")
        found.append(root / suite["name"])
    return found


def fields_of(cell: Cell, lanes: Sequence[Lane]) -> dict[str, Any]:
    """A cell, its lane by number."""
    return {
        "case": asdict(cell.case), "binding": cell.binding, "lane": lanes.index(cell.lane), "operation": cell.operation,
    }  # fmt: skip


def cell_of(fields: Mapping[str, Any], lanes: Sequence[Mapping[str, Any]]) -> Cell:
    """The cell again."""
    case = fields["case"]
    kept = {"params": tuple(tuple(pair) for pair in case["params"]), "shape": tuple(case["shape"])}
    return Cell(
        case=Case(**{**case, **kept}), binding=fields["binding"], lane=Lane(**lanes[fields["lane"]]),
        operation=fields["operation"],
    )  # fmt: skip
