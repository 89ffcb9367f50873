"""What is wrong with a request is one sentence on stderr (subject, expected, received, remedy) and exit status 2."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lossbench.__main__ import main
from lossbench.record import run as runs

SENTENCE = re.compile(
    r"lossbench: (?P<subject>.+?): expected (?P<expected>.+), received (?P<received>.+); (?P<remedy>.+)\.\n"
)

Called = Callable[..., re.Match[str]]


def sentence(err: str) -> re.Match[str]:
    """The whole of stderr, which must be one such sentence."""
    assert err.count("\n") == 1, err
    found = SENTENCE.fullmatch(err)
    assert found, err
    return found


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Called:
    """Call the command line, in an empty folder, with what it must refuse."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> re.Match[str]:
        monkeypatch.setattr(sys, "argv", ["lossbench", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert (ended.value.code, out) == (2, "")
        return sentence(err)

    return call


@pytest.mark.parametrize(
    ("arguments", "subject", "received", "remedy"),
    [
        (["run", "--loss", "hubber"], "loss", "'hubber'", "huber"),
        (["run", "--backend", "pytorch"], "--backend", "'pytorch'", "use one of these"),
        (["run", "--dtype", "float31"], "dtype", "'float31'", "use one of these"),
        (["run", "--profile", "fast"], "profile", "'fast'", "use one of these"),
        (["run", "--regime", "normal"], "regime", "'normal'", "use one of these"),
        (["run", "--mode", "jit"], "mode", "'jit'", "use one of these"),
        (["run", "--operation", "slope"], "operation", "'slope'", "use one of these"),
        (["run", "some-run"], "run", "'some-run'", "--resume"),
        (["run", "--resume"], "results", "none", "lossbench run"),
        (["run", "--resume", "some-run"], "run some-run", "no such folder", "name a run"),
        (["run", "--suite", "absent.py"], "absent.py", "nothing at that path", "--suite"),
        (["run", "--cluster", "nowhere"], "--cluster", "'nowhere'", "write one of the two"),
        (["run", "--needs", "accelerator:h100"], "--needs", "none", "name the cluster too"),
        (["plan", "--nodes", "3,0"], "--nodes", "'0'", "write 1,10,100"),
        (["plan", "--nodes", "3"], "results", "none", "lossbench run"),
        (["list", "--loss", "hubber"], "loss", "'hubber'", "huber"),
        (["list", "--backend", "mxnet"], "--backend", "'mxnet'", "use one of these"),
        (["report"], "results", "none", "lossbench run"),
        (["report", "some-run"], "run some-run", "no such folder", "name a run"),
        (["gate"], "baseline results/baseline", "No such file", "lossbench baseline --to"),
        (["gate", "--only", "beauty"], "--only", "'beauty'", "use one of these"),
        (["baseline", "some-run"], "run some-run", "no such folder", "name a run"),
        (["compare", "some-run"], "run some-run", "no such folder", "name a run"),
        (["check", "absent.json"], "absent.json", "No such file", "check the path"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)  # fmt: skip
def test_a_request_for_what_is_not_there(
    arguments: list[str], subject: str, received: str, remedy: str, refused: Called
) -> None:
    said = refused(*arguments)
    assert subject in said["subject"]
    assert received in said["received"]
    assert remedy in said["remedy"]


LIKE = "from lossbench import like\n"
SUITES = {
    "syntax": ("def f(y_true, y_pred:\n", ":1", "SyntaxError: '(' was never closed"),
    "absent import": ("import math\nimport no_such_module\n", ":2", "No module named 'no_such_module'"),
    "raises": ("\n\nraise RuntimeError('at import')\n", ":3", "RuntimeError: at import"),
    "ends the process": ("import torch, os\nos._exit(5)\n", "mine.py", "a process that ended with 5"),
    "asks to exit": ("import sys\nsys.exit(3)\n", ":2", "SystemExit: 3"),
    "empty": ("", "mine.py", "no functions at all"),
    "no loss in it": ("def add(a, b):\n    return a + b\n", "mine.py", "do not read as (y_true, y_pred)"),
    "like nothing": (
        LIKE + "@like('hubber')\ndef f(y_true, y_pred):\n    return y_pred\n", "like('hubber')", "'hubber'",
    ),
    "like with a strange parameter": (
        LIKE + "@like('huber', gama=2)\ndef f(y_true, y_pred):\n    return y_pred\n", "like('huber')", "gama",
    ),
    "of an unknown framework": (
        LIKE + "@like('mse', backend='mxnet')\ndef f(y_true, y_pred):\n    return y_pred\n", "mine.py:3", "'mxnet'",
    ),
    "a Loss without a title": (
        "from lossbench import Loss\nL = Loss(name='x', title='', summary='s', formula='f', source='s', inputs={},"
        " reference=None, bindings=())\n", ":2", "title is required",
    ),
    "binary": ("\0\0", "mine.py", "null bytes"),
}  # fmt: skip


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_file_that_cannot_be_used(name: str, refused: Called, tmp_path: Path) -> None:
    text, where, received = SUITES[name]
    (tmp_path / "mine.py").write_text(text)
    said = refused("run", "--suite", "mine.py")
    assert where in said["subject"]
    assert received in said["received"]
    assert not (tmp_path / "results").exists(), "nothing was begun"


CASES = {
    "no JSON": ("[{", "line 1", "property name"),
    "empty": ("", "cases.json", "an empty file"),
    "unknown loss": ('[{"id": "a", "loss": "hubber", "y_true": [1], "y_pred": [1]}]', "cases.json", "'hubber'"),
    "unknown parameter": (
        '[{"id": "a", "loss": "huber", "params": {"dleta": 1}, "y_true": [1], "y_pred": [1]}]', "case 'a'", "dleta",
    ),
    "ragged": ('[{"id": "a", "loss": "huber", "y_true": [[1], [1, 2]], "y_pred": [1]}]', "cases[0].y_true", "(2,)"),
    "unknown dtype": (
        '[{"id": "a", "loss": "huber", "dtype": "float31", "y_true": [1], "y_pred": [1]}]', "cases[0].dtype", "float31",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_case_file_that_cannot_be_used(name: str, refused: Called, tmp_path: Path) -> None:
    text, where, received = CASES[name]
    (tmp_path / "cases.json").write_text(text)
    said = refused("check", "cases.json")
    assert "cases.json" in said["subject"]
    assert where in said["subject"]
    assert received in said["received"]


@pytest.mark.parametrize("below", ["", "below"])
def test_a_file_where_a_folder_should_be(below: str, refused: Called, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    said = refused("run", "--loss", "huber", "--backend", "torch", "--results", f"taken/{below}")
    assert "taken" in said["subject"]
    assert "not a directory" in said["received"]
    assert "name a folder" in said["remedy"]


ASKED = ["--profile", "quick", "--loss", "huber", "--backend", "torch", "--dtype", "float32", "--seconds", "0.1"]


def lossbench(
    *arguments: object, cwd: Path, environ: dict[str, str] | None = None, max_file_bytes: int = 0
) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own."""

    # the limit is set by a small program that becomes lossbench: this process has threads and may not fork
    limited = (
        "import os, resource, sys; "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({max_file_bytes}, resource.RLIM_INFINITY)); "
        "os.execv(sys.executable, [sys.executable, '-m', 'lossbench', *sys.argv[1:]])"
    )
    start = ["-c", limited] if max_file_bytes else ["-m", "lossbench"]
    return subprocess.run(
        [sys.executable, *start, *map(str, arguments)],
        cwd=cwd, env={**os.environ, **(environ or {})}, capture_output=True, text=True, timeout=240,
    )  # fmt: skip


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a real run in `results`, and its baseline."""
    folder = tmp_path_factory.mktemp("recorded")
    done = lossbench("run", *ASKED, "--no-report", cwd=folder)
    assert done.returncode == 0, done.stderr
    done = lossbench("baseline", "--to", "baseline", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def run(recorded: Path, tmp_path: Path) -> Path:
    """A copy of that run which a test may damage, in `results` of the current folder."""
    shutil.copytree(recorded, tmp_path, dirs_exist_ok=True)
    return runs.latest(tmp_path / "results")


def older_schema(run: Path) -> None:
    content = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**content, "schema_version": 0}))


def older_parquet(run: Path) -> None:
    table = pq.read_table(run / "cells.parquet")
    pq.write_table(table.replace_schema_metadata({b"lossbench.schema_version": b"0"}), run / "cells.parquet")


def truncated(run: Path) -> None:
    content = (run / "agreement.parquet").read_bytes()
    (run / "agreement.parquet").write_bytes(content[: len(content) // 2])


def without_parquet(run: Path) -> None:
    (run / "measurements.parquet").unlink()


def other_columns(run: Path) -> None:
    table = pq.read_table(run / "cells.parquet")
    pq.write_table(table.append_column("beyond", pa.array([0] * len(table))), run / "cells.parquet")


def no_manifest(run: Path) -> None:
    (run / "run.json").write_text("{")


def flipped_bit(run: Path) -> None:
    content = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**content, "state": "running"}))
    journal = bytearray((run / "journal.jsonl").read_bytes())
    journal[len(journal) // 2] ^= 1
    (run / "journal.jsonl").write_bytes(bytes(journal))


DAMAGES = {
    older_schema: "version 0", older_parquet: "version 0", truncated: "arquet", without_parquet: "no such file",
    other_columns: "beyond", no_manifest: "an unreadable one", flipped_bit: "'",
}  # fmt: skip


@pytest.mark.parametrize("command", ["report", "gate", "compare"])
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_run_is_refused_and_left_alone(
    damage: Callable[[Path], None], command: str, run: Path, refused: Called
) -> None:
    damage(run)
    before = {file.name: file.read_bytes() for file in run.iterdir() if file.is_file()}
    more = ["--baseline", "baseline"] if command == "gate" else []
    said = refused(command, run.name, *more)
    assert run.name in said["subject"]
    assert DAMAGES[damage] in said["received"]
    assert before == {file.name: file.read_bytes() for file in run.iterdir() if file.is_file()}


@pytest.mark.parametrize("name", ["facts.json", "agreement.csv.gz", "times.csv.gz"])
def test_a_damaged_baseline_is_refused(name: str, run: Path, refused: Called, tmp_path: Path) -> None:
    (tmp_path / "baseline" / name).write_bytes(b"\0")
    assert name in refused("gate", run.name, "--baseline", "baseline")["subject"]


def test_a_truncated_table_is_written_again_from_the_journal(run: Path, tmp_path: Path) -> None:
    """What the refusal advises helps."""
    whole = runs.read(run)
    truncated(run)
    assert lossbench("run", "--resume", run.name, "--no-report", cwd=tmp_path).returncode == 0
    assert sorted(runs.read(run).agreement["cell"]) == sorted(whole.agreement["cell"])


def test_no_space_left_for_the_report(run: Path, tmp_path: Path) -> None:
    done = lossbench("report", run.name, cwd=tmp_path, max_file_bytes=2000)
    assert (done.returncode, done.stdout) == (2, "")
    said = sentence(done.stderr)
    assert "index.html" in said["subject"]
    assert said["received"] == "file too large"
    assert "free some space" in said["remedy"]


def test_no_space_left_in_the_middle_of_a_run(recorded: Path, tmp_path: Path) -> None:
    """It ends with a sentence, keeps what was journaled, and goes on when there is space again."""
    wanted = runs.read(runs.latest(recorded / "results")).cells["cell"]
    journal_bytes = (runs.latest(recorded / "results") / "journal.jsonl").stat().st_size
    done = lossbench("run", *ASKED, "--no-report", cwd=tmp_path, max_file_bytes=2 * journal_bytes // 3)
    assert done.returncode == 2
    said = sentence(done.stderr.splitlines(keepends=True)[-1])  # a busy machine is said before
    assert "journal.jsonl" in said["subject"]
    assert "resume the run" in said["remedy"]
    run = runs.latest(tmp_path / "results")
    kept = (run / "journal.jsonl").read_bytes()
    assert kept.endswith(b"\n")
    done = lossbench("run", "--resume", run.name, "--no-report", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (run / "journal.jsonl").read_bytes().startswith(kept)
    assert sorted(runs.read(run).cells["cell"]) == sorted(wanted)


BLOCKER = """
import importlib.machinery as machinery
found = machinery.PathFinder.find_spec
def find_spec(cls, name, path=None, target=None):
    return None if name.partition(".")[0] in {blocked!r} else found(name, path, target)
machinery.PathFinder.find_spec = classmethod(find_spec)
"""


def without(*blocked: str, folder: Path) -> dict[str, str]:
    """An environment in which these packages are not installed."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(BLOCKER.format(blocked=set(blocked)))
    return {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


def test_a_backend_that_is_not_installed(tmp_path: Path) -> None:
    environ = without("torch", folder=tmp_path / "site")
    done = lossbench("run", "--backend", "torch", "--loss", "huber", cwd=tmp_path, environ=environ)
    assert (done.returncode, done.stdout) == (2, "")
    said = sentence(done.stderr)
    assert "torch" in said["subject"]
    assert "pip install 'lossbench[torch]'" in said["remedy"]
    assert "jax" in said["remedy"]


def test_no_backend_at_all(run: Path, tmp_path: Path) -> None:
    environ = without("torch", "tensorflow", "jax", folder=tmp_path / "site")
    done = lossbench("run", "--loss", "huber", cwd=tmp_path, environ=environ)
    assert done.returncode == 2
    assert "pip install" in sentence(done.stderr)["remedy"]
    doctor = lossbench("doctor", cwd=tmp_path, environ=environ)
    assert doctor.returncode == 1
    assert doctor.stdout.count("pip install 'lossbench[") == 3
    report = lossbench("report", run.name, cwd=tmp_path, environ=environ)
    assert report.returncode == 0, "a recorded run is reported where no framework is"
    assert (tmp_path / "reports" / "latest" / "index.html").stat().st_size > 10_000
