"""SQL over the tables of many runs, in DuckDB, which reads only the columns, files and row groups that a query needs.

The connection may neither open files nor load extensions: it sees the runs' tables and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds

from lossbench.record import frames
from lossbench.record.stores import Place, arrow
from lossbench.record.tables import TABLES, Table
from lossbench.spec.errors import BadInput

RUN = pa.field("run", pa.string(), metadata={b"meaning": b"id of the run"})
CHECKED = ds.ParquetFragmentScanOptions(page_checksum_verification=True)


def dataset(table: Table, folders: Sequence[Place]) -> ds.Dataset:
    """A table of several runs, with a column `run` before its own. RunDamaged where a file cannot be trusted."""
    for folder in folders:
        frames.check_parquet(folder / f"{table.name}.parquet", table)
    files = [arrow(folder / f"{table.name}.parquet") for folder in folders]
    return ds.FileSystemDataset.from_paths(
        [path for path, _ in files],
        schema=pa.schema([RUN, *frames.schema(table)]),
        format=ds.ParquetFileFormat(default_fragment_scan_options=CHECKED),
        filesystem=files[0][1],
        partitions=[ds.field("run") == folder.name for folder in folders],
    )


def query(sql: str, folders: Sequence[Place]) -> pd.DataFrame:
    """The rows of a SELECT over `cells`, `measurements`, `agreement`, ... of the runs. BadInput, RunDamaged."""
    try:
        import duckdb
    except ImportError:
        raise BadInput(
            subject="lossbench query",
            expected="the package duckdb",
            received="no such package",
            remedy="pip install 'lossbench[query]'",
        ) from None
    with duckdb.connect(
        ":memory:", config={"python_enable_replacements": "false", "autoload_known_extensions": "false"}
    ) as connection:
        for name, table in TABLES.items():
            connection.register(name, dataset(table, folders))
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        try:
            found: Any = connection.execute(sql)
            return found.df()  # type: ignore[no-any-return]
        except duckdb.Error as error:
            raise BadInput(
                subject="the query",
                expected=f"a SELECT over {', '.join(TABLES)}",
                received=" ".join(str(error).split("\n\n")[0].split()).rstrip("."),
                remedy="`lossbench query` alone lists the tables and their columns",
            ) from error
