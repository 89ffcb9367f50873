"""What the sources say in prose, held against the oracle; each verdict follows from arithmetic done by hand."""

from __future__ import annotations

from suites.prose import CLAIMS

from lossbench.judge import kinks, prose
from lossbench.spec import catalogue

KNOWN = catalogue.load()


def test_every_claim_of_the_catalogue_is_there() -> None:
    assert {claim.id.rstrip("abc") for claim in CLAIMS} == {f"P{n}" for n in range(1, 15)}


def test_which_statements_are_false() -> None:
    """P1c: 0 is a subgradient; P7: it is log y_pred; P8a: 3.6 against 27 times; P10b: 1 against 1/2;
    P11a: the formula maps no labels; P11c: a mean of squares is not the square of a mean."""
    rows = prose.check(CLAIMS, {}, find=KNOWN.find)
    assert [row["claim"] for row in rows if row["holds"] != "yes"] == ["P1c", "P7", "P8a", "P10b", "P11a", "P11c"]


def test_what_was_picked_at_a_kink() -> None:
    assert kinks.choice(0.0, -1.0, 1.0) == ("0", True)
    assert kinks.choice(1.0, -1.0, 1.0) == ("1, upper end", True)
    assert kinks.choice(0.25, 0.0, 1.0)[1]
    assert not kinks.choice(1.5, -1.0, 1.0)[1]
    assert not kinks.choice(float("nan"), -1.0, 1.0)[1]
