"""What other gates would say of the same samples: their documented rules, written anew.

A sample is one process's seconds per call, round by round, of the old code or the new; none of these gates pairs them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import stats

from lossbench.judge.looks import Reals

Rule = Callable[[Sequence[Reals], Sequence[Reals]], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """processes: of each side that one comparison uses. interleaved: in turn, else all of the old side first.

    source: where the rule is documented. slower: whether the new side is called slower.
    """

    processes: int
    interleaved: bool = False
    source: str
    slower: Rule


def minimum(base: Sequence[Reals], head: Sequence[Reals]) -> bool:
    """The minimum of one process against that of another, by more than 5%."""
    return bool(np.min(head[0]) > 1.05 * np.min(base[0]))


def u_test(base: Sequence[Reals], head: Sequence[Reals]) -> bool:
    """Mann and Whitney's test on the repetitions of one process each, two-sided 0.05, and the mean above."""
    return bool(
        stats.mannwhitneyu(head[0], base[0], alternative="two-sided").pvalue < 0.05
        and np.mean(head[0]) > np.mean(base[0])
    )


def t_test(base: Sequence[Reals], head: Sequence[Reals]) -> bool:
    """Student's test on the values of all processes as if they were independent, two-sided 0.05."""
    a, b = np.concatenate(list(base)), np.concatenate(list(head))
    return bool(stats.ttest_ind(b, a).pvalue < 0.05 and b.mean() > a.mean())


def interval(base: Sequence[Reals], head: Sequence[Reals]) -> bool:
    """Welch's 95% interval of the relative change of the mean, wholly above 1% (criterion bootstraps it)."""
    a, b = base[0], head[0]
    change = b.mean() / a.mean() - 1
    error = b.mean() / a.mean() * np.hypot(stats.sem(a) / a.mean(), stats.sem(b) / b.mean())
    return bool(change - 1.959963984540054 * error > 0.01)


def factor(base: Sequence[Reals], head: Sequence[Reals]) -> bool:
    """Medians 10% apart, and Mann and Whitney's test below 0.002."""
    a, b = np.concatenate(list(base)), np.concatenate(list(head))
    different = stats.mannwhitneyu(b, a, alternative="two-sided").pvalue < 0.002
    return bool(different and np.median(b) > 1.1 * np.median(a))


def median_ratio(base: Sequence[Reals], head: Sequence[Reals]) -> bool:
    """A 95% BCa bootstrap interval of the ratio of medians over processes, each its median, wholly above 5%."""
    a, b = ([float(np.log(np.median(run))) for run in side] for side in (base, head))
    found = stats.bootstrap(
        (a, b), lambda x, y, axis: np.median(y, axis=axis) - np.median(x, axis=axis), n_resamples=999, rng=0
    )  # fmt: skip
    return bool(found.confidence_interval.low > np.log1p(0.05))


RIVALS: Final[Mapping[str, Rival]] = {
    "pytest-benchmark, min 5%": Rival(
        processes=1, slower=minimum, source="pytest-benchmark, usage: --benchmark-compare-fail=min:5%"
    ),
    "google/benchmark, U test": Rival(
        processes=1, slower=u_test, source="google/benchmark, tools/compare.py: U test, alpha 0.05"
    ),
    "pyperf, t test": Rival(
        processes=10, slower=t_test, source="pyperf, compare_to: Student's two-sample two-tailed t test, 95%"
    ),
    "criterion, beyond 1%": Rival(
        processes=1, slower=interval, source="criterion.rs, analysis: confidence 0.95, noise_threshold 0.01"
    ),
    "asv continuous": Rival(
        processes=2, interleaved=True, slower=factor,
        source="asv, continuous: --factor 1.1, --interleave-rounds; Mann-Whitney threshold 0.002",
    ),
    "benchmatrix, beyond 5%": Rival(
        processes=5, slower=median_ratio,
        source="benchmatrix 1.2, measure --runs 5, compare: BCa interval of the median ratio, threshold 5%",
    ),
}  # fmt: skip


def comparisons(base: Sequence[Reals], head: Sequence[Reals], rival: Rival) -> list[bool]:
    """Every comparison that consecutive processes allow. base, head: of each process, both in order of time.

    A process serves one side only, as it would where the sides are not run together.
    """
    width, said = 2 * rival.processes, []
    for start in range(0, len(base) - width + 1, width):
        window = range(start, start + width)
        old = window[::2] if rival.interleaved else window[: rival.processes]
        new = window[1::2] if rival.interleaved else window[rival.processes :]
        said.append(rival.slower([base[i] for i in old], [head[i] for i in new]))
    return said
