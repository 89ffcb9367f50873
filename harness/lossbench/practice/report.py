"""The page of a practice run: reports/practice/<run id>/index.html, and reports/practice/latest that leads to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from lossbench.practice import books, experiments, pictures
from lossbench.practice.causes import MEANING
from lossbench.practice.contributions import BAR
from lossbench.practice.guide import Scored, reasons
from lossbench.practice.order import steps_an_epoch
from lossbench.practice.problems import PROBLEMS
from lossbench.practice.summary import Summary
from lossbench.record.frames import write_whole
from lossbench.show import page, svg
from lossbench.spec.training import Experiment


def write(path: Path, told: Summary, reports: Path) -> Path:
    """Writes the page of the run in `path` and returns the file."""
    folder = reports / books.FOLDER / path.name
    folder.mkdir(parents=True, exist_ok=True)
    text = page.stand_alone(
        "practice.html", run_id=path.name, title="lossbench practice", told=told, meaning=MEANING, bar=BAR,
        barred=_barred(told),
        versions=books.once(path, "version", "backend"), runs=_runs(path), problems=_problems(path),
    )  # fmt: skip
    written = folder / "index.html"
    write_whole(written, text.encode())
    page.point(folder.parent / "latest", folder)
    return written


def _barred(told: Summary) -> list[dict[str, Any]]:
    """Float64 with every cause off: what the bar is about."""
    rows = (row for row in told.causes if row["dtype"] == "float64" and row["cause"] == "none")
    return [row | {"worst": max(row["between"].values(), default=0.0)} for row in rows]


def _runs(path: Path) -> list[dict[str, Any]]:
    """One entry an experiment: what it is, and its two pictures."""
    steps: dict[str, dict[str, list[float]]] = {}
    for row in books.once(path, "steps", "run", "backend", "epoch", "first"):
        if row["dtype"] == "float32":
            steps.setdefault(row["experiment"], {}).setdefault(row["backend"], []).extend(map(float, row["losses"]))
    apart: dict[str, dict[tuple[str, str, str], list[float]]] = {}
    for row in books.once(path, "apart", "run", "one", "other", "epoch", "first"):
        key = (row["dtype"], row["one"], row["other"])
        apart.setdefault(row["experiment"], {}).setdefault(key, []).extend(map(float, row["relative"]))
    known, found = experiments.every(), []
    for place, (name, of) in enumerate(steps.items()):
        drawn = [_losses(known[name], of, f"l{place}")]
        if apart.get(name):
            drawn.append(svg.inline(
                pictures.apart(apart[name]), prefix=f"a{place}", title=f"{name}: how far the parameters are apart",
                description="Relative distance of the parameters of two frameworks over the step, float32 and float64.",
            ))  # fmt: skip
        found.append({"id": name, "title": known[name].title, "source": known[name].source, "pictures": drawn})
    return found


def _losses(experiment: Experiment, steps: dict[str, list[float]], prefix: str) -> Markup:
    samples = len(experiment.make(0, None).x) if not experiment.images else 60_000
    an_epoch = steps_an_epoch(samples, experiment.batch)
    printed = [(said.epoch * an_epoch, said.value) for said in experiment.documented if said.quantity == "loss"]
    longest = max(len(values) for values in steps.values())
    shown = [point for point in printed if point[0] <= longest]
    last = ", ".join(f"{backend} {values[-1]:.4g}" for backend, values in steps.items() if values)
    return svg.inline(
        pictures.losses(steps, shown), prefix=prefix, title=f"{experiment.id}: training loss over the step",
        description=f"After {longest} steps: {last}.",
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
    said = [(share, reasons([s for s in scored if s.share == share], problem.metric)[0]) for share in shares]
    picture = svg.inline(
        pictures.guide(scored, problem.metric), prefix=prefix, title=f"{name}: {problem.metric} on a clean test",
        description=" ".join(f"{share:.0%} bad targets: {sentence}" for share, sentence in said),
    )  # fmt: skip
    names = [n for n in scored[0].metrics if n != "loss"]
    return {"name": name, "bad": problem.bad, "scored": scored, "said": said, "picture": picture, "metrics": names}
