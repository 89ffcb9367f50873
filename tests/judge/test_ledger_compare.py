"""A defect that is not listed fails, a listed one that has gone is reported."""

from __future__ import annotations

import pandas as pd
import pytest
from suites.ledger import LEDGER

from lossbench import KnownDefect
from lossbench.judge import ledger
from lossbench.record.tables import AGREEMENT

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
    assert (found.exit_status, found.seen, found.gone) == (0, (ENTRY,), ())


@pytest.mark.parametrize("other", [{"dtype": "float32"}, {"backend": "torch"}])
def test_an_unlisted_defect_fails(other: dict[str, str]) -> None:
    found = ledger.compare([ENTRY], table(**other))
    assert found.exit_status == 1
    assert len(found.unlisted) == 1
    assert found.untried == (ENTRY,)


def test_a_defect_that_has_gone_is_reported() -> None:
    found = ledger.compare([ENTRY], table(klass="rounding"))
    assert (found.exit_status, found.gone) == (1, (ENTRY,))


def test_the_ledger_gives_reasons() -> None:
    assert all(entry.reason and entry.reference for entry in LEDGER)
    with pytest.raises(TypeError, match="reason"):
        KnownDefect(loss="a", backend="b", binding="c", klass="defect", reason=" ", reference="r")
