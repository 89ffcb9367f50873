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
MOST_ERRORS: Final = 40
_QUANTITY: Final = {"value": "loss", "grad": "gradient"}


@contextmanager
def _figure(
    width: float, height: float, rows: Sequence[float] = (1.0,), margins: Sequence[float] = (0.72, 0.1, 0.48, 0.08)
) -> Iterator[tuple[Figure, list[Axes]]]:
    """A figure of `rows` panels over one x axis, outside pyplot, so that nothing needs closing.

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
        edges = {"left": left, "right": 1 - right, "bottom": bottom, "top": 1 - top, "hspace": 0.14}
        grid = {"height_ratios": list(rows), **edges}
        panels = figure.subplots(len(rows), 1, sharex=True, squeeze=False, gridspec_kw=grid)
        yield figure, [panel[0] for panel in panels]


def curve(points: pd.DataFrame, quantity: str, target: float = math.nan) -> Figure:
    """A loss (`value`) or its gradient (`grad`) over the prediction, the error in ulps below it.

    points: rows of the curves table, of one loss and one dtype; one binding a backend is drawn.
    """
    with _figure(4.4, 3.3, (2.2, 1.0), margins=(0.72, 0.1, 0.46, 0.3)) as (figure, (above, below)):
        exact = points.drop_duplicates("x").sort_values("x")
        above.plot(exact["x"], _finite(exact[f"oracle_{quantity}"]), color=ORACLE.light, lw=5, label="exact")
        backends = sorted(points["backend"].unique(), key=order)
        errors: list[float] = []
        for place, backend in enumerate(backends):
            rows = points[points["backend"] == backend].drop_duplicates("x").sort_values("x")
            pen = ink(backend)
            every = (place * max(len(rows) // 30, 1), max(len(rows) // 10, 1))
            above.plot(
                rows["x"],
                _finite(rows[quantity]),
                color=pen.light,
                lw=1.3,
                dashes=pen.dash or (None, None),
                marker=pen.marker,
                markevery=every,
                ms=4,
                label=backend,
            )
            places, error = _worst_of_each(rows["x"], _finite(rows[f"{quantity}_ulp"].abs()))
            errors += [float(e) for e in error]
            below.plot(places, error, color=pen.light, ls="", marker=pen.marker, ms=2.6, label=backend)
        above.set_ylabel(_QUANTITY[quantity])
        # above the axes: the best place inside would be searched for at the price of the whole drawing
        above.legend(
            loc="lower left", bbox_to_anchor=(0, 0.98), ncols=4, handlelength=2.2, columnspacing=1.1, borderpad=0
        )
        below.set_ylabel("error (ulp)")
        below.set_xlabel("prediction" if math.isnan(target) else f"prediction, target {target:g}")
        _ulp_axis(below, max(errors, default=0.0))
        for axes in (above, below):
            axes.margins(x=0.02)
        above.locator_params(axis="y", nbins=5)
    return figure


def _finite(values: Any) -> Any:
    """Infinities leave a gap instead of a broken axis."""
    array = np.asarray(values, dtype=np.float64)
    return np.where(np.isfinite(array), array, np.nan)


def _worst_of_each(x: Any, errors: Any, bins: int = MOST_ERRORS) -> tuple[Any, Any]:
    """At most `bins` points, each the largest error of its stretch, so that thinning hides nothing."""
    known = [(float(e), float(at)) for at, e in zip(x, errors, strict=True) if math.isfinite(e)]
    stretches = np.array_split(np.arange(len(known)), min(bins, max(len(known), 1)))
    worst = [max(known[i] for i in stretch) for stretch in stretches if len(stretch)]
    return [at for _, at in worst], [e for e, _ in worst]


def _ulp_axis(axes: Axes, largest: float) -> None:
    """Linear to one ulp and logarithmic above, so that 0, half an ulp and a million are all legible."""
    axes.set_yscale("symlog", linthresh=1.0, linscale=0.6)
    top = max(2.0, largest * 2)
    axes.set_ylim(-0.15, top)
    decades = [10.0**k for k in range(math.ceil(math.log10(top)) + 1)]
    step = max(1, math.ceil(len(decades) / 3))
    axes.set_yticks([0.0, *[d for d in decades[::step] if d <= top]])
    axes.yaxis.set_major_formatter(lambda y, _: fmt.ulps(y))
    axes.yaxis.set_minor_formatter("")
    axes.minorticks_off()
    axes.axhline(0.5, color="#000000", lw=0.5, alpha=0.4)


def time_by_size(times: pd.DataFrame, limit_seconds_per_element: float = math.nan) -> Figure:
    """Time against the size of the prediction, log-log, a band for each interval, the machine's limit as a line.

    times: columns backend, label, elements, seconds, low_seconds, high_seconds.
    """
    with _figure(4.4, 3.1) as (figure, (axes,)):
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
    with _figure(6.4, 2.6) as (figure, (axes,)):
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
    with _figure(6.4, 0.55 + 0.3 * max(len(parts), 1), margins=(1.3, 0.1, 0.48, 0.05)) as (figure, (axes,)):
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
