"""How long a report takes to open and to sort in headless Chromium: `python tests/browser/measure.py [PAGE...]`.

Without a page one of 100,000 answers is made. Seconds depend on the machine and on what else runs there, so this is a
measurement and no test.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "show"))
import synthetic_run

from lossbench.record.frames import Tables
from lossbench.show import page as report

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
PAINTED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now()))))"
SORT = """(head) => new Promise((done) => {
  const begin = performance.now();
  head.click();
  requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - begin)));
})"""


def large(answers: int) -> Tables:
    """A run of 60 losses whose answers are repeated under other seeds until there are so many."""
    tables = synthetic_run.make(synthetic_run.catalogue(60).losses)
    times = -(-answers // len(tables.agreement))
    more = {}
    for name in ("agreement", "cells"):
        frame = getattr(tables, name)
        more[name] = pd.concat(
            [frame.assign(cell=frame["cell"] + f"#{n}") if n else frame for n in range(times)], ignore_index=True
        )
    return replace(tables, **more)


def made(answers: int, folder: Path) -> Path:
    """The report of such a run, without curves, which are the same however many answers there are."""
    tables = large(answers)
    bare = replace(tables, curves=tables.curves.iloc[:0])
    return report.write(bare, synthetic_run.catalogue(60), folder, "large")


def measured(browser: Any, path: Path, again: int) -> None:
    """Open it in a fresh context each time; print medians in seconds."""
    opened, sorts, elements = [], {}, 0
    for _ in range(again):
        context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.goto(path.resolve().as_uri())
        opened.append(page.evaluate(PAINTED) / 1000)
        elements = page.evaluate("document.querySelectorAll('*').length")
        for table in ("table[data-roster=cells]", "table[data-name=findings]", "table[data-name=picture]"):
            if page.locator(table).count():
                head = page.locator(f"{table} th button").last.element_handle()
                sorts.setdefault(table, []).append(page.evaluate(SORT, head) / 1000)
        context.close()
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB, {elements} elements, open {statistics.median(opened):.2f} s")
    for table, seconds in sorts.items():
        print(f"  sort {table}: {statistics.median(seconds):.3f} s")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("pages", nargs="*", type=Path)
    asked.add_argument("--answers", type=int, default=100_000)
    asked.add_argument("--again", type=int, default=5)
    options = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as started:
        pages = options.pages or [made(options.answers, Path(folder))]
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for path in pages:
            measured(browser, path, options.again)
        browser.close()


if __name__ == "__main__":
    main()
