"""Every reader of files and frames that come from others, with files as lossbench writes them for a start."""

from __future__ import annotations

import io
import json
import os
import random
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mutations
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from watching import Reader

from lossbench.bench import carry, trust
from lossbench.judge import baseline
from lossbench.lanes import replies, wire
from lossbench.practice import books
from lossbench.practice.request import Request as TrainingRequest
from lossbench.record import commits, frames, journal, requested
from lossbench.record import run as runs
from lossbench.record.run import RunFolder
from lossbench.record.tables import TABLES
from lossbench.spec import casefile
from lossbench.spec.errors import BadInput

ROOT = Path(__file__).resolve().parents[2]

WHOLE = 0.01
"""Of the inputs to a reader of several parts, so many go through all of it; the others through the part that is wrong,
which is a hundred times as fast and sees the same bytes."""

Mutation = Callable[[random.Random, bytes], bytes]


def _of(seeds: Sequence[bytes], *ways: Mutation) -> Callable[[random.Random], bytes]:
    return lambda draw: draw.choice(ways)(draw, draw.choice(seeds))


class Laid:
    """A file that is written again and again: held open, since that is most of what an input costs."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT)

    def write(self, content: bytes) -> None:
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, content, 0)


def a_run(folder: Path) -> Path:
    """A small finished run."""
    request = {"profile": "quick", "losses": ["huber"], "suites": [str(folder / "mine.py")], "seed": 0, "seconds": 0.5}
    run = RunFolder.create(folder, request=request)
    for cell, lane in (("huber[f32]@torch", "torch"), ("huber[f32]@jax", "jax")):
        run.append(
            "cells", {"cell": cell, "case": "c", "loss": "huber", "lane": lane, "status": "ok", "shape": (16, 8)}
        )
        for visit in range(3):
            run.append("measurements", {"cell": cell, "visit": visit, "status": "ok", "seconds_per_call": [3.0, 1.0]})
        run.append(
            "agreement",
            {"cell": cell, "quantity": "value", "against": "oracle", "max_ulp": np.inf, "got": np.nan, "class": "kink"},
        )
    run.append("facts", {"key": "profile", "value": "quick"})
    run.finish()
    return run.path


def _casefile(folder: Path) -> Reader:
    path = folder / "cases.json"
    lone = {
        "id": "a",
        "loss": "mse",
        "y_true": [[1, 2]],
        "y_pred": [[1.5, "inf"]],
        "dtype": "float16",
        "tol": {"rel": 1},
    }
    weighted = {**lone, "params": {"weights": [[[1, 2]], [5]], "class_weight": {"2": 3}, "axis": [0, 1], "delta": 1.0}}
    output = {"loss": "mse", "weight": 2, "y_true": [1], "y_pred": [2], "params": {"delta": 1}}
    several = {"id": "b", "loss": "joint", "params": {"outputs": [output]}, "expected": 1, "expected_grad": [[0, 1]]}
    seeds = [
        (ROOT / "docs" / "cases-example.json").read_bytes(), json.dumps([lone]).encode(),
        json.dumps({"cases": [weighted, several]}).encode(),
    ]  # fmt: skip
    return _filed("casefile", path, _of(seeds, mutations.damaged, mutations.otherwise, mutations.otherwise),
                  lambda: casefile.read(path))  # fmt: skip


def _filed(name: str, path: Path, mutated: Callable[[random.Random], bytes], read: Callable[[], Any]) -> Reader:
    file = Laid(path)

    def laid(draw: random.Random) -> bytes:
        file.write(mutated(draw))
        return b""

    return Reader(name=name, mutated=laid, read=lambda _: read())


def _parquet(folder: Path) -> Reader:
    run = a_run(folder)
    path = folder / "file.parquet"
    names = ("facts", "cells")
    file = Laid(path)
    seeds = {name: [(run / f"{name}.parquet").read_bytes(), *_other_schemas(run / f"{name}.parquet")] for name in names}

    def mutated(draw: random.Random) -> bytes:
        name = names[draw.random() < WHOLE]
        file.write(_of(seeds[name], mutations.damaged, mutations.footer)(draw))
        return name.encode()

    def read(content: bytes) -> Any:
        table = TABLES[content.decode()]
        return frames.frame(table.name, frames.read_parquet(path, table))

    return Reader(name="parquet", mutated=mutated, read=read)


def _other_schemas(path: Path) -> list[bytes]:
    """Whole files whose columns are others: left out, of another type, named alike, of another version, nested."""
    table = pq.read_table(path)
    meta = table.schema.metadata
    first = table.schema.field(0)
    nested = pa.array([[{"a": [1]}]] * table.num_rows)
    others = [
        table.drop_columns([table.column_names[0]]),
        table.append_column("more", pa.array(range(table.num_rows))),
        table.set_column(0, first.name, pa.array([b"\xff\xfe"] * table.num_rows, pa.binary())),
        table.set_column(0, first.name, pa.array(["x"] * table.num_rows).dictionary_encode()),
        table.set_column(0, first.name, nested),
        table.replace_schema_metadata({**meta, b"lossbench.schema_version": b"\xff"}),
        table.replace_schema_metadata({**meta, b"lossbench.schema_version": b"999"}),
        table.replace_schema_metadata({**meta, b"ARROW:schema": b"AAAA", b"pandas": b"{"}),
        table.replace_schema_metadata(None),
    ]
    found = []
    for other in others:
        sink = io.BytesIO()
        pq.write_table(other.slice(0, 2), sink, compression="zstd", write_page_checksum=True)
        found.append(sink.getvalue())
    return found


def _journal(folder: Path) -> Reader:
    run = a_run(folder)
    said = json.loads((run / "run.json").read_text()) | {"state": "running"}
    (run / "run.json").write_text(json.dumps(said))
    path = run / "journal.jsonl"
    ways, file = _of([path.read_bytes()], mutations.damaged, mutations.a_line, mutations.a_line), Laid(path)

    def mutated(draw: random.Random) -> bytes:
        file.write(ways(draw))
        return b"" if draw.random() < WHOLE else b"rows"

    def read(content: bytes) -> Any:
        return list(journal.read(path)) if content else runs.read(run)

    return Reader(name="journal", mutated=mutated, read=read)


def _baseline(folder: Path) -> Reader:
    files = baseline.distil(runs.read(a_run(folder)))
    kept = folder / "kept"
    kept.mkdir()
    ways = {
        "agreement.csv.gz": (*[mutations.damaged] * 4, mutations.packed, mutations.cells),
        "times.csv.gz": (*[mutations.damaged] * 3, mutations.packed, *[mutations.cells] * 2),
        "counts.csv.gz": (*[mutations.damaged] * 4, mutations.packed, mutations.cells),
        "facts.json": (mutations.damaged, mutations.otherwise),
    }

    parts = {
        "agreement.csv.gz": baseline.agreement, "times.csv.gz": baseline.times, "counts.csv.gz": baseline.counts_of,
        "facts.json": baseline.about,
    }  # fmt: skip
    laid, wrong = {name: Laid(kept / name) for name in files}, set(files)

    def mutated(draw: random.Random) -> bytes:
        name, whole = draw.choice(sorted(files)), draw.random() < WHOLE
        if whole:
            for other in wrong - {name}:
                laid[other].write(files[other])
            wrong.clear()
        laid[name].write(draw.choice(ways[name])(draw, files[name]))
        wrong.add(name)
        return b"" if whole else name.encode()

    def read(content: bytes) -> Any:
        return parts[content.decode()](kept) if content else baseline.load(kept)

    return Reader(name="baseline", mutated=mutated, read=read)


def _request(folder: Path) -> Reader:
    run = a_run(folder)
    path = run / "run.json"

    def read() -> Any:
        request = runs.manifest(run)["request"]
        trust.suites(run)
        return requested.read(carry.Request, request, run=run.name)

    return _filed("request", path, _of([path.read_bytes()], mutations.damaged, mutations.otherwise), read)


def _training(folder: Path) -> Reader:
    asked, kept = folder / "run.json", folder / "states.npz"
    asked.write_text(json.dumps(TrainingRequest(only=("T3",)).stored()))
    arrays = {"torch/parameters/0": np.ones((3, 2)), "torch/state/0": np.zeros(4, np.float32)}
    np.savez(kept, allow_pickle=False, **arrays)
    files = {asked: asked.read_bytes(), kept: kept.read_bytes()}
    laid = {path: Laid(path) for path in files}
    ways = {asked: (mutations.damaged, mutations.otherwise), kept: (mutations.damaged, mutations.a_member)}

    def mutated(draw: random.Random) -> bytes:
        path = draw.choice((asked, kept))
        content = draw.choice(ways[path])(draw, files[path])
        laid[path].write(content)
        return bytes([path == kept])

    def read(content: bytes) -> Any:
        return books.state(kept) if content[0] else TrainingRequest.of(books.asked(folder))

    return Reader(name="training", mutated=mutated, read=read)


def _note(folder: Path) -> Reader:
    files = baseline.distil(runs.read(a_run(folder)))
    archives = [_tar(files), *(_tar({name: content}) for name, content in files.items())]
    place = folder / "place"
    place.mkdir()

    def mutated(draw: random.Random) -> bytes:
        for made in os.scandir(place):
            os.unlink(made)
        return _of(archives, mutations.damaged, mutations.a_checked_member)(draw)

    def read(content: bytes) -> Any:
        commits.unpack(content, place, "2026-11-22 abc1234")

    return Reader(name="note", mutated=mutated, read=read, writes=place.resolve())


def _tar(files: dict[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return archive.getvalue().rstrip(b"\0") + bytes(1024)


class Said:
    """A socket on which these bytes arrive, and then nothing."""

    def __init__(self, content: bytes) -> None:
        self._stream = io.BytesIO(content)

    def settimeout(self, seconds: float | None) -> None:
        """Nothing waits here."""

    def recv_into(self, view: memoryview) -> int:
        return self._stream.readinto(view)


def _wire(folder: Path) -> Reader:
    del folder
    answer = {
        "status": "ok", "reason": "", "digest": "0" * 64, "value": np.float32([1]).reshape(()), "grad": np.ones((2, 2)),
        "result_dtype": "float32", "prepare_seconds": 0.1, "own_kernels": 1, "printed": "x", "facts": {"threads": 1},
    }  # fmt: skip
    block = {"status": "ok", "loops": 3, "seconds_per_call": (0.1, 0.2), "latency_seconds": 0.1, "peak_bytes": 5}
    messages = (
        {"ok": answer}, {"ok": block}, {"failed": "it raised", "traceback": "x"}, {"unsupported": "no"},
        {"bad_input": {"subject": "a", "expected": "b", "received": "c", "remedy": "d"}},
    )  # fmt: skip
    seeds = [b"".join(bytes(part) for part in wire.encode(message)) for message in messages]

    def read(content: bytes) -> Any:
        told = replies.said(wire.Channel(Said(content)).receive())  # type: ignore[arg-type]
        if "bad_input" in told:
            return BadInput(**told["bad_input"])
        if "ok" not in told:
            return told
        return (replies.block if len(content) % 2 else replies.answer)(told["ok"])

    ways = _of(seeds, mutations.damaged, mutations.a_header, mutations.a_header)
    return Reader(name="wire", mutated=ways, read=read)


MADE = {
    "casefile": _casefile, "parquet": _parquet, "journal": _journal, "baseline": _baseline, "request": _request,
    "training": _training, "note": _note, "wire": _wire,
}  # fmt: skip
"""By name: a reader whose files lie in the empty folder given."""
