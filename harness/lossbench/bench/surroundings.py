"""What is known of the surroundings before a run begins: how busy others are, the clock, the settings of threads."""

from __future__ import annotations

from typing import Final

from lossbench.lanes.backends import backend_class
from lossbench.record import conditions
from lossbench.record.run import RunFolder
from lossbench.spec.plan import Plan

THREAD_SETTINGS: Final = ("THREADS", "NPROC", "XLA_FLAGS")


def look(plan: Plan, folder: RunFolder) -> list[str]:
    """Facts of the run; what a user should know before it begins, a sentence each."""
    found, tick = conditions.glance(), conditions.clock_tick_seconds()
    facts = {**found.facts("start"), "clock.tick_seconds": f"{tick:.3g}"}
    for lane in plan.lanes:
        for name, value in backend_class(lane.backend).environ(lane.threads, lane.device).items():
            if any(word in name for word in THREAD_SETTINGS):
                facts[f"lane.{lane.id}.environ.{name}"] = value
    for key, value in facts.items():
        folder.append("facts", {"key": key, "value": value})
    return conditions.warnings(found.others_share, found.stolen_share, 0.0, tick)
