"""What the journal acknowledged is there afterwards, whatever happens to the process, the disk or the last line."""

import math
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from lossbench.record.journal import Journal, encode, read
from lossbench.spec.errors import BadInput, RunDamaged

KILLER = """
import os, random, signal, sys, time
from pathlib import Path
from lossbench.record.journal import Journal, read

path, acknowledged = Path(sys.argv[1]), Path(sys.argv[2])
chance, start = random.Random(20260), 0

def write():
    journal = Journal(path)
    sink = os.open(acknowledged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for number in range(start, start + 10_000_000):
        journal.append("rows", {"number": number, "text": "x" * (number % 300)})
        os.write(sink, b"%d\\n" % number)

for _ in range(20):
    acknowledged.write_bytes(b"")
    child = os.fork()
    if not child:
        write()
    while not acknowledged.stat().st_size:
        time.sleep(0.001)
    time.sleep(chance.uniform(0, 0.05))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    last = int(acknowledged.read_bytes().rpartition(b"\\n")[0].split()[-1])
    numbers = [row["number"] for _, row in read(path)]
    print(start, last, len(numbers), numbers == list(range(len(numbers))))
    start = len(numbers)
"""


def test_kill_loses_no_acknowledged_row(tmp_path: Path) -> None:
    """Twenty times at a random moment, from a process that forks the writer (its imports are paid once)."""
    arguments = [str(tmp_path / "journal.jsonl"), str(tmp_path / "acknowledged")]
    done = subprocess.run([sys.executable, "-c", KILLER, *arguments], capture_output=True, text=True, check=True)
    rounds = [line.split() for line in done.stdout.splitlines()]
    assert len(rounds) == 20
    for start, last, found, in_order in rounds:
        assert int(start) <= int(last) < int(found)
        assert in_order == "True"


@pytest.mark.parametrize("keep", [1, 8, 9, 30, -1])
def test_torn_last_line_is_ignored_and_cut(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "journal.jsonl"
    whole = encode("rows", {"number": 1})
    path.write_bytes(whole + encode("rows", {"number": 2, "text": "y" * 40})[:keep])
    assert [row["number"] for _, row in read(path)] == [1]
    with Journal(path) as journal:
        journal.append("rows", {"number": 3})
    assert [row["number"] for _, row in read(path)] == [1, 3]


def test_damage_in_the_middle_is_said(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    lines = [encode("rows", {"number": n}) for n in range(3)]
    lines[1] = lines[1].replace(b'"number":1', b'"number":7')
    path.write_bytes(b"".join(lines))
    with pytest.raises(RunDamaged, match=r"journal\.jsonl line 2"):
        list(read(path))


def test_not_a_number_and_infinity_are_valid_json(tmp_path: Path) -> None:
    line = encode("rows", {"a": math.nan, "b": [math.inf, -math.inf, 0.1]})
    assert b'"nan"' in line
    assert b'["inf","-inf",0.1]' in line
    path = tmp_path / "journal.jsonl"
    path.write_bytes(line)
    ((_, row),) = read(path)
    assert math.isnan(float(row["a"]))
    assert [float(b) for b in row["b"]] == [math.inf, -math.inf, 0.1]


FILLER = """
import resource, sys
from pathlib import Path
from lossbench.record.journal import Journal
from lossbench.spec.errors import BadInput
journal = Journal(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
written = 0
try:
    while True:
        journal.append("rows", {"number": written, "text": "z" * 70})
        written += 1
except BadInput as error:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    journal.append("rows", {"number": written})
    journal.close()
    print(written)
    print(error)
"""


def test_a_file_that_may_not_grow_loses_nothing_earlier(tmp_path: Path) -> None:
    """The kernel writes half a line up to the limit: it must not stay in the file when writing goes on."""
    path = tmp_path / "journal.jsonl"
    done = subprocess.run([sys.executable, "-c", FILLER, str(path)], capture_output=True, text=True, check=True)
    count, message = done.stdout.splitlines()
    assert int(count) > 3
    assert [row["number"] for _, row in read(path)] == list(range(int(count) + 1))
    assert "free some space" in message


def test_disk_full_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append("rows", {"number": 1})

    def full(_descriptor: int, _content: bytes) -> int:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(BadInput, match="no space left on device; free some space"):
            journal.append("rows", {"number": 2})
    journal.close()
    assert [row["number"] for _, row in read(tmp_path / "journal.jsonl")] == [1]


def test_rows_of_several_threads_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:

        def write(writer: int) -> None:
            for number in range(500):
                journal.append("rows", {"writer": writer, "number": number})

        threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    rows = [row for _, row in read(path)]
    for writer in range(4):
        assert [row["number"] for row in rows if row["writer"] == writer] == list(range(500))


def test_no_journal_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunDamaged, match=r"expected its journal journal\.jsonl, received no such file"):
        list(read(tmp_path / "journal.jsonl"))
