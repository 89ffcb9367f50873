"""A practice run from its request: data, workers, every experiment over its seeds, causes, costs."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from lossbench.practice import contributions, costs, fetching, guide
from lossbench.practice.books import Books
from lossbench.practice.experiments import chosen
from lossbench.practice.mnist import Images
from lossbench.practice.objective import check
from lossbench.practice.problems import PROBLEMS
from lossbench.practice.process import Trainee
from lossbench.practice.together import Job, Tell, train
from lossbench.spec import catalogue
from lossbench.spec.training import Experiment

CAUSES_OF: Final = ("T3", "T4", "T5", "T8-mse-5%", "T8-mae-5%", "T8-huber-5%")
"""Experiments whose causes are measured one at a time, in float64 and float32."""
GUIDE: Final = "guide"
"""The word for the guide among experiments."""
SHARES: Final = (0.0, 0.05, 0.2)
PICTURE_STEPS: Final = 100
"""Of the experiments on pictures, this many steps are compared in float64; of the others, every step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked. epochs 0: each experiment's own; short: its shortened form."""

    only: tuple[str, ...] = ()
    seeds: int = 5
    epochs: int = 0
    short: bool = False
    backends: tuple[str, ...] = ("tensorflow", "torch", "jax")
    data: str = ""

    @classmethod
    def of(cls, stored: dict[str, Any]) -> Request:
        """From what `stored` gave."""
        known = {field.name for field in fields(cls)}
        values: dict[str, Any] = {name: value for name, value in stored.items() if name in known}
        return cls(**values | {name: tuple(values[name]) for name in ("only", "backends")})

    def stored(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return asdict(self)

    def epochs_of(self, experiment: Experiment) -> int:
        return self.epochs or (experiment.short if self.short else experiment.epochs)


def prepare(request: Request) -> tuple[tuple[Experiment, ...], Images | None]:
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
    request: Request, experiments: tuple[Experiment, ...], images: Images | None, books: Books, tell: Tell
) -> None:
    """Everything that the books do not hold yet. BadInput, TrainingFault."""
    if images is not None:
        books.append("data", {"note": images.note, "genuine": images.genuine})
    with ExitStack() as stack:
        trainees = {name: stack.enter_context(Trainee(name)) for name in request.backends}
        for name, trainee in trainees.items():
            tell(f"starting {name}")
            trainee.start()
            books.append("version", {"backend": name, "versions": trainee.versions})
        for experiment in experiments:
            epochs = request.epochs_of(experiment)
            for seed in range(request.seeds):
                sets = experiment.make(seed, images)
                train(
                    Job(experiment=experiment, seed=seed, dtype="float32", epochs=epochs, compare=seed == 0),
                    sets, trainees, books, tell,
                )  # fmt: skip
            sets = experiment.make(0, images)
            limit = PICTURE_STEPS if experiment.images else 0
            job = Job(experiment=experiment, seed=0, dtype="float64", epochs=epochs, compare=True, limit=limit)
            train(job, sets, trainees, books, tell)
            if experiment.id in CAUSES_OF:
                for dtype in ("float64", "float32"):
                    contributions.measure(experiment, sets, trainees, books, dtype=dtype, tell=tell)
            tell(f"{experiment.id} cost a step")
            costs.measure(experiment, sets, trainees, books)
        if not request.only or GUIDE in request.only:
            _guide(trainees.get("torch") or next(iter(trainees.values())), books, tell)


def _guide(trainee: Trainee, books: Books, tell: Tell) -> None:
    done = {(row["problem"], row["share"]) for row in books.rows("guide")}
    for problem in PROBLEMS.values():
        for share in SHARES:
            if (problem.name, share) in done:
                continue
            tell(f"guide: {problem.name}, {share:.0%}")
            for scored in guide.score(problem, share, trainee):
                books.append("guide", asdict(scored))
