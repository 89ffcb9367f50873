"""Two lanes of a run: what differs is what was planted, the rest is folded, and bad names are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic_run

from lossbench.commands import report
from lossbench.judge import between
from lossbench.record.frames import Tables
from lossbench.show import lanes, page
from lossbench.spec.errors import BadInput

KNOWN = synthetic_run.catalogue(2)
DOCUMENTED = {(name, backend): "native" for name in KNOWN.losses for backend in synthetic_run.BACKENDS}
ASKED = "torch/eager,jax/compiled"


@pytest.fixture(scope="module")
def tables() -> Tables:
    """All right, but one gradient of jax compiled; which takes three times as long as torch eager in one loss."""
    made = synthetic_run.make(KNOWN.losses, visits=16)
    made = replace(made, curves=made.curves.iloc[:0])
    rows, timed = made.agreement, made.measurements
    rows[["class", "convention", "max_ulp"]] = ["rounding", "", 0.5]
    own = (rows["lane"] == "jax-cpu-compiled") & (rows["binding"] == "native") & (rows["loss"] == "loss_01")
    wrong = rows[own & (rows["quantity"] == "grad") & (rows["regime"] == "huge") & (rows["dtype"] == "float32")].index
    assert len(wrong) == 1
    rows.loc[wrong, ["class", "max_ulp", "reason"]] = ["defect", 1e6, "planted"]
    noise = np.random.default_rng(0)
    slow = (timed["lane"] == "jax-cpu-compiled") & (timed["loss"] == "loss_00")
    timed["seconds_per_call"] = [
        (3e-3 if s else 1e-3) * noise.lognormal(0, 0.01, len(x))
        for s, x in zip(slow, timed["seconds_per_call"], strict=True)
    ]
    return made


def test_what_was_planted_is_all_that_differs(tables: Tables) -> None:
    found = between.answers(tables, *lanes.sides(ASKED, tables.cells), DOCUMENTED)
    (unlike,) = [a for a in found if a.alike < a.compared]
    assert (unlike.loss, unlike.quantity, unlike.classes) == ("loss_01", "grad", ("rounding", "defect"))
    assert unlike.compared - unlike.alike == 1
    assert unlike.where == ("huge float32",)
    assert unlike.ulp == (0.5, 1e6)
    # 2 losses x 2 quantities, each of 6 regimes and 2 dtypes
    assert [a.compared for a in found] == [12] * 4


def test_times_are_paired_and_say_how_sure_they_are(tables: Tables) -> None:
    found = {t.loss: t for t in between.times(tables, *lanes.sides(ASKED, tables.cells), DOCUMENTED)}
    assert found["loss_00"].outcome == "slower"
    assert found["loss_00"].factor.median == pytest.approx(3.0, rel=0.03)
    assert found["loss_00"].factor.low < 3.0 < found["loss_00"].factor.high * 1.02
    assert found["loss_01"].factor.median == pytest.approx(1.0, rel=0.03)


def test_the_other_way_round_is_the_inverse(tables: Tables) -> None:
    one, other = lanes.sides(ASKED, tables.cells)
    back = {t.loss: t for t in between.times(tables, other, one, DOCUMENTED)}
    assert back["loss_00"].outcome == "faster"
    assert back["loss_00"].factor.median == pytest.approx(1 / 3.0, rel=0.03)


def test_the_distance_of_two_lanes_is_taken_where_the_run_has_it(tables: Tables) -> None:
    one, other = lanes.sides("torch/eager,jax/eager", tables.cells)
    rows = tables.agreement
    pair = rows[(rows["lane"] == "jax-cpu-eager") & (rows["binding"] == "native")].iloc[:1]
    direct = pair.assign(against="torch-cpu-eager/native", max_ulp=7.0)
    more = replace(tables, agreement=pd.concat([rows, direct], ignore_index=True))
    found = between.answers(more, one, other, DOCUMENTED)
    assert sorted(a.between for a in found if a.between == a.between) == [7.0]


def test_the_section_says_so_and_folds_what_is_alike(tables: Tables) -> None:
    text = page.render(tables, KNOWN, lanes=ASKED)
    section = text[text.index('id="lanes"') : text.index("</section>", text.index('id="lanes"'))]
    assert "the same verdict on 47 of 48 answers" in section
    assert "differ in 1 of 2 losses" in section
    assert "is faster in 0 of 2 timed cases, slower in 1, undecided in 1" in section
    assert section.count('<th scope="row"><a href="#loss-loss_01">') == 2  # the answer, and its undecided time
    assert section.index("<summary>1 timed case with no difference") < section.index("<summary>The same verdicts in 2")


def test_only_a_run_of_two_backends_has_it_unasked(tables: Tables) -> None:
    assert 'id="lanes"' not in page.render(tables, KNOWN)
    frames = {name: getattr(tables, name) for name in ("cells", "agreement", "measurements")}
    two = replace(tables, **{name: frame[frame["backend"] != "jax"] for name, frame in frames.items()})
    assert "tensorflow/eager beside torch/eager" in page.render(two, KNOWN)


@pytest.mark.parametrize("text", ["torch/eager", "torch/eager,torch/eager", "torch/eager,mxnet", "torch/xla,jax/eager"])
def test_lanes_that_the_run_lacks_are_a_sentence(text: str, tmp_path: Path, tables: Tables) -> None:
    synthetic_run.record(tmp_path, tables)
    with pytest.raises(BadInput, match="this run has jax/compiled, jax/eager"):
        report.command(lanes=text, results=tmp_path, reports=tmp_path / "reports")


def test_a_lane_may_be_named_by_its_id_and_with_a_spelling(tables: Tables) -> None:
    one, other = lanes.sides("torch-cpu-eager/formula, jax", tables.cells)
    assert (one.lane, one.binding) == ("torch-cpu-eager", "formula")
    assert (other.lane, other.name) == ("jax-cpu-eager", "jax/eager")
