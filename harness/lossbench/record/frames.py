"""Rows to data frames and Parquet, and back, by the schemas of `tables`. A file is whole or it is not there."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from lossbench.record.journal import unwritable
from lossbench.record.stores import Place
from lossbench.record.stores import arrow as located
from lossbench.record.tables import DEFAULTS, SCHEMA_VERSION, TABLES, ColumnType, Row, Table
from lossbench.spec.errors import RunDamaged
from lossbench.spec.plain import plain

_ARROW: Final[dict[ColumnType, pa.DataType]] = {
    "string": pa.string(),
    "double": pa.float64(),
    "int": pa.int64(),
    "bool": pa.bool_(),
    "doubles": pa.list_(pa.float64()),
    "ints": pa.list_(pa.int64()),
}
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_VERSION_KEY: Final = b"lossbench.schema_version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """A run as data frames; the columns are those of `lossbench.record.tables`.

    Lists are numpy arrays; those of the measurements stand one after the other in an Arrow column of pandas.
    """

    cells: pd.DataFrame
    measurements: pd.DataFrame
    work: pd.DataFrame
    agreement: pd.DataFrame
    claims: pd.DataFrame
    curves: pd.DataFrame
    maps: pd.DataFrame
    custom: pd.DataFrame
    facts: pd.DataFrame

    def fact(self, key: str, default: str = "") -> str:
        """The value of one fact, as text."""
        found = self.facts.loc[self.facts["key"] == key, "value"]
        return str(found.iloc[-1]) if len(found) else default


def schema(table: Table) -> pa.Schema:
    """The Parquet schema: units and meanings travel in each field's metadata."""
    fields = [
        pa.field(c.name, _ARROW[c.type], metadata={b"unit": c.unit.encode(), b"meaning": c.meaning.encode()})
        for c in table.columns
    ]
    return pa.schema(fields, metadata={_VERSION_KEY: str(SCHEMA_VERSION).encode(), b"lossbench.table": table.name})


def _typed(value: Any, kind: ColumnType) -> Any:
    """From what the journal's JSON holds: NaN and infinities are strings there."""
    if value is None:
        return DEFAULTS[kind]
    if kind == "double":
        return float(value)
    if kind == "doubles":
        return [float(item) for item in value]
    return value


def arrow(table: Table, rows: Iterable[Row]) -> pa.Table:
    """Rows as an Arrow table; of rows with one key the last counts, in the place of the first."""
    latest: dict[tuple[Any, ...], Row] = {table.key_of(row): row for row in rows}
    columns = [
        pa.array([_typed(row[c.name], c.type) for row in latest.values()], type=_ARROW[c.type]) for c in table.columns
    ]
    return pa.Table.from_arrays(columns, schema=schema(table))


def with_peaks(contents: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """The same tables, each cell's peak memory filled in from its blocks."""
    blocks, cells = contents["measurements"], contents["cells"]
    peaks: dict[str, int] = {}
    for cell, peak in zip(blocks["cell"].to_pylist(), blocks["peak_bytes"].to_pylist(), strict=True):
        peaks[cell] = max(peak, peaks.get(cell, 0))
    column = pa.array([peaks.get(cell, 0) for cell in cells["cell"].to_pylist()], type=pa.int64())
    place = cells.schema.get_field_index("peak_bytes")
    return contents | {"cells": cells.set_column(place, cells.schema.field(place), column)}


def tables(contents: dict[str, pa.Table]) -> Tables:
    """Data frames of a whole run."""
    return Tables(**{name: frame(name, content) for name, content in contents.items()})


def frame(name: str, content: pa.Table) -> pd.DataFrame:
    """A table as a data frame; what a file says of itself to pandas is left unread."""
    if not len(content):
        return _nothing(name).copy()
    content = content.replace_schema_metadata(None)
    if name != "measurements":
        return pd.DataFrame(content.to_pandas(), copy=False)
    # a million arrays of five numbers would take ten times the room of the numbers
    found = content.to_pandas(types_mapper=lambda kind: pd.ArrowDtype(kind) if pa.types.is_list(kind) else None)
    return pd.DataFrame(found, copy=False)


@cache
def _nothing(name: str) -> pd.DataFrame:
    """A table without rows."""
    return pd.DataFrame(schema(TABLES[name]).empty_table().to_pandas())


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file in one step, so that a reader sees the old one or the new one. BadInput if it cannot."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise unwritable(path, error) from error


def write_parquet(path: Path, content: pa.Table) -> None:
    """Atomic, zstd compressed, each page with its checksum."""
    sink = io.BytesIO()
    pq.write_table(content, sink, compression="zstd", write_page_checksum=True)
    write_whole(path, sink.getvalue())


def read_parquet(path: Place, table: Table, columns: Sequence[str] | None = None) -> pa.Table:
    """Those columns, all if None; of measurements asked for by column, text is a dictionary.

    RunDamaged where the file is missing, truncated, damaged, or of another schema."""
    return _opened(path, table, columns)


def check_parquet(path: Place, table: Table) -> None:
    """RunDamaged where the file is missing, has no whole footer, or is of another schema; reads no rows."""
    _opened(path, table, ())


def _opened(path: Place, table: Table, columns: Sequence[str] | None) -> pa.Table:
    subject = f"{path.parent.name}/{path.name}"
    again = f"`lossbench run --resume {path.parent.name}` writes it again from the journal"
    if not path.exists():
        raise RunDamaged(subject=subject, expected="a Parquet file", received="no such file", remedy=again)
    where, filesystem = located(path)
    text = [column.name for column in table.columns if column.type == "string"]
    coded = text if columns and table.name == "measurements" else []  # a million rows repeat the names of their cells
    try:
        with pq.ParquetFile(
            where, filesystem=filesystem, page_checksum_verification=True, pre_buffer=True, read_dictionary=coded
        ) as file:
            found = file.metadata.schema.to_arrow_schema()
            names = set(found.names)
            # of none not even their number is asked
            content = file.read(columns) if columns is None or columns else None
            content = content.unify_dictionaries() if content is not None and coded else content
        if content is not None:
            content.validate(full=True)  # a page may be whole and hold what is no text
    except (pa.ArrowException, OSError, ValueError) as error:
        first = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise RunDamaged(subject=subject, expected="a whole Parquet file", received=first, remedy=again) from error
    check_version(subject, (found.metadata or {}).get(_VERSION_KEY, b"none").decode(errors="replace"))
    if not found.equals(schema(table)):
        wrong = sorted(names ^ {c.name for c in table.columns}) or "other types"
        raise RunDamaged(subject=subject, expected=f"the columns of {table.name}", received=str(wrong), remedy=again)
    return content


def check_version(subject: str, version: str) -> None:
    """RunDamaged unless the schema version is ours."""
    if version == str(SCHEMA_VERSION):
        return
    newer = version.isdecimal() and len(version) < 9 and int(version) > SCHEMA_VERSION
    raise RunDamaged(
        subject=subject,
        expected=f"schema version {SCHEMA_VERSION}",
        received=f"version {version}",
        remedy="read it with a newer lossbench" if newer else "run again, or read it with the lossbench that wrote it",
    )


def summary(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """What the CSV beside the Parquet holds: measurements by cell with their quartiles, all else as it is."""
    if table.name != "measurements":
        left_out = ("x", "y", "ulp") if table.name == "maps" else ("traceback", "printed")
        return frame.drop(columns=list(left_out), errors="ignore")
    identity = frame.groupby("cell", sort=False)[["loss", "lane", "backend", "binding", "operation"]].first()
    blocks = frame.groupby("cell", sort=False).agg(visits=("visit", "count"), peak_bytes=("peak_bytes", "max"))
    samples = frame[["cell", "seconds_per_call"]].explode("seconds_per_call").dropna()
    times = samples.astype({"seconds_per_call": float}).groupby("cell", sort=False)["seconds_per_call"]
    columns = {"rounds": times.count(), "min_seconds": times.min()}
    for name, share in (("quartile1_seconds", 0.25), ("median_seconds", 0.5), ("quartile3_seconds", 0.75)):
        columns[name] = times.quantile(share)
    return identity.join(blocks).join(pd.DataFrame(columns)).reset_index()


def csv(frame: pd.DataFrame) -> str:
    """As CSV text in which no spreadsheet sees a formula and no terminal a command.

    Text that begins like a formula gets an apostrophe before it; control characters become escapes.
    """
    text = [name for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name])]
    guarded = {name: frame[name].map(_guarded) for name in text}
    return frame.assign(**guarded).rename(columns=_guarded).to_csv(index=False)


def _guarded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    shown = value if value.isprintable() else "\n".join(plain(line) for line in value.split("\n"))
    return f"'{shown}" if value.lstrip().startswith(_FORMULA) or value.startswith(_FORMULA) else shown


def read_all(folder: Place, only: Mapping[str, Sequence[str]] | None = None) -> dict[str, pa.Table]:
    """Every table of a finished run. only: table -> the columns to read of it; a table that is not named is empty."""
    asked: Mapping[str, Sequence[str] | None] = dict.fromkeys(TABLES) if only is None else only
    return {
        name: read_parquet(folder / f"{name}.parquet", table, asked[name])
        if name in asked
        else schema(table).empty_table()
        for name, table in TABLES.items()
    }
