"""A practice run from its request: data, workers, every experiment over its seeds, causes, costs, the guide."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Final

from lossbench.practice import contributions, costs, fetching, guide
from lossbench.practice.books import Books
from lossbench.practice.experiments import chosen
from lossbench.practice.mnist import Images
from lossbench.practice.objective import check
from lossbench.practice.order import steps_an_epoch
from lossbench.practice.pace import BUILD, Pace, Show, Tell, of_steps
from lossbench.practice.problems import PROBLEMS, Problem
from lossbench.practice.process import Trainee, TrainingFault, at_once
from lossbench.practice.request import GUIDE, Request
from lossbench.practice.together import Job, train
from lossbench.spec import catalogue
from lossbench.spec.training import Experiment, Sets

CAUSES_OF: Final = ("T3", "T4", "T5", "T8-mse-5%", "T8-mae-5%", "T8-huber-5%")
"""Experiments whose causes are measured one at a time, in float64 and float32."""
SHARES: Final = (0.0, 0.05, 0.2)
PICTURE_STEPS: Final = 100
"""Of the experiments on pictures, this many steps are compared in float64; of the others, every step."""

Pictures = Images | None
Task = tuple[float, Callable[[Tell], None]]
"""Its weight, for the time left, and what it does; it does only what the books do not hold."""


def prepare(request: Request) -> tuple[tuple[Experiment, ...], Pictures]:
    """The experiments asked for, each checked, and the pictures if one needs them. BadInput."""
    words = tuple(word for word in request.only if word != GUIDE)
    experiments = chosen(words) if words or not request.only else ()
    known = catalogue.load(backend="")
    for experiment in experiments:
        check(experiment, known)
    named = Path(request.data) if request.data else None
    images = fetching.find(named) if any(e.images for e in experiments) else None
    return experiments, images


def carry_out(
    request: Request, experiments: tuple[Experiment, ...], images: Pictures, books: Books, show: Show
) -> None:
    """Everything that the books do not hold yet. BadInput, TrainingFault."""
    if images is not None:
        books.append("data", {"note": images.note, "genuine": images.genuine})
    began, reason = time.monotonic(), "interrupted"
    try:
        _carried(request, experiments, images, books, show)
        reason = ""
    except TrainingFault as fault:
        reason = str(fault)
        raise
    finally:
        books.append("took", {"seconds": time.monotonic() - began, "reason": reason})


def _carried(request: Request, experiments: tuple[Experiment, ...], images: Pictures, books: Books, show: Show) -> None:
    with ExitStack() as stack:
        trainees = {name: stack.enter_context(Trainee(name)) for name in request.backends}
        show(f"starting {', '.join(trainees)}", 0.0, 1.0, float("nan"))
        at_once(trainees, lambda _, trainee: trainee.start())
        for name, trainee in trainees.items():
            books.append("version", {"backend": name, "versions": trainee.versions})
        tasks = [task for e in experiments for task in _tasks(request, e, images, trainees, books)]
        tasks += list(_guide(trainees, books)) if request.guided else []
        pace = Pace(sum(weight for weight, _ in tasks), show)
        for weight, carried in tasks:
            with pace.task(weight):
                carried(pace.tell)


def _tasks(
    request: Request, experiment: Experiment, images: Pictures, trainees: Mapping[str, Trainee], books: Books
) -> Iterator[Task]:
    epochs, first = request.epochs_of(experiment), experiment.make(0, images)
    steps = epochs * steps_an_epoch(len(first.x), experiment.batch)

    def trained(dtype: str, seed: int, tell: Tell, *, compare: bool, limit: int = 0) -> None:
        job = Job(experiment=experiment, seed=seed, dtype=dtype, epochs=epochs, compare=compare, limit=limit)
        train(job, experiment.make(seed, images), trainees, books, tell)

    for seed in range(request.seeds):
        yield BUILD + of_steps(experiment, steps), partial(trained, "float32", seed, compare=seed == 0)
    if request.sketch:
        weight = 2 * contributions.weight(experiment)
        yield weight, partial(_causes, experiment, first, trainees, books, "float64", False)
        return
    limit = PICTURE_STEPS if experiment.images else 0
    weight = BUILD + of_steps(experiment, min(limit or steps, steps))
    yield weight, partial(trained, "float64", 0, compare=True, limit=limit)
    if experiment.id in CAUSES_OF:
        for dtype in ("float64", "float32"):
            weight = len(contributions.SETTINGS) * contributions.weight(experiment)
            yield weight, partial(_causes, experiment, first, trainees, books, dtype, True)
    yield costs.weight(experiment), partial(_cost, experiment, first, trainees, books)


def _causes(
    experiment: Experiment, sets: Sets, trainees: Mapping[str, Trainee], books: Books, dtype: str, alone: bool,
    tell: Tell,
) -> None:  # fmt: skip
    contributions.measure(experiment, sets, trainees, books, dtype=dtype, tell=tell, alone=alone)


def _cost(experiment: Experiment, sets: Sets, trainees: Mapping[str, Trainee], books: Books, tell: Tell) -> None:
    costs.measure(experiment, sets, trainees, books, tell=tell)


def _guide(trainees: Mapping[str, Trainee], books: Books) -> Iterator[Task]:
    """The guide trains on one framework: it is about the losses."""
    trainee = trainees.get("torch") or next(iter(trainees.values()))
    done = Counter((row["problem"], row["share"]) for row in books.rows("guide"))
    for problem in PROBLEMS.values():
        for share in SHARES:
            if done[problem.name, share] < len(problem.terms):
                yield guide.weight(problem), partial(_scored, problem, share, trainee, books)


def _scored(problem: Problem, share: float, trainee: Trainee, books: Books, tell: Tell) -> None:
    tell(f"guide: {problem.name}, {share:.0%}", guide.weight(problem))
    for scored in guide.score(problem, share, trainee):
        books.append("guide", asdict(scored))
