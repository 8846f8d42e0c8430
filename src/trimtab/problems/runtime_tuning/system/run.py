# SPDX-License-Identifier: Apache-2.0
"""One measured run of a program: CPU and wall seconds, peak memory, how it ended."""

from __future__ import annotations

import json
import math
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal

from trimtab.core.errors import TrimtabError, Unavailable, UsageError

from . import shepherd
from .command import Invocation

GIB: Final = 2**30
Stopped = Literal["", "wall", "cpu", "memory", "output", "linger"]


@dataclass(frozen=True)
class Limits:
    """Where a run is killed, with everything that it started."""

    wall: float = 300.0  # s
    cpu: float = math.inf  # s, of the tree; seen up to 0.05 s late
    memory: float = math.inf  # B, of the tree
    output: float = GIB  # B, in the run's directory, standard output included
    file: int = 4 * GIB  # B, of any one file that it writes (RLIMIT_FSIZE)
    linger: float = 5.0  # s that what it started may outlive it


DEFAULT: Final = Limits()


@dataclass(frozen=True)
class Measured:
    """What a run took.

    `rss` is the most that one process took (the kernel's own high-water mark), or
    that all took together at any sample, whichever is more: every 4 to 50 ms, with
    shared pages divided among those who share them (PSS). The mark starts at about
    12 MB, which is what the process that starts the program takes.
    """

    cpu: float  # s, user and system, of the whole tree
    wall: float  # s, until the program itself ended
    rss: float  # B
    code: int | None  # exit code; -n: ended by signal n
    stopped: Stopped = ""  # the limit that ended it
    processes: int = 1  # that ended


class Runner:
    """Starts programs through a process that answers for them (`shepherd`). Use as a context manager.

    With `cores`, programs are pinned to these.
    """

    def __init__(self, cores: Sequence[int] = ()) -> None:
        if sys.platform != "linux":
            raise Unavailable(
                "measuring programs needs Linux: their whole process tree is accounted for through prctl(2)"
            )
        self.cores = tuple(cores)
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._heard = b""

    def run(self, what: Invocation, run: Path, limits: Limits = DEFAULT) -> Measured:
        """Run a program, with `run` as its directory: there, ``stdout`` and ``stderr`` are what it printed.

        Raises `UsageError` if it can't be started at all. Whatever happens to the
        caller meanwhile, such as Ctrl-C, ends the program first.
        """
        answer = self._ask(self._job(what, run, limits))
        if "error" in answer:
            raise UsageError(f"{answer['file'] or what.argv[0]}: {answer['error']}")
        return Measured(**answer)

    def stop(self) -> None:
        """Kill what runs. Unlike `close`, for another thread than the one that waits for it."""
        line = self._line
        if line is not None:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the process, and the program that it may be running."""
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
            self._process.kill()
            self._process.wait()
        self._process = self._line = None

    def __enter__(self) -> Runner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _job(self, what: Invocation, run: Path, limits: Limits) -> dict[str, Any]:
        return {
            "argv": what.argv,
            "environment": {**os.environ, **what.environment},
            "folder": what.folder,
            "stdin": what.stdin,
            "run": str(run),
            "stdout": str(run / "stdout"),
            "stderr": str(run / "stderr"),
            "cores": self.cores,
            "limits": asdict(limits),
        }

    def _ask(self, job: dict[str, Any]) -> dict[str, Any]:
        line = self._connect()
        started: int | None = None
        try:
            line.sendall(json.dumps(job).encode() + b"\n")
            while True:
                answer = self._answer(line)
                if "pid" not in answer:
                    return answer
                started = answer["pid"]
        except BaseException as error:
            self.close()
            if isinstance(error, ConnectionError):
                if started is not None:
                    with suppress(ProcessLookupError):
                        os.killpg(started, signal.SIGKILL)
                raise TrimtabError("the process that starts programs was killed (out of memory?)") from None
            raise

    def _answer(self, line: socket.socket) -> dict[str, Any]:
        while b"\n" not in self._heard:
            part = line.recv(1 << 16)
            if not part:
                raise ConnectionResetError
            self._heard += part
        answer, _, self._heard = self._heard.partition(b"\n")
        found: dict[str, Any] = json.loads(answer)
        return found

    def _connect(self) -> socket.socket:
        if self._line is not None:
            return self._line
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", shepherd.__file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for us
            )
        self._line, self._heard = ours, b""
        try:
            if not ours.recv(16):
                raise Unavailable("this system has no subreapers (prctl(2), Linux 3.4), which measuring programs needs")
        except BaseException:
            self.close()
            raise
        return ours


def describe(measured: Measured) -> str:
    """How it ended, in a few words; '' if it ended by itself with exit code 0."""
    if measured.stopped == "wall":
        return f"still running after {measured.wall:.3g} s"
    if measured.stopped == "cpu":
        return f"killed after {measured.cpu:.3g} CPU s"
    if measured.stopped == "memory":
        return f"took more than {measured.rss / 2**20:.0f} MiB of memory"
    if measured.stopped == "output":
        return "wrote more than its directory may hold"
    if measured.code is not None and measured.code < 0:
        return f"ended by {signal.Signals(-measured.code).name}"
    return f"exit code {measured.code}" if measured.code else ""
