"""The curves of every loss as inline pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup

from lossbench.show import curve
from lossbench.show import format as fmt
from lossbench.spec.loss import Loss


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
    return {name: pictures(drawing) for name, drawing in drawings.items()}


def pictures(drawing: Drawing) -> Sequence[Markup]:
    """The loss and its gradient over the prediction, each with the error below it."""
    points = drawing.points
    target = float(points["target"].iloc[0])
    found = []
    for quantity, word in curve.WORDS.items():
        if points[quantity].notna().sum() < 2:
            continue
        found.append(
            curve.drawn(
                points,
                quantity,
                target,
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
    backend, errors = points["backend"].to_numpy(), points[f"{quantity}_ulp"].abs().to_numpy()
    worst = "; ".join(
        f"{b} at most {fmt.ulps(float(np.fmax.reduce(errors[backend == b])))} ulp from exact"
        for b in sorted(set(backend))
    )
    return (
        f"From prediction {points['x'].min():g} to {points['x'].max():g} the {word} runs between "
        f"{fmt.significant(float(exact.min()))} and {fmt.significant(float(exact.max()))}. {worst}."
    )
