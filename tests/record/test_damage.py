"""Files that were damaged, or made by a stranger: refused in a sentence. Random ones are tried in `tests/fuzz`."""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_run_folder import fill

from lossbench.judge import baseline
from lossbench.practice import books, mnist
from lossbench.record import commits, frames, journal, requested
from lossbench.record import run as runs
from lossbench.record.bounded import MANIFEST_BYTES
from lossbench.record.run import RunFolder
from lossbench.spec.errors import BadInput, RunDamaged

FLIPS = 60


@pytest.fixture
def run(tmp_path: Path) -> Path:
    made = RunFolder.create(tmp_path)
    fill(made)
    made.finish()
    return made.path


def test_a_flipped_bit_in_a_page_never_becomes_another_number(run: Path) -> None:
    whole, path = runs.read(run), run / "cells.parquet"
    content, refused = path.read_bytes(), 0
    for number in range(FLIPS):
        draw = random.Random(number)
        found = bytearray(content)
        found[draw.randrange(len(found))] ^= 1 << draw.randrange(8)
        path.write_bytes(found)
        try:
            pd.testing.assert_frame_equal(runs.read(run).cells, whole.cells)
        except RunDamaged:
            refused += 1
    assert refused > FLIPS // 10


def test_a_table_that_unpacks_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baseline, "MAX_BYTES", 10_000)
    (tmp_path / "agreement.csv.gz").write_bytes(gzip.compress(bytes(20_000)))
    with pytest.raises(BadInput, match="more than 10000 bytes when unpacked"):
        baseline.agreement(tmp_path)


def test_what_is_longer_than_any_manifest_is_not_read(run: Path) -> None:
    (run / "run.json").write_bytes(b" " * (MANIFEST_BYTES + 1))
    with pytest.raises(RunDamaged, match="an unreadable one"):
        runs.manifest(run)


def test_a_line_without_end_is_damage_and_no_torn_row(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MAX_LINE_BYTES", 500)
    (run / "journal.jsonl").write_bytes(b"x" * 501)
    with pytest.raises(RunDamaged, match="a row with its checksum"):
        list(journal.read(run / "journal.jsonl"))


@pytest.mark.parametrize("suites", ["mine.py", [1], {"a": 1}, ["a\x00b"], ["\ud800"], None])
def test_a_request_of_other_types_is_refused(suites: object) -> None:
    with pytest.raises(RunDamaged, match="a request that this lossbench knows"):
        requested.texts({"suites": suites}, "suites", run="r")


def test_pictures_that_unpack_without_end_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mnist, "MAX_BYTES", 1000)
    path = tmp_path / "train-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(bytes(10**6)))
    with pytest.raises(BadInput, match=r"\(1000 bytes\)"):
        mnist.read({"train-labels": path}, "a note")


def test_a_state_that_claims_more_than_fits_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.npz"
    np.savez(path, allow_pickle=False, **{"torch/parameters/0": np.ones(300)})
    assert books.state(path)["torch"]["parameters"][0].sum() == 300
    monkeypatch.setattr(books, "STATE_BYTES", 2000)
    with pytest.raises(RunDamaged, match="more than 2000 bytes"):
        books.state(path)


def test_a_state_with_objects_in_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    np.savez(path, allow_pickle=True, **{"torch/parameters/0": np.array([{"a": 1}], dtype=object)})
    with pytest.raises(RunDamaged, match="allow_pickle"):
        books.state(path)


@pytest.mark.parametrize("name", ["../outside", "/outside", "facts.json/../../outside", "other.txt"])
def test_a_note_writes_a_baseline_and_nothing_else(tmp_path: Path, name: str) -> None:
    archive, place = io.BytesIO(), tmp_path / "inside"
    place.mkdir()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = 1
        tar.addfile(member, io.BytesIO(b"x"))
    with pytest.raises(BadInput, match="a baseline that"):
        commits.unpack(archive.getvalue(), place, "2026-11-22 abc1234")
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]
    assert list(place.iterdir()) == []


def test_a_note_with_a_link_is_refused(tmp_path: Path) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo("facts.json")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(member)
    with pytest.raises(BadInput, match="a baseline that"):
        commits.unpack(archive.getvalue(), tmp_path, "2026-11-22 abc1234")


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.GNUTYPE_SPARSE])
def test_a_note_of_extension_headers_is_refused(tmp_path: Path, kind: bytes) -> None:
    """Thousands of them would be followed one inside the other; one that is damaged is an error of another kind."""
    header = tarfile.TarInfo("facts.json")
    header.type = kind
    block = bytearray(header.tobuf(tarfile.GNU_FORMAT))
    block[482] = 1  # more to come: a sparse file's map goes on in a block that is not there
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    for times in (1, 5000):
        with pytest.raises(BadInput, match="a baseline that"):
            commits.unpack(bytes(block) * times, tmp_path, "2026-11-22 abc1234")
    assert list(tmp_path.iterdir()) == []


def test_a_note_brings_bytes_and_not_their_modes(tmp_path: Path) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo("facts.json")
        member.size, member.mode, member.mtime = 2, 0o777, 0
        tar.addfile(member, io.BytesIO(b"{}"))
    commits.unpack(archive.getvalue(), tmp_path, "2026-11-22 abc1234")
    found = tmp_path / "facts.json"
    assert found.read_bytes() == b"{}"
    assert not found.stat().st_mode & 0o111
    assert found.stat().st_mtime > 1e9


def test_what_a_file_says_to_pandas_is_left_unread(run: Path) -> None:
    table = frames.read_parquet(run / "facts.parquet", frames.TABLES["facts"])
    bent = table.replace_schema_metadata({**table.schema.metadata, b"pandas": b"{"})
    frames.write_parquet(run / "facts.parquet", bent)
    assert json.loads(runs.read(run).facts.to_json(orient="values")) == [["profile", "quick"]]


def test_a_sentence_is_short_whatever_the_file_holds() -> None:
    said = str(BadInput(subject="s" * 10**6, expected="e", received="\x1b" * 10**6, remedy="r"))
    assert said.isprintable()
    assert len(said) < 10_000
