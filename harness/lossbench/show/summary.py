"""The first screen: three questions answered in sentences with numbers, and how sure each answer is."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import pandas as pd

from lossbench.judge.gate import GateResult
from lossbench.record import conditions
from lossbench.show import format as fmt
from lossbench.show.findings import BROKEN, Finding
from lossbench.show.picture import ORDINARY
from lossbench.show.times import Ranking, span

_LOST: Final = ("accuracy", "range", "api")
_VERSIONS: Final = ("tensorflow", "tensorflow-cpu", "keras", "torch", "jax", "optax")


class Facts(Protocol):
    """What is asked of the tables here."""

    @property
    def facts(self) -> pd.DataFrame: ...

    def fact(self, key: str, default: str = "") -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """tone: good, mixed, bad or unknown. sentences: the first is the answer, the rest say how sure and where."""

    question: str
    tone: str
    sentences: tuple[str, ...]
    href: str = ""
    more: str = ""


def _plural(number: int, one: str, many: str = "") -> str:
    return f"{fmt.count(number)} {one if number == 1 else many or one + 's'}"


def agreement(rows: pd.DataFrame, cells: pd.DataFrame, found: Sequence[Finding]) -> Answer:
    """Do they agree? Counted in comparisons of one quantity of one cell with the exact result."""
    oracle = rows[rows["against"] == "oracle"]
    question = "Do they agree?"
    if oracle.empty:
        return Answer(
            question=question, tone="unknown", sentences=("This run compared nothing with the exact result.",)
        )
    by_class = Counter(str(key) for key in oracle["class"])
    fine = by_class["rounding"] + by_class["kink"]
    lost, defects = sum(by_class[k] for k in _LOST), by_class["defect"]
    compared = sum(n for key, n in by_class.items() if key)
    first = (
        f"{fmt.count(fine)} of {_plural(compared, 'answer')} ({fmt.percent(fine / max(compared, 1))}) equal the exact "
        f"result to rounding; {fmt.count(by_class['convention'])} follow another named definition; "
        f"{fmt.count(lost)} lose digits or range; {_plural(defects, 'is a defect', 'are defects')}."
    )
    ordinary = oracle[oracle["regime"].eq(ORDINARY) & oracle["class"].ne("")]
    equal = ordinary["class"].isin(("rounding", "kink"))
    whole = int(equal.groupby(ordinary["loss"]).all().sum())
    usual = (
        f"On ordinary inputs {fmt.percent(equal.mean())} do, for {whole} of {ordinary['loss'].nunique()} losses "
        "in every spelling."
        if len(ordinary)
        else ""
    )
    bad = [f for f in found if f.mark.key in (*_LOST, "defect")]
    losses = sorted(set(oracle["loss"]))
    clean = len(losses) - len({f.loss for f in bad})
    second = f"{_plural(clean, 'loss', 'losses')} of {len(losses)} have nothing worse than a different convention."
    broken = int(cells["status"].isin(BROKEN).sum())
    third = f"{_plural(broken, 'cell')} failed, crashed or ran out of time." if broken else ""
    both = oracle["quantity"].eq("grad") & oracle["class"].isin((*_LOST, "defect"))
    values = set(oracle.loc[oracle["quantity"].eq("value") & oracle["class"].isin((*_LOST, "defect")), "case"])
    alone = int((both & ~oracle["case"].isin(values)).sum())
    fourth = f"Of the {fmt.count(lost + defects)} in the last two kinds {fmt.count(alone)} show in the gradient alone."
    fourth = fourth if alone else ""
    tone = "bad" if defects or broken else "mixed" if lost else "good"
    return Answer(
        question=question,
        tone=tone,
        sentences=tuple(s for s in (first, usual, fourth, second, third) if s),
        href="#look",
        more="What to look at",
    )


def speed(rankings: Mapping[str, Ranking], titles: Mapping[str, str]) -> Answer:
    """Which is fastest? One ranking a loss, see `times.headline`."""
    question = "Which is fastest?"
    best = {loss: r.fastest for loss, r in rankings.items() if r.fastest is not None}
    if not best:
        return Answer(question=question, tone="unknown", sentences=("This run timed nothing.",))
    wins = Counter(f"{e.backend} {e.mode}" for e in best.values() if e)
    shares = [
        f"{name} for {_plural(n, 'loss', 'losses') if i == 0 else n}" for i, (name, n) in enumerate(wins.most_common(4))
    ]
    sure = sum(1 for r in rankings.values() if _sure(r))
    gains = [
        (e.gain.middle, e, loss)
        for loss, r in rankings.items()
        for backend in {x.backend for x in r.entries}
        if (e := r.best_of(backend)) is not None and e.gain is not None and math.isfinite(e.gain.middle)
    ]
    first = f"{', '.join(shares)}, among the spellings that are right."
    sentences = [
        first,
        f"For {sure} of {_plural(len(best), 'loss', 'losses')} the interval rules out "
        "that the runner-up backend is as fast.",
    ]
    if gains:
        middle = span(g for g, _, _ in gains)
        top, entry, loss = max(gains, key=lambda g: g[0])
        gain = entry.gain
        sentences.append(
            f"Over a framework's own documented call, run eagerly, its fastest form gains "
            f"{fmt.ratio(middle.middle, middle.low, middle.high)} in the median; most, "
            f"{fmt.ratio(top, gain.low, gain.high) if gain else ''}: "
            f"{titles.get(loss, loss)} in {entry.backend} ({entry.mode})."
        )
    return Answer(
        question=question, tone="good", sentences=tuple(sentences), href="#fastest", more="Gain for each loss"
    )


def _sure(ranking: Ranking) -> bool:
    first = ranking.fastest
    if first is None:
        return False
    others = [e for e in ranking.entries if e.right and e.backend != first.backend]
    return bool(others) and min(others, key=lambda e: e.seconds.middle).behind.low > 1


def resolution(rankings: Sequence[Ranking]) -> float:
    """Half the width of a cell's interval relative to its time, median over cells; NaN without timings."""
    widths = [
        (e.seconds.high - e.seconds.low) / 2 / e.seconds.middle
        for r in rankings
        for e in r.entries
        if e.seconds.middle > 0
    ]
    return float(np.median(widths)) if widths else math.nan


def change(gate: GateResult | None, rankings: Sequence[Ranking]) -> Answer:
    """Did anything get worse? Only a comparison with a baseline can say."""
    question = "Did anything get worse?"
    width = resolution(rankings)
    seen = f"A time is known to ±{fmt.percent(width)} here (median over timed cells)." if math.isfinite(width) else ""
    if gate is None:
        cannot = "This page cannot say: the run was not compared; `lossbench report --against RUN` does that."
        return Answer(question=question, tone="unknown", sentences=tuple(s for s in (cannot, seen) if s))
    tone, word = _worse(gate)
    counts = gate.counts
    first = (
        f"{word}: {_plural(gate.compared_verdicts, 'verdict')} and {_plural(gate.compared_times, 'time')} "
        f"were compared with the baseline; {counts['worse']} worse, {counts['better']} better, "
        f"{counts['inconclusive'] + counts['cannot_tell']} undecided."
    )
    reason = f"First: {gate.findings[0].subject}: {gate.findings[0].reason}." if gate.findings else ""
    smallest = gate.smallest_change
    power = (
        f"Half of the timed cells would have shown a slowdown of {fmt.percent(smallest)}."
        if math.isfinite(smallest)
        else ""
    )
    sentences = tuple(s for s in (first, reason, power) if s)
    return Answer(
        question=question,
        tone=tone,
        sentences=sentences,
        href="#gate" if gate.findings else "",
        more="All that the gate says",
    )


def _worse(gate: GateResult) -> tuple[str, str]:
    """Tone and answer. After an upgrade verdicts are compared and times are not, which is half an answer, not none."""
    if gate.exit_status == 0:
        return "good", "No"
    if gate.exit_status == 1:
        return "bad", "Yes"
    only_times = all(f.topic in ("machine", "versions") for f in gate.findings if f.outcome == "cannot_tell")
    if gate.compared_verdicts and only_times:
        return "mixed", "Not in what is computed; whether it is slower cannot be told"
    return "unknown", "It cannot be told"


def _when(run_id: str) -> str:
    """`20261122T140300Z-abc123` as `2026-11-22 14:03 UTC`; empty where an id holds no time."""
    found = re.match(r"(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})\d{2}Z", run_id)
    return "{}-{}-{} {}:{} UTC".format(*found.groups()) if found else ""


def what_was_run(tables: Facts, run_id: str = "") -> list[tuple[str, str]]:
    """(label, text) pairs for the line above everything."""
    fact = tables.fact
    versions = [f"{n.removesuffix('-cpu')} {fact(f'version.{n}')}" for n in _VERSIONS if fact(f"version.{n}")]
    dirty = {"yes": ", with local changes", "no": ", clean"}.get(fact("commit.dirty"), "")
    cores = fact("machine.threads_allowed") or fact("machine.cores")
    memory = fact("machine.memory_bytes")
    machine = [
        fact("machine.cpu"),
        f"{cores} threads" if cores else "",
        f"{float(memory) / 2**30:.0f} GiB" if memory else "",
        fact("machine.gpu") or "no GPU" if fact("machine.cpu") else "",
        f"load {fact('machine.load_1min')}" if fact("machine.load_1min") else "",
    ]
    pairs = [
        ("versions", " · ".join(dict.fromkeys(versions))),
        ("machine", " · ".join(m for m in machine if m)),
        ("commit", f"{fact('commit.id')[:10]}{dirty}" if fact("commit.id") else ""),
        ("time", _when(run_id)),
        ("profile", fact("profile")),
        ("python", fact("python.version")),
    ]
    return [(label, text) for label, text in pairs if text]


def disturbed(tables: Facts) -> list[str]:
    """What went on beside the timed calls and what the clock is like, where a reader must know it."""
    keys = (*(f"conditions.timing.{name}" for name in ("others_share", "stolen_share", "suspended_seconds")),)
    numbers = [float(tables.fact(key) or 0.0) for key in (*keys, "clock.tick_seconds")]
    return [f"While calls were timed, {said}." for said in conditions.warnings(*numbers)]


def wall_parts(tables: Facts) -> dict[str, float]:
    """Facts named `wall.<part>_seconds` as part -> seconds."""
    found = {}
    for key, text in zip(tables.facts["key"], tables.facts["value"], strict=True):
        name = str(key)
        if name.startswith("wall.") and name.endswith("_seconds") and name != "wall.total_seconds":
            try:
                found[name[5:-8].replace("_", " ")] = float(text)
            except ValueError:
                continue
    return {name: seconds for name, seconds in found.items() if seconds >= 0}
