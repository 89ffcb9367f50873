"""The report: one HTML file that needs no network and lets nothing run that is not in it.

Everything from a suite, a table or a file goes through autoescape; the content security policy names the
page's own style and script by hash and forbids the rest.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from lossbench.judge.gate import GateResult
from lossbench.judge.ledger import LedgerResult
from lossbench.record.frames import Tables, write_whole
from lossbench.show import content, marks, palette, sections
from lossbench.show import format as fmt
from lossbench.show.content import Catalogue
from lossbench.show.shortly import clause, shortly

TEMPLATES: Final = Path(__file__).parent / "templates"
NOTHING: Final = Markup("")
CSVS: Final = ("cells", "measurements", "agreement", "claims", "facts")


def render(
    tables: Tables,
    catalogue: Catalogue,
    *,
    run_id: str = "",
    gate: GateResult | None = None,
    defects: LedgerResult | None = None,
    lanes: str = "",
    results_href: str = "",
    again_seconds: int = 0,
    training: Markup = NOTHING,
) -> str:
    """The page as text. gate: a comparison with a baseline, if one was made. defects: the ledger held against the run.

    training: a section on training runs.
    lanes: two lanes to hold beside each other, see `lanes.sides`; empty: those of a run of two backends. BadInput.

    again_seconds: while a run goes on, after how long the page loads itself again; 0 for never.
    results_href: relative address of the run's folder, for links to its CSV files; empty for none.
    """
    return stand_alone(
        "page.html",
        run_id=run_id,
        again_seconds=again_seconds,
        results_href=results_href,
        csvs=CSVS,
        training=training,
        **content.of(tables, catalogue, gate, run_id, defects=defects, lanes=lanes),
    )


def stand_alone(template: str, **shown: Any) -> str:
    """A template as one page with this report's style, script and policy."""
    style, script = _text("style.css"), _text("script.js").replace("/* cells */", _text("cells.js"))
    style = style.replace("/* variables */", _variables())
    return part(template, style=Markup(style), script=Markup(script), policy=_policy(style, script), **shown)


def part(template: str, **shown: Any) -> Markup:
    """A template as markup, for a page that holds it."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["coded"] = _coded
    environment.globals.update(
        fmt=fmt, anchor=sections.anchor, marks=marks, defect=marks.of("defect"), backend_class=_backend_class,
        shortly=shortly, clause=clause,
    )  # fmt: skip
    return Markup(environment.get_template(template).render(**shown))


def write(
    tables: Tables,
    catalogue: Catalogue,
    reports_dir: Path,
    run_id: str,
    *,
    gate: GateResult | None = None,
    defects: LedgerResult | None = None,
    lanes: str = "",
    run_folder: Path | None = None,
    again_seconds: int = 0,
    training: Markup = NOTHING,
) -> Path:
    """Write reports/<run id>/index.html in one step and let reports/latest lead to it. Returns the file."""
    folder = reports_dir / run_id
    folder.mkdir(parents=True, exist_ok=True)
    href = Path(os.path.relpath(run_folder, folder)).as_posix() if run_folder else ""
    text = render(
        tables, catalogue, run_id=run_id, gate=gate, defects=defects, lanes=lanes, results_href=href,
        again_seconds=again_seconds, training=training,
    )  # fmt: skip
    page = folder / "index.html"
    write_whole(page, text.encode())
    point(reports_dir / "latest", folder)
    return page


def point(link: Path, folder: Path) -> None:
    """A relative symbolic link, replaced in one step; a copy where the file system has no links."""
    fresh = link.with_name(f".latest.{os.getpid()}")
    try:
        fresh.symlink_to(folder.name, target_is_directory=True)
        if link.is_dir() and not link.is_symlink():
            shutil.rmtree(link)
        fresh.replace(link)
    except (OSError, NotImplementedError):
        fresh.unlink(missing_ok=True)
        shutil.copytree(folder, link, dirs_exist_ok=True)


def _coded(sentence: str) -> Markup:
    """Words between backticks as code; everything is escaped first."""
    parts = str(escape(sentence)).split("`")
    return Markup("".join(f"<code>{p}</code>" if i % 2 else p for i, p in enumerate(parts)))


def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8").strip()


def _backend_class(backend: str) -> str:
    """The CSS class that carries a backend's colour."""
    return f"b-{backend}" if backend in palette.INKS else "b-other"


def _variables() -> str:
    light, dark = ("".join(f"{name}:{value};" for name, value in each.items()) for each in palette.variables())
    return f":root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}"


def _policy(style: str, script: str) -> str:
    """Nothing but this style and this script: no network, no frame, no form, no other script, no inline style."""

    def hashed(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    return (
        f"default-src 'none'; style-src {hashed(style)}; script-src {hashed(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
