"""What one replicate says: log(version / base), each version by the quickest of its blocks (`quiet`).

What disturbs a block only ever lengthens it: neighbours on the machine, interrupts, a cold cache. The least times
therefore vary least from process to process (J. Chen, J. Revels, Robust benchmarking in noisy environments,
arXiv:1608.04295), half as much as what is typical of all blocks; the mean of a quarter of them is as quiet as the
minimum and does not hang on one block. The versions took turns all along, so that each had the same share of the quiet
moments.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lossbench.judge.looks import Reals
from lossbench.lanes.measurement import quiet


def log_ratios(seconds: npt.NDArray[np.float64]) -> Reals:
    """log(version / first version) of each version but the first.

    seconds: of shape (rounds, versions, 2).
    """
    found = levels(seconds)
    return np.asarray(found[1:] - found[0], dtype=np.float64)


def levels(seconds: npt.NDArray[np.float64]) -> Reals:
    """Of each version the mean logarithm of its quickest blocks; seconds: as above."""
    blocks = np.sort(np.log(seconds).transpose(1, 0, 2).reshape(seconds.shape[1], -1), axis=1)
    return np.asarray(blocks[:, : quiet(blocks.shape[1])].mean(axis=1), dtype=np.float64)
