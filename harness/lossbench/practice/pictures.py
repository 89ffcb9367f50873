"""Practice runs as figures: losses with the documented epochs, metrics, distances and causes on a logarithmic axis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lossbench.practice.curves import Trajectory
from lossbench.show.palette import OTHER, ink, order
from lossbench.show.plots import STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINTS: Final = 200
"""A curve of more steps is drawn by the means of so many stretches."""
SMALLEST: Final = 1e-18
"""Where a distance of zero is drawn."""
_WIDTH, _HEIGHT = 4.4, 2.7


@contextmanager
def _figure(height: float = _HEIGHT) -> Iterator[tuple[Figure, Axes]]:
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(_WIDTH, height))
        FigureCanvasSVG(figure)
        axes = figure.add_axes((0.16, 0.46 / height, 0.82, 1 - 0.56 / height))
        yield figure, axes


def losses(run: Trajectory, documented: Sequence[tuple[int, float]]) -> Figure:
    """Loss of each batch over the step, a curve a backend, its mean over each epoch as points at the epoch's end.

    documented: (epoch, printed loss), as diamonds in the same places.
    """
    with _figure() as (figure, axes):
        _curves(axes, run.losses)
        for backend in sorted(run.ends, key=order):
            pen, ends = ink(backend), run.ends[backend]
            at = [run.an_epoch * (epoch + 1) for epoch in range(len(ends))]
            axes.plot(at, ends, ls="", marker=pen.marker, ms=4, color=pen.light)
        if documented:
            epochs, said = zip(*documented, strict=True)
            at = [run.an_epoch * epoch for epoch in epochs]
            axes.plot(at, said, ls="", marker="D", ms=6, mfc="none", color=OTHER.light, label="documented")
        every = np.concatenate([np.asarray(values, np.float64) for values in run.losses.values()])
        positive = every[np.isfinite(every) & (every > 0)]
        if len(positive) and positive.max() > 30 * positive.min():
            axes.set_yscale("log")
        axes.set_xlabel("step")
        axes.set_ylabel("training loss")
        axes.legend()
        return figure


def metric(run: Trajectory, name: str) -> Figure:
    """The metric on each training batch over the step, a curve a backend."""
    with _figure() as (figure, axes):
        _curves(axes, run.metric)
        axes.set_xlabel("step")
        axes.set_ylabel(f"{name} on the batch")
        axes.legend()
        return figure


def _curves(axes: Axes, series: Mapping[str, Sequence[float]]) -> None:
    for backend in sorted(series, key=order):
        pen = ink(backend)
        x, y = thinned(np.asarray(series[backend], np.float64))
        axes.plot(x, y, color=pen.light, dashes=pen.dash or (None, None), lw=1.3, label=backend)


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


def causes(paths: Mapping[str, Sequence[float]]) -> Figure:
    """How far each cause alone moved a framework in float64, over the step; and the frameworks with all on and none."""
    names = [name for name in paths if len(paths[name])]
    inks = [ink("tensorflow"), ink("torch"), ink("jax"), OTHER]
    with _figure() as (figure, axes):
        for place, name in enumerate(names):
            pen = inks[place % len(inks)]
            values = np.maximum(np.asarray(paths[name], np.float64), SMALLEST)
            label = {"none": "none: between two", "all": "all: between two"}.get(name, name)
            axes.plot(
                np.arange(1, len(values) + 1), values, color=pen.light, dashes=pen.dash or (None, None), lw=1.3,
                marker="" if place < len(inks) else pen.marker, markevery=20, ms=3, label=label,
            )  # fmt: skip
        axes.set_yscale("log")
        axes.set_xlabel("step")
        axes.set_ylabel("relative distance of parameters")
        axes.legend(fontsize=6, ncols=2)
        return figure


def thinned(values: Any) -> tuple[Any, Any]:
    """(steps, values): all of them, or the means of `POINTS` stretches at their middles."""
    at = np.arange(1, len(values) + 1, dtype=np.float64)
    if len(values) <= POINTS:
        return at, values
    x, y = (np.array([part.mean() for part in np.array_split(a, POINTS)]) for a in (at, values))
    return x, y
