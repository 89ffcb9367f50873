"""A worker's process, seen from the parent: started at once, asked with a time limit, survived whatever it does.

What user code prints goes through a pipe that is drained while the parent waits: megabytes neither
block the child nor fill a disk. The child leads a process group of its own, which is killed as a whole, and
has a folder of its own for temporary files, which goes with it.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

import lossbench
from lossbench.lanes import bounds
from lossbench.lanes.wire import Channel, WireClosedError, WireError, encode
from lossbench.spec import inherited

WORKER: Final = "lossbench.lanes.worker"
PRINTED_CHARACTERS: Final = 2000
TAIL_BYTES: Final = 16 * 2**10
MAX_LOG_BYTES: Final = 4 * 2**20
EXIT_SECONDS: Final = 2.0
TRACE_NOISE: Final = re.compile(r'\s*(File "|Thread 0x|Current thread 0x|Extension modules:|<no Python frame>|$)')


class ChildLost(Exception):  # noqa: N818 - an outcome that becomes a row
    """The child died (status `crashed`) or was killed for taking too long (`timeout`)."""

    def __init__(self, status: str, reason: str, trace: str) -> None:
        super().__init__(reason)
        self.status, self.reason, self.trace = status, reason, trace


class Child:
    """One running worker. module: what its process runs, given `--fd N`. memory_bytes: that it may hold; 0: any."""

    def __init__(
        self,
        interpreter: str,
        environ: Mapping[str, str],
        log_path: Path | None,
        *,
        module: str = WORKER,
        memory_bytes: int = 0,
    ) -> None:
        ours, theirs = socket.socketpair()
        package = str(Path(lossbench.__file__).resolve().parents[1])
        path = os.pathsep.join(part for part in (package, os.environ.get("PYTHONPATH", "")) if part)
        self._temporary = tempfile.TemporaryDirectory(prefix="lossbench-", ignore_cleanup_errors=True)
        try:
            self._process = subprocess.Popen(
                [interpreter or sys.executable, "-m", module, "--fd", str(theirs.fileno())],
                stdin=subprocess.PIPE,  # held open and never written: its end tells the child that we are gone
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                # safe path: a torch.py in the working directory must not stand in for the framework
                env={
                    **inherited.environ(),
                    **environ,
                    "PYTHONPATH": path,
                    "PYTHONSAFEPATH": "1",
                    "TMPDIR": self._temporary.name,
                },
            )
        except OSError:
            ours.close()
            self._temporary.cleanup()
            raise
        finally:
            theirs.close()
        assert self._process.stdout is not None, "stdout is a pipe"
        self._output = self._process.stdout.fileno()
        os.set_blocking(self._output, False)
        self._channel = Channel(ours)
        self._memory_bytes, self._watch = memory_bytes, bounds.Watch(self._process.pid)
        self._log_path, self._logged_bytes = log_path, 0
        self._said = bytearray()
        self._tail = bytearray()
        self._busy = False

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def printed(self) -> str:
        """The first of what was printed since the last `send`."""
        return self._said.decode(errors="replace")[:PRINTED_CHARACTERS]

    def post(self, message: Mapping[str, Any]) -> None:
        """Sends a small message whose reply is received later; a child that is gone shows then."""
        self._busy = True
        with contextlib.suppress(WireClosedError):
            self._channel.send(message)

    def send(self, message: Mapping[str, Any], deadline: float) -> None:
        """Raises ChildLost, or WireError where the message cannot travel: then the child never saw it."""
        self._said.clear()
        frame = encode(message)
        self._busy = True
        try:
            self._channel.send_frame(frame, deadline)
        except TimeoutError:
            self._overdue(deadline)
        except WireClosedError:
            self._died()

    def receive(self, deadline: float) -> dict[str, Any]:
        """The next reply, after draining what was printed before it. Raises ChildLost; the child is gone then."""
        try:
            self._await(deadline)
            reply = self._channel.receive(deadline)
        except TimeoutError:
            self._overdue(deadline)
        except WireClosedError:
            self._died()
        except WireError as error:
            self.kill()
            raise ChildLost("crashed", f"the worker's answer cannot be read: {error}", self._words()) from error
        self._drain()
        self._busy = False
        return reply

    def close(self) -> None:
        """Says bye where the child listens, and ends it and all that it started."""
        if not self._busy:
            with contextlib.suppress(WireError, TimeoutError, subprocess.TimeoutExpired):  # killed all the same
                self._channel.send({"do": "bye"}, time.monotonic() + EXIT_SECONDS)
                self._process.wait(EXIT_SECONDS)
        self.kill()

    def kill(self) -> None:
        """Ends the whole process group and releases the descriptors."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._drain()
        self._channel.close()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._temporary.cleanup()

    def _await(self, deadline: float) -> None:
        """Returns when the socket has something to read; drains the child's output meanwhile, and looks at its memory.

        The end of the process is awaited, too: something that it forked may hold the socket open.
        """
        with selectors.DefaultSelector() as selector, _ending(self._process.pid) as ending:
            selector.register(self._channel, selectors.EVENT_READ)
            for descriptor in (self._output, *ending):
                selector.register(descriptor, selectors.EVENT_READ)
            while True:
                left_seconds = deadline - time.monotonic()
                if left_seconds <= 0:
                    raise TimeoutError
                pause_seconds = min(left_seconds, bounds.LOOK_SECONDS) if self._memory_bytes else left_seconds
                ready = [key.fileobj for key, _ in selector.select(pause_seconds)]
                if self._output in ready and not self._drain():
                    selector.unregister(self._output)  # closed: the socket tells the rest
                if self._channel in ready:
                    return
                if ending and ending[0] in ready:
                    self._died()
                if self._memory_bytes and (held := self._watch.held_bytes()) > self._memory_bytes:
                    self._over(held)

    def _over(self, held_bytes: int) -> NoReturn:
        self._drain()
        self.kill()
        limit = bounds.said(self._memory_bytes)
        reason = f"out of memory: the worker held {bounds.said(held_bytes)}, its limit is {limit}; killed"
        raise ChildLost("crashed", reason, self._words())

    def _drain(self) -> bool:
        """Reads what there is, without waiting. False where the pipe is closed."""
        while True:
            try:
                data = os.read(self._output, 2**16)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._said += data[: max(0, 4 * PRINTED_CHARACTERS - len(self._said))]
            self._tail += data
            del self._tail[:-TAIL_BYTES]
            self._log(data)

    def _log(self, data: bytes) -> None:
        room = MAX_LOG_BYTES - self._logged_bytes
        if self._log_path is None or room <= 0:
            return
        try:
            with self._log_path.open("ab") as log:
                log.write(data[:room])
                if len(data) >= room:
                    log.write(b"\n... more was printed; the log ends here\n")
        except OSError:  # a full disk must end the run at a row, which says so, and not at somebody's print
            self._log_path = None
        self._logged_bytes += len(data)

    def _overdue(self, deadline: float) -> NoReturn:
        self._drain()
        self.kill()
        late = max(0.0, time.monotonic() - deadline)
        raise ChildLost("timeout", f"no answer within the time limit; killed {late:.1f} s after it", self._words())

    def _died(self) -> NoReturn:
        try:
            code = self._process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()  # it closed the socket and lives on
            raise ChildLost("crashed", "the worker closed its connection", self._words()) from None
        self.kill()
        how = f"killed by {signal_name(-code)}" if code < 0 else f"exited with status {code}"
        if code == -signal.SIGKILL:
            how += ", by somebody or by the system for want of memory"
        lines = [line for line in self._words().splitlines() if not TRACE_NOISE.match(line)][-3:]
        said = f": {' | '.join(lines)[-400:]}" if lines else ""
        raise ChildLost(
            "crashed", f"the worker was {how}{said}" if code < 0 else f"the worker {how}{said}", self._words()
        )

    def _words(self) -> str:
        """The last of what the child printed."""
        return self._tail.decode(errors="replace")


@contextlib.contextmanager
def _ending(pid: int) -> Iterator[tuple[int, ...]]:
    """A descriptor that can be read from once the process has ended, where the system has that."""
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        yield ()
        return
    try:
        yield (descriptor,)
    finally:
        os.close(descriptor)


def signal_name(number: int) -> str:
    """`SIGSEGV`, or the number where the system has no name for it."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
