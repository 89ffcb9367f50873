"""Whatever a worker does costs its own cell and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lossbench import BadInput
from lossbench.lanes.inline import InlineLane
from lossbench.lanes.process import LaneLost, LaneProcess
from lossbench.spec.case import Case, Cell, Lane

HERE = Path(__file__).parent
SUITE = HERE / "fake_backend.py"
FAKE = "fake_backend:FakeBackend"


@pytest.fixture(scope="module", autouse=True)
def _importable() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(HERE))
        patch.syspath_prepend(str(HERE))
        yield


@pytest.fixture(scope="module")
def lane(_importable: None) -> Iterator[LaneProcess]:
    with LaneProcess(Lane(backend=FAKE), [SUITE], builtin=False) as process:
        yield process


def cell(name: str, operation: str = "value", **case: object) -> Cell:
    made = Case(loss=f"fake_{name}", shape=(3, 2), **case)  # type: ignore[arg-type]
    return Cell(case=made, binding="fake", lane=Lane(backend=FAKE), operation=operation)  # type: ignore[arg-type]


def works(lane: LaneProcess) -> None:
    answer = lane.answer(cell("good", "grad"), 20)
    assert (answer.status, answer.reason) == ("ok", "")
    assert answer.value is not None
    assert answer.value.shape == ()
    assert answer.value.dtype == np.float32
    assert answer.grad is not None
    assert answer.grad.tolist() == [[0.5, 0.5]] * 3
    assert len(answer.digest) == 64


def test_hello_tells_what_the_lane_is(lane: LaneProcess) -> None:
    greeting = lane.ready()
    assert greeting["versions"] == {"numpy": np.__version__}
    assert greeting["facts"] == {"threads": 1}
    assert lane.public_losses() == {"fake.good": "function"}


@pytest.mark.parametrize(
    ("name", "status", "says", "survives"),
    [
        ("raises", "failed", "RuntimeError: deliberately long", True),
        ("exits", "failed", "SystemExit: 3", True),
        ("wrong_shape", "failed", "losses have shape (3, 1); expected (3, 2), one number per element", True),
        ("returns_text", "failed", "returned a str", True),
        ("aborts", "crashed", "SIGABRT: about to abort", False),
        ("segfaults", "crashed", "SIGSEGV", False),
        ("is_killed", "crashed", "SIGKILL", False),
        ("closes", "crashed", "", False),
        ("hangs", "timeout", "time limit", False),
    ],
)
def test_a_fault_costs_its_own_cell(lane: LaneProcess, name: str, status: str, says: str, survives: bool) -> None:
    works(lane)
    before = lane.pid
    answer = lane.answer(cell(name), 0.5 if name == "hangs" else 20)
    assert answer.status == status
    assert says in answer.reason
    assert len(answer.reason) < 700
    assert (lane.pid == before) is survives
    works(lane)


def test_temporary_files_go_with_a_worker_that_died(lane: LaneProcess) -> None:
    answer = lane.answer(cell("leaves_a_file"), 20)
    assert answer.status == "crashed"
    left = Path(answer.printed.split()[0])
    assert left.is_absolute()
    assert not left.exists()


def test_a_failure_brings_the_remote_traceback(lane: LaneProcess) -> None:
    answer = lane.answer(cell("raises"), 20)
    assert 'raise RuntimeError("deliberately' in answer.traceback
    assert answer.digest, "the inputs were built, and the row says which"


def test_a_fault_in_a_block_is_a_row_too(lane: LaneProcess) -> None:
    assert lane.block(cell("raises"), 2, limit_seconds=20).status == "failed"
    block = lane.block(cell("aborts"), 2, limit_seconds=20)
    assert (block.status, block.seconds_per_call) == ("crashed", ())
    assert lane.block(cell("good"), 2, limit_seconds=20).status == "ok"


def test_megabytes_of_print_neither_block_nor_corrupt(tmp_path: Path) -> None:
    log = tmp_path / "lane.log"
    with LaneProcess(Lane(backend=FAKE), [SUITE], log, builtin=False) as lane:
        answer = lane.answer(cell("prints"), 20)
        assert answer.status == "ok"
        assert len(answer.printed) == 2000
        assert answer.printed.startswith("first words\nxxx")
        works(lane)
        assert lane.answer(cell("good"), 20).printed == ""
    assert 4 * 2**20 <= log.stat().st_size < 4 * 2**20 + 2**17


def test_a_hang_is_killed_with_its_children(lane: LaneProcess) -> None:
    answer = lane.answer(cell("hangs_with_a_child"), 2)
    assert answer.status == "timeout"
    child = int(answer.printed.split()[1])
    deadline = time.monotonic() + 10
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(child)
    works(lane)


def _runs(pid: int) -> bool:
    """Whether the process lives; a zombie that nobody has waited for is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_worker_killed_between_cells_is_replaced(lane: LaneProcess) -> None:
    works(lane)
    assert lane.pid is not None
    os.kill(lane.pid, signal.SIGKILL)
    assert lane.answer(cell("good"), 20).status in ("crashed", "ok")
    works(lane)


def test_a_worker_and_what_it_started_do_not_outlive_their_parent() -> None:
    code = (
        "import os\nfrom lossbench.lanes.process import LaneProcess\n"
        "from test_lane_survival import FAKE, SUITE, Lane, cell\n"
        "lane = LaneProcess(Lane(backend=FAKE), [SUITE], builtin=False)\n"
        "print(lane.answer(cell('leaves_a_child'), 20).printed, lane.pid, flush=True)\nos._exit(0)\n"
    )
    package = HERE.parents[1] / "harness"
    env = {**os.environ, "PYTHONPATH": f"{package}{os.pathsep}{HERE}"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60, check=True)
    pids = [int(word) for word in done.stdout.split() if word.isdecimal()]
    assert len(pids) == 2
    deadline = time.monotonic() + 10
    while any(map(_runs, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(map(_runs, pids))


def test_inputs_that_change_on_the_way_fail_the_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_LIES", "1")
    monkeypatch.setenv("LOSSBENCH_PASS", "FAKE_LIES")
    with LaneProcess(Lane(backend=FAKE), [SUITE], builtin=False) as lane:
        answer = lane.answer(cell("good"), 20)
    assert answer.status == "failed"
    assert "did not survive the conversion" in answer.reason


def test_a_digest_that_differs_fails_the_cell(lane: LaneProcess) -> None:
    right = lane.answer(cell("good"), 20).digest
    assert lane.answer(cell("good"), 20, digest=right).status == "ok"
    wrong = lane.answer(cell("good"), 20, digest="0" * 64)
    assert wrong.status == "failed"
    assert "digest" in wrong.reason
    assert lane.answer(cell("good", seed=1), 20).digest != right


def test_what_a_lane_lacks_is_a_row(lane: LaneProcess) -> None:
    assert lane.answer(cell("good", dtype="bfloat16"), 20).status == "unsupported"
    known = cell("good")
    elsewhere = Cell(case=known.case, binding="other", lane=known.lane, operation="value")
    assert lane.answer(elsewhere, 20).status == "absent"
    assert lane.answer(cell("good", params=(("label_smoothing", 0.1),)), 20).status == "unsupported"
    assert lane.answer(cell("good", params=(("delta", 1.0),)), 20).status == "ok"
    assert lane.answer(cell("good", params=(("delta", 2.0),)), 20).status == "unsupported"
    unknown = lane.answer(cell("good", params=(("deltta", 2.0),)), 20)
    assert unknown.status == "failed"
    assert "deltta" in unknown.reason
    with LaneProcess(Lane(backend=FAKE, mode="xla"), [SUITE], builtin=False) as modeless:
        answer = modeless.answer(cell("good"), 20)
        assert answer.status == "unsupported"
        assert "xla" in answer.reason


def test_given_arrays_reach_the_binding(lane: LaneProcess) -> None:
    arrays = {"y_true": np.array([[0.0, 0.0]]), "y_pred": np.array([[1.0, 2.0]])}
    params = {"delta": 10.0, "offset": np.array([[100.0, 200.0]]), "reduction": "none"}
    answer = lane.answer_given("fake_with_delta", "fake", params, arrays, "float64", "value", 20)
    assert answer.status == "ok", answer.reason
    assert answer.value is not None
    assert answer.value.tolist() == [[110.0, 240.0]]
    weighted = {"sample_weight": np.array([3.0]), "reduction": "mean", "delta": 1.0}
    answer = lane.answer_given("fake_with_delta", "fake", weighted, arrays, "float32", "value", 20)
    assert answer.value is not None
    assert float(answer.value) == 7.5


@pytest.mark.parametrize(("reduction", "expected"), [("mean", 2.5), ("sum", 5.0), ("batchmean", 5.0), ("none", None)])
def test_a_native_reduction_is_used_where_it_exists(lane: LaneProcess, reduction: str, expected: float | None) -> None:
    arrays = {"y_true": np.array([[0.0, 0.0]]), "y_pred": np.array([[1.0, 2.0]])}
    answer = lane.answer_given("fake_native", "fake", {"reduction": reduction}, arrays, "float32", "value", 20)
    assert answer.value is not None
    assert answer.value.tolist() == ([[1.0, 4.0]] if expected is None else expected)
    params = {"reduction": reduction, "sample_weight": 2.0}
    answer = lane.answer_given("fake_native", "fake", params, arrays, "float32", "value", 20)
    assert answer.value is not None
    assert answer.value.tolist() == ([[2.0, 8.0]] if expected is None else 2 * expected)


def test_a_block_advances_the_clock_by_its_seconds_per_call(lane: LaneProcess) -> None:
    before = lane.clock()
    block = lane.block(cell("good"), 4, 3, 20)
    assert block.loops == 3
    assert len(block.seconds_per_call) == 4
    assert lane.clock() - before == pytest.approx(sum(block.seconds_per_call), rel=1e-9)
    assert block.peak_bytes > 2**20
    stands = lane.clock()
    lane.answer(cell("good"), 20)
    assert lane.clock() == stands


def test_calibrated_loops_are_kept_until_forgotten(lane: LaneProcess) -> None:
    first = lane.block(cell("good"), 1, limit_seconds=20)
    assert first.loops > 1
    assert lane.block(cell("good"), 1, limit_seconds=20).loops == first.loops
    lane.forget(cell("good").id)
    assert lane.block(cell("good"), 1, 5, 20).loops == 5


def test_the_inline_lane_answers_alike(lane: LaneProcess) -> None:
    inline = InlineLane(Lane(backend=FAKE), [SUITE], builtin=False)
    ours, theirs = inline.answer(cell("good", "grad")), lane.answer(cell("good", "grad"), 20)
    assert ours.digest == theirs.digest
    assert np.array_equal(np.asarray(ours.value), np.asarray(theirs.value))
    assert inline.answer(cell("raises")).status == "failed"
    assert len(inline.round(cell("good")).seconds_per_call) == 1


def test_lanes_that_cannot_run_say_what_to_do() -> None:
    with pytest.raises(BadInput, match="pip install"):
        LaneProcess(Lane(backend="fake_backend:ImpossibleBackend")).start()
    with pytest.raises(BadInput, match="torch"):
        LaneProcess(Lane(backend="torhc")).start()
    with pytest.raises(BadInput, match="interpreter"):
        LaneProcess(Lane(backend=FAKE, interpreter="/no/such/python")).start()
    with (
        pytest.raises(BadInput, match=r"no_such_suite\.py"),
        LaneProcess(Lane(backend=FAKE), [HERE / "no_such_suite.py"]) as lane,
    ):
        lane.ready()


def test_a_lane_that_dies_at_the_start_is_given_up_soon() -> None:
    with LaneProcess(Lane(backend="fake_backend:DyingBackend"), [SUITE], builtin=False) as lane:
        with pytest.raises(LaneLost, match="SIGABRT"):
            lane.ready()
        answers = [lane.answer(cell("good"), 20) for _ in range(4)]
        assert {answer.status for answer in answers} == {"crashed"}
        assert "does not start" in answers[-1].reason
        assert lane.pid is None


def test_a_request_that_cannot_travel_is_the_callers_fault(lane: LaneProcess) -> None:
    arrays = {"y_true": np.zeros((1, 1)), "y_pred": np.zeros((1, 1))}
    with pytest.raises(BadInput, match="cannot travel"):
        lane.answer_given("fake_good", "fake", {"delta": object()}, arrays, "float32", "value", 20)
    works(lane)
