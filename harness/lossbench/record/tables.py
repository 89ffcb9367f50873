"""What a run writes, as data: every column with its type, its unit and what it means.

The Parquet schema, the defaults of a row and `docs/columns.md` are derived from here. A change of a
column's name, type or meaning needs a new SCHEMA_VERSION: older files are refused, never guessed at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

SCHEMA_VERSION: Final = 2

ColumnType = Literal["string", "double", "int", "bool", "doubles", "ints"]
Row = Mapping[str, Any]

DEFAULTS: Final[dict[ColumnType, Any]] = {
    "string": "",
    "double": None,
    "int": 0,
    "bool": False,
    "doubles": (),
    "ints": (),
}
"""What a row holds where it does not say; for a double nothing (null), since 0 would be a claim."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. unit: empty where the column has none."""

    name: str
    type: ColumnType
    unit: str = ""
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table. key: the columns that tell rows apart; a later row of the same key replaces the earlier."""

    name: str
    meaning: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    def row(self, given: Row) -> dict[str, Any]:
        """Every column in order, defaults filled in. TypeError on an unknown column or a missing key."""
        known = {column.name for column in self.columns}
        unknown, missing = sorted(set(given) - known), [name for name in self.key if name not in given]
        if unknown or missing:
            raise TypeError(f"row of {self.name}: unknown columns {unknown}, missing key columns {missing}")
        return {column.name: given.get(column.name, DEFAULTS[column.type]) for column in self.columns}

    def key_of(self, row: Row) -> tuple[Any, ...]:
        """What identifies the row."""
        return tuple(row[name] for name in self.key)


def _c(name: str, kind: ColumnType, meaning: str, unit: str = "") -> Column:
    return Column(name=name, type=kind, unit=unit, meaning=meaning)


_CELL: Final = _c("cell", "string", "id of the cell: case@lane/binding:operation")
_CASE: Final = _c("case", "string", "id of the case: loss[parameters,dtype,shape,regime,seed]")
_LOSS: Final = _c("loss", "string", "name of the loss")
_LANE: Final = _c("lane", "string", "id of the lane: backend-device-mode, with threads and label where set")
_BACKEND: Final = _c("backend", "string", "tensorflow, torch or jax")
_BINDING: Final = _c("binding", "string", "which spelling of the loss in that backend")
_OPERATION: Final = _c(
    "operation",
    "string",
    "value, or with it: grad, its gradient by the prediction; grad_target, by the target; jvp, grad in forward mode",
)

CELLS: Final = Table(
    name="cells",
    meaning="One row a cell: what was asked, and what came back the one time it was computed for its outputs.",
    key=("cell",),
    columns=(
        _CELL,
        _CASE,
        _LOSS,
        _c("params", "string", "parameters of the case as a JSON object"),
        _c("shape", "ints", "shape of the prediction"),
        _c("dtype", "string", "format under test: float64, float32, bfloat16 or float16"),
        _c("regime", "string", "kind of inputs, for example typical or saturated"),
        _c("seed", "int", "seed of the inputs"),
        _LANE,
        _BACKEND,
        _c("device", "string", "cpu or cuda"),
        _c("mode", "string", "eager, compiled (tf.function, torch.compile, jax.jit) or xla"),
        _c("interpreter", "string", "the Python that ran the worker; empty: the harness's own"),
        _c("threads", "int", "intra-op threads of the worker"),
        _c("label", "string", "tells lanes apart that differ in nothing else"),
        _BINDING,
        _OPERATION,
        _c("timed", "bool", "whether the plan also times this cell"),
        _c("status", "string", "ok, absent, unsupported, failed, timeout, crashed or skipped"),
        _c("reason", "string", "why the status is not ok, in one sentence"),
        _c("traceback", "string", "the worker's traceback where the call raised"),
        _c("digest", "string", "SHA-256 of the inputs as the worker built them"),
        _c("result_dtype", "string", "the framework's own name of the value's type"),
        _c("prepare_seconds", "double", "building the inputs and handing them to the framework", "s"),
        _c(
            "compile_seconds",
            "double",
            "tracing and compiling; of eager JAX its programs of one operation; else 0 where eager",
            "s",
        ),
        _c("first_call_seconds", "double", "first call, compilation excluded where it can be told apart", "s"),
        _c("peak_bytes", "int", "largest peak memory among the cell's blocks; 0 where unknown", "B"),
        _c("own_kernels", "int", "operations or kernels that the framework says a call runs; 0 where it does not say"),
        _c("own_bytes", "int", "bytes that the framework says a call reads and writes; 0 where it does not say", "B"),
        _c("own_operations", "int", "arithmetic that the framework says a call does; 0 where it does not say"),
        _c("counted_by", "string", "whose count the three are, and of what"),
        _c("printed", "string", "what the call wrote to its standard streams, first 2000 characters"),
        _c("facts", "string", "further facts of the answer as a JSON object"),
    ),
)

MEASUREMENTS: Final = Table(
    name="measurements",
    meaning="One row a block, that is one visit to a timed cell, with every sample. Statistics are views of it.",
    key=("cell", "visit"),
    columns=(
        _CELL,
        _CASE,
        _LOSS,
        _LANE,
        _BACKEND,
        _BINDING,
        _OPERATION,
        _c("visit", "int", "how many times the schedule had come round before: 0, 1, 2, ..."),
        _c("position", "int", "place of this block in the order of the run's schedule; neighbours are near in time"),
        _c("started_seconds", "double", "when the block began, since 1970-01-01 UTC", "s"),
        _c("status", "string", "ok, failed, timeout, crashed, or skipped: there was no worker"),
        _c("reason", "string", "why the status is not ok, in one sentence"),
        _c("loops", "int", "calls in one round; a sample is the mean over them", "calls"),
        _c("seconds_per_call", "doubles", "throughput: one number a round, in the order they were taken", "s"),
        _c("latency_seconds", "double", "one call until its result is there: median of calls waited for singly", "s"),
        _c("opening_seconds", "double", "the call that opened the visit, in caches that held others' data", "s"),
        _c("peak_bytes", "int", "peak memory of the worker in this block; 0 where unknown", "B"),
    ),
)

WORK: Final = Table(
    name="work",
    meaning="One row a timed cell: what it must touch, whoever computes it, and how long that takes here at least.",
    key=("cell",),
    columns=(
        _CELL,
        _LOSS,
        _LANE,
        _BACKEND,
        _BINDING,
        _OPERATION,
        _c("read_bytes", "int", "all inputs once", "B"),
        _c("written_bytes", "int", "all results once", "B"),
        _c("operations", "int", "of the formula, twice with a gradient; 0 where it cannot be counted"),
        _c("limit_seconds", "double", "least time of a call at the bandwidth and arithmetic measured here", "s"),
        _c("limited_by", "string", "memory or arithmetic: which of the two takes longer"),
    ),
)

AGREEMENT: Final = Table(
    name="agreement",
    meaning="One row per cell, quantity and what it is compared with: what the comparison means, and its numbers.",
    key=("cell", "quantity", "against"),
    columns=(
        _CELL,
        _CASE,
        _LOSS,
        _LANE,
        _BACKEND,
        _BINDING,
        _OPERATION,
        _c("dtype", "string", "format under test"),
        _c("regime", "string", "kind of inputs"),
        _c("quantity", "string", "value, grad, grad_target or jvp"),
        _c("against", "string", "oracle, or the id lane/binding of another cell of the same case"),
        _c("verdict", "string", "what the comparison means"),
        _c("class", "string", "class of a difference: rounding, convention, range, accuracy, domain, api or defect"),
        _c("convention", "string", "name of the known definition that fits, where one does"),
        _c("max_ulp", "double", "largest distance, in units in the last place of the dtype", "ulp"),
        _c("median_ulp", "double", "median distance", "ulp"),
        _c("max_rel", "double", "largest relative error"),
        _c("worst_index", "string", "index of the worst element, comma separated; empty for a scalar"),
        _c("worst_inputs", "string", "the inputs at the worst element as a JSON object, in full precision"),
        _c("worst_y_true", "double", "target at the worst element, where it is one number"),
        _c("worst_y_pred", "double", "prediction at the worst element, where it is one number"),
        _c("got", "double", "what the cell gives at the worst element"),
        _c("expected", "double", "what it is compared with gives there"),
        _c("owed_factor", "double", "largest error divided by what the formula owes (8 eps times its absolute terms)"),
        _c("reason", "string", "the verdict in one sentence, with its numbers"),
    ),
)

CLAIMS: Final = Table(
    name="claims",
    meaning="One row per claim of a source and place where it was tried: what was claimed and what is measured.",
    key=("claim", "backend", "binding", "lane"),
    columns=(
        _c("claim", "string", "id of the claim in its source"),
        _LOSS,
        _c("source", "string", "where the claim stands"),
        _c("claimed", "string", "what the source prints or says"),
        _BACKEND,
        _BINDING,
        _LANE,
        _c("measured", "string", "what this backend gives"),
        _c("oracle", "string", "what the oracle gives"),
        _c("holds", "string", "yes, no, or unclear: whether the claim is true"),
        _c("runs_as_written", "string", "yes, no, or empty where the claim is no code"),
        _c("reason", "string", "the finding in one sentence, with its numbers"),
    ),
)

CURVES: Final = Table(
    name="curves",
    meaning="Points of each loss and of its gradient over the prediction at a fixed target, from every backend.",
    key=("loss", "backend", "binding", "dtype", "x"),
    columns=(
        _LOSS,
        _BACKEND,
        _BINDING,
        _c("dtype", "string", "format under test"),
        _c("target", "double", "the fixed target"),
        _c("x", "double", "the moving coordinate of the prediction"),
        _c("value", "double", "unreduced loss there"),
        _c("grad", "double", "its derivative by the moving coordinate"),
        _c("oracle_value", "double", "exact loss, rounded to float64 and not to the dtype"),
        _c("oracle_grad", "double", "exact derivative, likewise"),
        _c("value_ulp", "double", "signed distance of value from exact", "ulp"),
        _c("grad_ulp", "double", "signed distance of grad from exact", "ulp"),
    ),
)

MAPS: Final = Table(
    name="maps",
    meaning="One row per loss, dtype, quantity and backend: its error over the plane of target and prediction; and one "
    "with an empty backend: how far the backends' documented spellings are from each other there.",
    key=("loss", "backend", "binding", "dtype", "quantity"),
    columns=(
        _LOSS,
        _BACKEND,
        _BINDING,
        _c("dtype", "string", "format under test"),
        _c("quantity", "string", "value, or grad: its derivative by the prediction, in a row the worse of the two"),
        _c("x_name", "string", "what runs along the plane's x axis"),
        _c("y_name", "string", "what runs along its y axis"),
        _c("fixed", "string", "what stands still, where something does"),
        _c("x", "doubles", "places along the x axis, ascending"),
        _c("y", "doubles", "places along the y axis, ascending"),
        _c("ulp", "doubles", "distance at (x[i], y[j]) in entry j * len(x) + i; NaN where no number is right", "ulp"),
        _c("at_x", "double", "of the places with the largest distance, the most ordinary"),
        _c("at_y", "double", "likewise"),
        _c("reason", "string", "what the map shows in one sentence, with its numbers"),
    ),
)

CUSTOM: Final = Table(
    name="custom",
    meaning="One row per thing that was looked at in a function of the user's own: what was found, and its numbers.",
    key=("loss", "lane", "check", "dtype", "regime"),
    columns=(
        _LOSS,
        _LANE,
        _c("check", "string", "value, grad, runs, shape, dtype, finite, connected, differences or relative"),
        _c("dtype", "string", "format under test"),
        _c("regime", "string", "kind of inputs, where the check has one"),
        _c("verdict", "string", "what the comparison means"),
        _c("class", "string", "class of a difference, as in agreement"),
        _c("convention", "string", "name of the known definition that fits, where one does"),
        _c("max_ulp", "double", "largest distance, in units in the last place of the dtype", "ulp"),
        _c("max_rel", "double", "largest relative error"),
        _c("fatal", "bool", "whether the function is not what it says, or cannot be used"),
        _c("reason", "string", "the finding in one sentence, with its numbers"),
    ),
)

FACTS: Final = Table(
    name="facts",
    meaning="The run itself: machine, versions, commit, profile, command line, and how the wall time was spent.",
    key=("key",),
    columns=(
        _c("key", "string", "name of the fact; seconds, bytes and the like stand in the name"),
        _c("value", "string", "its value as text"),
    ),
)

TABLES: Final[dict[str, Table]] = {
    table.name: table for table in (CELLS, MEASUREMENTS, WORK, AGREEMENT, CLAIMS, CURVES, MAPS, CUSTOM, FACTS)
}
