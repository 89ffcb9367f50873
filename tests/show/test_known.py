"""The ledger in the report: what was seen, what is gone, what it does not know, and each at its loss."""

from __future__ import annotations

from dataclasses import replace

import synthetic_run

from lossbench.judge import ledger
from lossbench.record.frames import Tables
from lossbench.show import known, page
from lossbench.spec.ledger import KnownDefect

KNOWN = synthetic_run.catalogue(2)


def entry(loss: str, regime: str, **more: str) -> KnownDefect:
    return KnownDefect(
        loss=loss, backend="torch", binding="native", klass="defect", regime=regime, reason=f"of {regime}",
        reference="a document", **more,
    )  # fmt: skip


def found() -> tuple[Tables, ledger.LedgerResult]:
    made = synthetic_run.make(KNOWN.losses)
    tables = replace(made, curves=made.curves.iloc[:0])
    rows = tables.agreement
    rows["class"] = "rounding"
    own = (rows["loss"] == "loss_00") & (rows["backend"] == "torch") & (rows["binding"] == "native")
    rows.loc[own & (rows["regime"] == "tiny"), "class"] = "defect"
    rows.loc[rows.index[(rows["loss"] == "loss_01") & (rows["backend"] == "jax")][0], "class"] = "defect"
    entries = (entry("loss_00", "tiny"), entry("loss_0?", "huge"), entry("loss_00", "none"), entry("elsewhere", "x"))
    return tables, ledger.compare(entries, rows)


def test_each_entry_has_its_state() -> None:
    shown = known.of(found()[1], KNOWN.losses)
    assert [(e.state, e.reason) for e in shown.entries] == [
        ("gone", "of huge"), ("seen", "of tiny"), ("not tried", "of none"),
    ]  # fmt: skip
    # value and gradient, two dtypes, in two modes; and once more the value that comes with the gradient's cell
    assert shown.entries[1].rows == 8
    assert len(shown.unlisted) == 1
    assert [e.reason for e in shown.of("loss_01")] == ["of huge"]


def test_the_page_has_it_in_a_section_and_at_the_loss() -> None:
    tables, result = found()
    text = page.render(tables, KNOWN, defects=result)
    section = text[text.index('<section id="known">') : text.index('<section id="fastest">')]
    assert "1 verdicts are defects that it does not know; 1 known ones are gone" in section
    assert section.count("<tr>") == 4
    begin, end = (text.index(f'<article class="loss" id="loss-loss_0{n}"') for n in (0, 1))
    first = text[begin:end]
    assert first.index("<h4>Known defects</h4>") < first.index("of tiny")
    assert 'id="known"' not in page.render(tables, KNOWN)
