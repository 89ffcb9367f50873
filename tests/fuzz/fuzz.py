"""Random files and frames into every reader: `python tests/fuzz/fuzz.py --reader casefile --inputs 1000000`.

An input is a file as lossbench writes it, damaged or with another value in it, and depends on its number alone:
`--first 1234 --inputs 1` repeats one. Each must come out as a value or as one printable line, within a second of
processor time, with nothing written outside the reader's folder, nothing executed and nothing started. A reader runs
in a process of its own, whose death costs the one input that it was at and is a fault like any other.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
from pathlib import Path

import readers
import watching

STUCK_SECONDS = 120
"""Without progress, as the parent sees it: code that holds the interpreter hears no signal."""
MOST_FAULTS = 50


def child(name: str, folder: Path, first: int, last: int, progress: mmap.mmap, into: int) -> None:
    """Inputs first to last (exclusive); the tally is written to a descriptor."""
    (folder / name).mkdir()
    reader = readers.MADE[name](folder / name)
    there = sorted(folder.parent.iterdir())
    tally = watching.Tally()
    watching.begin()
    for number in range(first, last):
        progress[:8] = struct.pack("q", number)
        watching.tried(reader, number, tally)
        if number % 1000 == 0 and sorted(folder.parent.iterdir()) != there:
            tally.add("a file appeared beside the folder", f"before input {number}")
        if number % 100_000 == 0 and number > first:
            print(f"  {name}: {number - first} inputs, {sum(tally.kinds.values())} faults", file=sys.stderr, flush=True)
        if sum(tally.kinds.values()) > MOST_FAULTS:
            break
    progress[:8] = struct.pack("q", last)
    os.write(into, json.dumps(vars(tally)).encode())


def tried(name: str, first: int, inputs: int) -> tuple[watching.Tally, float]:
    """All inputs of one reader, over as many processes as die on the way; and the seconds that it took."""
    whole, began, last = watching.Tally(), time.perf_counter(), first + inputs
    shared = Path("/dev/shm")
    root = Path(tempfile.mkdtemp(prefix="lossbench-fuzz-", dir=shared if shared.is_dir() else None))
    try:
        while first < last:
            folder = root / "around" / "inside"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            progress = mmap.mmap(-1, 8)
            progress[:8] = struct.pack("q", -1)
            ours, theirs = os.pipe()
            pid = os.fork()
            if not pid:
                os.environ["LOSSBENCH_CACHE"] = str(root / "cache")
                status = 1
                try:
                    child(name, folder, first, last, progress, theirs)
                    status = 0
                except Exception:  # noqa: BLE001 - said, and the parent sees the status
                    traceback.print_exc()
                finally:
                    os._exit(status)
            os.close(theirs)
            status = _waited(pid, progress)
            at = struct.unpack("q", progress[:8])[0]
            with os.fdopen(ours, "rb") as stream:
                said = stream.read()
            _add(whole, json.loads(said) if said else {})
            first = last
            if status and at < 0:
                raise SystemExit(f"{name}: the reader cannot be set up")
            if status:
                whole.add(f"the process ended with {status}", f"input {at}")
                first = at + 1
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return whole, time.perf_counter() - began


def _waited(pid: int, progress: mmap.mmap) -> int:
    seen, since = -1, time.monotonic()
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        at = struct.unpack("q", progress[:8])[0]
        if at != seen:
            seen, since = at, time.monotonic()
        elif time.monotonic() - since > STUCK_SECONDS:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _add(whole: watching.Tally, part: dict[str, object]) -> None:
    for name, value in part.items():
        mine = getattr(whole, name)
        if name == "kinds":
            mine.update(value)
        elif name == "faults":
            whole.faults = {**value, **mine}  # type: ignore[dict-item]
        else:
            setattr(whole, name, max(mine, value) if name.startswith("longest") else mine + value)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--reader", choices=tuple(readers.MADE), action="append", help="may be repeated; default: every one"
    )
    parser.add_argument("--inputs", type=int, default=1000, help="to each reader")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    asked = parser.parse_args()
    faults = 0
    for name in asked.reader or tuple(readers.MADE):
        tally, seconds = tried(name, asked.first, asked.inputs)
        count = sum(tally.kinds.values())
        faults += count
        print(
            f"{name}: {tally.read} read, {tally.refused} refused, {count} faults; "
            f"longest {tally.longest_cpu_seconds:.3f} s of processor time, "
            f"{tally.longest_seconds:.3f} s of time; {seconds:.0f} s in all",
            flush=True,
        )
        for kind, example in tally.faults.items():
            print(f"  {tally.kinds[kind]} x {kind}: {example}", flush=True)
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
