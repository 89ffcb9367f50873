"""A defect that is not listed fails, a listed one that has gone is reported."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pandas as pd
import pytest
from suites.ledger import LEDGER

from lossbench.judge import ledger
from lossbench.record.tables import AGREEMENT
from lossbench.spec.ledger import KnownDefect

ENTRY = KnownDefect(
    loss="log_cosh", backend="tensorflow", binding="keras", dtype="float64", klass="defect",
    reason="A constant is formed in float32.", reference="the tests",
)  # fmt: skip


def table(*, klass: str = "defect", dtype: str = "float64", backend: str = "tensorflow") -> pd.DataFrame:
    row = AGREEMENT.row({
        "cell": "c", "quantity": "value", "against": "oracle", "loss": "log_cosh", "backend": backend,
        "binding": "keras", "dtype": dtype, "regime": "typical", "lane": "l", "class": klass,
    })  # fmt: skip
    return pd.DataFrame([row])


def test_a_listed_defect_passes() -> None:
    found = ledger.compare([ENTRY], table())
    assert (found.exit_status, found.seen, found.gone) == (0, ((ENTRY, 1),), ())


@pytest.mark.parametrize("other", [{"dtype": "float32"}, {"backend": "torch"}])
def test_an_unlisted_defect_fails(other: dict[str, str]) -> None:
    found = ledger.compare([ENTRY], table(**other))
    assert found.exit_status == 1
    assert len(found.unlisted) == 1
    assert found.untried == (ENTRY,)


def test_a_defect_that_has_gone_is_reported() -> None:
    found = ledger.compare([ENTRY], table(klass="rounding"))
    assert (found.exit_status, found.gone) == (1, (ENTRY,))


def test_alternatives_stand_side_by_side() -> None:
    wide = replace(ENTRY, backend="torch|tensorflow", dtype="float16|float32")
    assert ledger.compare([wide], table(dtype="float32")).exit_status == 0
    assert ledger.compare([wide], table()).exit_status == 1
    assert ledger.compare([wide], table(backend="jax", dtype="float32")).exit_status == 1


def test_the_surprises_are_named() -> None:
    lines = [*ledger.compare([], table()).lines(), *ledger.compare([ENTRY], table(klass="rounding")).lines()]
    assert ["NOT KNOWN" in lines[0], "GONE" in lines[1]] == [True, True]
    assert "formed in float32" in lines[1]


def test_a_part_of_a_profile_cannot_miss_a_defect() -> None:
    """The built-in entry for Keras' log-cosh: gone from a whole run, untried in a part of one."""
    agreement = table(klass="rounding").assign(loss="log_cosh", regime="tiny")
    tables = SimpleNamespace(agreement=agreement)
    for request, status in (({}, 1), ({"losses": ["log_cosh"]}, 0), ({"seed": 3}, 0)):
        assert ledger.of_run(tables, request).exit_status == status  # type: ignore[arg-type]
    unlisted = SimpleNamespace(agreement=agreement.assign(**{"class": "defect", "regime": "typical"}))
    assert ledger.of_run(unlisted, {"losses": ["log_cosh"]}).exit_status == 1  # type: ignore[arg-type]


def test_what_a_row_is_known_for() -> None:
    row = table().to_dict("records")[0]
    assert ledger.known([ENTRY], row) is ENTRY
    assert ledger.known([ENTRY], {**row, "class": "range"}) is None


def test_the_ledger_gives_reasons() -> None:
    assert all(entry.reason and entry.reference for entry in LEDGER)
    with pytest.raises(TypeError, match="reason"):
        KnownDefect(loss="a", backend="b", binding="c", klass="defect", reason=" ", reference="r")
