"""The site: `make docs-site` builds it without a network, and a warning fails the build.

Three reference pages are generated from the code while it builds: the commands with their options, the public names
(by autodoc), and every loss with its formula and spellings.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import click
import typer

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
    """Every command as its help says it, with its options."""
    group = typer.main.get_command(_commands(COMMANDS))
    assert isinstance(group, click.Group)
    for name in COMMANDS:
        command = group.commands[name]
        yield f"\n## lossbench {name}\n"
        yield from told(inspect.cleandoc(command.help or ""))
        yield "\n| option | meaning | default |\n| --- | --- | --- |"
        with click.Context(command, info_name=name) as context:
            for parameter in command.params:
                yield row(parameter, context)


def told(text: str) -> Iterator[str]:
    """A docstring: its sentences, then its examples as code."""
    lines = text.splitlines()
    yield from (line for line in lines if not line.startswith("Example: "))
    yield ""
    yield from (f"    {line.removeprefix('Example: ')}" for line in lines if line.startswith("Example: "))


def row(parameter: click.Parameter, context: click.Context) -> str:
    """One option of a command as a row of a table."""
    if isinstance(parameter, click.Option):
        name = ", ".join([*parameter.opts, *parameter.secondary_opts])
        metavar = "" if parameter.is_flag else f" {parameter.make_metavar(context)}"
        meaning = parameter.help or ""
    else:
        name, metavar = parameter.human_readable_name, ""
        meaning = getattr(parameter, "help", None) or ""
    given = parameter.default
    shown = "" if given in (None, "", False, [], ()) or callable(given) else f"`{given}`"
    cells = (f"`{name}{metavar}`", meaning, shown)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


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


def setup(app: Any) -> dict[str, bool]:
    app.connect("source-read", generated)
    return {"parallel_read_safe": True}
