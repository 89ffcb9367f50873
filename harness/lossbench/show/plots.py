"""Data frames to figures. Axes are labelled with units; no figure is left open, no global setting is touched."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from lossbench.show import format as fmt
from lossbench.show.palette import ORACLE, ink, order

if TYPE_CHECKING:  # a second to import, and most commands draw nothing
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLE: Final[Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.edgecolor": "#000000",
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "axes.unicode_minus": True,
    "path.simplify": True,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.fonttype": "none",
}


@contextmanager
def _figure(
    width: float, height: float, margins: Sequence[float] = (0.72, 0.1, 0.48, 0.08)
) -> Iterator[tuple[Figure, Axes]]:
    """A figure with its axes, outside pyplot, so that nothing needs closing.

    Lengths in inches; margins: left, right, bottom, top.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height))
        FigureCanvasSVG(figure)
        # fixed margins: a layout engine would draw every figure twice
        left, right, bottom, top = (
            inches / side for inches, side in zip(margins, (width, width, height, height), strict=True)
        )
        figure.subplots_adjust(left=left, right=1 - right, bottom=bottom, top=1 - top)
        yield figure, figure.subplots()


def time_by_size(times: pd.DataFrame, limit_seconds_per_element: float = math.nan) -> Figure:
    """Time against the size of the prediction, log-log, a band for each interval, the machine's limit as a line.

    times: columns backend, label, elements, seconds, low_seconds, high_seconds.
    """
    with _figure(4.4, 3.1) as (figure, axes):
        for (backend, label), rows in sorted(times.groupby(["backend", "label"]), key=lambda g: order(str(g[0][0]))):
            line = rows.sort_values("elements")
            pen = ink(str(backend))
            axes.fill_between(line["elements"], line["low_seconds"], line["high_seconds"], color=pen.light, alpha=0.2)
            axes.plot(
                line["elements"],
                line["seconds"],
                color=pen.light,
                marker=pen.marker,
                fillstyle="none" if str(label).endswith("eager") else "full",
                dashes=pen.dash or (None, None),
                lw=1.3,
                ms=4,
                label=f"{backend} {label}",
            )
        if math.isfinite(limit_seconds_per_element):
            sizes = np.unique(times["elements"])
            axes.plot(sizes, sizes * limit_seconds_per_element, color="#000000", lw=0.8, label="memory limit")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("elements of the prediction")
        axes.set_ylabel("time (s)")
        axes.yaxis.set_major_formatter(lambda y, _: fmt.duration(y, 1))
        axes.xaxis.set_major_formatter(lambda x, _: fmt.count(int(x)) if x < 1e5 else fmt.significant(x, 1))
        axes.legend(loc="best")
    return figure


def reached(shares: Mapping[str, Sequence[float]]) -> Figure:
    """How many losses reach a share of the limit, a step line a backend. shares: backend -> one share a loss."""
    with _figure(6.4, 2.6) as (figure, axes):
        for backend, values in shares.items():
            pen = ink(backend)
            steps = np.sort(np.asarray(values, dtype=np.float64))
            beyond = 1 - np.arange(len(steps)) / len(steps)
            axes.step(
                [steps[0] / 2, *steps], [1.0, *beyond], where="pre", color=pen.light, lw=1.5,
                dashes=pen.dash or (None, None), label=backend,
            )  # fmt: skip
        axes.axvline(1.0, color="#000000", lw=0.8)
        axes.set_xscale("log")
        axes.set_xlabel("share of the machine's limit")
        axes.set_ylabel("losses that reach it")
        axes.xaxis.set_major_formatter(lambda x, _: fmt.percent(x))
        axes.yaxis.set_major_formatter(lambda y, _: fmt.percent(y))
        axes.legend(loc="lower left")
    return figure


def wall_time(parts: Mapping[str, float]) -> Figure:
    """How the wall time of the run was spent. parts: what -> seconds."""
    with _figure(6.4, 0.55 + 0.3 * max(len(parts), 1), margins=(1.3, 0.1, 0.48, 0.05)) as (figure, axes):
        names = sorted(parts, key=lambda name: parts[name])
        bars = axes.barh(names, [parts[n] for n in names], color=ORACLE.light, height=0.65)
        total = sum(parts.values()) or 1.0
        axes.bar_label(
            bars, [f"{fmt.duration(parts[n], 2)} ({fmt.percent(parts[n] / total)})" for n in names], padding=4
        )
        axes.set_xlabel("wall time (s)")
        axes.margins(x=0.28)
        axes.tick_params(axis="y", length=0)
    return figure
