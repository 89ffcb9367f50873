"""The curve and the divergence maps of each loss of a run, as its lanes compute them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor

from lossbench.bench import curving, mapping
from lossbench.bench.asked_again import unanswered
from lossbench.bench.judging import RunJudge, map_plane
from lossbench.bench.together import threads
from lossbench.lanes.measurement import Answer
from lossbench.lanes.process import LaneProcess
from lossbench.record.run import RunFolder
from lossbench.spec.catalogue import Catalogue
from lossbench.spec.loss import Loss
from lossbench.spec.userloss import UserLoss


def take(
    folder: RunFolder,
    lanes: Mapping[str, LaneProcess],
    catalogue: Catalogue,
    chosen: Sequence[Loss],
    dtypes: Sequence[str],
    judges: Executor | None,
) -> None:
    """Rows of the curves and maps tables of the chosen losses, once a run; each lane in a thread of its own.

    Where a lane gave no answer a resumed run takes them again.

    lanes: by backend. dtypes: of the maps. judges: processes that judge the maps, this one if None.
    """
    drawn, before = folder.done().cases, unanswered(lanes)
    losses = [loss for loss in chosen if not isinstance(loss, UserLoss)]
    planes = mapping.asked(losses, dtypes if "maps" not in drawn else (), lanes)

    def along(lane: LaneProcess) -> dict[str, Answer | None]:
        told = planes[lane.lane.backend]
        given = {loss.name: mapping.curve_of(told.get((loss.name, curving.DTYPE))) for loss in losses}
        missing = [loss for loss in losses if given[loss.name] is None and f"curve of {loss.name}" not in drawn]
        return given | {loss.name: curving.ask(loss, lane) for loss in missing}

    with threads() as pool:
        found = dict(zip(lanes, pool.map(along, lanes.values()), strict=True))
    for loss in losses:
        if f"curve of {loss.name}" in drawn:
            continue
        answers = {backend: answer for backend, every in found.items() if (answer := every[loss.name]) is not None}
        for row in curving.points(loss, answers):
            folder.append("curves", row)
        if unanswered(lanes) == before:
            folder.judged(f"curve of {loss.name}")
    judge = RunJudge(catalogue).map_plane if judges is None else map_plane
    for rows in mapping.measured(losses, dtypes, planes, judge, judges):
        for row in rows:
            folder.append("maps", row)
    if unanswered(lanes) == before:
        folder.judged("maps")
