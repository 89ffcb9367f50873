"""How near the timed cells come to what the machine can do: in words, and as a share of the losses a framework."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from lossbench.show import format as fmt
from lossbench.show import plots, svg
from lossbench.show.palette import order
from lossbench.show.times import Ranking

_RATE: Final = re.compile(r"ceiling\.threads(\d+)\.(add|dot|matmul)\.(\w+)\.(?:bytes|operations)_per_second")
CACHE_BYTES: Final = 2**20
"""Of the sizes that were measured, one of a working set in a cache, to be named beside the largest."""


def of(facts: pd.DataFrame, headline: Mapping[str, Ranking]) -> dict[str, Any] | None:
    """Words and a drawing; None for a run without limits. headline: one ranking a loss."""
    shares = reached(headline)
    if not shares:
        return None
    words = " ".join((machine(facts), *_sentences(shares)))
    figure = plots.reached({backend: list(found.values()) for backend, found in shares.items()})
    title = "Share of the losses that reach a fraction of the limit"
    return {"words": words, "drawing": svg.inline(figure, prefix="limit", title=title, description=words)}


def reached(headline: Mapping[str, Ranking]) -> dict[str, dict[str, float]]:
    """backend -> loss -> share of the limit that its fastest right spelling reaches."""
    found: dict[str, dict[str, float]] = {}
    for loss, ranking in headline.items():
        for backend in {entry.backend for entry in ranking.entries}:
            entry = ranking.best_of(backend)
            if entry and math.isfinite(entry.share):
                found.setdefault(backend, {})[loss] = entry.share
    return dict(sorted(found.items(), key=lambda item: order(item[0])))


def machine(facts: pd.DataFrame) -> str:
    """What the machine reached, in a sentence; empty where the run did not measure it."""
    rates: dict[tuple[str, str], float] = {}
    threads = ""
    for key, value in zip(facts["key"], facts["value"], strict=True):
        if found := _RATE.fullmatch(str(key)):
            threads, rates[found[2], found[3]] = found[1], float(value)
    sizes = sorted(int(size) for kernel, size in rates if kernel == "add")
    if not sizes:
        return ""
    near, far = (rates["add", str(size)] for size in (min(sizes, key=lambda s: abs(s - CACHE_BYTES)), sizes[-1]))
    arithmetic = rates.get(("matmul", "float32"), math.nan)
    plural = "" if threads == "1" else "s"
    slow, fast, rate = (fmt.significant(each / 1e9, 3) for each in (far, near, arithmetic))
    return (
        f"On {threads} thread{plural} this machine moved {slow} GB/s between memory and processor, {fast} GB/s in a "
        f"working set of 1 MiB, and did {rate} billion float32 operations a second. The limit of a call is the "
        "time that its inputs once, its results once and its formula's operations take at these rates."
    )


def _sentences(shares: Mapping[str, Mapping[str, float]]) -> list[str]:
    said = []
    for backend, found in shares.items():
        values = list(found.values())
        half = sum(share >= 0.5 for share in values)
        said.append(
            f"{backend}: {fmt.percent(float(np.median(values)))} of it in the median over {len(values)} losses, "
            f"half or more for {half}."
        )
    return said
