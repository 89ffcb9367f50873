"""`lossbench compare` between interpreters: what another version of a framework changes, in numbers and in time."""

from __future__ import annotations

import json as jsonlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import typer

from lossbench.commands.timing import Asked, Timing
from lossbench.lanes.replicas import Source
from lossbench.lanes.turns import Interpreter, Turns
from lossbench.lanes.versions import Version
from lossbench.pairing import environments, trees, upgrade
from lossbench.show import upgrades
from lossbench.spec.case import Lane
from lossbench.spec.errors import BadInput


def command(
    base: str, head: str, base_python: str, head_python: str, suite: Path | None, asked: Asked, rule: Timing
) -> NoReturn:
    """Builds what is asked for, compares every answer, times in turn, and says both on one screen."""
    pythons = _python("base", base, base_python), _python("head", head, head_python)
    backends = asked.backends or environments.backends_of([text for text in (base, head) if text])
    code = (suite or trees.builtin()).resolve()
    found = replace(asked, backends=backends).sides(code, code)
    suites, builtin = ([code], found.versions[0].builtin) if suite else ((), True)
    seen: dict[Lane, Mapping[str, Mapping[str, str]]] = {}

    own = {"base": pythons[0], "control": pythons[0], "head": pythons[1]}

    def started(lane: Lane, versions: Sequence[Version], seed: int) -> Source:  # noqa: ARG001 - a child imports one
        return Turns(
            lane, [Interpreter(name=v.name, python=own[v.name]) for v in versions], suites, builtin=builtin, seen=seen
        )

    answers = upgrade.agreement(found.every, pythons, suites, builtin)
    campaign = rule.timed(found, started)
    status = rule.status(campaign)
    worse = bool(answers.turned) or any(verdict.verdict != "tight" for verdict in answers.moved)
    ended = 1 if worse else status
    versions: dict[str, dict[str, str]] = {"base": {}, "head": {}}
    for installed in seen.values():
        for name, known in versions.items():
            known |= installed.get(name, {})
    parts = answers.compared, answers.same, answers.moved, answers.turned
    if rule.json:
        said = rule.record(campaign, status) | upgrades.record(versions, *parts) | {"exit_status": ended}
        print(jsonlib.dumps(said, indent=1))
    else:
        typer.echo(upgrades.installed(versions))
        typer.echo("\n".join([*upgrades.lines(*parts), *rule.lines(campaign, status)]))
    raise typer.Exit(ended)


def _python(side: str, text: str, path: str) -> str:
    """Path of a side's interpreter, empty for this one. BadInput where there is none."""
    if text and path:
        raise BadInput(
            subject=f"--{side}", expected=f"a version or --{side}-python, not both", received=f"{text} and {path}",
            remedy="leave one out",
        )  # fmt: skip
    if path:
        known = shutil.which(str(Path(path).expanduser()))
        if known is None:
            raise BadInput(
                subject=f"--{side}-python", expected="a Python interpreter", received=path, remedy="check the path"
            )
        return str(Path(known).absolute())  # not resolved: a virtual environment's python is a link
    if text and not environments.named(text):
        raise BadInput(
            subject=f"--{side}", expected="requirements such as 'optax==0.2.7', as the other side has",
            received=repr(text), remedy="give both sides as requirements, or both as files or revisions",
        )  # fmt: skip
    return environments.interpreter(text) if text else ""
