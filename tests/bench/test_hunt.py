"""The search finds what was planted, makes it small, repeats itself, and writes programs that run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossbench.bench.hunting import budget, ordinals, records, spelling
from lossbench.bench.hunting.budget import Clock
from lossbench.bench.hunting.finds import Behaviour
from lossbench.bench.hunting.lanes import Asking
from lossbench.bench.hunting.reproducers import Writers
from lossbench.bench.hunting.search import Search
from lossbench.bench.hunting.tracing import Traced, statements
from lossbench.commands import hunt
from lossbench.judge import conformance
from lossbench.lanes.measurement import Answer
from lossbench.lanes.process import LaneProcess
from lossbench.spec import casefile, catalogue
from lossbench.spec.case import Lane
from lossbench.spec.errors import BadInput
from lossbench.spec.formats import FORMATS, round_to

KNOWN = catalogue.load()


class SquaredError:
    """Answers (p - y)^2 and its derivative, but for a thousandth too much where 40 <= y <= 44."""

    def __init__(self) -> None:
        self.asked = 0

    def answer_given(
        self, _loss: str, _binding: str, params: Mapping[str, Any], arrays: Mapping[str, Any], dtype: str, *_: Any
    ) -> Answer:  # fmt: skip
        self.asked += 1
        true, pred = (np.asarray(arrays[name], np.float64) for name in ("y_true", "y_pred"))
        with np.errstate(all="ignore"):
            value = np.where((true >= 40) & (true <= 44), 1.001, 1.0) * (pred - true) ** 2
            value = value if params["reduction"] == "none" else np.mean(value)
            return Answer(
                status="ok", value=round_to(value, dtype), grad=round_to(2 * (pred - true), dtype), result_dtype=dtype
            )


def planted(seed: int, probes: int) -> list[Behaviour]:
    loss = KNOWN.find("mse")
    loss = replace(loss, bindings=tuple(b for b in loss.bindings if (b.backend, b.name) == ("torch", "functional")))
    with Asking({"torch": SquaredError()}) as asking:
        return Search(asking=asking, clock=Clock(seconds=1.0, probes=probes), seed=seed).run([loss], ("float32",))


def told(behaviours: list[Behaviour]) -> list[Any]:
    return [(b.find.key, sorted(b.seen), {n: a.tolist() for n, a in b.find.witness.arrays.items()}) for b in behaviours]


def test_a_narrow_planted_defect_is_found_and_made_small() -> None:
    found = [b for b in planted(0, 8) if b.find.verdict.klass in ("accuracy", "defect", "range")]
    assert found
    smallest = [b.find.witness.arrays for b in found if 40 <= b.find.witness.arrays["y_true"][0] <= 44]
    assert smallest
    assert all(a.shape == (1,) for arrays in smallest for a in arrays.values())
    assert any(float(arrays["y_true"][0]) in (40.0, 41.0, 42.0, 43.0, 44.0) for arrays in smallest)


def test_the_same_seed_and_probes_find_the_same() -> None:
    assert told(planted(3, 8)) == told(planted(3, 8))


@pytest.mark.parametrize("dtype", FORMATS)
def test_ordinals_count_every_number_of_a_format(dtype: str) -> None:
    fmt = FORMATS[dtype]
    known = {0: 0.0, 1: fmt.smallest, -1: -fmt.smallest, ordinals.largest(dtype): fmt.max}
    assert ordinals.value(list(known), dtype).tolist() == list(known.values())
    drawn = ordinals.uniform(np.random.default_rng(0), -fmt.max, fmt.max, dtype, (2000,))
    assert np.array_equal(ordinals.value(ordinals.count(drawn, dtype), dtype), drawn)
    assert np.array_equal(round_to(drawn, dtype).astype(np.float64), drawn)
    assert float(ordinals.moved(1.0, 1, dtype)) == 1.0 + fmt.eps
    exponents = np.frexp(drawn[drawn != 0])[1]
    assert np.ptp(exponents) > 0.9 * (fmt.emax - fmt.emin)


@pytest.mark.parametrize(
    ("text", "seconds"), [("60s", 60.0), ("2m", 120.0), ("1h", 3600.0), ("90", 90.0), ("1.5 m", 90.0)]
)
def test_budgets(text: str, seconds: float) -> None:
    assert budget.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5s", "0", "5d", "1e400s", "nan", "٣s"])
def test_what_is_no_budget_is_said(text: str) -> None:
    with pytest.raises(BadInput, match="--budget"):
        budget.seconds(text)


@pytest.mark.parametrize("given", [{"loss": "no_such_loss"}, {"backend": "theano"}, {"dtype": "float8"}])
def test_unknown_names_are_said_before_anything_starts(given: dict[str, str]) -> None:
    with pytest.raises(BadInput):
        hunt.command(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", FORMATS)
def test_numbers_are_written_as_short_as_they_can_be(dtype: str) -> None:
    assert spelling.number(float(round_to(0.1, dtype)), dtype) == "0.1"
    assert spelling.number(float("-inf"), dtype) == 'float("-inf")'
    drawn = ordinals.uniform(np.random.default_rng(1), -FORMATS[dtype].max, FORMATS[dtype].max, dtype, (200,))
    assert [float(round_to(float(spelling.number(float(v), dtype)), dtype)) for v in drawn] == drawn.tolist()


def test_rows_that_are_alike_are_written_once() -> None:
    assert spelling.array(np.zeros((70_000, 2)), "float16") == "[[0.0, 0.0]] * 70000"


def test_a_traced_call_is_its_own_source() -> None:
    x = Traced(np.array([1.0, 4.0]), "x")
    numpy = Traced(np, "np")
    half = x * 0.5
    lines = statements(
        numpy.where(half > 1.0, 2 - half, numpy.maximum(half, x[..., None][:, 0])).sum(axis=-1, keepdims=True)
    )
    space: dict[str, Any] = {"np": np, "x": np.array([1.0, 4.0])}
    exec("\n".join(lines[:-1]), space)
    assert lines[0] == "t1 = x * 0.5"
    assert eval(lines[-1], space).tolist() == [1.0]


@pytest.fixture(scope="module")
def torch_hunt(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Behaviour], list[Any], list[dict[str, Any]]]:
    """Behaviours of two losses, their programs, and what `lossbench check` makes of the cases."""
    losses = [KNOWN.find("binary_crossentropy"), KNOWN.find("log_cosh")]
    with LaneProcess(Lane(backend="torch")) as lane, Writers() as writers:
        with Asking({"torch": lane}) as asking:
            found = Search(asking=asking, clock=Clock(seconds=1.0, probes=4)).run(losses, ("float32",))
        programs = [writers.write(b.find) for b in found]
        checked = _checked(found, lane, tmp_path_factory.mktemp("cases") / "cases.json")
    return found, programs, checked


def _checked(found: list[Behaviour], lane: LaneProcess, file: Path) -> list[dict[str, Any]]:
    file.write_text(json.dumps(records.cases(found)), encoding="utf-8")
    prepared = [conformance.prepare(case, KNOWN) for case in casefile.read(file)]
    return list(conformance.records(prepared, {"torch-cpu-eager": lane}))


def test_what_users_know_is_found_without_being_told(torch_hunt: Any) -> None:
    found = {(b.find.witness.loss.name, b.find.verdict.quantity, b.find.verdict.klass) for b in torch_hunt[0]}
    assert ("binary_crossentropy", "value", "convention") in found  # logarithms are kept at -100
    assert ("log_cosh", "value", "range") in found  # cosh overflows at 100
    assert ("log_cosh", "value", "accuracy") in found  # log of a number near 1


def test_finds_are_small(torch_hunt: Any) -> None:
    assert all(a.size == 1 for b in torch_hunt[0] for a in b.find.witness.arrays.values())


def test_programs_run_in_a_plain_interpreter_and_show_it(torch_hunt: Any) -> None:
    _, programs, _ = torch_hunt
    assert sum(p.reproduced for p in programs) >= 0.9 * len(programs)
    chosen = [p for p in programs if p.reproduced][:: max(1, len(programs) // 6)]
    together = "\n".join(p.program for p in chosen)
    assert "lossbench" not in together
    ran = subprocess.run([sys.executable, "-I", "-c", together], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.split("\n")[:-1] == [p.printed for p in chosen]
    assert all(p.printed != p.exact for p in chosen)


def test_the_case_file_is_read_by_check_and_shows_the_same_class(torch_hunt: Any) -> None:
    found, _, checked = torch_hunt
    for case, behaviour in zip(records.cases(found), found, strict=True):
        mine = [r for r in checked if r["id"] == case["id"] and r["binding"] == behaviour.find.binding.name]
        assert [r[f"{behaviour.find.verdict.quantity}_class"] for r in mine] == [behaviour.find.verdict.klass]


def test_records_are_json(torch_hunt: Any) -> None:
    found, programs, _ = torch_hunt
    said = [records.record(n, *pair) for n, pair in enumerate(zip(found, programs, strict=True), 1)]
    again = json.loads(json.dumps(said, allow_nan=False))
    assert [r["number"] for r in again] == list(range(1, len(found) + 1))
