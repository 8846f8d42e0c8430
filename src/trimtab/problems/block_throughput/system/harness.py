# SPDX-License-Identifier: Apache-2.0
"""A running harness: blocks in, readings out. One per core; a pool keeps several busy."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Event, Lock, Thread
from types import TracebackType
from typing import IO, Final, Literal

from trimtab.core.errors import TrimtabError, Unavailable

from .admission import Admitted
from .build import PURPOSE, program
from .wire import HELLO, RESULT, Hello, Reading, greet, pack, unpack

Clock = Literal["auto", "tsc", "perf", "task"]

BATCH: Final = 128  # jobs handed out at a time


@dataclass(frozen=True)
class Settings:
    """How a pass measures. The defaults are those of the shipped labels."""

    window: int = 30_000  # ticks of the shorter window
    accept: int = 4  # windows that must pass the gate
    tries: int = 64
    milliseconds: int = 250  # that a child may live
    clock: Clock = "auto"


class Harness:
    """One harness process, pinned to a core. Use as a context manager; not for several threads at once."""

    def __init__(self, cpu: int = -1, settings: Settings = Settings()) -> None:
        self.cpu, self.settings = cpu, settings
        self._process, self.hello = _start(cpu, settings)
        if not self.hello.filtered or not self.hello.unprivileged:
            self.close()
            missing = "seccomp filters" if not self.hello.filtered else "a user without privileges to change to"
            raise Unavailable(f"{PURPOSE} runs unknown machine code and needs {missing}; this system offers none")

    def measure(self, blocks: Sequence[Admitted]) -> list[Reading]:
        """One pass over blocks, in their order."""
        jobs = b"".join(pack(index, block) for index, block in enumerate(blocks))
        writer = Thread(target=_feed, args=(self._pipe(self._process.stdin), jobs), daemon=True)
        writer.start()
        data = self._pipe(self._process.stdout).read(RESULT.size * len(blocks))
        writer.join()
        readings = unpack(data[: len(data) // RESULT.size * RESULT.size])
        if len(readings) != len(blocks):
            self.close()
            raise TrimtabError(f"the measuring harness ended after {len(readings)} of {len(blocks)} blocks")
        return readings

    def close(self) -> None:
        """End the process; its child, if there is one, dies with it."""
        self._process.kill()
        self._process.communicate()

    def __enter__(self) -> Harness:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None
        return pipe


class Pool:
    """A harness on each of some cores. `measure` spreads a pass over them."""

    def __init__(self, cpus: Sequence[int] = (), settings: Settings = Settings()) -> None:
        chosen = tuple(cpus) or tuple(sorted(os.sched_getaffinity(0)))
        self.harnesses: list[Harness] = []
        try:
            for cpu in chosen:
                self.harnesses.append(Harness(cpu, settings))
        except BaseException:
            self.close()
            raise

    @property
    def hello(self) -> Hello:
        return self.harnesses[0].hello

    def measure(self, blocks: Sequence[Admitted]) -> list[Reading]:
        return [reading for _, readings in sorted(self.batches(blocks)) for reading in readings]

    def batches(
        self, blocks: Sequence[Admitted], proceed: Callable[[], bool] = lambda: True
    ) -> Iterator[tuple[int, list[Reading]]]:
        """(first index, readings) of each batch as it is done, in no order; ends early once `proceed` says no."""
        starts = iter(range(0, len(blocks), BATCH))
        lock, stop = Lock(), Event()
        done: SimpleQueue[tuple[int, list[Reading]] | None] = SimpleQueue()

        def work(harness: Harness) -> None:
            try:
                while not stop.is_set() and proceed():
                    with lock:
                        start = next(starts, None)
                    if start is None:
                        break
                    done.put((start, harness.measure(blocks[start : start + BATCH])))
            finally:
                done.put(None)

        with ThreadPoolExecutor(len(self.harnesses)) as threads:
            works = [threads.submit(work, harness) for harness in self.harnesses]
            try:
                for _ in works:
                    while (batch := done.get()) is not None:
                        yield batch
            finally:
                stop.set()  # whoever listened was interrupted: what is being measured is the last
        for finished in works:
            finished.result()

    def close(self) -> None:
        for harness in self.harnesses:
            harness.close()

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _feed(pipe: IO[bytes], jobs: bytes) -> None:
    try:
        pipe.write(jobs)
        pipe.flush()
    except OSError:  # the reader sees the end of the results, and says so
        return


def _start(cpu: int, settings: Settings) -> tuple[subprocess.Popen[bytes], Hello]:
    """A process with the clock that was asked for; 'auto' is the cycle counter where there is one."""
    clocks = ("perf", "tsc") if settings.clock == "auto" else (settings.clock,)
    said = ""
    for clock in clocks:
        process = subprocess.Popen(
            _command(cpu, settings, clock),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={},
            cwd="/",
            start_new_session=True,  # Ctrl-C is for trimtab, which ends its harness itself
        )
        assert process.stdout is not None
        data = process.stdout.read(HELLO.size)
        if len(data) == HELLO.size:
            return process, greet(data)
        process.kill()
        said = process.communicate()[1].decode(errors="replace").strip()
    raise Unavailable(f"the measuring harness can't start: {said or 'it ended without a word'}")


def _command(cpu: int, settings: Settings, clock: str) -> list[str]:
    options = {
        "--window": settings.window,
        "--accept": settings.accept,
        "--tries": settings.tries,
        "--milliseconds": settings.milliseconds,
        "--cpu": cpu,
        "--clock": clock,
    }
    return [str(program()), *(str(word) for pair in options.items() for word in pair)]
