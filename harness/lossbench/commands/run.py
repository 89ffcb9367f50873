"""`lossbench run`: run the benchmarks, keep the tables, write the report."""

from __future__ import annotations

import json as jsonlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from lossbench.bench import carry as benches
from lossbench.bench import surroundings, training, trust
from lossbench.bench.carry import Request
from lossbench.commands import unanswered
from lossbench.commands.clustered import machines
from lossbench.commands.ending import terminable
from lossbench.commands.options import (
    REPORTS,
    RESULTS,
    Backends,
    Json,
    Losses,
    Modes,
    Reports,
    Suites,
    Written,
    chosen,
    words,
)
from lossbench.commands.progress import NOW_AND_THEN, progress_bar
from lossbench.commands.runs import run_folder
from lossbench.judge import ledger
from lossbench.judge.custom import CustomResult
from lossbench.lanes.backends import BACKENDS
from lossbench.lanes.bounds import bytes_of
from lossbench.plugin import INTERRUPTED, Outcome
from lossbench.practice import section
from lossbench.record.run import RunFolder
from lossbench.record.stores import here
from lossbench.show import page
from lossbench.spec.errors import BadInput
from lossbench.spec.plain import plain

Profile = Annotated[
    str,
    typer.Option("--profile", help="quick (2 minutes), agreement (5), standard (10), sizes (1 to 2^24 numbers), full."),
]
Dtypes = Annotated[str, typer.Option("--dtype", help="float64, float32, bfloat16, float16; comma-separated.")]
Regimes = Annotated[str, typer.Option("--regime", help="typical, kink, saturated, ...; comma-separated.")]
Operations = Annotated[str, typer.Option("--operation", help="value, grad, grad_target, jvp; comma-separated.")]
Seed = Annotated[int, typer.Option("--seed", help="Of the inputs and of the schedule.")]
Threads = Annotated[int, typer.Option("--threads", min=1, help="Intra-op threads of each worker.")]
Seconds = Annotated[float, typer.Option("--seconds", min=0, help="Timed calls in all; 0: the profile's own.")]
MemoryLimit = Annotated[
    str, typer.Option("--memory-limit", help="Of each worker, like 4GiB; one that holds more is ended.")
]
TimeLimit = Annotated[
    float, typer.Option("--time-limit", min=0, help="Seconds for one answer of a worker; 0: 180, of curves 60.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with RUN, or with the latest run, where it stopped.")]
NoPractice = Annotated[bool, typer.Option("--no-practice", help="Leave out the training runs.")]
NoReport = Annotated[bool, typer.Option("--no-report", help="Keep the tables, write no report.")]
Ledger = Annotated[bool, typer.Option("--ledger", help="Exit 1 where the reviewed ledger of known defects is wrong.")]
Cluster = Annotated[str, typer.Option("--cluster", help="Run on a Ray cluster: auto, or ray://host:port.")]
Needs = Annotated[
    str, typer.Option("--needs", help="With --cluster: resources that a node must have, such as accelerator:h100.")
]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="With --resume: a run id or folder.")]

FINE = ("rounding", "kink")
MOST_SHOWN = 8
MOST_NAMED = 3


def command(
    run: RunName = "",
    profile: Profile = "standard",
    loss: Losses = "",
    backend: Backends = "",
    dtype: Dtypes = "",
    regime: Regimes = "",
    mode: Modes = "",
    operation: Operations = "",
    suite: Suites = [],  # noqa: B006 - typer reads the default
    seed: Seed = 0,
    threads: Threads = 1,
    seconds: Seconds = 0.0,
    memory_limit: MemoryLimit = "",
    time_limit: TimeLimit = 0.0,
    resume: Resume = False,
    results: Written = RESULTS,
    reports: Reports = REPORTS,
    no_practice: NoPractice = False,
    no_report: NoReport = False,
    known: Ledger = False,
    cluster: Cluster = "",
    needs: Needs = "",
    json: Json = False,
) -> None:
    """Run the benchmarks, keep the tables in results/, write the report to reports/.

    Example: lossbench run --profile quick
    Example: lossbench run --loss huber --backend torch,jax --dtype float32
    Example: lossbench run --suite my_losses.py
    Example: lossbench run --profile agreement --cluster auto
    Exit status 1: a function marked `like` is not the loss that it says it is, or, with --ledger, a defect is not
    among the known ones, or a known one is gone.
    """
    if run and not resume:
        raise BadInput(
            subject="run", expected="options alone", received=repr(run), remedy="add --resume to go on with a run"
        )
    memory_bytes = bytes_of(memory_limit)
    if resume:
        begun = here(run_folder(results, run), "--resume")
        trust.demand(begun, suite)
        folder = RunFolder.open(begun)
        asked = benches.request_of(folder)
        bench = benches.prepare(
            replace(
                asked,
                memory_limit_bytes=memory_bytes or asked.memory_limit_bytes,
                limit_seconds=time_limit or asked.limit_seconds,
            )
        )
    else:
        backends = words(backend) and chosen("--backend", backend, tuple(BACKENDS))
        bench = benches.prepare(
            Request(
                profile=profile, losses=words(loss), backends=backends, dtypes=words(dtype),
                regimes=words(regime), modes=words(mode), operations=words(operation),
                suites=tuple(str(path.resolve()) for path in suite), seed=seed, threads=threads, seconds=seconds,
                practice=not no_practice, memory_limit_bytes=memory_bytes, limit_seconds=time_limit,
            )
        )  # fmt: skip
    trust.note(suite)
    trained = training.prepare(bench)
    console = Console(stderr=True)

    def say(text: str) -> None:
        console.print(text, style="yellow", markup=False, soft_wrap=True)

    with machines(
        cluster, words(needs), bench.plan, folder if resume else None, results, say, bench.request.bounds
    ) as elsewhere:
        if not resume:
            folder = RunFolder.create(results, request=benches.stored(bench.request))
        for name, reason in bench.unavailable.items():
            say(f"{name}: {reason}")
        with terminable() as ending, folder:
            for said in surroundings.look(bench.plan, folder):
                say(f"before the run: {said}")
            with progress_bar(console, every_seconds=NOW_AND_THEN) as progress:
                outcome, custom = benches.carry_out(bench, folder, progress=progress, elsewhere=elsewhere)
                ended, fault = 0, ""
                if trained is not None and outcome.exit_status != INTERRUPTED:
                    ended, fault = training.carry_out(trained, folder.path, progress=progress)
    written = None
    defects = ledger.of_run(outcome.tables, benches.stored(bench.request))
    if not (no_report or ending.asked):
        written = page.write(
            outcome.tables, bench.catalogue, reports, folder.id, defects=defects, run_folder=folder.path,
            training=section.of_run(folder.path, reports / folder.id),
        )  # fmt: skip
    status = outcome.exit_status or max((result.exit_status for result in custom), default=0)
    status = status or (defects.exit_status if known else 0) or ended
    if fault:
        console.print(f"{fault}; `lossbench run --resume` goes on with them", style="yellow", markup=False)
    if json:
        print(jsonlib.dumps(_record(folder, written, outcome, custom, status), indent=1))
    else:
        _say(Console(), folder, written, outcome, custom)
    raise typer.Exit(status)


def _record(
    folder: RunFolder, written: Path | None, outcome: Outcome, custom: list[CustomResult], status: int
) -> dict[str, Any]:
    cells, agreement = outcome.tables.cells, outcome.tables.agreement
    oracle = agreement[agreement["against"] == "oracle"]
    return {
        "run": folder.id,
        "folder": str(folder.path),
        "report": str(written) if written else None,
        "exit_status": status,
        "sentence": outcome.sentence,
        "unanswered": unanswered.sentences(outcome.tables, folder.id),
        "statuses": cells["status"].value_counts().to_dict(),
        "classes": oracle["class"].replace("", "not compared").value_counts().to_dict(),
        "custom": [
            {
                "exit_status": result.exit_status,
                "checks": result.rows(),
                "relatives": [_relative(r) for r in result.relatives],
            }
            for result in custom
        ],
    }


def _relative(relative: Any) -> dict[str, Any]:
    return {name: getattr(relative, name) for name in relative.__slots__}


def _say(
    console: Console,
    folder: RunFolder,
    written: Path | None,
    outcome: Outcome,
    custom: list[CustomResult],
) -> None:
    def line(text: str, style: str = "") -> None:
        console.print(plain(text), style=style, markup=False, highlight=False, soft_wrap=True)

    for result in custom:
        for text, bad in _own(result):
            line(text, "red" if bad else "")
    cells = outcome.tables.cells
    counts = ", ".join(f"{n} {status}" for status, n in cells["status"].value_counts().items())
    line(f"{len(cells)} cells: {counts}")
    agreement = outcome.tables.agreement
    classes = agreement.loc[agreement["against"] == "oracle", "class"].replace("", "not compared").value_counts()
    for told in unanswered.sentences(outcome.tables, folder.id):
        line(told, "yellow")
    line("against the oracle: " + ", ".join(f"{n} {name}" for name, n in classes.items()))
    line(f"tables   {_shown(folder.path)}")
    names = list(dict.fromkeys(cells["loss"]))
    if len(names) <= MOST_NAMED:
        line(f"in words {', '.join(f'lossbench show {name}' for name in names)}")
    if written:
        line(f"report   {_shown(written.parent.parent / 'latest' / 'index.html')}")
    if outcome.exit_status == INTERRUPTED:
        line(outcome.sentence, "yellow")


def _own(result: CustomResult) -> Iterator[tuple[str, bool]]:
    """What to say of one function, and whether it is bad: the answer, what is not rounding, the nearest relative."""
    first = result.checks[0]
    fine = [check for check in result.checks if check.klass in FINE]
    other = sorted((c for c in result.checks if c.klass not in FINE), key=lambda check: not check.fatal)
    answer = {0: "is what it says", 1: "IS NOT what it says", 2: "cannot be used as a loss"}[result.exit_status]
    yield (
        f"{first.loss} ({first.lane}) {answer}: {len(fine)} of {len(result.checks) - 1} checks hold to rounding",
        False,
    )
    for check in other[:MOST_SHOWN]:
        where = " ".join(part for part in (check.check, check.dtype, check.regime) if part)
        named = f" {check.convention}" if check.convention else ""
        said = f"{check.klass}{named}: {check.reason}" if check.klass else check.reason
        yield f"  {'NOT SO  ' if check.fatal else '        '}{where}  {said}", check.fatal
    if len(other) > MOST_SHOWN:
        yield f"          and {len(other) - MOST_SHOWN} more, see the report", False


def _shown(path: Path) -> str:
    """Relative to where the user is, if it lies below."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") else str(path)
