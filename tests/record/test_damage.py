"""Files that were damaged, or made by a stranger: read as they were, or refused in a sentence; never anything else.

`python tests/record/test_damage.py 1000000` tries so many a reader and prints what came of them.
"""

from __future__ import annotations

import gzip
import json
import random
import shutil
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pytest
from test_run_folder import fill

from lossbench.judge import baseline
from lossbench.record import run as runs
from lossbench.record.run import RunFolder
from lossbench.spec import casefile
from lossbench.spec.errors import BadInput

ROOT = Path(__file__).resolve().parents[2]
TRIES = 120
INSERTED = (b'"', b"[", b"{", b"-1", b"null", b"9" * 400, b"\xff", b"[]", b",", b"1e999", b"\x00", b"true", b"[" * 5000)

Damage = Callable[[random.Random, bytes], bytes]


def damaged(draw: random.Random, content: bytes) -> bytes:
    """Bits flipped, the end cut off, something put in, taken out or repeated."""
    found, kind, place = bytearray(content), draw.random(), draw.randrange(len(content) + 1)
    end = draw.randrange(place, min(len(content), place + 100) + 1)
    if kind < 0.5:
        for _ in range(draw.choice((1, 1, 2, 5, 20))):
            found[draw.randrange(len(found))] ^= 1 << draw.randrange(8)
    elif kind < 0.65:
        del found[place:]
    elif kind < 0.8:
        found[place:place] = draw.choice(INSERTED)
    elif kind < 0.9:
        del found[place:end]
    else:
        found[place:place] = found[place:end] * draw.choice((1, 3))
    return bytes(found)


def packed(draw: random.Random, content: bytes) -> bytes:
    """A gzip file that is whole and holds something else."""
    return gzip.compress(damaged(draw, gzip.decompress(content)), 1)


def a_line(draw: random.Random, content: bytes) -> bytes:
    """A journal one of whose rows is another, with the checksum that fits it."""
    lines = content.splitlines()
    place = draw.randrange(len(lines))
    body = damaged(draw, lines[place][9:]).replace(b"\n", b" ")
    lines[place] = b"%08x %s" % (zlib.crc32(body), body)
    return b"\n".join([*lines, b""])


class Readers:
    """Files of every kind that lossbench reads from others, and what reads them."""

    def __init__(self, folder: Path) -> None:
        made = RunFolder.create(folder / "finished")
        fill(made)
        made.finish()
        self.run, self.killed = made.path, folder / "killed" / made.path.name
        shutil.copytree(self.run, self.killed)
        said = json.loads((self.killed / "run.json").read_text()) | {"state": "running"}
        (self.killed / "run.json").write_text(json.dumps(said))
        self.whole = runs.read(self.run)
        self.baseline = folder / "baseline"
        shutil.copytree(ROOT / "results" / "baseline", self.baseline)
        self.cases = folder / "cases.json"
        shutil.copy(ROOT / "docs" / "cases-example.json", self.cases)

    def files(self) -> dict[str, tuple[Path, Damage, Callable[[], Any]]]:
        """name -> file, how it is damaged, what reads it."""
        kept = {
            f"baseline {name} {how.__name__}": (self.baseline / name, how, lambda: baseline.load(self.baseline))
            for name in ("agreement.csv.gz", "times.csv.gz")
            for how in (damaged, packed)
        }
        return {
            **kept,
            "baseline facts.json": (self.baseline / "facts.json", damaged, lambda: baseline.load(self.baseline)),
            "run.json": (self.run / "run.json", damaged, lambda: runs.read(self.run)),
            "parquet": (self.run / "cells.parquet", damaged, lambda: runs.read(self.run)),
            "journal": (self.killed / "journal.jsonl", damaged, lambda: runs.read(self.killed)),
            "journal with checksums": (self.killed / "journal.jsonl", a_line, lambda: runs.read(self.killed)),
            "case file": (self.cases, damaged, lambda: casefile.read(self.cases)),
        }

    def tried(self, name: str, draw: random.Random) -> str:
        """`read` or `refused`. Raises whatever else the reader raises."""
        path, damage, read = self.files()[name]
        whole = path.read_bytes()
        path.write_bytes(damage(draw, whole))
        try:
            found = read()
        except BadInput as error:
            return "refused" if str(error).isprintable() else f"refused in {error!r}"
        finally:
            path.write_bytes(whole)
        if name == "parquet":  # what a checksum guards is as it was
            pd.testing.assert_frame_equal(found.cells, self.whole.cells)
        return "read"


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> Readers:
    return Readers(tmp_path_factory.mktemp("damage"))


NAMES = (
    "baseline agreement.csv.gz damaged", "baseline agreement.csv.gz packed", "baseline times.csv.gz damaged",
    "baseline times.csv.gz packed", "baseline facts.json", "run.json", "parquet", "journal",
    "journal with checksums", "case file",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_read_as_it_was_or_refused(readers: Readers, name: str) -> None:
    counts = Counter(readers.tried(name, random.Random(f"{name} {number}")) for number in range(TRIES))
    assert counts["refused"] > TRIES // 10
    assert counts.keys() <= {"read", "refused"}


def test_a_table_that_unpacks_without_end_is_refused(
    readers: Readers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(readers.baseline, tmp_path / "bomb")
    monkeypatch.setattr(baseline, "MAX_BYTES", 10_000)
    (tmp_path / "bomb" / "agreement.csv.gz").write_bytes(gzip.compress(bytes(20_000)))
    with pytest.raises(BadInput, match="more than 10000 bytes when unpacked"):
        baseline.load(tmp_path / "bomb")


def main(tries: int) -> None:
    """By hand: a line a reader."""
    with TemporaryDirectory() as folder:
        found = Readers(Path(folder))
        for name in NAMES:
            counts: Counter[str] = Counter()
            longest = 0.0
            for number in range(tries):
                began = time.perf_counter()
                counts[found.tried(name, random.Random(f"{name} {number}"))] += 1
                longest = max(longest, time.perf_counter() - began)
            other = tries - counts["read"] - counts["refused"]
            said = f"{counts['read']} read, {counts['refused']} refused, {other} otherwise"
            print(f"{name}: {said}; the longest took {longest:.2f} s", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
