"""Every answer as a block of data: nothing is lost in packing, and nothing in it can leave it."""

from __future__ import annotations

import json
from typing import Any

import synthetic_run

from lossbench.show import page, roster

HOSTILE = "</script><script>alert(1)</script>"


def unpacked(column: dict[str, Any]) -> list[int]:
    if "at" in column:
        return list(column["at"])
    codes, runs = [], column["runs"]
    for code, count in zip(runs[::2], runs[1::2], strict=True):
        codes += [code] * count
    return codes


def test_every_row_comes_back() -> None:
    known = synthetic_run.catalogue(2)
    tables = synthetic_run.make(known.losses)
    data = json.loads(str(roster.of(tables, {name: loss.title for name, loss in known.losses.items()})))
    columns = {c["head"]: [c["words"][code] for code in unpacked(c)] for c in data["columns"]}
    assert {len(words) for words in columns.values()} == {data["rows"]}
    silent = tables.cells[tables.cells["status"] != "ok"]
    assert data["rows"] == len(tables.agreement) + len(silent)
    shown = list(zip(*(columns[h] for h in ("framework", "spelling", "dtype", "inputs", "verdict")), strict=True))
    wanted = tables.agreement[["backend", "binding", "dtype", "regime", "class"]].itertuples(index=False)
    assert shown[: len(tables.agreement)] == [tuple(row) for row in wanted]
    assert {row[-1] for row in shown[len(tables.agreement) :]} <= {"failed"}


def test_numbers_sort_by_what_they_are() -> None:
    known = synthetic_run.catalogue(2)
    data = json.loads(str(roster.of(synthetic_run.make(known.losses), {})))
    worst = next(c for c in data["columns"] if c["head"] == "worst (ulp)")
    keys = dict(zip(worst["words"], worst["key"], strict=True))
    assert keys["0.5"] == 0.5
    assert keys["∞"] == "inf"
    verdict = next(c for c in data["columns"] if c["head"] == "verdict")
    assert dict(zip(verdict["words"], verdict["key"], strict=True)).items() >= {"range": 5, "rounding": 0}.items()


def test_nothing_in_it_ends_the_block() -> None:
    losses = {HOSTILE: synthetic_run.make_loss(HOSTILE, title=HOSTILE)}
    text = page.render(synthetic_run.make(losses), synthetic_run.Catalogue(losses=losses))
    block = text[text.index('id="cells-data">') + 16 :]
    data = json.loads(block[: block.index("</script>")])
    assert data["columns"][0]["words"] == [HOSTILE]
