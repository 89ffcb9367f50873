"""What the sources and the frameworks' own documentation say of the losses of a run, tried on its lanes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

from lossbench.bench.asked_again import unanswered
from lossbench.bench.together import threads
from lossbench.judge import claims, docstrings, kinks, prose, snippets
from lossbench.lanes.process import LaneProcess
from lossbench.record.run import RunFolder
from lossbench.spec.catalogue import Catalogue
from lossbench.spec.example import Example
from lossbench.spec.loss import Loss
from lossbench.spec.userloss import UserLoss


def begin(
    folder: RunFolder, lanes: Mapping[str, LaneProcess], catalogue: Catalogue, chosen: Set[str], *, audited: bool
) -> Callable[[], None]:
    """Rows of the claims table about the chosen losses, once a run; lanes by backend.

    The lanes are asked now. What is written in documents runs in processes of its own, which import a framework anew;
    the function given back waits for them and writes the rows. Where a lane gave no answer a resumed run asks again.
    audited: the examples in the frameworks' own documentation too, where every built-in loss is among the chosen.
    """
    if "claims" in folder.done().cases:
        return _nothing
    find, before = catalogue.find, unanswered(lanes)
    built_in = {name for name, loss in catalogue.losses.items() if not isinstance(loss, UserLoss)}
    examples = [e for e in documented() if find(e.loss).name in chosen]
    written = {e.id: e.snippet for e in examples if e.call} if "tensorflow" in lanes else {}
    stated = [claim for claim in stated_in_prose() if find(claim.loss).name in chosen]
    by_id = {lane.lane.id: lane for lane in lanes.values()}
    audited = audited and built_in <= chosen
    pool = ThreadPoolExecutor()
    printed = pool.submit(docstrings.audit, tuple(lanes), catalogue.losses.values()) if audited else None
    ran = pool.submit(snippets.run, written) if written else None
    pool.shutdown(wait=False)  # no more is asked of it
    rows = prose.check(stated, by_id, find=find)
    rows += kinks.audit([catalogue.losses[name] for name in sorted(built_in & chosen)], by_id)
    tried = _tried(examples, lanes, find)
    whole = unanswered(lanes) == before

    def finish() -> None:
        told = ran.result() if ran else {}
        checked = claims.check(examples, lambda _, example, *__: tried[example.id], find=find, written=told)
        for row in [*rows, *checked, *(printed.result() if printed else [])]:
            folder.append("claims", row)
        if whole:
            folder.judged("claims")

    return finish


def _nothing() -> None:
    """A run that was resumed has its claims."""


def _tried(
    examples: Sequence[Example], lanes: Mapping[str, LaneProcess], find: Callable[[str], Loss]
) -> dict[str, list[claims.Tried]]:
    """What each lane gives for the worked examples, by their id; each lane in a thread of its own."""
    found: dict[str, list[claims.Tried]] = {e.id: [] for e in examples}

    def ask(lane: LaneProcess) -> list[tuple[str, claims.Tried]]:
        run = claims.through({lane.lane.id: lane})
        answers = []
        for example in examples:
            loss = find(example.loss)
            params = {**loss.params, **example.params}
            answers += [(example.id, one) for one in run(loss, example, params, claims.inputs_of(example, loss))]
        return answers

    if examples:
        with threads() as pool:
            for answers in pool.map(ask, lanes.values()):
                for name, one in answers:
                    found[name].append(one)
    return found


def stated_in_prose() -> Sequence[Any]:
    """What the sources state in prose, from the built-in suites."""
    return import_module("lossbench.suites.prose").CLAIMS  # type: ignore[no-any-return]


def documented() -> Sequence[Any]:
    """The sources' worked examples, from the built-in suites."""
    return import_module("lossbench.suites.documented").EXAMPLES  # type: ignore[no-any-return]
