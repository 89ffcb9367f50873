"""The guide, measured: for a problem and a share of bad targets, every loss scored on the same data from one start.

shift: how far the best constant moves under the bad targets, found where the slopes of the loss sum to zero.
near, far: the slope close to and far from the target. metrics: on a clean test after training. steps: until the test
metric came within a tenth of the best that any loss of the problem reached. Seconds are of one framework.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from lossbench.practice.causes import Causes
from lossbench.practice.metrics import less_is_better
from lossbench.practice.order import steps_an_epoch
from lossbench.practice.problems import Problem
from lossbench.practice.process import Trainee
from lossbench.spec.training import Array, Term

SEEDS: Final = 3
HALVINGS: Final = 60
REACH: Final = 60.0
WITHIN: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One loss of a problem. metrics: mean over seeds on the clean test. steps: None where it never came near."""

    problem: str
    loss: str
    recommended: bool
    share: float
    backend: str
    shift: float | None
    near: float | None
    far: float | None
    metrics: dict[str, float]
    spread: float
    steps: int | None
    seconds_a_step: float


def score(problem: Problem, share: float, trainee: Trainee, *, seeds: int = SEEDS) -> list[Scored]:
    """Every loss of the problem, best metric first."""
    terms = (*problem.recommended, *problem.rivals)
    runs = {term.loss: [_trained(problem, term, share, trainee, seed) for seed in range(seeds)] for term in terms}
    sign = 1.0 if less_is_better(problem.metric) else -1.0
    paths = {
        loss: np.mean([[e[problem.metric] for e in epochs] for epochs, _ in of], axis=0) for loss, of in runs.items()
    }
    best = min(sign * float(path[-1]) for path in paths.values())
    found = []
    for term in terms:
        last = [epochs[-1] for epochs, _ in runs[term.loss]]
        metrics = {name: float(np.mean([e[name] for e in last])) for name in last[0]}
        slopes = _slopes(problem, term, trainee) if problem.location else (None, None)
        found.append(Scored(
            problem=problem.name, loss=term.loss, recommended=term in problem.recommended, share=share,
            backend=trainee.backend, shift=_shift(problem, term, share, trainee), near=slopes[0], far=slopes[1],
            metrics=metrics, spread=float(np.ptp([e[problem.metric] for e in last])),
            steps=_steps(problem, sign * paths[term.loss], best),
            seconds_a_step=float(np.median(np.concatenate([seconds for _, seconds in runs[term.loss]]))),
        ))  # fmt: skip
    return sorted(found, key=lambda s: sign * s.metrics[problem.metric])


def _trained(
    problem: Problem, term: Term, share: float, trainee: Trainee, seed: int
) -> tuple[list[dict[str, float]], Array]:
    """The test metrics after each epoch, and the seconds of the steps."""
    experiment = problem.experiment(term, share)
    sets = experiment.make(seed, None)
    trainee.build("guide", experiment, sets, seed=seed, dtype="float32", causes=Causes())
    steps, epochs, seconds = steps_an_epoch(len(sets.x), experiment.batch), [], []
    for epoch in range(experiment.epochs):
        told = trainee.ask("advance", run="guide", epoch=epoch, first=0, count=steps, record=False)
        seconds.append(told["seconds"])
        ended = trainee.ask("finish", run="guide")
        epochs.append({name.removeprefix("val_"): v for name, v in ended.items() if name.startswith("val_")})
    return epochs, np.concatenate(seconds)


def _steps(problem: Problem, path: Array, best: float) -> int | None:
    near = np.flatnonzero(path <= best + WITHIN * abs(best))
    an_epoch = steps_an_epoch(1000, problem.experiment(problem.recommended[0], 0.0).batch)
    return int(near[0] + 1) * an_epoch if len(near) else None


def _ask(term: Term, trainee: Trainee, y_true: Array, y_pred: Array) -> Array:
    found: Array = trainee.ask("slopes", loss=term.loss, params=dict(term.params), y_true=y_true, y_pred=y_pred)
    return found


def _slopes(problem: Problem, term: Term, trainee: Trainee) -> tuple[float, float]:
    pair = np.array([problem.near, problem.far])
    near, far = np.abs(_ask(term, trainee, pair[:, :1], pair[:, 1:])).reshape(-1)
    return float(near), float(far)


def _shift(problem: Problem, term: Term, share: float, trainee: Trainee) -> float | None:
    """Bisection on the sum of slopes, which rises with the constant for every loss that is convex in it."""
    if problem.location is None:
        return None
    centres = []
    for bad in (0.0, share):
        y = problem.location(bad, np.random.default_rng(11))[:, None]
        low, high = -REACH, REACH
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            if float(np.sum(_ask(term, trainee, y, np.full_like(y, middle)))) > 0:
                high = middle
            else:
                low = middle
        centres.append((low + high) / 2)
    return centres[1] - centres[0]


def reasons(scored: Sequence[Scored], metric: str) -> list[str]:
    """Why the first of them, and what speaks against it, in sentences."""
    first = scored[0]
    said = [
        f"{first.loss} has the best {metric} on a clean test: {first.metrics[metric]:.4g} "
        f"(range over seeds {first.spread:.2g})."
    ]
    for other in scored[1:]:
        gap = abs(other.metrics[metric] - first.metrics[metric])
        close = " - no more than the seeds differ" if gap <= max(first.spread, other.spread) else ""
        said.append(f"{other.loss}: {other.metrics[metric]:.4g}, {gap:.2g} behind{close}.")
    shifts = [s for s in scored if s.shift is not None]
    if shifts and first.share:
        least, most = (f(shifts, key=lambda s: abs(s.shift or 0.0)) for f in (min, max))
        said.append(
            f"{first.share:.0%} of bad targets move the best constant by {least.shift:.3g} under {least.loss}, by "
            f"{most.shift:.3g} under {most.loss}."
        )
    cheap = min(scored, key=lambda s: s.seconds_a_step)
    said.append(
        f"The cheapest step was {cheap.loss}'s, {cheap.seconds_a_step * 1e6:.0f} microseconds on {cheap.backend}."
    )
    return said
