"""What `lossbench run` does: plan, lanes, claims, curves, answers, timing, in one folder that can be resumed."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from lossbench import __version__
from lossbench.bench import asked_again, claiming, limiting, pictures
from lossbench.bench.judging import bench_of
from lossbench.bench.pool import Pool
from lossbench.bench.together import threads
from lossbench.judge.custom import CustomResult, judge_custom
from lossbench.lanes import schedule
from lossbench.lanes.backends import backend_class
from lossbench.lanes.bounds import Bounds
from lossbench.lanes.process import LaneProcess
from lossbench.plugin import Outcome, execute, interrupted
from lossbench.record import requested
from lossbench.record.run import RunFolder
from lossbench.running.contract import Progress, Start, Timing, silent
from lossbench.running.wall import Wall
from lossbench.spec import catalogue as catalogues
from lossbench.spec import plan as plans
from lossbench.spec.case import Cell, Lane
from lossbench.spec.catalogue import Catalogue
from lossbench.spec.errors import BadInput
from lossbench.spec.profiles import MODES
from lossbench.spec.userloss import UserLoss

COMPILE_LIMIT_SECONDS: Final = 180.0
"""torch.compile's first function alone was seen to take 29 s; twice a loaded machine, and again as much."""


AUDITED: Final = ("standard", "full")
"""Profiles that also run the frameworks' own documentation: it imports each framework once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked for, as plain JSON values: a resumed run repeats it. Empty means the profile's own."""

    profile: str = "standard"
    losses: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    regimes: tuple[str, ...] = ()
    modes: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()
    seed: int = 0
    threads: int = 1
    seconds: float = 0.0
    practice: bool = True
    memory_limit_bytes: int = 0
    limit_seconds: float = 0.0

    @property
    def bounds(self) -> Bounds:
        """Of each worker."""
        return Bounds(memory_bytes=self.memory_limit_bytes, seconds=self.limit_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A request made concrete. unavailable: backend -> why it is left out."""

    request: Request
    catalogue: Catalogue
    plan: plans.Plan
    suites: tuple[Path, ...]
    unavailable: Mapping[str, str] = field(default_factory=dict)

    @property
    def custom(self) -> tuple[UserLoss, ...]:
        """Somebody's own functions among the losses of the plan."""
        names = dict.fromkeys(cell.case.loss for cell in self.plan.cells)
        found = (self.catalogue.losses[name] for name in names)
        return tuple(loss for loss in found if isinstance(loss, UserLoss))


class Elsewhere(Protocol):
    """Other machines that take a run's answers and times, as `lossbench.cluster.driver` does."""

    def seat(self, plan: plans.Plan, folder: RunFolder, suites: Sequence[Path], timing: Timing) -> None:
        """Called first: they prepare themselves from then on."""
        ...

    def fill(
        self, plan: plans.Plan, folder: RunFolder, schedule: Sequence[tuple[int, Cell]], wall: Wall, progress: Progress
    ) -> Mapping[str, str]:
        """All that the folder does not hold; facts of the machines that did it."""
        ...

    @property
    def left(self) -> Start:
        """What takes the place of a lane for cells that none of them could do."""
        ...


def prepare(request: Request) -> Bench:
    """Loads the suites and makes the plan. BadInput where the request names what is not there."""
    suites = tuple(Path(path) for path in request.suites)
    known = catalogues.load(suites, backend="")
    profile = plans.profile_named(request.profile)
    own = {path.resolve() for path in suites}
    losses = request.losses or tuple(name for name, file in known.files.items() if _within(file, own))
    unavailable = {
        backend: f"not installed here; pip install 'lossbench[{backend}]'"
        for backend in MODES
        if not backend_class(backend).installed()
    }
    there = [backend for backend in MODES if backend not in unavailable]
    for backend in request.backends:
        if backend in unavailable:
            raise BadInput(
                subject=f"backend {backend!r}",
                expected="an installed framework",
                received="none",
                remedy=f"pip install 'lossbench[{backend}]', or choose among {', '.join(there)}",
            )
    backends = request.backends or tuple(there)
    if not backends:
        raise BadInput(
            subject="frameworks",
            expected=f"one of {', '.join(MODES)} to be installed",
            received="none",
            remedy="pip install 'lossbench[torch]' or another, see `lossbench doctor`",
        )
    lanes = [Lane(backend=b, mode=m, threads=request.threads) for b in backends for m in MODES[b]]
    plan = plans.make(
        known, profile, lanes=lanes, losses=losses, dtypes=request.dtypes, regimes=request.regimes,
        modes=request.modes, operations=request.operations, backends=request.backends,
        seeds=(request.seed,) if request.seed else (),
    )  # fmt: skip
    return Bench(request=request, catalogue=known, plan=plan, suites=suites, unavailable=unavailable)


def carry_out(
    bench: Bench, folder: RunFolder, *, progress: Progress = silent, elsewhere: Elsewhere | None = None
) -> tuple[Outcome, list[CustomResult]]:
    """Runs what the folder does not hold yet; the outcome, and what is known of each function of the user's own.

    elsewhere: machines that take answers and times in place of this one, which keeps claims, curves and maps.
    """
    try:
        return _carried_out(bench, folder, progress, elsewhere)
    except KeyboardInterrupt:
        return interrupted(folder), []


def _carried_out(
    bench: Bench, folder: RunFolder, progress: Progress, elsewhere: Elsewhere | None
) -> tuple[Outcome, list[CustomResult]]:
    wall, timing = Wall(), _timing(bench)
    cases = len({cell.case.id for cell in bench.plan.cells})
    with (
        bench_of(bench.catalogue, bench.suites, cases) as (judge, judges),
        Pool(bench.suites, folder.path / "logs", bounds=bench.request.bounds, told=asked_again.teller(folder)) as pool,
    ):
        with wall.phase(), wall.during("start_up"):
            if elsewhere is None:
                limiting.note(bench.plan, bench.catalogue, folder, bench.request.threads)  # while nothing else runs
            else:
                elsewhere.seat(bench.plan, folder, bench.suites, timing)
            pool.await_all([lane for lane in bench.plan.lanes if elsewhere is None or lane.mode == "eager"])
        documents = partial(_documents, bench, folder, pool, judges, wall)
        if elsewhere is None:
            with wall.phase():
                custom, claimed = documents()
            outcome = execute(
                bench.plan, folder, pool.shared, judge, order=schedule.visits, timing=timing, progress=progress,
                facts=_facts(bench), judges=judges, wall=wall, second=pool.second_workers(bench.plan), between=claimed,
            )  # fmt: skip
        else:
            custom, found = _filled(bench, folder, elsewhere, documents, wall, progress)
            outcome = execute(
                bench.plan, folder, elsewhere.left, judge, order=schedule.visits, timing=timing, progress=progress,
                facts={**_facts(bench), **found}, judges=judges, wall=wall,
            )  # fmt: skip
    return outcome, custom


Documents = Callable[[], tuple[list[CustomResult], Callable[[], None]]]


def _documents(
    bench: Bench, folder: RunFolder, pool: Pool, judges: Executor | None, wall: Wall
) -> tuple[list[CustomResult], Callable[[], None]]:
    """What lanes of this machine are asked besides cells: functions of the user's own, claims, curves, maps.

    The function given back waits for what runs in processes of its own.
    """
    with wall.during("claims_and_curves"):
        eager = {lane.backend: lane for lane in bench.plan.lanes if lane.mode == "eager"}
        lanes = {backend: pool.lane(lane) for backend, lane in eager.items()}
        custom = _custom(bench, lanes)
        for row in (row for result in custom for row in result.rows()):
            folder.append("custom", row)
        chosen = {cell.case.loss for cell in bench.plan.cells}
        audited = bench.request.profile in AUDITED
        claimed = claiming.begin(folder, lanes, bench.catalogue, chosen, audited=audited)
        names = dict.fromkeys(cell.case.loss for cell in bench.plan.cells)
        losses = [bench.catalogue.losses[name] for name in names]
        dtypes = [d for d in bench.plan.profile.mapped if not bench.request.dtypes or d in bench.request.dtypes]
        pictures.take(folder, lanes, bench.catalogue, losses, dtypes, judges)
    return custom, claimed


def _filled(
    bench: Bench, folder: RunFolder, elsewhere: Elsewhere, documents: Documents, wall: Wall, progress: Progress
) -> tuple[list[CustomResult], Mapping[str, str]]:
    """Others take the cells; documents are asked meanwhile, or first where calls are timed, maybe on this machine."""
    timing = _timing(bench)
    visits = list(schedule.visits(bench.plan.groups, timing.visits, timing.seed))

    def asked() -> list[CustomResult]:
        custom, claimed = documents()
        claimed()
        return custom

    with threads() as beside:
        told = beside.submit(asked)
        if bench.plan.timed:
            with wall.phase():
                told.result()
        found = elsewhere.fill(bench.plan, folder, visits, wall, progress)
        with wall.phase():
            return told.result(), found


def _within(file: Path, own: set[Path]) -> bool:
    return file.resolve() in own or any(folder in file.resolve().parents for folder in own)


def _timing(bench: Bench) -> Timing:
    seconds = bench.request.seconds or bench.plan.profile.timed_seconds
    return Timing(
        visits=bench.plan.profile.visits,
        total_seconds=seconds,
        seed=bench.request.seed,
        limit_seconds=COMPILE_LIMIT_SECONDS,
    )


def _facts(bench: Bench) -> dict[str, str]:
    return {
        "lossbench.version": __version__,
        "profile": bench.request.profile,
        "command_line": shlex.join(["lossbench", *sys.argv[1:]]),
        "cells": str(len(bench.plan.cells)),
        "timed_cells": str(len(bench.plan.timed)),
        **{f"unavailable.{backend}": reason for backend, reason in bench.unavailable.items()},
    }


def _custom(bench: Bench, lanes: Mapping[str, LaneProcess]) -> list[CustomResult]:
    found = []
    for loss in bench.custom:
        for backend, lane in lanes.items():
            if loss.bindings_of(backend):
                losses = bench.catalogue.losses.values()
                found.append(judge_custom(loss, lane.lane.id, lane, catalogue=losses, like=loss.like))
    return found


def request_of(folder: RunFolder) -> Request:
    """What a run was asked for. RunDamaged where its manifest does not say."""
    return requested.read(Request, folder.request, run=folder.id)


def stored(request: Request) -> dict[str, Any]:
    """The request as JSON values, for the run's manifest."""
    return asdict(request)
