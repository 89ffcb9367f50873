"""The page of a practice run: reports/practice/<run id>/index.html, and reports/practice/latest that leads to it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from lossbench.practice import books, curves, experiments, panels, pictures
from lossbench.practice.causes import MEANING
from lossbench.practice.contributions import BAR
from lossbench.practice.curves import Trajectory
from lossbench.practice.guide import Scored
from lossbench.practice.problems import PROBLEMS
from lossbench.practice.reasons import reasons
from lossbench.practice.summary import Summary
from lossbench.record.frames import write_whole
from lossbench.show import page, svg
from lossbench.spec.training import Experiment


def write(path: Path, told: Summary, reports: Path) -> Path:
    """Writes the page of the run in `path` and returns the file."""
    folder = reports / books.FOLDER / path.name
    folder.mkdir(parents=True, exist_ok=True)
    written = folder / "index.html"
    write_whole(written, text(path, told, folder, run_id=path.name).encode())
    page.point(folder.parent / "latest", folder)
    return written


def text(path: Path, told: Summary, folder: Path, *, run_id: str, back: str = "") -> str:
    """The page as text, to lie in `folder`. back: the report that it belongs to; empty where it stands alone."""
    csvs = {csv.name: Path(os.path.relpath(csv, folder)).as_posix() for csv in sorted(path.glob("*.csv"))}
    return page.stand_alone(
        "practice.html", run_id=run_id, title="lossbench practice", told=told, meaning=MEANING, bar=BAR, back=back,
        csvs=csvs, barred=_barred(told), took=sum(row["seconds"] for row in books.rows(path, "took")),
        versions=books.once(path, "version", "backend"), runs=list(_runs(path, told)), problems=_problems(path),
    )  # fmt: skip


def _barred(told: Summary) -> list[dict[str, Any]]:
    """Float64 with every cause off: what the bar is about."""
    rows = (row for row in told.causes if row["dtype"] == "float64" and row["cause"] == "none")
    return [row | {"worst": max(row["between"].values(), default=0.0)} for row in rows]


def _runs(path: Path, told: Summary) -> Iterator[dict[str, Any]]:
    """One entry an experiment: what it is, and its pictures."""
    known = experiments.every()
    for place, (name, run) in enumerate(curves.of(path).items()):
        experiment = known[name]
        drawn = [_losses(experiment, run, f"l{place}", genuine=told.genuine or not experiment.images)]
        if experiment.metrics:
            metric = experiment.metrics[0]
            drawn.append(svg.inline(
                pictures.metric(run, metric), prefix=f"m{place}", title=f"{name}: {metric} over the step",
                description=f"{metric} on each training batch, from seed 0.",
            ))  # fmt: skip
        if run.apart:
            drawn.append(svg.inline(
                pictures.apart(run.apart), prefix=f"a{place}", title=f"{name}: how far the parameters are apart",
                description="Relative distance of the parameters of two frameworks over the step, float32 and float64.",
            ))  # fmt: skip
        if run.causes:
            drawn.append(svg.inline(
                pictures.causes(run.causes), prefix=f"c{place}", title=f"{name}: what each cause moves, in float64",
                description="Relative distance of the parameters over the step under each cause alone.",
            ))  # fmt: skip
        yield {"id": name, "title": experiment.title, "source": experiment.source, "pictures": drawn}


def _losses(experiment: Experiment, run: Trajectory, prefix: str, *, genuine: bool) -> Markup:
    said = experiment.documented if genuine else ()
    longest = max((len(ends) for ends in run.ends.values()), default=0)
    shown = [(one.epoch, one.value) for one in said if one.quantity == "loss" and one.epoch <= longest]
    last = ", ".join(f"{backend} {ends[-1]:.4g}" for backend, ends in run.ends.items())
    printed = ", ".join(f"{value:.4g} after epoch {epoch}" for epoch, value in shown)
    return svg.inline(
        pictures.losses(run, shown), prefix=prefix, title=f"{experiment.id}: training loss over the step",
        description=f"Mean loss of the last epoch: {last or 'none'}. Documented: {printed or 'nothing'}.",
    )  # fmt: skip


def _problems(path: Path) -> list[dict[str, Any]]:
    scored: dict[str, list[Scored]] = {}
    for row in books.once(path, "guide", "problem", "loss", "share"):
        one = Scored(**row)
        scored.setdefault(one.problem, []).append(one)
    return [_problem(name, of, f"g{place}") for place, (name, of) in enumerate(scored.items())]


def _problem(name: str, scored: Sequence[Scored], prefix: str) -> dict[str, Any]:
    problem = PROBLEMS[name]
    shares = sorted({s.share for s in scored})
    said = [(share, reasons([s for s in scored if s.share == share])) for share in shares]
    picture = svg.inline(
        panels.picture(scored), prefix=prefix, title=f"{name}: every loss by every criterion",
        description=" ".join(f"{share:.0%} {problem.bad}: {sentences[0]}" for share, sentences in said),
    )  # fmt: skip
    names = [n for n in scored[0].metrics if n != "loss"]
    return {
        "name": name, "bad": problem.bad, "metric": problem.metric, "scored": scored, "said": said, "picture": picture,
        "metrics": names, "target": {s.share: s.target for s in scored},
    }  # fmt: skip
