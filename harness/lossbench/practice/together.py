"""One experiment, seed and dtype on every framework: the same start, the same batches.

Frameworks advance chunk by chunk, beside each other, since nothing here is timed; after each chunk their parameters
are compared. An epoch that is complete is written before the next begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from lossbench.practice.apart import distances
from lossbench.practice.books import Books
from lossbench.practice.causes import Causes
from lossbench.practice.layout import lay_out
from lossbench.practice.order import steps_an_epoch
from lossbench.practice.pace import BUILD, Tell, of_steps
from lossbench.practice.process import Trainee, TrainingFault, at_once
from lossbench.spec.errors import RunDamaged
from lossbench.spec.training import Array, Experiment, Sets

CHUNK_STEPS: Final = 50
CHUNK_NUMBERS: Final = 8_000_000
"""Parameters of a chunk's steps, per framework: 64 MB in float64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to train. compare: whether parameters are compared at every step. limit: steps in all, 0 for no limit."""

    experiment: Experiment
    seed: int
    dtype: str
    epochs: int
    compare: bool
    limit: int = 0

    @property
    def id(self) -> str:
        """A name for files and rows: `T3-float32-s0`."""
        return f"{self.experiment.id}-{self.dtype}-s{self.seed}"


def train(job: Job, sets: Sets, trainees: Mapping[str, Trainee], books: Books, tell: Tell) -> None:
    """Trains what is left of the job. BadInput, TrainingFault."""
    mine = [row for row in books.rows("epoch") if row["run"] == job.id]
    done = len(mine)
    lost = {row["backend"] for row in books.rows("lost") if row["run"] == job.id}
    if mine and mine[-1]["last"]:
        return
    kept = books.kept(job.id, done) if done else {}
    if kept is None:
        raise RunDamaged(
            subject=f"practice run {books.path.name}", expected=f"the state of {job.id} after epoch {done}",
            received="none", remedy="run `lossbench practice` again",
        )  # fmt: skip

    def begin(name: str, trainee: Trainee) -> tuple[str, ...]:
        spelled = trainee.build(job.id, job.experiment, sets, seed=job.seed, dtype=job.dtype, causes=Causes())
        if name in kept:
            trainee.ask("restore", run=job.id, kept=kept[name])
        return spelled

    tell(job.id, BUILD)
    for name, spelled in at_once(trainees, begin).items():
        if not done:
            books.append("spelled", {"run": job.id, "backend": name, "losses": list(spelled)})
    an_epoch = steps_an_epoch(len(sets.x), job.experiment.batch)
    for epoch in range(done, job.epochs):
        going = {name: trainee for name, trainee in trainees.items() if name not in lost}
        if not going:
            break
        most = min(an_epoch, job.limit - epoch * an_epoch) if job.limit else an_epoch
        tell(f"{job.id} epoch {epoch + 1} of {job.epochs}", of_steps(job.experiment, most))
        lost |= _epoch(job, epoch, most, going, books)
        left = {name: trainee for name, trainee in going.items() if name not in lost}
        results = at_once(left, lambda _, trainee: trainee.ask("finish", run=job.id))
        last = epoch + 1 == job.epochs or bool(job.limit and (epoch + 1) * an_epoch >= job.limit) or not left
        if not last:
            books.keep(job.id, epoch + 1, {name: t.ask("save", run=job.id) for name, t in left.items()})
        books.append("epoch", _row(job, epoch=epoch + 1, results=results, last=last))
        books.drop(job.id, but=0 if last else epoch + 1)
        if last:
            break
    for trainee in trainees.values():
        trainee.ask("forget", run=job.id)


def _epoch(job: Job, epoch: int, most: int, going: Mapping[str, Trainee], books: Books) -> set[str]:
    """The steps of one epoch; the frameworks that met a number that is not finite."""
    lost: set[str] = set()
    size = lay_out(job.experiment.model).size
    chunk = max(1, min(CHUNK_STEPS, CHUNK_NUMBERS // size))
    for first in range(0, most, chunk):
        asked = {"run": job.id, "epoch": epoch, "first": first, "count": min(chunk, most - first)}
        left = {name: trainee for name, trainee in going.items() if name not in lost}
        told = at_once(left, lambda _, trainee, asked=asked: trainee.ask("advance", record=job.compare, **asked))  # type: ignore[misc]
        for name, answer in told.items():
            if answer["lost"]:
                lost.add(name)
                books.append("lost", {"run": job.id, "backend": name, "reason": answer["lost"]})
            if job.compare:
                steps = {"backend": name, "epoch": epoch + 1, "first": first}
                books.append("steps", _row(job, **steps, losses=answer["losses"], metric=answer["metric"]))
        if job.compare:
            for (one, other), (apart, relative) in distances({n: a["parameters"] for n, a in told.items()}).items():
                books.append("apart", _row(
                    job, epoch=epoch + 1, first=first, one=one, other=other, apart=apart, relative=relative
                ))  # fmt: skip
    return lost


def _row(job: Job, **more: Any) -> dict[str, Any]:
    experiment = job.experiment.id
    return {"run": job.id, "experiment": experiment, "dtype": job.dtype, "seed": job.seed, **more}


def walk(
    run: str, experiment: Experiment, sets: Sets, trainee: Trainee, *, dtype: str, causes: Causes, steps: int
) -> Array:
    """The parameters after each of so many steps from seed 0, as rows, without a row in the books. TrainingFault."""
    trainee.build(run, experiment, sets, seed=0, dtype=dtype, causes=causes)
    an_epoch, seen = steps_an_epoch(len(sets.x), experiment.batch), []
    for epoch in range(-(-steps // an_epoch)):
        count = min(an_epoch, steps - epoch * an_epoch)
        told = trainee.ask("advance", run=run, epoch=epoch, first=0, count=count, record=True)
        if told["lost"]:
            raise TrainingFault(f"{trainee.backend}: {run}: not finite, {told['lost']}")
        seen.append(told["parameters"])
    trainee.ask("forget", run=run)
    return np.concatenate(seen).astype(np.float64)
