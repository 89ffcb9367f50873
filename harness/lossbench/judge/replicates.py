"""What one replicate says: the centre over its rounds of log(version / base).

The centre is Hodges and Lehmann's, the median of all pairwise averages: as little moved by a disturbed round as the
median, and with a third less variance where noise is normal.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from lossbench.judge.looks import Reals, centres

LEAST_ROUNDS: Final = 2
LEAST_BLOCKS: Final = 3
"""Undisturbed rounds, or blocks of each version, from which on the disturbed ones are left out."""


def log_ratios(seconds: npt.NDArray[np.float64], preempted: npt.NDArray[np.int64]) -> Reals:
    """log(version / first version) of each version but the first.

    seconds, preempted: of shape (rounds, versions, 2). The two blocks of a palindrome are added, which cancels a steady
    drift; the centre over rounds passes over those that something else disturbed. Where the processor was taken away
    in nearly every round, as on a machine with more work than cores, the undisturbed blocks are compared instead.
    """
    quiet = preempted == 0
    whole = quiet.all(axis=(1, 2))
    blocks = quiet.sum(axis=(0, 2))
    if whole.sum() < LEAST_ROUNDS and blocks.min(initial=LEAST_BLOCKS) >= LEAST_BLOCKS:
        levels = [np.median(np.log(seconds[:, v][quiet[:, v]])) for v in range(len(blocks))]
        return np.asarray(levels[1:] - levels[0], dtype=np.float64)
    rounds = seconds[whole] if whole.sum() >= LEAST_ROUNDS else seconds
    sums = rounds.sum(axis=2)
    return centres(np.log(sums[:, 1:] / sums[:, :1]).T)
