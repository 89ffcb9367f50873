"""Practice runs as figures: losses with the documented epochs, distances on a logarithmic axis, the guide."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from lossbench.practice.guide import Scored
from lossbench.show.palette import OTHER, ink, order
from lossbench.show.plots import STYLE

POINTS: Final = 200
"""A curve of more steps is drawn by the means of so many stretches."""
SMALLEST: Final = 1e-18
"""Where a distance of zero is drawn."""
_WIDTH, _HEIGHT = 4.4, 2.7


@contextmanager
def _figure(height: float = _HEIGHT) -> Iterator[tuple[Figure, Axes]]:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(_WIDTH, height))
        FigureCanvasSVG(figure)
        axes = figure.add_axes((0.16, 0.46 / height, 0.82, 1 - 0.56 / height))
        yield figure, axes


def losses(steps: Mapping[str, Sequence[float]], documented: Sequence[tuple[int, float]]) -> Figure:
    """Loss of each batch over the step, a curve a backend. documented: (step, printed loss)."""
    with _figure() as (figure, axes):
        for backend in sorted(steps, key=order):
            pen = ink(backend)
            x, y = thinned(np.asarray(steps[backend], np.float64))
            axes.plot(x, y, color=pen.light, dashes=pen.dash or (None, None), lw=1.3, label=backend)
        if documented:
            at, said = zip(*documented, strict=True)
            axes.plot(at, said, ls="", marker="D", ms=6, color=OTHER.light, label="documented")
        every = np.concatenate([np.asarray(values, np.float64) for values in steps.values()])
        positive = every[np.isfinite(every) & (every > 0)]
        if len(positive) and positive.max() > 30 * positive.min():
            axes.set_yscale("log")
        axes.set_xlabel("step")
        axes.set_ylabel("training loss")
        axes.legend()
        return figure


def apart(distances: Mapping[tuple[str, str, str], Sequence[float]]) -> Figure:
    """Relative distance of the parameters over the step; (dtype, one, other) -> a number a step."""
    with _figure() as (figure, axes):
        for (dtype, one, other), values in distances.items():
            pen = ink({"tensorflow, torch": "tensorflow", "torch, jax": "torch"}.get(f"{one}, {other}", other))
            x, y = thinned(np.maximum(np.asarray(values, np.float64), SMALLEST))
            dashes = (None, None) if dtype == "float32" else (4, 1.5)
            axes.plot(x, y, color=pen.light, dashes=dashes, lw=1.3, label=f"{one}, {other} {dtype}")
        axes.set_yscale("log")
        axes.set_xlabel("step")
        axes.set_ylabel("relative distance of parameters")
        axes.legend(fontsize=7)
        return figure


def guide(scored: Sequence[Scored], metric: str) -> Figure:
    """The metric on a clean test of each loss of a problem, over the share of bad targets."""
    names = list(dict.fromkeys(s.loss for s in scored))
    with _figure() as (figure, axes):
        for place, name in enumerate(names):
            mine = sorted((s for s in scored if s.loss == name), key=lambda s: s.share)
            pen = [*(ink(b) for b in ("tensorflow", "torch", "jax")), OTHER][place % 4]
            axes.plot(
                [100 * s.share for s in mine], [s.metrics[metric] for s in mine], color=pen.light, marker=pen.marker,
                dashes=pen.dash or (None, None), lw=1.3, label=name,
            )  # fmt: skip
        axes.set_xlabel("bad training targets (%)")
        axes.set_ylabel(f"{metric} on a clean test")
        axes.legend(fontsize=7)
        return figure


def thinned(values: Any) -> tuple[Any, Any]:
    """(steps, values): all of them, or the means of `POINTS` stretches at their middles."""
    at = np.arange(1, len(values) + 1, dtype=np.float64)
    if len(values) <= POINTS:
        return at, values
    x, y = (np.array([part.mean() for part in np.array_split(a, POINTS)]) for a in (at, values))
    return x, y
