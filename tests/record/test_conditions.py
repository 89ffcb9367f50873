"""What else went on: shares from made-up readings, a child's work is ours, and who is told what."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from lossbench.record import conditions
from lossbench.record.conditions import Conditions, Moment

START = Moment(monotonic=100.0, since_boot=500.0, busy=1000.0, stolen=10.0, ours=50.0, processors=4)


def after(**changed: float) -> Conditions:
    moved = {name: getattr(START, name) + by for name, by in changed.items()}
    return Conditions.between(START, replace(START, **moved))  # type: ignore[arg-type]


def test_shares_are_of_all_processors() -> None:
    found = after(monotonic=10.0, since_boot=10.0, busy=22.0, ours=10.0, stolen=2.0)
    assert found == Conditions(seconds=10.0, others_share=0.3, stolen_share=0.05, suspended_seconds=0.0)


def test_a_suspend_is_the_difference_of_two_clocks() -> None:
    assert after(monotonic=10.0, since_boot=3610.0).suspended_seconds == 3600.0


def test_readings_that_contradict_stay_shares() -> None:
    assert after(monotonic=1.0, since_boot=1.0, ours=2.0).others_share == 0.0
    assert after(monotonic=1.0, since_boot=1.0, busy=100.0).others_share == 1.0


def test_what_a_child_does_is_ours() -> None:
    before = Moment.now()
    burn = "import time; end = time.process_time() + 0.2\nwhile time.process_time() < end: pass"
    subprocess.run([sys.executable, "-c", burn], check=True)
    now = Moment.now()
    assert now.ours - before.ours >= 0.19
    assert now.monotonic > before.monotonic


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((0.0, 0.0, 0.0, 1e-7), []),
        ((0.31, 0.0, 0.0, 1e-7), ["other processes had 31% of the processors"]),
        ((0.0, 0.2, 0.0, 1e-7), ["the host of this virtual machine took 20%"]),
        ((0.0, 0.0, 60.0, 1e-7), ["the machine slept for 60 s"]),
        ((0.0, 0.0, 0.0, 0.0156), ["the clock ticks every 1.56e+04 microseconds"]),
    ],
)
def test_what_is_said(numbers: tuple[float, float, float, float], said: list[str]) -> None:
    found = conditions.warnings(*numbers)
    assert len(found) == len(said)
    assert all(sentence.startswith(start) for sentence, start in zip(found, said, strict=True))


def test_the_clock_of_this_machine_ticks() -> None:
    assert 0 < conditions.clock_tick_seconds() < 1
