"""A report of a run that never happened, with hostile text in every place, in the system's Chromium."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "show"))
import synthetic_run

from lossbench.judge import baseline, ledger
from lossbench.judge.gate import Finding, GateResult
from lossbench.record.frames import Tables
from lossbench.show import chronicle, history
from lossbench.show import page as report
from lossbench.spec.ledger import KnownDefect

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
ROOT = Path(__file__).resolve().parents[2]
HOSTILE = "<script>window.hit=1</script><img src=x onerror=window.hit=1>\"'&{{7*7}}"
RUN = "20261122T140300Z-abc123"


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make setup")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no Chromium at {CHROMIUM}: apt-get install chromium")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


def twice_timed(tables: Tables) -> Tables:
    """The same run with the value alone timed as well, so that a loss has two tables of times."""
    timed = tables.cells[tables.cells["timed"]]
    more = {
        "cells": timed.assign(operation="value", cell=timed["cell"] + "v"),
        "measurements": tables.measurements.assign(operation="value", cell=tables.measurements["cell"] + "v"),
    }
    return replace(tables, **{n: pd.concat([getattr(tables, n), rows], ignore_index=True) for n, rows in more.items()})


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """file:// of a report with ordinary losses and one that is all markup."""
    losses = dict(synthetic_run.catalogue(1).losses)
    losses[HOSTILE] = synthetic_run.make_loss(
        HOSTILE, title=HOSTILE, formula=r"\text{" + HOSTILE + "}", differs=HOSTILE
    )
    known = synthetic_run.Catalogue(losses=losses)
    tables = twice_timed(synthetic_run.make(losses))
    for frame in (tables.agreement, tables.claims):
        frame.loc[frame.index[::3], "reason"] = HOSTILE
    tables.cells.loc[tables.cells.index[:2], ["status", "reason"]] = ["crashed", HOSTILE]
    worse = Finding(
        outcome="worse", topic="timing", subject=HOSTILE, change=1.3, change_low=1.2, change_high=1.4, reason=HOSTILE
    )
    gate = GateResult(exit_status=1, findings=(worse,), compared_verdicts=9, compared_times=4, smallest_change=0.07)
    defects = ledger.compare(known_defects(), tables.agreement)
    folder, asked = tmp_path_factory.mktemp("reports"), "torch/eager,jax/compiled"
    written = report.write(
        tables, known, folder, RUN, gate=gate, defects=defects, lanes=asked, run_folder=folder / "results" / RUN
    )
    return written.as_uri()


def known_defects() -> tuple[KnownDefect, ...]:
    """One that is seen, one that is gone, with hostile text in each."""
    common = {"backend": "torch", "binding": "native", "klass": "convention", "reason": HOSTILE, "reference": HOSTILE}
    return tuple(KnownDefect(loss="*", regime=regime, **common) for regime in ("huge", "typical"))


@pytest.fixture(scope="session")
def chronicle_address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """file:// of the page of three runs, the last with a loss that takes twice as long."""
    losses = {HOSTILE: synthetic_run.make_loss(HOSTILE), **synthetic_run.catalogue(1).losses}
    runs = []
    for number in range(3):
        tables = synthetic_run.make(losses, visits=16)
        timed, first = tables.measurements, tables.measurements["cell"].iloc[0]
        factor = 2.0 if number == 2 else 1.0
        timed["seconds_per_call"] = [
            tuple(s * factor for s in samples) if cell == first else samples
            for cell, samples in zip(timed["cell"], timed["seconds_per_call"], strict=True)
        ]
        runs.append((f"2026112{number}T000000Z-aaaaaa", baseline.of(tables)))
    out = tmp_path_factory.mktemp("history") / "history.html"
    return chronicle.write(runs, history.steps(runs), out).as_uri()


@dataclass(frozen=True, slots=True)
class Opened:
    """A page and what it did: requests, errors on its console, dialogs, breaches of its policy."""

    page: Any
    requests: list[str]
    errors: list[str]

    @property
    def breaches(self) -> list[str]:
        return list(self.page.evaluate("window.breaches"))


@pytest.fixture
def open_report(browser: Any, address: str) -> Iterator[Any]:
    contexts = []

    def opened(fragment: str = "", *, width: int = 1280, dark: bool = False, url: str = address) -> Opened:
        context = browser.new_context(
            offline=True, viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        contexts.append(context)
        page, requests, errors = context.new_page(), [], []
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        page.on("dialog", lambda dialog: (errors.append("a dialog"), dialog.dismiss()))
        page.add_init_script(
            "window.breaches = [];"
            "addEventListener('securitypolicyviolation', (e) => window.breaches.push(e.effectiveDirective))"
        )
        page.goto(url + fragment)
        return Opened(page, requests, errors)

    yield opened
    for context in contexts:
        context.close()
