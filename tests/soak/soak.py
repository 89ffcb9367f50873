"""Real runs, disturbed by random faults until so many were made: what they hold must equal an undisturbed run.

`python tests/soak/soak.py 100 --seed 1` (or `make soak`) prints a line a fault with what the user saw, and what was
lost or doubled. A fault comes at a random moment of a run or of a resumed one, which is resumed until it is whole.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import psutil

from lossbench.record import run as runs
from lossbench.record.frames import Tables
from lossbench.record.journal import read as read_journal
from lossbench.record.lost import NOT_VISITED, no_answer
from lossbench.record.tables import TABLES

HERE = Path(__file__).parent
LIMIT_SECONDS = 400.0
CI_SECONDS = 10.0
"""Between SIGTERM and SIGKILL."""
ASKED = [
    "--profile", "quick", "--loss", "mse,huber", "--backend", "torch,jax", "--mode", "eager",
    "--dtype", "float32,float64", "--seconds", "0.5", "--memory-limit", "2GiB", "--time-limit", "20", "--no-practice",
]  # fmt: skip
FAULTS_AT_ONCE = 5
MOST_ATTEMPTS = 60
"""Of one run, until it is whole."""
VOLATILE = {"prepare_seconds", "compile_seconds", "first_call_seconds", "peak_bytes", "facts", "printed"}
"""Columns of what is not timed that differ between two undisturbed runs, or that say what a fault printed."""

LAUNCHED = """
import os, sys, threading
from lossbench.record.journal import Journal, encode
append, turn = Journal.append, threading.Lock()
def acknowledged(self, kind, row):
    append(self, kind, row)
    with turn:
        os.write({fd}, encode(kind, row))
Journal.append = acknowledged
if {clock_set_back}:
    import datetime, itertools, time
    from lossbench.record import run
    from lossbench.practice import books
    steps, now, real = itertools.count(1), time.time, datetime.datetime
    class Backwards(real):
        @classmethod
        def now(cls, zone=None):
            return real.now(zone) - datetime.timedelta(days=365 * next(steps))
    run.datetime = books.datetime = Backwards
    time.time = lambda: now() - 3600.0 * next(steps)
from lossbench.__main__ import main
sys.argv = ["lossbench", *{arguments!r}]
main()
"""
"""The command line as it is, which also says on a pipe which rows it was told are safe."""

UNPRIVILEGED = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(24, 1, 0, 0, 0)
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.executable, [sys.executable, "-c", *sys.argv[1:]])
"""
"""Without CAP_DAC_OVERRIDE, so that a folder's permissions mean something to root, too; and not deaf to Ctrl-C."""

WORKER = ("aborts", "segfaults", "hangs", "hoards", "prints", "forks", "answers_too_much", "worker killed")
COORDINATOR = ("coordinator killed", "Ctrl-C", "SIGTERM, 10 s to go", "disk full", "folder read-only", "second run")
WHOLE_ATTEMPT = ("clock set back", "import raises")
AT_REST = ("Parquet bits flipped", "Parquet truncated")
KINDS = (*WORKER, *COORDINATOR, *WHOLE_ATTEMPT, *AT_REST)
ENDS = ("coordinator killed", "Ctrl-C", "SIGTERM, 10 s to go", "disk full", "folder read-only")


@dataclass(kw_only=True)
class Fault:
    """One that was made. run: number of the run. after_rows: that its process had acknowledged. saw: by the user."""

    kind: str
    run: int
    after_rows: int
    saw: str = ""


@dataclass(kw_only=True)
class Wrong:
    """What must not be."""

    lost: int = 0
    doubled: int = 0
    other: list[str] = field(default_factory=list)


class Attempt:
    """One process of the command line, from its start to its end."""

    def __init__(self, arguments: list[str], folder: Path, *, clock_set_back: bool, import_raises: bool) -> None:
        reading, writing = os.pipe()
        code = LAUNCHED.format(fd=writing, arguments=arguments, clock_set_back=clock_set_back)
        self.orders, self.folder = folder / "orders", folder
        path = [str(HERE / "faulty" / "framework")] if import_raises else []
        path += [str(HERE / "faulty" / "site"), os.environ.get("PYTHONPATH", "")]
        self._out, self._err = folder / "stdout.txt", folder / "stderr.txt"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-c", UNPRIVILEGED, code], cwd=folder, pass_fds=[writing], stdout=out, stderr=err,
                stdin=subprocess.DEVNULL, start_new_session=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path), "LOSSBENCH_SOAK": str(self.orders)},
            )  # fmt: skip
        os.close(writing)
        self._said, self._rows, self._more = b"", 0, threading.Condition()
        self._reader = threading.Thread(target=self._read, args=(reading,), daemon=True)
        self._reader.start()

    def _read(self, descriptor: int) -> None:
        with os.fdopen(descriptor, "rb", buffering=0) as pipe:
            while block := pipe.read(2**16):
                with self._more:
                    self._said += block
                    self._rows += block.count(b"\n")
                    self._more.notify_all()
        with self._more:
            self._rows = -1  # it has ended
            self._more.notify_all()

    def reached(self, rows: int) -> bool:
        """Waits until so many rows were acknowledged; False where it ended before."""
        with self._more:
            self._more.wait_for(lambda: self._rows < 0 or self._rows >= rows, LIMIT_SECONDS)
            return self._rows >= rows

    def workers(self) -> list[psutil.Process]:
        """Those that live."""
        try:
            return [p for p in psutil.Process(self.process.pid).children() if "lossbench.lanes.worker" in p.cmdline()]
        except psutil.Error:  # it ended meanwhile
            return []

    def wait(self) -> int:
        """Until it has ended; its exit status."""
        try:
            return self.process.wait(LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return -1000

    def acknowledged(self) -> set[bytes]:
        """The whole lines that it was told are safe."""
        self._reader.join(LIMIT_SECONDS)
        lines = self._said.splitlines(keepends=True)
        return {line for line in lines if line[:8] == b"%08x" % zlib.crc32(line[9:-1]) and line.endswith(b"\n")}

    def saw(self, status: int) -> str:
        """Exit status and the last sentence on either stream."""
        err = [line for line in self._err.read_text(errors="replace").splitlines() if line.startswith("lossbench: ")]
        told = ("died and was asked", " crashed: ", " timeout: ", " failed: ", "was interrupted")
        out = [line for line in self._out.read_text(errors="replace").splitlines() if any(t in line for t in told)]
        if "Traceback" in self._err.read_text(errors="replace"):
            return f"{status}: a traceback: {self._err.read_text(errors='replace')[-1500:]}"
        return f"{status}: {' / '.join(err[-1:] or out) or 'nothing unusual'}"

    def orphans(self) -> list[str]:
        """Processes of this attempt that outlive it."""
        deadline = time.monotonic() + 20
        while left := [p for p in psutil.process_iter(["cmdline"]) if self._ours(p)]:
            if time.monotonic() > deadline:
                return [" ".join(p.info["cmdline"] or []) for p in left]
            time.sleep(0.05)
        return []

    def _ours(self, process: psutil.Process) -> bool:
        try:
            return (
                process.environ().get("LOSSBENCH_SOAK") == str(self.orders)
                and process.status() != psutil.STATUS_ZOMBIE
                and process.pid != self.process.pid
            )
        except psutil.Error:
            return False


class Soak:
    """Runs in one results folder, disturbed."""

    def __init__(self, folder: Path, seed: int, say: Callable[[str], None], asked: list[str]) -> None:
        self._asked = asked
        self.folder, self.results, self._draw, self._say = folder, folder / "results", random.Random(seed), say
        (folder / "orders").mkdir()
        self.faults: list[Fault] = []
        self.wrong, self._decks = Wrong(), dict[tuple[str, ...], list[str]]()
        self.runs = self.attempts = 0

    def undisturbed(self) -> None:
        """What all others are held against."""
        attempt = self._started(["run", *self._asked, "--no-report"])
        status = attempt.wait()
        assert status == 0, attempt.saw(status)
        run = runs.latest(self.results)
        self.whole, rows = runs.read(run), [kind for kind, _ in read_journal(run / "journal.jsonl")]
        self.told, self.rows, self.first = rows.count("facts"), len(rows) - rows.count("facts"), rows.index("cells")
        cells, visits = len(self.whole.cells), len(self.whole.measurements)
        self._say(f"undisturbed: {len(rows)} rows, {cells} cells, {visits} visits")

    def go(self, count: int) -> None:
        """Until so many faults were made."""
        while len(self.faults) < count:
            self.runs += 1
            self._one_run(count)

    def _one_run(self, count: int) -> None:
        known, run, safe = set(runs.recorded(self.results)), None, set[bytes]()
        for _ in range(MOST_ATTEMPTS):
            self.attempts += 1
            before = len(self.faults)
            kinds = self._drawn() if before < count else []
            asked = ["run", *self._asked] if run is None else ["run", "--resume", run.name]
            attempt = self._started([*asked, "--no-report"], kinds)
            if made := [kind for kind in kinds if kind in WHOLE_ATTEMPT]:
                self._made(made[0], 0)
            with self._writable_again():
                self._disturbed(attempt, [kind for kind in kinds if kind in (*WORKER, *COORDINATOR)], run, known)
                status = attempt.wait()
            found = sorted(set(runs.recorded(self.results)) - known)
            run = found[0] if found else None
            safe |= attempt.acknowledged()
            if run is None:
                continue
            if runs.latest(self.results) != run:
                self.wrong.other.append(f"run {self.runs}: the latest run is not {run.name}")
            self._counted(attempt, status, before, run, safe)
            damaged = self._damaged(run, [kind for kind in kinds if kind in AT_REST], count)
            if status == 0 and not damaged and not self._open(run):
                self._compared(run)
                return
        self.wrong.other.append(f"run {self.runs} was not whole after {MOST_ATTEMPTS} attempts")

    def _drawn(self) -> list[str]:
        """Some that leave the process alive and mostly one that ends it; each comes once before any comes twice."""
        chosen = [self._dealt(tuple(kind for kind in KINDS if kind not in ENDS)) for _ in range(FAULTS_AT_ONCE)]
        if "import raises" in chosen:  # then there is no worker to disturb
            chosen = [kind for kind in chosen if kind not in WORKER]
        return [*chosen, self._dealt(ENDS)] if self._draw.random() < 0.8 else chosen

    def _dealt(self, kinds: tuple[str, ...]) -> str:
        deck = self._decks.setdefault(kinds, [])
        if not deck:
            deck += self._draw.sample(kinds, len(kinds))
        return deck.pop()

    def _started(self, arguments: list[str], kinds: list[str] | None = None) -> Attempt:
        asked = kinds or []
        return Attempt(
            arguments, self.folder, clock_set_back="clock set back" in asked, import_raises="import raises" in asked
        )

    def _moment(self, run: Path | None) -> int:
        """Rows from now: anywhere in what is left of the run, and as often after the first answer of a new one."""
        kinds = [] if run is None else [kind for kind, _ in read_journal(run / "journal.jsonl")]
        left = max(self.rows - sum(kind != "facts" for kind in kinds), 0) + self.told
        first = self.first if run is None and self._draw.random() < 0.6 else 1
        return self._draw.randrange(first, max(left, first + 2))

    def _made(self, kind: str, rows: int) -> Fault:
        self.faults.append(Fault(kind=kind, run=self.runs, after_rows=rows))
        return self.faults[-1]

    def _disturbed(self, attempt: Attempt, kinds: list[str], run: Path | None, known: set[Path]) -> None:
        """Commits the faults one after the other, each at a random moment of what is left."""
        committed, ordered = self.folder / "orders" / "committed", list[tuple[str, int]]()
        committed.write_text("")
        moments = sorted(self._moment(run) for _ in kinds)
        for kind, rows in zip(kinds, moments, strict=True):
            if not attempt.reached(rows):
                break
            time.sleep(self._draw.choice((0, self._draw.uniform(0, 0.3))))
            if kind not in WORKER:
                self._at_the_coordinator(attempt, kind, rows, known)
            elif self._at_a_worker(attempt, kind):
                ordered.append((kind, rows))
        attempt.wait()
        done = Counter(committed.read_text().split("\n"))
        for kind, rows in ordered:
            if kind == "worker killed" or done[kind]:
                done[kind] -= 1
                self._made(kind, rows)

    def _at_a_worker(self, attempt: Attempt, kind: str) -> bool:
        """Whether it was ordered; it is committed in what the worker computes next."""
        workers = attempt.workers()
        if not workers:
            return False
        worker = self._draw.choice(workers)
        try:
            if kind == "worker killed":
                worker.kill()
            else:
                (self.folder / "orders" / str(worker.pid)).write_text(kind)
                worker.send_signal(signal.SIGUSR1)
        except psutil.NoSuchProcess:
            return False
        return True

    def _at_the_coordinator(self, attempt: Attempt, kind: str, rows: int, known: set[Path]) -> None:
        process, found = attempt.process, sorted(set(runs.recorded(self.results)) - known)
        if process.poll() is not None or not found:
            return
        run = found[0]
        fault = self._made(kind, rows)
        if kind == "coordinator killed":
            process.kill()
        elif kind == "Ctrl-C":
            process.send_signal(signal.SIGINT)
        elif kind == "SIGTERM, 10 s to go":
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(CI_SECONDS)
            except subprocess.TimeoutExpired:
                fault.kind = "SIGTERM, SIGKILL after 10 s"
                process.kill()
        elif kind == "disk full":
            size = (run / "journal.jsonl").stat().st_size + self._draw.randrange(2000)
            _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, hard))
        elif kind == "folder read-only":
            for folder in (run, self.results):
                folder.chmod(0o555)
        elif kind == "second run":
            other = subprocess.run(
                [sys.executable, "-m", "lossbench", "run", "--resume", run.name, "--no-report"],
                cwd=self.folder, capture_output=True, text=True, timeout=LIMIT_SECONDS,
            )  # fmt: skip
            fault.saw = f"{other.returncode}: {_last(other.stderr)}"
            if process.poll() is not None and other.returncode == 0:
                self.faults.remove(fault)  # the first had ended: it was no second run
            elif other.returncode != 2:
                self.wrong.other.append(f"a second run in one folder ended with {fault.saw}")

    @contextmanager
    def _writable_again(self) -> Iterator[None]:
        try:
            yield
        finally:
            for folder in (self.results, *self.results.glob("*")):
                folder.chmod(0o755)

    def _counted(self, attempt: Attempt, status: int, before: int, run: Path, safe: set[bytes]) -> None:
        """What the user saw, and whether what was acknowledged is there."""
        saw = attempt.saw(status)
        for fault in self.faults[before:]:
            fault.saw = fault.saw or saw
            self._say(
                f"{len(self.faults):>4}  run {fault.run:>2}, row {fault.after_rows:>3}  {fault.kind:<22} {fault.saw}"
            )
        if "traceback" in saw or status in (-1000, 1):
            self.wrong.other.append(f"run {self.runs} ended with {saw}")
        self.wrong.other += [f"still running: {orphan}" for orphan in attempt.orphans()]
        self.wrong.lost += len(safe - set((run / "journal.jsonl").read_bytes().splitlines(keepends=True)))

    def _damaged(self, run: Path, kinds: list[str], count: int) -> bool:
        """Spoils a table of a run that has ended, and asks for a report of it."""
        for kind in kinds:
            files = sorted(run.glob("*.parquet"))
            if not files or len(self.faults) >= count:
                continue
            path = self._draw.choice(files)
            content = bytearray(path.read_bytes())
            if kind == "Parquet truncated":
                del content[self._draw.randrange(len(content)) :]
            else:
                for _ in range(self._draw.choice((1, 3, 20))):
                    content[self._draw.randrange(len(content))] ^= 1 << self._draw.randrange(8)
            path.write_bytes(bytes(content))
            done = subprocess.run(
                [sys.executable, "-m", "lossbench", "report", run.name], cwd=self.folder, capture_output=True,
                text=True, timeout=LIMIT_SECONDS,
            )  # fmt: skip
            fault = self._made(kind, 0)
            fault.saw = f"{done.returncode}: {_last(done.stderr) or 'the report, bits that carry nothing were hit'}"
            self._say(f"{len(self.faults):>4}  run {fault.run:>2}, at rest  {kind:<22} {fault.saw}")
            if done.returncode not in (0, 2) or "Traceback" in done.stderr:
                self.wrong.other.append(f"{kind}: {done.returncode}: {done.stderr[-800:]}")
            return True
        return False

    def _open(self, run: Path) -> bool:
        """Whether something of it was not answered."""
        tables = runs.read(run)
        cells = tables.cells[["status", "digest"]].to_dict("records")
        return any(no_answer(row) for row in cells) or bool(tables.measurements["status"].isin(NOT_VISITED).any())

    def _compared(self, run: Path) -> None:
        lost, doubled, other = compared(self.whole, runs.read(run), run)
        self.wrong.lost += lost
        self.wrong.doubled += doubled
        self.wrong.other += [f"run {self.runs}: {one}" for one in other]
        verdict = "equal to the undisturbed one" if not (lost or doubled or other) else f"NOT EQUAL: {other}"
        self._say(f"      run {self.runs} is whole, {verdict}; {lost} rows lost, {doubled} doubled")


def compared(whole: Tables, tables: Tables, run: Path) -> tuple[int, int, list[str]]:
    """Rows lost, rows doubled, and differences; of timed cells which rows there are, of all else every value."""
    lost = doubled = 0
    other = []
    for name, table in TABLES.items():
        if name == "facts":
            continue  # how the run went
        key = list(table.key)
        wanted, got = (_in_order(getattr(found, name), key) for found in (whole, tables))
        keys, had = (Counter(frame[key].itertuples(index=False, name=None)) for frame in (wanted, got))
        lost += (keys - had).total()
        doubled += (had - keys).total()
        columns = [*key, "position", "status"] if name == "measurements" else None
        dropped = VOLATILE if name == "cells" else set()
        if name == "work":
            continue  # counted and timed by turns: which rows there are is compared
        frames = [f[columns] if columns else f.drop(columns=list(dropped)) for f in (wanted, got)]
        try:
            pd.testing.assert_frame_equal(*frames, check_exact=True)
        except AssertionError as difference:
            other.append(f"{name}: {' '.join(str(difference).split())[:300]}")
    measured = Counter(
        (row["cell"], row["visit"])
        for kind, row in read_journal(run / "journal.jsonl")
        if kind == "measurements" and row["status"] not in NOT_VISITED
    )
    doubled += (measured - Counter(set(measured))).total()
    if runs.manifest(run)["state"] != "finished":
        other.append("the run is not finished")
    return lost, doubled, other


def _in_order(frame: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    return frame.sort_values(key, ignore_index=True)


def _last(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.startswith("lossbench: ")), text[-300:])


def soaked(count: int, seed: int, say: Callable[[str], None], asked: list[str] = ASKED) -> Soak:
    """So many faults made in runs that are asked for so, in a folder that is gone afterwards."""
    with TemporaryDirectory() as temporary:
        soak = Soak(Path(temporary), seed, say, asked)
        soak.undisturbed()
        soak.go(count)
    return soak


def _asked(backends: str) -> list[str]:
    return [backends if before == "--backend" else word for before, word in zip(["", *ASKED], ASKED, strict=False)]


def main() -> int:
    """By hand: exit status 1 where anything was lost, doubled or different."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faults", type=int, nargs="?", default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--backend", default="torch,jax", help="Of the runs; one is quicker.")
    asked = parser.parse_args()
    began = time.monotonic()
    soak = soaked(asked.faults, asked.seed, lambda line: print(line, flush=True), _asked(asked.backend))
    wrong = soak.wrong
    print(f"\n{len(soak.faults)} faults in {soak.runs} runs, {soak.attempts} processes, seed {asked.seed}")
    for kind, times in sorted(Counter(fault.kind for fault in soak.faults).items()):
        statuses = Counter(fault.saw.partition(":")[0] for fault in soak.faults if fault.kind == kind)
        print(f"  {times:>3}  {kind:<28} exit status " + ", ".join(f"{s} ({n})" for s, n in sorted(statuses.items())))
    print(
        f"{wrong.lost} rows lost, {wrong.doubled} doubled, {len(wrong.other)} other differences",
        *wrong.other,
        sep="\n  ",
    )
    print(f"{(time.monotonic() - began) / 60:.0f} minutes")
    return int(bool(wrong.lost or wrong.doubled or wrong.other))


if __name__ == "__main__":
    sys.exit(main())
