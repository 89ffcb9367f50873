"""Some inputs to every reader, in a process that watches it; and the watch itself, which must see what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
INPUTS = 150

PLANTED = {
    "writes outside": ("open('outside.txt', 'w')", "Escaped at"),
    "renames": ("__import__('os').rename('/nowhere/a', '/nowhere/b')", "Escaped at"),
    "starts a program": ("__import__('subprocess').run(['true'])", "Escaped at"),
    "unpickles": ("__import__('pickle').loads(b'cos\\nsystem\\n.')", "Escaped at"),
    "evaluates": ("eval('1')", "Escaped at"),
    "hangs": ("[None for _ in iter(int, 1)]", "Hung at"),
    "raises": ("{}['x']", "KeyError at"),
    "says two lines": ("bad('a\\x1b[2J')", "no line to print"),
}
SCRIPT = """
import sys, watching
from lossbench.spec import errors
class Raw(errors.BadInput):
    def __init__(self, text): Exception.__init__(self, text)
def bad(text): raise Raw(text)
def read(_): {planted}
tally = watching.Tally()
watching.begin()
watching.CPU_SECONDS = 0.1
watching.tried(watching.Reader(name="planted", mutated=lambda draw: b"", read=read), 0, tally)
print(*tally.kinds, tally.faults)
"""


def python(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(HERE.parents[1] / "harness"), str(HERE)])
    return subprocess.run(
        [sys.executable, *words], env={**os.environ, "PYTHONPATH": path}, cwd=cwd, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip


def test_a_damaged_file_is_a_value_or_a_sentence() -> None:
    done = python(str(HERE / "fuzz.py"), "--inputs", str(INPUTS))
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 8
    for line in lines:
        read, refused = (int(line.split(f" {word}")[0].split()[-1]) for word in ("read", "refused"))
        assert read + refused == INPUTS, line
        assert min(read, refused) > 0, line


@pytest.mark.parametrize("name", PLANTED)
def test_the_watch_sees(name: str, tmp_path: Path) -> None:
    planted, said = PLANTED[name]
    done = python("-c", SCRIPT.format(planted=planted), cwd=tmp_path)
    assert said in done.stdout, done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_dies_costs_one_input() -> None:
    script = (
        "import os, fuzz, readers, watching\n"
        "def dies(folder):\n"
        "    mutated = lambda draw: draw.randbytes(1)\n"
        "    return watching.Reader(name='dies', mutated=mutated, read=lambda c: os.abort() if c < b'\\x10' else c)\n"
        "readers.MADE = {'dies': dies}\n"
        "tally, _ = fuzz.tried('dies', 0, 100)\n"
        "print(sum(tally.kinds.values()), tally.read, *tally.kinds)"
    )
    done = python("-c", script)
    died, read, *kinds = done.stdout.split(maxsplit=2)
    assert int(died) > 0, done.stdout + done.stderr
    assert kinds == ["the process ended with -6\n"]
    assert int(read) <= 100 - int(died)
