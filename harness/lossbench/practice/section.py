"""Training runs in the report of a benchmark run: a section of it, and the page of their own beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from lossbench.practice import curves, experiments, pictures, report, summary
from lossbench.practice.books import FOLDER, read_as_written, rows
from lossbench.practice.contributions import BAR
from lossbench.practice.summary import Summary
from lossbench.record.frames import write_whole
from lossbench.show import page, svg

PAGE: Final = "practice.html"
DRAWN: Final = 3
"""So many pictures of distances are in the section; the page has them all."""


def of_run(run: Path, folder: Path) -> Markup:
    """Writes the page beside the report in `folder` and gives the section; nothing where the run trained nothing."""
    path = run / FOLDER
    if not (path / "run.json").is_file():
        return page.NOTHING
    with read_as_written(path):
        told = summary.of(path)
        text = report.text(path, told, folder, run_id=run.name, back="index.html")
        found = list(_rows(told))
        part = page.part(
            "training.html", href=PAGE, answer=" ".join(_answer(path, told, found)), rows=found,
            pictures=list(_pictures(path)),
        )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / PAGE, text.encode())
    return part


def _answer(path: Path, told: Summary, found: list[dict[str, Any]]) -> Iterator[str]:
    took = list(rows(path, "took"))
    if not found:
        yield "No training run came to an end."
    else:
        worst = max((row["apart"] or 0.0 for row in found), default=0.0)
        yield (
            f"From the same weights with the same batches, as each framework comes, their parameters are at most "
            f"{worst:.1e} apart in float32, relative to their norm."
        )
    off = [row["off"] for row in found if row["off"] is not None]
    if off:
        held = "within" if max(off) <= BAR else "NOT within"
        yield f"With the named causes off they agree in float64 to {max(off):.1e} at worst, {held} the bar of {BAR:g}."
    if told.lost:
        yield f"{len(told.lost)} ended in a number that is not finite."
    if not took or took[-1]["reason"]:
        yield f"They did not come to their end: {took[-1]['reason'] if took else 'killed'}."
    seconds = sum(row["seconds"] for row in took)
    yield f"This took {seconds:.0f} s after the benchmarks, which the wall time above does not count."


def _rows(told: Summary) -> Iterator[dict[str, Any]]:
    known = experiments.every()
    for name in dict.fromkeys(row["experiment"] for row in told.outcomes):
        apart = [row for row in told.apart if (row["experiment"], row["dtype"]) == (name, "float32")]
        yield {
            "id": name, "title": known[name].title,
            "steps": max((row["steps"] for row in apart), default=0),
            "apart": max((row["last"] for row in apart), default=None),
            "together": _cause(told, name, "all"), "off": _cause(told, name, "none"),
            "outcomes": [_outcome(row) for row in told.outcomes if row["experiment"] == name],
        }  # fmt: skip


def _cause(told: Summary, experiment: str, cause: str) -> float | None:
    key = (experiment, "float64", cause)
    mine = [row for row in told.causes if (row["experiment"], row["dtype"], row["cause"]) == key]
    return max((float(v) for row in mine for v in row["between"].values()), default=None)


def _outcome(row: dict[str, Any]) -> dict[str, Any]:
    tested = {name.removeprefix("val_"): mean for name, (mean, _) in row["found"].items() if name.startswith("val_")}
    loss = tested.pop("loss")
    metrics = ", ".join(f"{name} {value:.4g}" for name, value in tested.items())
    return {"backend": row["backend"], "loss": loss, "metrics": metrics}


def _pictures(path: Path) -> Iterator[Markup]:
    for place, (name, run) in enumerate(list(curves.of(path).items())[:DRAWN]):
        if run.apart:
            yield svg.inline(
                pictures.apart(run.apart), prefix=f"tr{place}", title=f"{name}: how far the parameters are apart",
                description="Relative distance of the parameters of two frameworks over the step.",
            )  # fmt: skip
