"""The page about the columns says what the schemas say."""

from pathlib import Path

import pytest

from lossbench.record import columns
from lossbench.record.tables import TABLES


def test_columns_page_is_current() -> None:
    page = Path(__file__).parents[2] / "docs" / "columns.md"
    assert page.read_text(encoding="utf-8") == columns.markdown(), (
        "run: python -m lossbench.record.columns > docs/columns.md"
    )


@pytest.mark.parametrize("name", TABLES)
def test_every_number_names_its_unit(name: str) -> None:
    suffixes = {"_seconds": "s", "seconds_per_call": "s", "_bytes": "B", "_ulp": "ulp"}
    for column in TABLES[name].columns:
        for suffix, unit in suffixes.items():
            if column.name.endswith(suffix):
                assert column.unit == unit, column.name
    assert len({column.name for column in TABLES[name].columns}) == len(TABLES[name].columns)
