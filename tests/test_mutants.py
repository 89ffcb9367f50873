"""A small part of `make mutants`: planted defects are seen, and a binding with nothing planted in it is not."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from textwrap import dedent

import pytest
from tests.mutation.check import SUITE, Check, worse

from lossbench.judge.verdict import Verdict
from lossbench.lanes.backends import backend_class
from lossbench.spec import catalogue

FOLDER = """
    from dataclasses import replace
    from lossbench.spec import catalogue

    mae = catalogue.load().losses["mae"]
    base = next(b for b in mae.bindings if b.name == "functional")

    def planted(name, change):
        def call(m, y_true, y_pred, **params):
            return change(m, y_pred, base.call(m, y_true, y_pred, **params))
        return replace(base, name=f"functional~{name}", call=call)

    mae = replace(mae, bindings=(
        base,
        planted("nothing", lambda m, y_pred, loss: loss),
        planted("moved_twice", lambda m, y_pred, loss: (loss + 1.0) - 1.0),
        planted("doubled", lambda m, y_pred, loss: 2.0 * loss),
        planted("gradient_only", lambda m, y_pred, loss: loss + 0.001 * (y_pred - y_pred.detach()).sum()),
    ))
"""


def test_planted_defects_are_seen_and_nothing_planted_is_not(tmp_path: Path) -> None:
    if not backend_class("torch").installed():
        pytest.skip("PyTorch is not installed")
    (tmp_path / "planted.py").write_text(dedent(FOLDER))
    check = Check(suite=tmp_path, dtypes=("float32",), larger=False)
    found = {one.name: one for one in check.run()}
    assert {name: one.caught for name, one in found.items()} == {
        "nothing": False,
        "moved_twice": True,  # adding one drops the digits of small losses
        "doubled": True,
        "gradient_only": True,
    }
    assert found["nothing"].distance_ulp == 0
    assert found["doubled"].by_value
    assert found["doubled"].allclose
    assert not found["gradient_only"].by_value
    assert not found["gradient_only"].allclose


def test_mutants_are_many_and_spread() -> None:
    known = catalogue.load([SUITE], builtin=False)
    table = next(m.MUTANTS for name, m in sys.modules.items() if name.endswith(".mutants") and hasattr(m, "MUTANTS"))
    assert len({(m.loss, m.backend, m.binding) for m in table}) == len(table) >= 120
    assert min(Counter(m.backend for m in table).values()) >= 30
    assert len({m.kind for m in table}) >= 15
    builtin = catalogue.load()
    families = Counter(builtin.family(m.loss) for m in table)
    assert len(families) >= 8
    planted = {(loss.name, b.backend, b.name) for loss in known.losses.values() for b in loss.bindings}
    assert {(m.loss, m.backend, m.binding) for m in table} <= planted
    assert {(m.loss, m.backend, m.base) for m in table} <= planted


@pytest.mark.parametrize(
    ("before", "after", "caught"),
    [
        (("tight", "rounding", ""), ("tight", "rounding", ""), False),
        (("tight", "rounding", ""), ("stable", "rounding", ""), False),
        (("tight", "rounding", ""), ("kink", "kink", "low"), False),
        (("tight", "rounding", ""), ("differs", "convention", "eps"), True),
        (("differs", "convention", "eps"), ("differs", "convention", "other"), True),
        (("differs", "convention", "eps"), ("tight", "rounding", ""), False),
        (("tight", "rounding", ""), ("digits_lost", "accuracy", ""), True),
        (("differs", "defect", ""), ("differs", "accuracy", ""), False),
        (("digits_lost", "accuracy", ""), ("differs", "accuracy", ""), True),
    ],
)
def test_what_counts_as_worse(before: tuple[str, str, str], after: tuple[str, str, str], caught: bool) -> None:
    one, other = (
        Verdict(cell="c", quantity="value", verdict=v, klass=k, convention=c)  # type: ignore[arg-type]
        for v, k, c in (before, after)
    )
    assert bool(worse(one, other)) is caught
