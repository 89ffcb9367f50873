"""The search itself: one probe after another, suspects confirmed alone, confirmed finds made small."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from lossbench.bench.hunting import ordinals, probes
from lossbench.bench.hunting.budget import Clock
from lossbench.bench.hunting.finds import COUNTED, FORMULAS, Behaviour, Find, Key, merged
from lossbench.bench.hunting.lanes import NO_RESULT, Asking, rows_of
from lossbench.bench.hunting.looking import Seen, look
from lossbench.bench.hunting.probes import Probe
from lossbench.bench.hunting.shrinking import LIMIT_SECONDS, Shrinking
from lossbench.bench.hunting.witness import Witness
from lossbench.judge.reference import Reference
from lossbench.judge.verdict import USUAL, Quantity
from lossbench.lanes.measurement import Answer
from lossbench.spec import inputs
from lossbench.spec.case import Case
from lossbench.spec.loss import Binding, Loss

GENERATIONS: Final = 3
AROUND: Final = 2048
LEAST_ROWS: Final = 16
LEAST_TURN_SECONDS: Final = 2.0
TURNS: Final = 5
"""A loss is visited this often or more, if the budget allows."""
FAILED: Final = ("crashed", "timeout")

Told = Callable[[Clock, Probe, int], None]


@dataclass(slots=True, kw_only=True)
class Search:
    """Everything seen so far. told: hears of each probe."""

    asking: Asking
    clock: Clock
    seed: int = 0
    told: Told = lambda clock, probe, found: None  # noqa: ARG005
    finds: list[Find] = field(default_factory=list)
    _looked: set[tuple[str, ...]] = field(default_factory=set)
    _known: dict[Key, Find] = field(default_factory=dict)
    _usable: dict[tuple[str, str, str, str], bool] = field(default_factory=dict)

    def run(self, losses: Sequence[Loss], dtypes: tuple[str, ...]) -> list[Behaviour]:
        """Until the budget is spent. Deterministic in the seed and the number of probes."""
        for probe in probes.order(losses, dtypes):
            if self.clock.spent:
                break
            self.clock.turn(max(LEAST_TURN_SECONDS, self.clock.seconds / (TURNS * len(losses))))
            rng = np.random.default_rng(
                [self.seed, *f"{probe.loss.name}/{probe.dtype}/{probe.stage}/{probe.round_number}".encode()]
            )
            for witness in probes.witnesses(probe, rng):
                if self.clock.turn_over:
                    break
                worst = self.examine(witness, probe)
                if probe.stage == "draws" and witness.separable:
                    self._climb(witness, worst, rng, probe)
            self.clock.asked += 1
            self.told(self.clock, probe, len(self._known))
        return merged(self.finds)

    def examine(self, witness: Witness, probe: Probe) -> list[int]:
        """Asks every binding; the rows with the largest errors."""
        spellings = [s for s in self._spellings(witness, probe) if self._usable.get(_mark(witness, *s), True)]
        asked = [self.asking.post(witness, *spelling) for spelling in spellings]
        if not asked:
            return []
        reference = self.asking.reference(witness)
        if witness.separable:
            decided(reference)
        worst: dict[int, None] = {}
        for one in asked:
            answer = one.answer.result()
            if not self._is_usable(witness, one.backend, one.binding, answer):
                continue
            for quantity in USUAL:
                if self.clock.turn_over:
                    return []
                seen = self._seen(witness, reference, answer, quantity, one.backend, one.binding)
                worst |= dict.fromkeys(seen)
        return list(worst)

    def _seen(
        self, witness: Witness, reference: Reference, answer: Answer, quantity: Quantity, backend: str, binding: Binding
    ) -> Iterable[int]:
        if answer.status in FAILED or not witness.separable:
            if answer.status in ("ok", *FAILED):
                self._confirm(witness, answer, backend, binding, quantity, ("whole", witness.source), reference)
            return ()
        worst: list[int] = []
        for rows in _decidable(witness, reference):
            part, exact, got = witness, reference, answer
            if rows is not None:
                part, got = witness.at(rows), rows_of(answer, rows)
                exact = self.asking.reference(part)
            seen = look(part, exact, got, quantity, binding)
            if seen is None:
                continue
            first = 0 if rows is None else int(rows.start)
            worst += [first + row for row in seen.worst]
            self._suspects(part, seen, got, backend, binding, quantity)
        return worst

    def _suspects(
        self, witness: Witness, seen: Seen, answer: Answer, backend: str, binding: Binding, quantity: Quantity
    ) -> None:
        for suspect in seen.suspects:
            if self.clock.turn_over:
                return
            row = slice(suspect.row, suspect.row + 1)
            self._confirm(witness.at(row), rows_of(answer, row), backend, binding, quantity, suspect.kind)

    def _confirm(
        self, witness: Witness, answer: Answer, backend: str, binding: Binding, quantity: Quantity,
        kind: tuple[str, ...], reference: Reference | None = None,
    ) -> None:  # fmt: skip
        """A first look at a kind of suspect in this binding and dtype; later ones are not looked at."""
        params = ",".join(f"{n}={v}" for n, v in witness.params.items())
        mark = (witness.loss.name, backend, binding.name, witness.dtype, quantity, params, *kind)
        if mark in self._looked:
            return
        self._looked.add(mark)
        verdict = self.asking.judged(witness, answer, backend, binding, quantity, reference)
        if verdict is None or verdict.klass not in COUNTED:
            return
        self._note(Find(backend=backend, binding=binding, witness=witness, verdict=verdict))

    def _note(self, find: Find) -> None:
        known = self._known.get(find.key)
        if known is not None and (known.native or not find.native):
            self.finds.append(find)
            return
        small = Shrinking(
            asking=self.asking,
            find=find,
            limit_seconds=math.inf if self.clock.probes else min(LIMIT_SECONDS, self.clock.left),
        ).smallest()
        self._known[find.key] = small
        self._known[small.key] = small
        self.finds.append(small)

    def _spellings(self, witness: Witness, probe: Probe) -> Iterator[tuple[str, Binding]]:
        """In the first pass the frameworks' own, where there are any."""
        every = self.asking.bindings(witness)
        own = {backend for backend, binding in every if binding.name not in FORMULAS}
        kept = [(b, s) for b, s in every if not probe.native or b not in own or s.name not in FORMULAS]
        turns = [sum(b == backend for b, _ in kept[:place]) for place, (backend, _) in enumerate(kept)]
        # backends in turn, so that none is left out where the share of the budget ends
        yield from (kept[place] for place in sorted(range(len(kept)), key=lambda place: turns[place]))

    def _is_usable(self, witness: Witness, backend: str, binding: Binding, answer: Answer) -> bool:
        """Whether it answers on ordinary inputs, in the inputs' dtype; an answer that is none is itself a find."""
        mark, loss, dtype = _mark(witness, backend, binding), witness.loss, witness.dtype
        if answer.status == "ok" and dtype in answer.result_dtype:
            self._usable.setdefault(mark, True)
        if mark not in self._usable and answer.status not in FAILED:
            case = Case(
                loss=loss.name, params=tuple(sorted(loss.params.items())), shape=loss.shapes["small"], dtype=dtype
            )
            plain = Witness(loss=loss, dtype=dtype, arrays=inputs.build(loss, case).arrays, source="ordinary inputs")
            ordinary = self.asking.ask(plain, backend, binding)
            self._usable[mark] = ordinary.status == "ok"
            for quantity in USUAL:
                verdict = self.asking.judged(plain, ordinary, backend, binding, quantity)
                if verdict is not None and verdict.klass == "api":
                    self._usable[mark] = False
                    self._note(Find(backend=backend, binding=binding, witness=plain, verdict=verdict))
                    break
        return self._usable.get(mark, True) and (answer.status in ("ok", *FAILED))

    def _climb(self, witness: Witness, worst: list[int], rng: np.random.Generator, probe: Probe) -> None:
        """Generations of neighbours of the worst rows, near and far in bit patterns."""
        for _ in range(GENERATIONS):
            if not worst or self.clock.turn_over:
                return
            parents = witness.at(np.resize(np.asarray(worst), AROUND))
            witness = neighbours(parents, rng)
            worst = self.examine(witness, probe)


def _mark(witness: Witness, backend: str, binding: Binding) -> tuple[str, str, str, str]:
    return (witness.loss.name, witness.dtype, backend, binding.name)


def decided(reference: Reference) -> bool:
    """Whether the oracle has a result for the whole batch."""
    try:
        reference.quantity("value")
    except NO_RESULT:
        return False
    return True


def _decidable(witness: Witness, reference: Reference) -> Iterator[slice | None]:
    """The whole, or parts of it where one row keeps the oracle from deciding."""
    if decided(reference):
        yield None
    else:
        step = max(LEAST_ROWS, witness.rows // 16)
        for start in range(0, min(witness.rows, 16 * step), step):
            yield slice(start, start + step)


def neighbours(parents: Witness, rng: np.random.Generator) -> Witness:
    """Each row with one input or both moved by up to a tenth of the format's range; the first row stays."""
    arrays = dict(parents.arrays)
    for name, given in parents.arrays.items():
        kind = parents.loss.inputs[name].kind
        if kind not in ("real", "logits", "positive", "nonnegative", "probability") or not parents.per_row(name):
            continue
        reach = np.log2(0.1 * ordinals.largest(parents.dtype))
        steps = np.rint(np.exp2(rng.uniform(0.0, reach, given.shape))) * rng.integers(-1, 2, given.shape)
        moved = ordinals.moved(given, steps.astype(np.int64), parents.dtype)
        if kind == "probability":
            moved = np.clip(moved, 0.0, 1.0)
        elif kind in ("positive", "nonnegative"):
            moved = np.abs(moved)
            moved = np.where((moved == 0) & (kind == "positive"), given, moved)
        arrays[name] = moved.astype(given.dtype)
    return replace(parents, arrays=arrays, source="neighbours of the worst")
