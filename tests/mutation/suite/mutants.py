"""The losses of the catalogue that have mutants, each with the bindings that these are planted into."""

from __future__ import annotations

from dataclasses import replace

from lossbench import Loss
from lossbench.spec import catalogue

from ._classes import CLASSES
from ._others import OTHERS
from ._planting import planted
from ._regression import REGRESSION

MUTANTS = (*REGRESSION, *CLASSES, *OTHERS)


def _mutated() -> dict[str, Loss]:
    known = catalogue.load().losses
    found = {}
    for name in dict.fromkeys(mutant.loss for mutant in MUTANTS):
        loss = known[name]
        by_key = {(b.backend, b.name): b for b in loss.bindings}
        own = [m for m in MUTANTS if m.loss == name]
        bases = dict.fromkeys((m.backend, m.base) for m in own)
        bindings = [by_key[key] for key in bases] + [planted(m, by_key[m.backend, m.base]) for m in own]
        found[name] = replace(loss, bindings=tuple(bindings))
    return found


globals().update(_mutated())
