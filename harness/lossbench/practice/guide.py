"""The guide, measured: for a problem and a share of bad targets, every loss scored on the same data from one start.

shift: how far the best constant moves under the bad targets, found where the slopes of the loss sum to zero.
near, far: the slope close to and far from the target. metrics: on a clean test after training. steps: until the test
metric came within a tenth of the best that any loss of the problem reached. Seconds are of one framework, the losses
in turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from lossbench.practice import slopes
from lossbench.practice.causes import Causes
from lossbench.practice.metrics import less_is_better
from lossbench.practice.order import steps_an_epoch
from lossbench.practice.pace import BUILD, of_steps
from lossbench.practice.problems import SAMPLES, Problem
from lossbench.practice.process import Trainee
from lossbench.spec.training import Term

SEEDS: Final = 3
WITHIN: Final = 0.1
VISITS: Final = 4
ROUNDS: Final = 10
WARM: Final = 2
"""Rounds at the start of a visit that are not counted."""

Epochs = list[dict[str, float]]
"""The test metrics after each epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One loss of a problem. metrics: mean over seeds on the clean test. steps: None where it never came near.

    spread: range of the metric over seeds. target: what counts as near. by_seed: each metric at the end, a number a
    seed; path: the metric after each epoch, a row a seed. seconds_a_step: median over visits in turn.
    """

    problem: str
    loss: str
    recommended: bool
    share: float
    backend: str
    shift: float
    near: float
    far: float
    metrics: dict[str, float]
    spread: float
    target: float
    steps: int | None
    seconds_a_step: float
    by_seed: dict[str, list[float]]
    path: list[list[float]]


def score(problem: Problem, share: float, trainee: Trainee, *, seeds: int = SEEDS) -> list[Scored]:
    """Every loss of the problem, best metric first."""
    runs = [[_trained(problem, term, share, trainee, seed) for seed in range(seeds)] for term in problem.terms]
    seconds = _in_turn(problem, share, trainee)
    sign = 1.0 if less_is_better(problem.metric) else -1.0
    paths = [[[epoch[problem.metric] for epoch in epochs] for epochs in of] for of in runs]
    best = min(sign * float(np.mean(path, axis=0)[-1]) for path in paths)
    target = best + WITHIN * abs(best)
    found = []
    for term, of, path in zip(problem.terms, runs, paths, strict=True):
        last = {name: [epochs[-1][name] for epochs in of] for name in of[0][-1]}
        near, far = slopes.near_and_far(problem, term, trainee)
        found.append(Scored(
            problem=problem.name, loss=term.loss, recommended=term in problem.recommended, share=share,
            backend=trainee.backend, shift=slopes.shift(problem, term, share, trainee), near=near, far=far,
            metrics={name: float(np.mean(values)) for name, values in last.items()},
            spread=float(np.ptp(last[problem.metric])), target=sign * target,
            steps=_steps(problem, sign * np.mean(path, axis=0), target), seconds_a_step=seconds[term.loss],
            by_seed=last, path=path,
        ))  # fmt: skip
    return sorted(found, key=lambda s: sign * s.metrics[problem.metric])


def weight(problem: Problem) -> float:
    """Of one share of bad targets, for the time left."""
    one = problem.experiment(problem.terms[0], 0.0)
    steps = SEEDS * one.epochs * steps_an_epoch(SAMPLES, one.batch)
    return len(problem.terms) * (BUILD / 4 + of_steps(one, steps) / 2)


def _trained(problem: Problem, term: Term, share: float, trainee: Trainee, seed: int) -> Epochs:
    experiment = problem.experiment(term, share)
    sets = experiment.make(seed, None)
    trainee.build("guide", experiment, sets, seed=seed, dtype="float32", causes=Causes())
    steps, epochs = steps_an_epoch(len(sets.x), experiment.batch), []
    for epoch in range(experiment.epochs):
        trainee.ask("advance", run="guide", epoch=epoch, first=0, count=steps, record=False)
        ended = trainee.ask("finish", run="guide")
        epochs.append({name.removeprefix("val_"): v for name, v in ended.items() if name.startswith("val_")})
    trainee.ask("forget", run="guide")
    return epochs


def _in_turn(problem: Problem, share: float, trainee: Trainee) -> Mapping[str, float]:
    """Seconds of a whole step under each loss, visited in changing order, so that neighbours in time are compared."""
    for term in problem.terms:
        experiment = problem.experiment(term, share)
        sets = experiment.make(0, None)
        trainee.build(f"guide {term.loss}", experiment, sets, seed=0, dtype="float32", causes=Causes())
        trainee.ask("cost", run=f"guide {term.loss}", rounds=1)
    seen: dict[str, list[float]] = {term.loss: [] for term in problem.terms}
    for visit in range(VISITS):
        for loss in list(seen) if visit % 2 == 0 else list(seen)[::-1]:
            told = trainee.ask("cost", run=f"guide {loss}", rounds=ROUNDS)
            seen[loss].append(float(np.median(told["step"][WARM:])))
    for loss in seen:
        trainee.ask("forget", run=f"guide {loss}")
    return {loss: float(np.median(values)) for loss, values in seen.items()}


def _steps(problem: Problem, path: np.ndarray, target: float) -> int | None:
    near = np.flatnonzero(path <= target)
    an_epoch = steps_an_epoch(SAMPLES, problem.experiment(problem.terms[0], 0.0).batch)
    return int(near[0] + 1) * an_epoch if len(near) else None
