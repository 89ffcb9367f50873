"""What a practice run found, from its books: claims, distances, causes, costs, and losses against metrics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lossbench.practice import books, experiments, lower, verdicts
from lossbench.practice.contributions import BAR
from lossbench.practice.verdicts import Claimed


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """claims: verdicts. outcomes: losses and metrics at the end. apart: a row a run and pair of frameworks. causes,
    costs: a row each. lost: runs that ended in a number that is not finite. metrics: sentences. data: where the
    pictures come from, or empty. genuine: whether they are those of the sources.
    """

    outcomes: tuple[dict[str, Any], ...]
    claims: tuple[Claimed, ...]
    apart: tuple[dict[str, Any], ...]
    causes: tuple[dict[str, Any], ...]
    costs: tuple[dict[str, Any], ...]
    lost: tuple[dict[str, Any], ...]
    metrics: tuple[str, ...]
    data: str
    genuine: bool


def of(path: Path) -> Summary:
    """Reads the books of a run, finished or not. RunDamaged."""
    epochs = list(books.rows(path, "epoch"))
    data = list(books.rows(path, "data"))
    genuine = all(row["genuine"] for row in data)
    known = experiments.every()
    ran = [known[name] for name in dict.fromkeys(row["experiment"] for row in epochs)]
    claims = [c for e in ran for c in verdicts.of(e, epochs, genuine=genuine or not e.images)]
    return Summary(
        outcomes=tuple(lower.outcomes(epochs)),
        claims=tuple(claims),
        apart=tuple(_apart(path)),
        causes=tuple(books.once(path, "cause", "experiment", "dtype", "cause")),
        costs=tuple(_cost(row) for row in books.once(path, "cost", "experiment", "backend")),
        lost=tuple(books.once(path, "lost", "run", "backend")),
        metrics=tuple(lower.sentences(epochs)),
        data=data[-1]["note"] if data else "",
        genuine=genuine,
    )


def _apart(path: Path) -> Iterator[dict[str, Any]]:
    """Relative distance after the first step, after 100 and after the last, and the step that passed 1e-4."""
    runs: dict[tuple[str, str, str, str], list[float]] = {}
    for row in books.once(path, "apart", "run", "one", "other", "epoch", "first"):
        key = (row["experiment"], row["dtype"], row["one"], row["other"])
        runs.setdefault(key, []).extend(float(value) for value in row["relative"])
    for (experiment, dtype, one, other), values in runs.items():
        past = np.flatnonzero(np.asarray(values) > 1e-4)
        yield {
            "experiment": experiment, "dtype": dtype, "one": one, "other": other, "steps": len(values),
            "first": values[0], "at_100": values[99] if len(values) > 99 else None, "last": values[-1],
            "passes_1e-4": int(past[0]) + 1 if len(past) else None,
        }  # fmt: skip


def _cost(row: dict[str, Any]) -> dict[str, Any]:
    """Medians over visits; what the first step took beyond a later one is compiling."""
    seconds = {phase: float(np.median(values)) for phase, values in row["seconds"].items()}
    compiling = max(0.0, row["first_seconds"] - seconds["step"])
    names = ("experiment", "backend", "build_seconds", "first_seconds")
    return {name: row[name] for name in names} | {"compile_seconds": compiling} | seconds


def lines(told: Summary) -> Iterator[str]:
    """The summary for a terminal."""
    if told.data:
        yield f"pictures: {told.data}"
    for group in _grouped(told.claims):
        one = group[0]
        words = dict.fromkeys(c.verdict for c in group)
        each = ", ".join(f"{c.backend} {c.mean:.4f} [{c.low:.4f}, {c.high:.4f}]" for c in group)
        yield (
            f"{one.experiment} {one.quantity} after epoch {one.epoch}, documented {one.documented:.4f}: "
            f"{' or '.join(words)}; {each}; {one.reason}"
        )
    for row in told.outcomes:
        each = ", ".join(f"{name} {mean:.4g}" for name, (mean, _) in row["found"].items())
        yield f"{row['experiment']} {row['backend']} after epoch {row['epoch']}, {row['seeds']} seeds: {each}"
    for row in told.apart:
        at = f", {row['at_100']:.1e} after 100" if row["at_100"] is not None else ""
        yield (
            f"{row['experiment']} {row['dtype']} {row['one']} and {row['other']}: parameters apart by "
            f"{row['first']:.1e} after one step{at}, {row['last']:.1e} after {row['steps']}"
        )
    for row in told.causes:
        if row["dtype"] != "float64":
            continue  # the page has both
        worst = max(row["between"].values(), default=0.0)
        held = "held" if worst <= BAR else "NOT HELD"
        bar = f" (bar {BAR:g}: {held})" if row["cause"] == "none" else ""
        moved = ", ".join(f"{name} {value:.1e}" for name, value in row["moved"].items() if value)
        yield (
            f"{row['experiment']} float64 cause {row['cause']}: parameters at most {worst:.1e} apart after "
            f"{row['steps']} steps{bar}" + (f"; it moves {moved}" if moved else "")
        )
    for row in told.costs:
        parts = ", ".join(f"{phase} {row[phase] * 1e6:.0f}" for phase in ("forward", "backward", "update", "step"))
        yield (
            f"{row['experiment']} {row['backend']}: microseconds a step: {parts}; building "
            f"{row['build_seconds']:.2f} s, first step {row['first_seconds']:.2f} s, of it compiling "
            f"{row['compile_seconds']:.2f} s"
        )
    yield from told.metrics
    for row in told.lost:
        yield f"{row['run']} {row['backend']}: not finite, {row['reason']}"


def _grouped(claims: tuple[Claimed, ...]) -> list[list[Claimed]]:
    """The frameworks' answers to one documented number together."""
    found: dict[tuple[str, str, int], list[Claimed]] = {}
    for claim in claims:
        found.setdefault((claim.experiment, claim.quantity, claim.epoch), []).append(claim)
    return list(found.values())
