"""Waits until a lane has imported its framework, and notes in the run what it turned out to be."""

from __future__ import annotations

from lossbench.lanes.process import LaneLost
from lossbench.running.contract import Book, Worker
from lossbench.spec.case import Lane

NOTED = ("versions", "facts")


def await_ready(worker: Worker, lane: Lane, folder: Book) -> None:
    """A lane that does not come up is no error here: each of its answers says why. BadInput passes through."""
    try:
        greeting = worker.ready()
    except LaneLost:
        return
    for group in NOTED:
        for name, value in dict(greeting.get(group, {})).items():
            folder.append("facts", {"key": f"lane.{lane.id}.{name}", "value": str(value)})
