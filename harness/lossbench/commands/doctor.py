"""`lossbench doctor`: what is installed, which devices are there, and what to do about what is missing."""

from __future__ import annotations

import json as jsonlib
import shutil
from typing import Any

import typer

from lossbench import __version__
from lossbench.bench.pool import Pool
from lossbench.commands.options import Json
from lossbench.lanes.backends import BACKENDS, backend_class
from lossbench.lanes.backends.base import cache_folder
from lossbench.lanes.process import LaneLost
from lossbench.record import machine
from lossbench.spec import catalogue
from lossbench.spec.case import Lane


def command(json: Json = False) -> None:
    """Say what is installed and what to do about what is missing. Exit status 1: no framework works.

    Example: lossbench doctor
    """
    record: dict[str, Any] = {
        "lossbench": __version__,
        "losses": len(catalogue.load().losses),
        "machine": machine.facts(),
        "compile_cache": str(cache_folder()),
        "backends": _backends(),
        "advice": [],
    }
    record["advice"] = _advice(record)
    if json:
        print(jsonlib.dumps(record, indent=1, default=str))
    else:
        _say(record)
    raise typer.Exit(0 if any(found["works"] for found in record["backends"].values()) else 1)


def _backends() -> dict[str, dict[str, Any]]:
    """Each framework is asked in a worker of its own."""
    found: dict[str, dict[str, Any]] = {}
    with Pool() as pool:
        there = [name for name in BACKENDS if backend_class(name).installed()]
        pool.start(Lane(backend=name) for name in there)
        for name in BACKENDS:
            if name not in there:
                found[name] = {"works": False, "reason": "not installed"}
                continue
            try:
                greeting = pool.lane(Lane(backend=name)).ready()
            except LaneLost as lost:
                found[name] = {"works": False, "reason": lost.reason}
                continue
            found[name] = {"works": True, **{key: greeting[key] for key in ("versions", "devices", "modes")}}
    return found


def _advice(record: dict[str, Any]) -> list[str]:
    advice = []
    for name, found in record["backends"].items():
        if found["works"]:
            continue
        if found["reason"] == "not installed":
            advice.append(
                f"{name} is not installed: pip install 'lossbench[{name}]'; until then its cells are left out"
            )
        else:
            advice.append(f"{name} does not start ({found['reason']}): reinstall it at the pinned version")
    if not any("cuda" in found.get("devices", ()) for found in record["backends"].values()):
        advice.append("no GPU is visible to any framework: cells on cuda are rows that say so")
    if shutil.which("c++") is None and shutil.which("g++") is None:
        advice.append("no C++ compiler: torch.compile cannot run, its cells say so; install g++ to measure it")
    return advice


def _say(record: dict[str, Any]) -> None:
    typer.echo(
        f"lossbench {record['lossbench']}, {record['losses']} losses; compile caches in {record['compile_cache']}"
    )
    for name, found in record["backends"].items():
        if found["works"]:
            versions = ", ".join(f"{package} {version}" for package, version in found["versions"].items())
            devices, modes = ", ".join(found["devices"]), ", ".join(found["modes"])
            typer.echo(f"  {name:<11} works    {versions}; devices {devices}; modes {modes}")
        else:
            typer.echo(f"  {name:<11} missing  {found['reason']}")
    for advice in record["advice"]:
        typer.echo(f"  - {advice}")
