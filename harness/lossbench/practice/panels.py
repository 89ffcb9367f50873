"""The guide as pictures: for a problem, one panel a criterion, one row a loss, one mark a share of bad targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lossbench.practice.guide import Scored
from lossbench.practice.problems import PROBLEMS
from lossbench.show.palette import OTHER, ink
from lossbench.show.plots import STYLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INKS: Final = (ink("jax"), ink("tensorflow"), ink("torch"), OTHER)
"""For the shares of bad targets, from the smallest."""
_WIDTH, _LEFT, _GAP = 9.2, 2.3, 0.22
_ROW, _BELOW, _ABOVE = 0.24, 0.3, 0.62

Panel = tuple[str, str, Callable[[Scored], float]]
"""Title, scale of its axis, and the number of a loss."""


def panels(problem: str) -> tuple[Panel, ...]:
    """What is drawn of a problem: its metric, then each criterion of the guide."""
    known = PROBLEMS[problem]
    return (
        (known.metric.replace("_", "\n"), "linear", lambda s: s.metrics[known.metric]),
        (known.calibration.replace("_", "\n"), "linear", lambda s: s.metrics[known.calibration]),
        ("shift of\nthe optimum", "linear", lambda s: s.shift),
        ("slope\nfar off", "symlog", lambda s: s.far),
        ("slope\nclose by", "symlog", lambda s: s.near),
        ("steps\nto target", "linear", lambda s: np.nan if s.steps is None else float(s.steps)),
        ("a step\n(µs)", "linear", lambda s: s.seconds_a_step * 1e6),
    )


def picture(scored: Sequence[Scored]) -> Figure:
    """All losses of one problem under every share of bad targets. A missing mark: it never came near the target."""
    names = list(dict.fromkeys(s.loss for s in scored))
    shares = sorted({s.share for s in scored})
    drawn = panels(scored[0].problem)
    height = _BELOW + _ABOVE + _ROW * len(names)
    wide = (_WIDTH - _LEFT - _GAP * len(drawn)) / len(drawn)
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context(STYLE | {"font.size": 7}):
        figure = Figure(figsize=(_WIDTH, height))
        FigureCanvasSVG(figure)
        for place, (title, scale, number) in enumerate(drawn):
            left = (_LEFT + place * (wide + _GAP)) / _WIDTH
            axes = figure.add_axes((left, _BELOW / height, wide / _WIDTH, _ROW * len(names) / height))
            for of, share in enumerate(shares):
                pen = INKS[of % len(INKS)]
                mine = [s for s in scored if s.share == share]
                rows = [names.index(s.loss) for s in mine]
                label = f"{share:.0%} {PROBLEMS[scored[0].problem].bad}"
                axes.plot([number(s) for s in mine], rows, ls="", marker=pen.marker, ms=4, color=pen.light, label=label)
            _dressed(axes, title, scale, names if place == 0 else [], len(names))
        handles, labels = figure.axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="upper left", ncols=len(shares), frameon=False, fontsize=7)
        return figure


def _dressed(axes: Any, title: str, scale: str, names: Sequence[str], rows: int) -> None:
    axes.set_title(title, fontsize=7)
    if scale == "symlog":
        top = 4 * max(0.01, float(axes.dataLim.xmax))
        axes.set_xscale("symlog", linthresh=1e-3)
        axes.set_xlim(0, top)
        axes.set_xticks([tick for tick in (0, 0.01, 1, 100) if tick < top])
    else:
        axes.locator_params(axis="x", nbins=2)
    axes.tick_params(axis="x", labelsize=6)
    axes.set_yticks(range(rows), labels=names or [""] * rows)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.grid(axis="y", lw=0.3)
