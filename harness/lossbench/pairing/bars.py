"""What the gate's error rates are held to, and, where one is not reached, what the measurement says of the reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from lossbench.judge.calibration import Rate
from lossbench.pairing.figures import LEAST_REPLICATES, Gate, left_out, spread, suite_share, usable
from lossbench.pairing.rates import Measured
from lossbench.pairing.whole import Whole, on

MOST_SUITES: Final = 0.01
LEAST_FOUND: Final = {0.05: 0.95, 0.10: 0.99}
MOST_INCONCLUSIVE: Final = 0.05
MOST_SECONDS: Final = 120.0
NAMED: Final = 4


def table(gates: Sequence[Gate], cells: int) -> Iterator[str]:
    """One row a gate, Wilson's 95% interval after each false-alarm rate; for other gates, suites by independence."""
    slowdowns = sorted({x for gate in gates for x in gate.found})
    heads = f"{'gate':<34}{'false alarms a comparison':<30}{'suites with one':<26}"
    yield heads + "".join(f"{x:>+8.0%}" for x in slowdowns)
    for gate in gates:
        known = {x for x in gate.found if gate.found[x].trials}
        powers = "".join(f"{gate.found[x].share:>8.1%}" if x in known else f"{'-':>8}" for x in slowdowns)
        alone = f"{suite_share(gate.alarms, cells):.1%} if independent" if gate.alarms.trials else "-"
        whole = said(gate.suites) if gate.suites else alone
        yield f"{gate.name:<34}{said(gate.alarms):<30}{whole:<26}{powers}"


def noise(measured: Measured) -> Iterator[str]:
    """Each measured cell's spread."""
    for own in usable(measured):
        seen = ", ".join(f"{x:+.0%} as {np.expm1(np.median(own.slow[x])):+.1%}" for x in LEAST_FOUND if x in own.slow)
        yield (
            f"{spread(own.head):>7.2%} robust SD of an unchanged log ratio, {len(own.head)} replicates, "
            f"measured {seen}: {own.cell.id}"
        )
    for own in left_out(measured):
        taken = len(own.head)
        why = f"{taken} replicates, {LEAST_REPLICATES} are needed; give a longer --budget" if taken else "no answer"
        yield f"LEFT OUT, {why}: {own.cell.id}"


def verdicts(measured: Measured, gate: Gate, wholes: Sequence[Whole], hurried: Gate | None = None) -> Iterator[str]:
    """`met` or `MISSED`, bar by bar, and why; hurried: the gate where there is time for few rounds alone."""
    noisy = sorted(usable(measured), key=lambda own: -spread(own.head))[:NAMED]
    named = "the noisiest cells: " + ", ".join(f"{own.cell.id} {spread(own.head):.1%}" for own in noisy)
    for own, how in ((gate, ""), (hurried, ", with few rounds")):
        if own and own.suites:
            what = f"suites with a false alarm{how} {said(own.suites)}"
            yield _bar(what, own.suites.share <= MOST_SUITES, "1%", named)
        for slowdown, least in LEAST_FOUND.items():
            if own and slowdown in own.found:
                found = own.found[slowdown]
                yield _bar(f"{slowdown:+.0%} found{how} {said(found)}", found.share >= least, f"{least:.0%}", named)
    if gate.inconclusive:
        open_ = gate.inconclusive
        yield _bar(f"inconclusive, given the time {said(open_)}", open_.share <= MOST_INCONCLUSIVE, "5%", named)
    for whole in wholes:
        why = "; ".join(whole.undecided)
        open_ = whole.inconclusive
        yield _bar(
            f"a whole run of {whole.cells} cells: {open_.share:.1%} inconclusive",
            open_.share <= MOST_INCONCLUSIVE,
            "5%",
            why,
        )
        yield _bar(f"its {whole.seconds:.0f} s on {on()}", whole.seconds <= MOST_SECONDS, f"{MOST_SECONDS:.0f} s", why)
        counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(whole.verdicts.items()))
        yield f"        {counts}; {whole.replicates:.1f} replicates a cell, {whole.processes} processes"


def said(found: Rate) -> str:
    """`0.12% [0.1%, 0.15%]`: a share with Wilson's 95% interval."""
    if not found.trials:
        return "-"
    share, low, high = (f"{100 * x:.3g}%" for x in (found.share, *found.interval))
    return f"{share} [{low}, {high}]"


def _bar(what: str, met: bool, bar: str, why: str) -> str:
    return f"{'met' if met else 'MISSED':<8}{what} (bar {bar})" + ("" if met else f": {why}")
