"""The commands that README and docs/ tell a reader to type, and the files they tell him to write."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
PROGRAMS = ("lossbench", "make", "pytest", "pip")
FENCE = re.compile(r"^```")
INLINE = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
COMMENT = re.compile(r"\s+#\s.*$")


@dataclass(frozen=True, slots=True)
class Quoted:
    """A command as it stands on a page. block: commands of one block follow one another in one folder."""

    page: str
    block: int
    text: str

    @property
    def words(self) -> list[str]:
        """As a shell would split it."""
        return shlex.split(self.text)


def commands(page: Path) -> list[Quoted]:
    """Lines of indented and fenced blocks that begin with a program, then commands inside sentences."""
    lines, found, block, fenced = page.read_text(encoding="utf-8").splitlines(), [], 0, False
    prose = []
    for number, line in enumerate(lines):
        if FENCE.match(line):
            fenced = not fenced
            block += 1
        elif fenced or line.startswith("    "):
            block += not fenced and not lines[number - 1].startswith("    ")
            found += [Quoted(page.name, block, text) for text in _command(line)]
        else:
            prose.append(line)
    said = INLINE.findall("\n".join(prose))
    return found + [Quoted(page.name, -1 - n, text) for n, span in enumerate(said) for text in _command(span)]


def _command(line: str) -> Iterator[str]:
    text = COMMENT.sub("", line.replace("\n", " ").strip()).removeprefix(".venv/bin/")
    if text.split(" ", 1)[0] in PROGRAMS:
        yield text


def files(page: Path) -> dict[str, str]:
    """Python blocks whose first line is a comment with a file's name."""
    blocks = re.findall(
        r"^```python\n# (\w+\.py)\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    return dict(blocks)
