"""SQL over many runs: what it sees, and that it sees nothing else."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
from test_run_folder import fill

from lossbench.__main__ import main
from lossbench.record import queries
from lossbench.record.run import RunFolder
from lossbench.spec.errors import BadInput, RunDamaged


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    found = []
    for _ in range(2):
        folder = RunFolder.create(tmp_path / "results")
        fill(folder)
        folder.finish()
        found.append(folder.path)
    return sorted(found)


def test_a_query_sees_every_run_with_its_name(folders: list[Path]) -> None:
    found = queries.query("SELECT run, count(*) AS n, list(cell ORDER BY cell) FROM cells GROUP BY run", folders)
    assert sorted(found["run"]) == [path.name for path in folders]
    assert found["n"].tolist() == [2, 2]


def test_samples_and_infinities_are_numbers(folders: list[Path]) -> None:
    sql = "SELECT median(s) FROM (SELECT unnest(seconds_per_call) AS s FROM measurements WHERE run = '{}')"
    assert queries.query(sql.format(folders[0].name), folders).iloc[0, 0] == 2.0
    assert math.isinf(queries.query("SELECT max(max_ulp) FROM agreement", folders).iloc[0, 0])


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM '{}/run.json'",
        "SELECT * FROM read_csv('{}/cells.csv')",
        "COPY cells TO '{}/written.csv'",
        "ATTACH '{}/other.db'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SELECT * FROM folders",
        "SELECT nothing FROM cells",
        "no sql at all",
    ],
)
def test_nothing_else_is_opened_or_written(folders: list[Path], sql: str) -> None:
    before = sorted(folders[0].iterdir())
    with pytest.raises(BadInput, match="the query: expected a SELECT over cells, measurements"):
        queries.query(sql.format(folders[0]), folders)
    assert sorted(folders[0].iterdir()) == before


def test_a_file_that_cannot_be_trusted_is_named(folders: list[Path]) -> None:
    broken = folders[1] / "agreement.parquet"
    broken.write_bytes(broken.read_bytes()[:-9])
    with pytest.raises(RunDamaged, match=f"{folders[1].name}/agreement.parquet"):
        queries.query("SELECT 1 FROM cells", folders)


def called(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    monkeypatch.setattr(sys, "argv", ["lossbench", "query", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    return capsys.readouterr().out


def test_the_command_prints_csv_and_json(
    folders: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results = ["--results", folders[0].parent]
    sql = "SELECT cell, status FROM cells ORDER BY cell"
    out = called(monkeypatch, capsys, sql, "--run", folders[0].name, *results)
    assert out.splitlines() == ["cell,status", "a,ok", "b,failed"]
    assert '"status":"failed"' in called(monkeypatch, capsys, sql, *results, "--json").replace(" ", "")
    assert "'=1" in called(monkeypatch, capsys, "SELECT '=1' AS x FROM cells", *results, "--csv")
    assert called(monkeypatch, capsys).startswith("cells: run, cell, case, loss,")
