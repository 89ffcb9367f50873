"""How many planted numerical defects does lossbench see, and how many does `numpy.allclose`?

A mutant is caught where a verdict on it is worse than the one on the unmutated binding in the very same cell, as the
gate would say: by class, by convention, or by a level beyond `stable`. Nothing is excused by hand.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from lossbench.judge import agreement
from lossbench.judge.elements import ulp_distance
from lossbench.judge.reference import Reference
from lossbench.judge.verdict import Verdict, rank
from lossbench.lanes.measurement import Answer
from lossbench.lanes.process import LaneProcess
from lossbench.spec import catalogue, inputs, plan
from lossbench.spec.case import Case, Cell, Lane
from lossbench.spec.errors import BadInput
from lossbench.spec.loss import Loss
from lossbench.spec.profiles import EDGES, MODES
from lossbench.spec.regimes import REGIMES
from lossbench.spec.variations import variations

SUITE: Final = Path(__file__).parent / "suite"
DTYPES: Final = ("float32", "float64")
LIMIT_SECONDS: Final = 120.0
AHEAD: Final = 12
BEYOND_ROUNDING: Final = ("digits_lost", "undefined", "differs", "invalid")
MARK: Final = "~"


@dataclass(slots=True, kw_only=True)
class Seen:
    """What was seen of one mutant. rules: how often each rule caught it. first: the first cell, with both verdicts.

    by_value: whether a value alone shows it. distance_ulp: the largest distance of a finite number from the unmutated
    binding's (infinite where the kinds differ). allclose, rtol: on ordinary inputs, value alone; `_grad` with the
    gradient; `_everywhere` with it in every regime.
    """

    loss: str
    backend: str
    base: str
    name: str
    kind: str
    rules: Counter[str] = field(default_factory=Counter)
    first: str = ""
    by_value: bool = False
    distance_ulp: float = 0.0
    allclose: bool = False
    allclose_grad: bool = False
    allclose_everywhere: bool = False
    rtol: bool = False
    rtol_grad: bool = False
    rtol_everywhere: bool = False

    @property
    def caught(self) -> bool:
        return bool(self.rules)

    @property
    def id(self) -> str:
        return f"{self.loss}@{self.backend}/{self.base}{MARK}{self.name}"


def cases(
    loss: Loss, *, dtypes: Sequence[str] = DTYPES, seeds: Sequence[int] = (0,), larger: bool = True
) -> Iterator[Case]:
    """What a run visits: every regime in each dtype, each parameter away from its default, and a larger shape."""
    defaults = tuple(sorted(loss.params.items()))
    small = loss.shapes["small"]
    for seed in seeds:
        for dtype in dtypes:
            for name in ("typical", *EDGES):
                regime = REGIMES[name]
                if regime.applies(loss):
                    yield Case(
                        loss=loss.name,
                        params=tuple(sorted(regime.params(loss, loss.params).items())),
                        shape=regime.shape(small),
                        dtype=dtype,
                        regime=name,
                        seed=seed,
                    )
        for params in variations(loss):
            yield Case(loss=loss.name, params=tuple(sorted(params.items())), shape=small, dtype=dtypes[0], seed=seed)
        medium = plan.shape_of(loss, "medium") if larger else None
        if medium is not None:
            yield Case(loss=loss.name, params=defaults, shape=medium, dtype=dtypes[0], seed=seed)


def worse(before: Verdict, after: Verdict) -> str:
    """The rule by which the gate calls the second verdict worse than the first; empty where it does not.

    `tight` that became `stable` is not enough here, though the gate mentions it.
    """
    another = after.klass == before.klass == "convention" and after.convention != before.convention
    if another:
        return f"{after.quantity}: convention {after.convention}"
    ranked = rank(after.verdict, after.klass) > rank(before.verdict, before.klass)
    if not ranked or (after.klass == before.klass and after.verdict not in BEYOND_ROUNDING):
        return ""
    detail = f" {after.convention}" if after.klass == "convention" else ""
    return f"{after.quantity}: {after.klass or after.verdict}{detail}"


class Check:
    """Runs the mutants beside their unmutated bindings in real workers and keeps what is seen."""

    def __init__(
        self,
        *,
        losses: Sequence[str] = (),
        backends: Sequence[str] = (),
        dtypes: Sequence[str] = DTYPES,
        suite: Path = SUITE,
        larger: bool = True,
    ) -> None:
        """losses, backends: only these; all by default. suite: the folder that the workers load, nothing else.

        larger: whether the larger shape is visited too.
        """
        self._suite, self._larger = suite, larger
        known = catalogue.load([suite], builtin=False)
        self._losses = [loss for loss in known.losses.values() if not losses or loss.name in losses]
        self._backends = tuple(backends or MODES)
        self._dtypes = tuple(dtypes)
        self.seen: dict[tuple[str, str, str], Seen] = {}
        self.false_defects: list[str] = []
        kinds = _kinds()
        for loss in self._losses:
            for backend in self._backends:
                for binding in loss.bindings_of(backend):
                    base, mark, name = binding.name.partition(MARK)
                    if mark:
                        key = (loss.name, backend, binding.name)
                        self.seen[key] = Seen(
                            loss=loss.name, backend=backend, base=base, name=name, kind=kinds.get(key, "")
                        )

    def run(self) -> list[Seen]:
        """Every case of every mutated loss."""
        with ExitStack() as stack:
            lanes = {
                b: stack.enter_context(LaneProcess(Lane(backend=b), [self._suite], builtin=False))
                for b in self._backends
            }
            threads = {b: stack.enter_context(ThreadPoolExecutor(max_workers=1)) for b in self._backends}
            waiting: list[tuple[Loss, Case, dict[Cell, Future[Answer]]]] = []
            for number, loss in enumerate(self._losses):
                if number:
                    print(f"{number} of {len(self._losses)} losses asked", file=sys.stderr, flush=True)
                for case in cases(loss, dtypes=self._dtypes, larger=self._larger):
                    asked = {
                        (cell := Cell(case=case, binding=binding.name, lane=lanes[b].lane, operation="grad")): threads[
                            b
                        ].submit(lanes[b].answer, cell, LIMIT_SECONDS)
                        for b in self._backends
                        for binding in loss.bindings_of(b)
                    }
                    waiting.append((loss, case, asked))
                    if len(waiting) > AHEAD:
                        self._judge(*waiting.pop(0))
            for one in waiting:
                self._judge(*one)
        return list(self.seen.values())

    def _judge(self, loss: Loss, case: Case, asked: Mapping[Cell, Future[Answer]]) -> None:
        answers = {cell: future.result() for cell, future in asked.items()}
        built = inputs.build(loss, case)
        reference = Reference(
            loss=loss, params=dict(case.params), arrays=built.arrays, dtype=case.dtype, digest=built.digest, grad=True
        )
        bindings = {
            cell.id: binding
            for cell in answers
            for binding in loss.bindings_of(cell.lane.backend)
            if binding.name == cell.binding
        }
        by_id = {cell.id: answer for cell, answer in answers.items()}
        found = agreement.judge(
            loss, dict(case.params), built.arrays, case.dtype, by_id, bindings=bindings, reference=reference
        )
        verdicts = {(v.cell, v.quantity): v for v in found if v.against == "oracle"}
        exact = _exact(reference)
        for cell, answer in answers.items():
            base, mark, _ = cell.binding.partition(MARK)
            if not mark:
                self.false_defects += [
                    f"{v.cell} {v.quantity}: {v.reason}"
                    for q in ("value", "grad")
                    if (v := verdicts.get((cell.id, q))) is not None and v.klass == "defect"
                ]
                continue
            whole = Cell(case=case, binding=base, lane=cell.lane, operation="grad")
            seen = self.seen[loss.name, cell.lane.backend, cell.binding]
            for quantity in ("value", "grad"):
                before, after = verdicts.get((whole.id, quantity)), verdicts.get((cell.id, quantity))
                if before is None or after is None or before.verdict == "absent":
                    continue
                if rule := worse(before, after):
                    seen.rules[rule] += 1
                    seen.by_value |= quantity == "value"
                    seen.first = seen.first or f"{cell.id}: {after.reason} (unmutated: {before.verdict} {before.klass})"
            seen.distance_ulp = max(seen.distance_ulp, _distance(answers[whole], answer, case.dtype))
            if exact is not None:
                _tolerances(seen, case, answers[whole], answer, exact)


def _kinds() -> dict[tuple[str, str, str], str]:
    """The kind of each mutant by loss, backend and binding, from the suite as it was imported."""
    tables = [m.MUTANTS for name, m in sys.modules.items() if name.endswith(".mutants") and hasattr(m, "MUTANTS")]
    return {(m.loss, m.backend, m.binding): m.kind for table in tables for m in table}


def _exact(reference: Reference) -> dict[str, np.ndarray[Any, Any]] | None:
    try:
        return {q: reference.quantity(q).rounded for q in ("value", "grad")}  # type: ignore[arg-type]
    except BadInput:  # nothing decides a number there
        return None


def _distance(base: Answer, mutant: Answer, dtype: str) -> float:
    if base.status != mutant.status:
        return float("inf")
    furthest = 0.0
    for one, other in ((base.value, mutant.value), (base.grad, mutant.grad)):
        if one is None or other is None or not one.size:
            continue
        if one.shape != other.shape:
            return float("inf")
        both = np.isnan(one) & np.isnan(other)
        furthest = max(furthest, float(np.where(both, 0.0, ulp_distance(one, other, dtype)).max()))
    return furthest


def _tolerances(seen: Seen, case: Case, base: Answer, mutant: Answer, exact: Mapping[str, Any]) -> None:
    """What two popular tolerances say, wherever they accept the unmutated binding."""
    for name, options in (("allclose", {}), ("rtol", {"rtol": 1e-3})):
        verdicts = {
            q: _near(getattr(base, field_), exact[q], options) and not _near(getattr(mutant, field_), exact[q], options)
            for q, field_ in (("value", "value"), ("grad", "grad"))
        }
        either = any(verdicts.values())
        if case.regime == "typical":
            setattr(seen, name, getattr(seen, name) or verdicts["value"])
            setattr(seen, f"{name}_grad", getattr(seen, f"{name}_grad") or either)
        setattr(seen, f"{name}_everywhere", getattr(seen, f"{name}_everywhere") or either)


def _near(got: Any, exact: Any, options: Mapping[str, float]) -> bool:
    if got is None or np.shape(got) != np.shape(exact):
        return False
    with np.errstate(all="ignore"):
        return bool(np.allclose(np.asarray(got, np.float64), exact, equal_nan=True, **options))


COLUMNS: Final = (
    ("lossbench", "caught"),
    ("allclose", "allclose"),
    ("+ gradient", "allclose_grad"),
    ("+ all regimes", "allclose_everywhere"),
    ("rtol 1e-3", "rtol"),
    ("+ gradient", "rtol_grad"),
    ("+ all regimes", "rtol_everywhere"),
)


def table(seen: Sequence[Seen]) -> str:
    """Caught by each judge, by kind of defect and in all, as Markdown."""
    lines = [
        "| kind | mutants | " + " | ".join(title for title, _ in COLUMNS) + " |",
        "| --- | " + " | ".join("---:" for _ in range(len(COLUMNS) + 1)) + " |",
    ]
    kinds = sorted({s.kind for s in seen})
    for kind, members in [(k, [s for s in seen if s.kind == k]) for k in kinds] + [("**all**", list(seen))]:
        counts = [sum(bool(getattr(s, name)) for s in members) for _, name in COLUMNS]
        lines.append(f"| {kind} | {len(members)} | " + " | ".join(map(str, counts)) + " |")
    return "\n".join(lines)


def summary(seen: Sequence[Seen]) -> str:
    """The misses, the rules and the totals."""
    lines = [
        f"missed {s.id} ({s.kind}): at most {s.distance_ulp:.3g} ulp from the unmutated binding"
        for s in seen
        if not s.caught
    ]
    firsts = Counter(rule.split(" ")[0] + " " + rule.split(" ")[1] for s in seen for rule in list(s.rules)[:1])
    lines += [f"first caught by {rule}: {count}" for rule, count in firsts.most_common()]
    gradient = sum(s.caught and not s.by_value for s in seen)
    caught = sum(s.caught for s in seen)
    lines.append(f"seen in the gradient alone: {gradient}")
    lines.append(f"{caught} of {len(seen)} caught ({100 * caught / max(1, len(seen)):.1f}%)")
    return "\n".join(lines)


def main() -> int:
    """Prints the table; 1 where fewer than 99% are caught."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loss", nargs="*", default=[], help="names; all mutated losses by default")
    parser.add_argument("--backend", nargs="*", default=[])
    parser.add_argument("--json", type=Path, help="a file for everything that was seen")
    asked = parser.parse_args()
    started = time.monotonic()
    check = Check(losses=asked.loss, backends=asked.backend)
    seen = check.run()
    for one in seen:
        rules = ", ".join(f"{rule} x{count}" for rule, count in one.rules.most_common(4))
        print(f"{'caught' if one.caught else 'MISSED'} {one.id} [{one.kind}]: {rules}")
    for said in check.false_defects:
        print(f"unmutated {said}")
    print(table(seen))
    print(summary(seen))
    print(f"{len(check.false_defects)} defects of unmutated bindings in the same cells")
    print(f"{time.monotonic() - started:.0f} s")
    if asked.json:
        asked.json.write_text(
            json.dumps(
                [asdict(replace(s, rules=Counter())) | {"rules": dict(s.rules), "caught": s.caught} for s in seen],
                indent=1,
            )
        )
    return int(sum(s.caught for s in seen) < 0.99 * len(seen))


if __name__ == "__main__":
    sys.exit(main())
