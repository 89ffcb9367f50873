"""What every test shares."""

from __future__ import annotations

from pathlib import Path

import pytest

FRONT_DOOR = Path(__file__).parent / "testing"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The front door's tests import frameworks into their own process, so they come last: others want a clean one."""
    items.sort(key=lambda item: FRONT_DOOR in item.path.parents)
