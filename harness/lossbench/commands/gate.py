"""`lossbench gate`: did anything get worse since the baseline?"""

from __future__ import annotations

import json as jsonlib
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from lossbench.bench.hunting import budget as budgets
from lossbench.commands import outlets
from lossbench.commands.options import RESULTS, Json, Results, RunId, chosen
from lossbench.commands.runs import run_folder
from lossbench.commands.timing import MARGIN, Asked, Timing, fraction
from lossbench.judge import baseline as baselines
from lossbench.judge import gate, ledger
from lossbench.judge.gate import GateResult
from lossbench.judge.ledger import LedgerResult
from lossbench.pairing import trees
from lossbench.record import run as runs
from lossbench.spec.errors import BadInput
from lossbench.spec.plain import plain

BaselinePath = Annotated[Path, typer.Option("--baseline", help="Folder written by `lossbench baseline`.")]
Margin = Annotated[float, typer.Option("--margin", min=0.0, help="The slowdown that matters: 0.25 is 25%.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit 2 also where a time stays undecided.")]
Only = Annotated[str, typer.Option("--only", help="agreement, timing or work; default: all.")]
Subset = Annotated[
    bool, typer.Option("--only-measured", help="Leave out what the run did not plan: a part of the baseline.")
]

Base = Annotated[str, typer.Option("--base", metavar="REVISION", help="Time that revision's suites beside these anew.")]
Budget = Annotated[str, typer.Option("--budget", help="How long that may take: 60s, 2m, 1h.")]
Ledger = Annotated[bool, typer.Option("--ledger/--no-ledger", help="Fail on a defect that the reviewed ledger lacks.")]

Markdown = Annotated[Path | None, typer.Option("--markdown", metavar="OUT", help="Write the result as Markdown.")]
Junit = Annotated[Path | None, typer.Option("--junit", metavar="OUT", help="Write the result as JUnit XML.")]
Sarif = Annotated[Path | None, typer.Option("--sarif", metavar="OUT", help="Write what fails as SARIF 2.1.0.")]

READ = baselines.READ | {"agreement": tuple(dict.fromkeys((*baselines.READ["agreement"], *ledger.READ)))}
"""What a gate asks of a run: what its baseline would keep, and what the ledger is held against."""

TOPICS = ("agreement", "timing", "work")


def command(
    run: RunId = "",
    baseline: BaselinePath = Path("results/baseline"),
    margin: Margin = gate.MARGIN,
    strict: Strict = False,
    only: Only = "",
    only_measured: Subset = False,
    base: Base = "",
    budget: Budget = "120s",
    known: Ledger = True,
    results: Results = RESULTS,
    markdown: Markdown = None,
    junit: Junit = None,
    sarif: Sarif = None,
    json: Json = False,
) -> None:
    """Compare a run with a baseline. Exit status 0: nothing worse; 1: something is; 2: cannot tell.

    Agreement verdicts are compared exactly, and so is the work that frameworks count themselves; times as ratios
    between neighbours, on like machines and versions only, or with --base anew, side by side and by the rule of
    `compare`; `--base baseline` is the commit that the baseline was recorded at. --strict makes any undecided time 2.
    A defect that the ledger of known ones lacks is worse, baseline or not; so is a known one that a whole run misses.
    In a GitHub job the Markdown is added to the step's summary by itself.

    Example: lossbench gate --baseline results/baseline
    """
    topics = cast(tuple[Literal["agreement", "timing", "work"], ...], chosen("--only", only, TOPICS))
    if base and "timing" not in topics:
        raise BadInput(
            subject="--base", expected="times among the topics", received=f"--only {only}", remedy="leave one out"
        )
    before, folder = gate.load_baseline(baseline), run_folder(results, run)
    after = runs.read(folder, only=READ)
    if only_measured:
        before = before.restricted(set(after.cells["cell"]))
    recorded = tuple(topic for topic in topics if not base or topic != "timing")
    result = gate.compare(before, after, margin=margin, strict=strict, topics=recorded)
    anew = (
        _side_by_side(before.facts.get("commit.id", "") if base == "baseline" else base, budget, strict)
        if base
        else None
    )
    defects = ledger.of_run(after, runs.manifest(folder)["request"]) if known and "agreement" in topics else None
    outlets.write(result, defects, folder, cells=set(after.cells["cell"]), markdown=markdown, junit=junit, sarif=sarif)
    surprised = bool(defects and defects.exit_status)
    if json:
        times = {"side_by_side": anew[1]} if anew else {}
        print(jsonlib.dumps(_record(result) | _surprises(defects) | times, indent=1, default=str))
    else:
        if recorded:
            say(result)
        if anew:
            typer.echo("\n".join(anew[2]))
        if defects:
            typer.echo("\n".join([f"ledger: {defects.sentence}", *map(plain, defects.lines())]))
    statuses = {result.exit_status if recorded else 0, *([anew[0]] if anew else [])}
    raise typer.Exit(1 if surprised or 1 in statuses else max(statuses))


def _side_by_side(revision: str, budget: str, strict: bool) -> tuple[int, dict[str, object], list[str]]:
    """Exit status, record and lines of the built-in suites at a revision, timed beside those here."""
    if not revision:
        raise BadInput(
            subject="--base baseline",
            expected="a baseline recorded in a git checkout",
            received="one without a commit",
            remedy="name the revision",
        )
    rule = Timing(margin=fraction(MARGIN), budget_seconds=budgets.seconds(budget), strict=strict)
    with tempfile.TemporaryDirectory(prefix="lossbench-") as scratch:
        campaign = rule.timed(Asked().sides(trees.version(revision, None, Path(scratch).resolve()), trees.builtin()))
    status = rule.status(campaign)
    return status, rule.record(campaign, status), list(rule.lines(campaign, status))


def _surprises(defects: LedgerResult | None) -> dict[str, object]:
    return {"ledger": {"sentence": defects.sentence, "lines": defects.lines()} if defects else None}


def say(result: GateResult) -> None:
    """The result for a person: the answer first, then each finding."""
    answer = {0: "nothing got worse", 1: "something got worse", 2: "cannot tell"}[result.exit_status]
    typer.echo(f"{answer}: {result.compared_verdicts} verdicts and {result.compared_times} times compared")
    if result.compared_times:
        typer.echo(f"half of the timed cells would have shown a slowdown of {result.smallest_change:.0%}")
    if result.spread == result.spread:
        typer.echo(
            f"between these two runs the cells moved by {result.spread:.1%} (robust SD); to see less, time both "
            "versions side by side: compare --base, gate --base"
        )
    for finding in result.findings:
        where = f"{finding.outcome:<13} {finding.topic:<10} {finding.subject} {finding.quantity}"
        typer.echo(plain(f"{where}  {finding.reason}"))


def _record(result: GateResult) -> dict[str, object]:
    record = asdict(result)
    for finding in record["findings"]:
        for name in ("change", "change_low", "change_high"):
            finding[name] = None if finding[name] != finding[name] else finding[name]
    for name in ("smallest_change", "spread"):
        record[name] = None if record[name] != record[name] else record[name]
    return record
