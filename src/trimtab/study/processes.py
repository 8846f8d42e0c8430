# SPDX-License-Identifier: Apache-2.0
"""Worker processes on this machine.

Each is a fresh interpreter (nothing is forked: numba's and torch's threads do
not survive that), started without the caller's main module, so a script needs no
``if __name__ == "__main__"``. It is given cells over a socket and writes its own
ledger file. A closed socket means a death, of either side.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from typing import Final

import msgspec

from trimtab.core import registry
from trimtab.core.errors import TrimtabError, UsageError
from trimtab.core.outcome import Run

from .cell import Setting
from .choices import OWN
from .executor import dispatch
from .ledger import decode
from .plan import Cell
from .threads import SINGLE

READY: Final = b"+"
REFUSED: Final = b"!"  # followed by the reason
STILLBORN: Final = 3  # workers in a row that die while they start
#: What a worker executes. Ctrl-C while it imports is not its to answer; `worker.main` then sets its own handler.
START: Final = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); sys.path[:] = sys.argv[2:]; "
    "from trimtab.study.worker import main; main(int(sys.argv[1]))"
)


class Processes:
    def __init__(self, jobs: int) -> None:
        self._jobs = jobs

    def run(self, setting: Setting, cells: Sequence[Cell]) -> Generator[Run, None, None]:
        return dispatch(ProcessPool(portable(setting)), self._jobs, setting, cells)


class ProcessPool:
    keeps = True

    def __init__(self, setting: bytes) -> None:
        self._setting = setting
        self._stillborn = 0  # in a row

    def start(self) -> ProcessWorker:
        return ProcessWorker(self._setting)

    def finished(self, busy: Sequence[ProcessWorker]) -> Sequence[ProcessWorker]:
        speaking = set(wait([worker.connection for worker in busy]))
        done = [worker for worker in busy if worker.connection in speaking and worker.is_done()]
        for worker in done:
            self._stillborn = 0 if worker.ready else self._stillborn + 1
            if self._stillborn == STILLBORN:
                raise TrimtabError(f"no worker process comes to its first cell: the last {worker.result()}")
        return done


class ProcessWorker:
    def __init__(self, setting: bytes) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", START, str(theirs.fileno()), *sys.path],
                pass_fds=[theirs.fileno()],
                env=os.environ | SINGLE,
                stdin=subprocess.DEVNULL,
                stdout=2,
            )
        self.connection = Connection(ours.detach())
        self.ready = False
        self._result: Run | str = ""
        with contextlib.suppress(OSError):  # if it is dead already, its silence will tell
            self.connection.send_bytes(setting)

    def submit(self, cell: Cell) -> None:
        with contextlib.suppress(OSError):
            self.connection.send_bytes(msgspec.json.encode(cell))

    def is_done(self) -> bool:
        """Read a message, which must be there; true unless it only says that the worker is ready."""
        try:
            message = self.connection.recv_bytes()
        except (EOFError, OSError):
            self.connection.close()
            self._result = self._obituary()
            return True
        if message.startswith(REFUSED):
            raise TrimtabError(f"a worker gave up: {message[1:].decode()}")
        if message == READY:
            self.ready = True
            return False
        self._result = decode(message)
        return True

    def result(self) -> Run | str:
        return self._result

    def stop(self, *, at_once: bool) -> None:
        if at_once:
            self.process.kill()
        elif not self.connection.closed:
            with contextlib.suppress(OSError):
                self.connection.send_bytes(b"")
        self.process.wait()
        self.connection.close()

    def _obituary(self) -> str:
        code = self.process.wait()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return how + (" (out of memory?)" if code == -signal.SIGKILL else "")


def portable(setting: Setting) -> bytes:
    """The setting as bytes for another process: the problem by name where that finds it, without its instances."""
    problem = setting.problem
    if setting.split != OWN:
        setting = replace(setting, instances=None)
    if not isinstance(problem, str) and problem.name in registry.names() and registry.load(problem.name) is problem:
        setting = replace(setting, problem=problem.name)
    try:
        return pickle.dumps(setting)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise UsageError(
            f"the problem {setting.name!r} can't be sent to workers: {error}. Register it (entry point "
            f"{registry.GROUP!r}), make its factories functions of a module, or use one job."
        ) from error
