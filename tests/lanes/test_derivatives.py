"""What is asked for beside the usual gradient, where no framework is needed to refuse it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lossbench.lanes.backends.base import UnsupportedError
from lossbench.lanes.derivatives import by_target, forward

NO_BACKEND: Any = None


def test_nothing_is_differentiated_by_whole_numbers() -> None:
    with pytest.raises(UnsupportedError, match="whole numbers"):
        by_target(NO_BACKEND, lambda: None, np.zeros(3, np.int32), "eager")


def test_forward_mode_is_eager() -> None:
    with pytest.raises(UnsupportedError, match="eager lanes"):
        forward(NO_BACKEND, lambda: None, np.zeros(3), "compiled")
