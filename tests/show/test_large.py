"""A page of a run that is larger than a page: what says most is on it, and it says what is not."""

from __future__ import annotations

import json

import pytest
import synthetic_run

from lossbench.show import page, roster, sections
from lossbench.show.times import Entry, Ranking, Span

TIME = Span(middle=1.0, low=1.0, high=1.0)


def ranking(shape: tuple[int, ...], dtype: str = "float32", operation: str = "grad", entries: int = 3) -> Ranking:
    entry = Entry(
        cell="c", backend="jax", mode="eager", binding="b", device="cpu", seconds=TIME, visits=1, right=True, gain=None,
        behind=TIME,
    )  # fmt: skip
    return Ranking(loss="l", operation=operation, dtype=dtype, shape=shape, entries=(entry,) * entries)


def test_the_times_that_say_most_are_shown() -> None:
    every = [ranking((4,)), ranking((9,), operation="value"), ranking((9,), dtype="float64"), ranking((9,))]
    assert sections.shown(every, share=12) == every
    assert sections.shown(every, share=11) == [every[0], every[2], every[3]]
    assert sections.shown(every, share=6) == [every[0], every[3]]
    assert sections.shown(every, share=0) == [every[3]], "each loss has one"
    assert sections.shown([], share=0) == []


def test_a_page_says_what_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    known = synthetic_run.catalogue(2)
    tables = synthetic_run.make(known.losses)
    words = "were timed: measurements.parquet"
    assert words not in page.render(tables, known)
    monkeypatch.setattr(sections, "shown", lambda rankings, share: rankings[:0])  # noqa: ARG005
    text = page.render(tables, known)
    assert text.count("was timed: measurements.parquet") == 2


def test_answers_that_are_not_rounding_come_before_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    known = synthetic_run.catalogue(3)
    tables = synthetic_run.make(known.losses)
    whole = json.loads(str(roster.of(tables, {})))
    assert whole["rows"] == whole["of"]
    found = tables.agreement["class"]
    notable = int((found != "rounding").sum()) + int((tables.cells["status"] != "ok").sum())
    monkeypatch.setattr(roster, "MOST", notable + 10)
    part = json.loads(str(roster.of(tables, {})))
    assert (part["rows"], part["of"]) == (notable + 10, whole["of"])
    (verdicts,) = [column for column in part["columns"] if column["head"] == "verdict"]
    runs = verdicts.get("runs") or [n for code in verdicts["at"] for n in (code, 1)]
    counts: dict[str, int] = {}
    for code, length in zip(runs[::2], runs[1::2], strict=True):
        counts[verdicts["words"][code]] = counts.get(verdicts["words"][code], 0) + length
    assert counts["rounding"] == 10
