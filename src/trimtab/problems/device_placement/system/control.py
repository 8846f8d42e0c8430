# SPDX-License-Identifier: Apache-2.0
"""Parent and workers: JSON lines over a socket pair, a worker that can't outlive its parent, clear words at the end."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

from trimtab.core.errors import TrimtabError, Unavailable

_PR_SET_PDEATHSIG: Final = 1  # prctl(2)
_PR_SET_TIMERSLACK: Final = 29


class Worker:
    """A process that runs ``python -m MODULE FD``, and the parent's end of the line to it."""

    def __init__(
        self, module: str, name: str, environment: Mapping[str, str], peers: Mapping[int, socket.socket] | None = None
    ) -> None:  # fmt: skip
        """`peers`: sockets that the process gets, as further arguments ``NUMBER:FD``; the caller closes its own."""
        self.name, given = name, peers or {}
        ours, theirs = socket.socketpair()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  closed by close()
        source = str(Path(__file__).resolve().parents[4])
        paths = os.pathsep.join([source, *filter(None, [os.environ.get("PYTHONPATH")])])
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, str(theirs.fileno()), *(f"{n}:{s.fileno()}" for n, s in given.items())],
                pass_fds=[theirs.fileno(), *(s.fileno() for s in given.values())],
                stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
                env={**os.environ, **environment, "PYTHONPATH": paths},
            )  # fmt: skip
        self._socket = ours
        self._lines = ours.makefile("rb")

    def tell(self, message: Any) -> None:
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise self._gone() from error

    def hear(self, seconds: float, doing: str) -> Any:
        """Its next message. Raises `TrimtabError` where it ended, says it failed, or says nothing for so long."""
        self._socket.settimeout(max(seconds, 0.01))
        try:
            line = self._lines.readline()
        except TimeoutError as error:
            raise TrimtabError(f"{self.name} has not finished {doing} after {seconds:.0f} s") from error
        except OSError as error:
            raise self._gone() from error
        if not line:
            raise self._gone()
        message = json.loads(line)
        if "failed" in message:
            kind = Unavailable if message.get("unavailable") else TrimtabError
            raise kind(f"{self.name}, {doing}: {message['failed']}")
        return message

    def ended(self) -> bool:
        return self.process.poll() is not None

    def _gone(self) -> TrimtabError:
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(2)
        code = self.process.poll()
        how = (
            "closed its line" if code is None else f"was ended by signal {-code}" if code < 0 else f"ended with {code}"
        )
        return TrimtabError(f"the process of {self.name} {how}. {self._said()}".rstrip())

    def _said(self) -> str:
        if self._log.closed:
            return ""
        self._log.seek(0)
        lines = self._log.read()[-2000:].decode(errors="replace").strip().splitlines()
        return f"It said: {lines[-1]}" if lines else ""

    def close(self) -> None:
        """End it at once: it holds nothing that must be saved."""
        with suppress(OSError):
            self._socket.close()
        self._lines.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._log.close()


class Line:
    """A worker's end of the line."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._lines: IO[bytes] = self._socket.makefile("rb")

    def hear(self) -> Any:
        """The parent's next message; the process ends where there is none."""
        line = self._lines.readline()
        if not line:
            os._exit(0)
        return json.loads(line)

    def tell(self, message: Any) -> None:
        self._socket.sendall(json.dumps(message).encode() + b"\n")


def end_with_parent(*, slack_ns: int = 1) -> None:
    """In a worker: die when the parent does, however that ends; and wake from sleeps on time (Linux)."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(_PR_SET_TIMERSLACK, slack_ns)
    if os.getppid() == 1:  # it died before
        os._exit(0)


def wait_until(at_ns: int) -> None:
    """Sleep, then spin, until CLOCK_MONOTONIC says so."""
    while (left := at_ns - time.monotonic_ns()) > 0:
        if left > 2_000_000:
            time.sleep((left - 1_000_000) * 1e-9)


def all_hear(workers: Sequence[Worker], seconds: float, doing: str) -> list[Any]:
    """The next message of each, all within so many seconds; whoever ended or failed is reported first."""
    until = time.monotonic() + seconds
    heard = []
    for worker in workers:
        try:
            heard.append(worker.hear(until - time.monotonic(), doing))
        except TrimtabError:
            for other in workers:
                if other is not worker and other.ended():
                    raise other._gone() from None
            raise
    return heard
