"""A worker that takes its turns: one block of a cell at a time, between the blocks of another process."""

from __future__ import annotations

from typing import Any

from lossbench.lanes.stopwatch import Prepared, calibrated, timed, undisturbed
from lossbench.lanes.worker import Message, Worker, cell_of, shallow


class Turning(Worker):
    """Beyond a worker's requests: `hold` computes a cell and keeps it, `size` and `turn` time it."""

    def __init__(self) -> None:
        super().__init__()
        self._held: Prepared | None = None

    def _hold(self, request: Message) -> dict[str, Any]:
        self._held = None  # before the next is made: two large cells need not fit
        answer, self._held = self._ready.prepared(cell_of(request["cell"]))
        return shallow(answer)

    def _size(self, request: Message) -> dict[str, Any]:
        with undisturbed():
            return {"loops": calibrated(self._own, self._backend.wait, request["block_seconds"])}

    def _turn(self, request: Message) -> dict[str, Any]:
        """A block, in seconds per call."""
        loops, wait = request["loops"], self._backend.wait
        with undisturbed():
            if loops > 1:
                timed(self._own, wait, 1)
            return {"seconds": timed(self._own, wait, loops) / loops}

    @property
    def _own(self) -> Prepared:
        assert self._held is not None, "hold comes before size and turn"
        return self._held
