"""The site: `make docs-site` builds it without a network, and a warning fails the build.

Three reference pages are generated from the code while it builds: the commands with their options, the public names
(by autodoc), and every loss with its formula and spellings.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

from typer.testing import CliRunner

import lossbench
from lossbench.__main__ import COMMANDS, _commands
from lossbench.show import formula
from lossbench.spec import catalogue

project = "lossbench"
author = "the lossbench authors"
copyright = "the lossbench authors, Apache-2.0"
version = release = lossbench.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_default_options = {"members": True, "undoc-members": False}
html_theme = "furo"
html_title = "lossbench"
html_show_sourcelink = False
html_copy_source = False
highlight_language = "text"
exclude_patterns = ["_build"]


def commands() -> Iterator[str]:
    """Every command as its help says it."""
    app, runner = _commands(COMMANDS), CliRunner()
    for name in COMMANDS:
        told = runner.invoke(app, [name, "--help"], prog_name="lossbench", env={"COLUMNS": "110", "TERM": "dumb"})
        assert told.exit_code == 0, told.output
        text = "\n".join(line.rstrip() for line in told.output.strip().splitlines())
        yield f"\n## lossbench {name}\n\n```text\n{text}\n```"


def losses() -> Iterator[str]:
    """Every built-in loss: formula as MathML, source, spellings."""
    known = catalogue.load(backend="")
    families: dict[str, list[str]] = {}
    for name in known.losses:
        families.setdefault(known.family(name), []).append(name)
    for family, names in families.items():
        yield f"\n## {family}\n"
        for name in names:
            loss = known.losses[name]
            yield f"\n### {loss.title}\n\n`{name}`. {plain(loss.summary)}\n"
            yield f"```{{raw}} html\n<p>{formula.render(loss.formula)}</p>\n```\n"
            yield f"{plain(loss.source)}\n"
            yield from (
                f"- {b.backend}, {b.name}" + (f": {plain(b.differs)}" if b.differs else "") for b in loss.bindings
            )


def plain(text: str) -> str:
    """Text that Markdown is to leave as it is."""
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|$~" else c for c in text)


def public(module: str) -> str:
    """The names of `__all__` of a module, documented from their docstrings."""
    names = [name for name in import_module(module).__all__ if not name.startswith("__")]
    lines = [directive(module, name) for name in names]
    return "```{eval-rst}\n" + "\n\n".join(lines) + "\n```"


def directive(module: str, name: str) -> str:
    """How autodoc is asked for a name."""
    value = getattr(import_module(module), name)
    if inspect.ismodule(value):
        return f".. automodule:: {value.__name__}\n   :imported-members: False"
    return f".. auto{'class' if inspect.isclass(value) else 'function'}:: {module}.{name}"


PAGES: dict[str, Callable[[], str]] = {
    "commands": lambda: "\n".join(commands()),
    "losses": lambda: "\n".join(losses()),
    "python": lambda: "\n\n".join(f"## {m}\n\n{public(m)}" for m in ("lossbench", "lossbench.testing")),
}
"""What is appended to a page while it is read."""


def generated(_: Any, name: str, source: list[str]) -> None:
    """Sphinx hands over a page's text in a list of one, to be changed in place."""
    if name in PAGES:
        source[0] += "\n" + PAGES[name]()


FIELD = re.compile(r"^([\w., ]+): ")


def flowing(_app: Any, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """The house's docstrings name a field or parameter at the beginning of a line: here a list, indents aside."""
    flat = [line.strip() for line in lines]
    lines[:] = []
    for line in flat:
        named = FIELD.match(line)
        if named and (not lines or lines[-1].endswith((".", "", ":"))):
            lines += ["", f"- **{named[1]}**: {line[named.end() :]}"]
        elif line and lines and lines[-1].startswith(("- ", "  ")):
            lines.append(f"  {line}")
        else:
            lines.append(line)


def setup(app: Any) -> dict[str, bool]:
    app.connect("source-read", generated)
    app.connect("autodoc-process-docstring", flowing)
    return {"parallel_read_safe": True}
