"""What `lossbench run` does: plan, lanes, claims, curves, answers, timing, in one folder that can be resumed."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from lossbench import __version__
from lossbench.bench import claiming, limiting, pictures
from lossbench.bench.judging import bench_of
from lossbench.bench.pool import Pool
from lossbench.judge.custom import CustomResult, judge_custom
from lossbench.lanes import schedule
from lossbench.lanes.backends import backend_class
from lossbench.lanes.process import LaneProcess
from lossbench.plugin import Outcome, execute, interrupted
from lossbench.record import requested
from lossbench.record.run import RunFolder
from lossbench.running.contract import Progress, Timing, silent
from lossbench.running.wall import Wall
from lossbench.spec import catalogue as catalogues
from lossbench.spec import plan as plans
from lossbench.spec.case import Lane
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


def carry_out(bench: Bench, folder: RunFolder, *, progress: Progress = silent) -> tuple[Outcome, list[CustomResult]]:
    """Runs what the folder does not hold yet; the outcome, and what is known of each function of the user's own."""
    try:
        return _carried_out(bench, folder, progress)
    except KeyboardInterrupt:
        return interrupted(folder), []


def _carried_out(bench: Bench, folder: RunFolder, progress: Progress) -> tuple[Outcome, list[CustomResult]]:
    wall = Wall()
    cases = len({cell.case.id for cell in bench.plan.cells})
    with (
        bench_of(bench.catalogue, bench.suites, cases) as (judge, judges),
        Pool(bench.suites, folder.path / "logs") as pool,
    ):
        with wall.phase(), wall.during("start_up"):
            limiting.note(bench.plan, bench.catalogue, folder, bench.request.threads)  # while nothing else runs
            pool.await_all(bench.plan.lanes)
        with wall.phase(), wall.during("claims_and_curves"):
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
        outcome = execute(
            bench.plan, folder, pool.shared, judge, order=schedule.visits, timing=_timing(bench),
            progress=progress, facts=_facts(bench), judges=judges, wall=wall, second=pool.second_workers(bench.plan),
            between=claimed,
        )  # fmt: skip
    return outcome, custom


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
