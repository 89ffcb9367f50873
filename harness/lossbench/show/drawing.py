"""The curves of every loss as inline pictures, drawn on all processors: most of a page's time goes into them."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Final

import pandas as pd
from markupsafe import Markup

from lossbench.show import format as fmt
from lossbench.show import plots, svg
from lossbench.spec.loss import Loss

FEW: Final = 12
"""Losses for which other processes would take longer to start than the drawing takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What is drawn of one loss: the documented spelling of each backend. prefix: unique on the page."""

    title: str
    prefix: str
    points: pd.DataFrame


def all_of(losses: Mapping[str, Loss], curves: pd.DataFrame) -> dict[str, Sequence[Markup]]:
    """Loss name -> its pictures, value and gradient; losses without points are left out."""
    points = dict(list(curves.groupby("loss", sort=False)))
    drawings = {
        name: Drawing(title=loss.title, prefix=f"c{place}", points=_shown(loss, points[name]))
        for place, (name, loss) in enumerate(losses.items())
        if name in points
    }
    if len(drawings) <= FEW or (os.cpu_count() or 1) == 1:
        return {name: pictures(drawing) for name, drawing in drawings.items()}
    # spawned, not forked: this process may have threads, and a copy of their locks would never open
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
        return dict(zip(drawings, pool.map(pictures, drawings.values(), chunksize=4), strict=True))


def pictures(drawing: Drawing) -> Sequence[Markup]:
    """The loss and its gradient over the prediction, each with the error below it."""
    points = drawing.points
    target = float(points["target"].iloc[0])
    found = []
    for quantity, word in (("value", "loss"), ("grad", "gradient")):
        if points[quantity].notna().sum() < 2:
            continue
        found.append(
            svg.inline(
                plots.curve(points, quantity, target),
                prefix=f"{drawing.prefix}{quantity[0]}",
                title=f"{drawing.title}: {word} over the prediction, {points['dtype'].iloc[0]}",
                description=_in_words(points, quantity, word),
            )
        )
    return found


def _shown(loss: Loss, points: pd.DataFrame) -> pd.DataFrame:
    """One dtype, and of each backend the documented spelling where there are points of it."""
    dtype = "float32" if (points["dtype"] == "float32").any() else str(points["dtype"].iloc[0])
    shown = points[points["dtype"] == dtype]
    first = {b: loss.bindings_of(str(b)) for b in shown["backend"].unique()}
    documented = {(b, spellings[0].name) for b, spellings in first.items() if spellings}
    own = shown[[pair in documented for pair in zip(shown["backend"], shown["binding"], strict=True)]]
    return own if len(own) else shown


def _in_words(points: pd.DataFrame, quantity: str, word: str) -> str:
    exact = points[f"oracle_{quantity}"].dropna()
    errors = points.groupby("backend")[f"{quantity}_ulp"].agg(lambda e: e.abs().max())
    worst = "; ".join(f"{b} at most {fmt.ulps(float(e))} ulp from exact" for b, e in errors.items())
    return (
        f"From prediction {points['x'].min():g} to {points['x'].max():g} the {word} runs between "
        f"{fmt.significant(float(exact.min()))} and {fmt.significant(float(exact.max()))}. {worst}."
    )
