"""Many rows: only what is needed is read, a plain reading of all gives the same, wherever the files lie."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import fsspec  # type: ignore[import-untyped]
import grown
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from lossbench.__main__ import main
from lossbench.commands import gate as gate_command
from lossbench.commands import options
from lossbench.judge import baseline, gate, moves
from lossbench.judge.timing import median_interval
from lossbench.record import run as runs
from lossbench.record import stores
from lossbench.show import times
from lossbench.spec import catalogue
from lossbench.spec.errors import BadInput, RunDamaged


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    grown.write(folder, rows=3 * 240 * 5, runs=3, visits=5, drawn=3)
    return folder


def folders(results: Path) -> list[Path]:
    return sorted(results.iterdir())


def plain(folder: Path) -> dict[str, pd.DataFrame]:
    """What pandas itself reads, every column."""
    return {
        name: pq.read_table(folder / f"{name}.parquet").to_pandas() for name in ("measurements", "agreement", "cells")
    }


def by_hand(blocks: pd.DataFrame) -> dict[str, tuple[str, float, list[float]]]:
    """cell -> group, median seconds, log ratios to the group's median visit by visit; a loop over every row."""
    seconds: dict[str, dict[str, dict[int, float]]] = {}
    for row in blocks.to_dict("records"):
        place = "-".join([row["lane"].split("-")[1], *row["lane"].split("-")[3:]])
        group = f"{row['case']}:{row['operation']}@{place}"
        seconds.setdefault(group, {}).setdefault(row["cell"], {})[row["visit"]] = float(
            np.median(row["seconds_per_call"])
        )
    found = {}
    for group, members in seconds.items():
        visits = sorted({visit for own in members.values() for visit in own})
        middle = {v: np.median([np.log(own[v]) for own in members.values() if v in own]) for v in visits}
        for cell, own in members.items():
            logs = [np.log(own[v]) - middle[v] if v in own else np.nan for v in visits]
            found[cell] = (group, float(np.median(list(own.values()))), logs)
    return found


def without(tables: runs.Tables, share: float) -> runs.Tables:
    """The run with some of its blocks failed."""
    failed = np.random.default_rng(3).random(len(tables.measurements)) < share
    status = tables.measurements["status"].astype(str).where(~failed, "failed")
    return dataclasses.replace(tables, measurements=tables.measurements.assign(status=status))


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_a_baseline_is_that_of_a_loop_over_every_row(results: Path, share: float) -> None:
    tables = without(runs.read(folders(results)[0], only=baseline.READ), share)
    kept = baseline.of(tables)
    blocks = plain(folders(results)[0])["measurements"].assign(status=tables.measurements["status"])
    expected = by_hand(blocks[blocks["status"] == "ok"])
    assert list(kept.times["cell"]) == sorted(expected, key=lambda cell: (expected[cell][0], cell))
    for row in kept.times.to_dict("records"):
        group, seconds, logs = expected[row["cell"]]
        assert (row["group"], row["median_seconds"]) == (group, seconds)
        np.testing.assert_allclose(row["log_ratios"], logs, atol=0.51e-5, rtol=0)


def test_a_visit_that_failed_survives_the_disk(results: Path, tmp_path: Path) -> None:
    tables = without(runs.read(folders(results)[0]), 0.2)
    for name, content in baseline.distil(tables).items():
        (tmp_path / name).write_bytes(content)
    loaded = baseline.load(tmp_path)
    pairs = zip(loaded.times["log_ratios"], baseline.of(tables).times["log_ratios"], strict=True)
    assert all(np.array_equal(one, other, equal_nan=True) for one, other in pairs)
    assert any(np.isnan(logs).any() for logs in loaded.times["log_ratios"])


def test_moves_are_those_of_each_cell_by_itself(results: Path) -> None:
    first, last = (
        baseline.of(without(runs.read(folder), share))
        for folder, share in zip(folders(results), (0.1, 0.2), strict=False)
    )
    found = moves.between(first.times, last.times, 0.975)
    before, after = ({row["cell"]: row for row in run.times.to_dict("records")} for run in (first, last))
    both = [cell for cell in before if cell in after]
    bare = {cell: np.log(after[cell]["median_seconds"] / before[cell]["median_seconds"]) for cell in both}
    level = {cell: np.nanmedian(before[cell]["log_ratios"]) for cell in both}
    seen = 0
    for place, cell in enumerate(found.cells):
        group = [other for other in both if before[other]["group"] == before[cell]["group"]]
        assert found.others[place] == len(group) - 1
        if len(group) < 2:
            continue
        others = [other for other in group if other != cell]
        for run, three in ((before, found.was[place]), (after, found.now[place])):
            own, *rest = (np.asarray(run[c]["log_ratios"]) - level[c] for c in (cell, *others))
            kept = [(o, [r[v] for r in rest if np.isfinite(r[v])]) for v, o in enumerate(own) if np.isfinite(o)]
            at = median_interval([o - np.median(r) for o, r in kept if r], 0.975)
            np.testing.assert_allclose(three, [at.median, at.low, at.high], rtol=1e-12, atol=1e-14)
        elsewhere = float(np.median([move for other, move in bare.items() if other not in group]))
        np.testing.assert_allclose(found.own[place], bare[cell] - elsewhere, rtol=1e-9)
        seen += 1
    assert seen > 200


def test_rankings_are_those_of_each_cell_by_itself(results: Path) -> None:
    tables = without(runs.read(folders(results)[0]), 0.2)
    documented = {
        (n, b.backend): b.name for n, loss in catalogue.load(backend="").losses.items() for b in reversed(loss.bindings)
    }
    seen = times.visits(tables.measurements)
    gains, told = 0, set[str]()
    bad = tables.agreement[(tables.agreement["against"] == "oracle")]
    wrong = set(bad.loc[~bad["class"].isin(["rounding", "kink", "convention", ""]), "cell"])
    about = tables.cells.set_index("cell")
    for ranking in times.rankings(tables.cells, tables.measurements, tables.agreement, documented):
        for entry in ranking.entries:
            own, first = seen[entry.cell], seen[ranking.entries[0].cell]
            at = median_interval(list(own.values()))
            assert (entry.seconds.middle, entry.seconds.low, entry.seconds.high) == (at.median, at.low, at.high)
            assert entry.visits == len(own)
            assert entry.right == (entry.cell not in wrong)
            behind = median_interval([np.log(own[v] / first[v]) for v in own.keys() & first.keys()])
            np.testing.assert_allclose(
                [entry.behind.middle, entry.behind.low], np.exp([behind.median, behind.low]), rtol=1e-12
            )
            spelling = documented.get((ranking.loss, entry.backend))
            base = [
                e.cell for e in ranking.entries if (e.backend, e.mode, e.binding) == (entry.backend, "eager", spelling)
            ]
            assert (entry.gain is not None) == (base not in ([], [entry.cell]))
            if entry.gain is not None:
                start = seen[base[0]]
                gain = median_interval([np.log(start[v] / own[v]) for v in own.keys() & start.keys()])
                np.testing.assert_allclose(
                    [entry.gain.middle, entry.gain.low, entry.gain.high],
                    np.exp([gain.median, gain.low, gain.high]), rtol=1e-12,
                )  # fmt: skip
                gains += 1
        order = [(not entry.right, entry.seconds.middle) for entry in ranking.entries]
        assert order == sorted(order)
        cells = {entry.cell for entry in ranking.entries}
        assert (ranking.loss, ranking.operation) in {tuple(about.loc[c, ["loss", "operation"]]) for c in cells}
        told |= cells
    assert told == set(seen)
    assert wrong & told
    assert gains > 20


def zeroed(folder: Path, table: str, column: str) -> None:
    """Write zeros over the pages of one column."""
    path = folder / f"{table}.parquet"
    content = bytearray(path.read_bytes())
    group = pq.ParquetFile(path).metadata.row_group(0)
    chunk = next(c for c in map(group.column, range(group.num_columns)) if c.path_in_schema.split(".")[0] == column)
    start = min(p for p in (chunk.dictionary_page_offset, chunk.data_page_offset) if p)
    content[start : start + chunk.total_compressed_size] = bytes(chunk.total_compressed_size)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("table", "column", "needed"),
    [
        ("measurements", "started_seconds", False), ("measurements", "peak_bytes", False),
        ("cells", "traceback", False), ("agreement", "worst_inputs", False), ("curves", "value", False),
        ("maps", "ulp", False),
        ("measurements", "seconds_per_call", True), ("measurements", "cell", True), ("agreement", "class", True),
        ("cells", "own_kernels", True),
    ],
)  # fmt: skip
def test_what_is_not_needed_is_not_read(results: Path, tmp_path: Path, table: str, column: str, needed: bool) -> None:
    """A column that cannot be read does no harm to who does not need it, and is refused by who does."""
    folder = tmp_path / folders(results)[0].name
    shutil.copytree(folders(results)[0], folder)
    zeroed(folder, table, column)
    with pytest.raises(RunDamaged, match=table):
        runs.read(folder)
    for asked in (baseline.READ, gate_command.READ):
        if needed:
            with pytest.raises(RunDamaged, match=table):
                runs.read(folder, only=asked)
        else:
            whole = runs.read(folders(results)[0])
            assert gate.compare(whole, runs.read(folder, only=asked)).findings == gate.compare(whole, whole).findings


def test_one_bit_is_noticed_where_it_still_reads_as_numbers(results: Path, tmp_path: Path) -> None:
    """Nothing but the checksum of the page can tell."""
    folder = tmp_path / folders(results)[0].name
    shutil.copytree(folders(results)[0], folder)
    path = folder / "measurements.parquet"
    sound, whole = path.read_bytes(), pq.read_table(path, columns=["seconds_per_call"])
    group = pq.ParquetFile(path).metadata.row_group(0)
    chunk = next(c for c in map(group.column, range(group.num_columns)) if c.path_in_schema.startswith("seconds_per_"))
    silent = 0
    for share in (0.3, 0.5, 0.7):
        content = bytearray(sound)
        content[
            (chunk.dictionary_page_offset or chunk.data_page_offset) + int(share * chunk.total_compressed_size)
        ] ^= 1
        path.write_bytes(content)
        with contextlib.suppress(OSError):
            silent += not pq.read_table(path, columns=["seconds_per_call"]).equals(whole)
        with pytest.raises(RunDamaged, match="measurements"):
            runs.read(folder, only=baseline.READ)
    assert silent


def called(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: object) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["lossbench", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out + said.err


@pytest.fixture
def elsewhere(results: Path) -> Iterator[str]:
    """The same runs where fsspec keeps what is in memory."""
    memory = fsspec.filesystem("memory")
    memory.put(str(results), "/kept", recursive=True)
    yield "memory://kept"
    memory.rm("/kept", recursive=True)


def test_an_address_reads_like_a_folder(
    results: Path, elsewhere: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    places: tuple[object, ...] = (results, elsewhere, results.as_uri())
    kept = tmp_path / "baseline"
    assert called(capsys, monkeypatch, "baseline", folders(results)[0], "--to", kept)[0] == 0
    for words in (
        ("history", "{}", "--json"),
        ("gate", "--json", "--baseline", kept, "--results", "{}"),
        ("query", "SELECT run, count(*) AS n FROM measurements GROUP BY run ORDER BY run", "--results", "{}"),
    ):
        said = [called(capsys, monkeypatch, *(place if w == "{}" else w for w in words)) for place in places]
        assert said[0] == said[1] == said[2]
        assert said[0][0] in (0, 1)
        assert len(said[0][1]) > 50
    assert json.loads(called(capsys, monkeypatch, "history", elsewhere, "--json")[1])[1]["compared"]
    with stores.near(stores.place(f"{elsewhere}/{folders(results)[0].name}")) as near:
        assert sorted(p.name for p in near.iterdir()) == sorted(p.name for p in folders(results)[0].iterdir())


def test_a_damaged_file_elsewhere_is_refused(results: Path, elsewhere: str) -> None:
    memory = fsspec.filesystem("memory")
    path = f"/kept/{folders(results)[1].name}/agreement.parquet"
    memory.pipe_file(path, memory.cat_file(path)[:-9])
    with pytest.raises(RunDamaged, match=r"agreement.parquet: expected a whole Parquet file"):
        runs.read(stores.place(elsewhere) / folders(results)[1].name, only=baseline.READ)


@pytest.mark.parametrize(
    ("address", "said"),
    [("nosuch://bucket/results", "Protocol not known"), ("memory://nothing", "expected a run, received none")],
)
def test_an_address_without_a_driver_is_one_sentence(
    address: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, out = called(
        capsys, monkeypatch, "gate", "--baseline", grown.ROOT / "results" / "baseline", "--results", address
    )
    assert (status, out.count("\n")) == (2, 1)
    assert said in out


def test_a_driver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(BadInput, match=r"s3://bucket/results: .*s3fs.*; install that package"):
        stores.place("s3://bucket/results")


def test_a_run_is_written_to_a_folder() -> None:
    with pytest.raises(BadInput, match="--results: expected a folder of this machine to write to"):
        options.folder("memory://kept")
    assert options.folder("kept") == Path("kept")
