# SPDX-License-Identifier: Apache-2.0
"""Who runs the cells: this process (`Serial`), or a pool of workers (`processes`, `cluster`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from typing import Final, Protocol, TypeVar

from trimtab.core.errors import UnknownName, UsageError
from trimtab.core.outcome import Run

from .cell import Bench, Setting
from .ledger import FINISHED, Writer, read
from .plan import Cell
from .threads import single_threaded

EXECUTORS: Final = ("serial", "processes", "ray")
ATTEMPTS: Final = 2  # a cell whose worker died is given to another, once


class Executor(Protocol):
    def run(self, setting: Setting, cells: Sequence[Cell]) -> Generator[Run, None, None]:
        """Run the cells in some order. Each row is in the ledger, if there is one, before it is yielded."""
        ...


def make_executor(name: str, jobs: int) -> Executor:
    """`name` is one of `EXECUTORS`; '' means serial for one job, else processes."""
    if jobs < 1:
        raise UsageError(f"jobs must be at least 1, got {jobs}")
    name = name or default_executor(jobs)
    if name == "serial":
        return Serial()
    if name == "processes":
        from .processes import Processes

        return Processes(jobs)
    if name == "ray":
        from .cluster import Cluster

        return Cluster(jobs)
    raise UnknownName("executor", name, EXECUTORS)


def default_executor(jobs: int) -> str:
    return "serial" if jobs == 1 else "processes"


class Serial:
    """One cell after the other, in this process."""

    def run(self, setting: Setting, cells: Sequence[Cell]) -> Generator[Run, None, None]:
        bench = Bench(setting)
        with single_threaded(), Writer(setting.folder) as ledger:
            for cell in cells:
                run = bench.run(cell)
                ledger.write(run)
                yield run


class Worker(Protocol):
    """Runs one cell at a time, elsewhere."""

    def submit(self, cell: Cell) -> None: ...

    def result(self) -> Run | str:
        """The submitted cell's row, or how the worker died."""
        ...

    def stop(self, *, at_once: bool) -> None: ...


W = TypeVar("W", bound=Worker)


class Pool(Protocol[W]):
    keeps: bool  # its workers write the ledger themselves

    def start(self) -> W: ...

    def finished(self, busy: Sequence[W]) -> Sequence[W]:
        """Wait until at least one has a result."""
        ...


def dispatch(pool: Pool[W], jobs: int, setting: Setting, cells: Sequence[Cell]) -> Generator[Run, None, None]:
    """Keep `jobs` workers busy. One that dies is replaced, and its cell tried once more, then failed."""
    waiting = deque((cell, 1) for cell in cells)
    busy: dict[W, tuple[Cell, int]] = {}
    idle: list[W] = []
    orderly = False
    with Writer(setting.folder) as ledger:
        try:
            idle += [pool.start() for _ in range(min(jobs, len(cells)))]
            while waiting or busy:
                while waiting and idle:
                    worker = idle.pop()
                    busy[worker] = waiting.popleft()
                    worker.submit(busy[worker][0])
                for worker in pool.finished(list(busy)):
                    cell, attempt = busy.pop(worker)
                    result = worker.result()
                    row: Run | None
                    if isinstance(result, str):
                        idle.append(pool.start())
                        row = _after_death(setting, ledger, cell, attempt, result)
                    else:
                        idle.append(worker)
                        row = result
                        if not pool.keeps:
                            ledger.write(row)
                    if row is None:
                        waiting.appendleft((cell, attempt + 1))
                    else:
                        yield row
            orderly = True
        finally:
            for worker in [*idle, *busy]:
                worker.stop(at_once=not orderly)


def _after_death(setting: Setting, ledger: Writer, cell: Cell, attempt: int, how: str) -> Run | None:
    """The row of a cell whose worker is dead: the one it still wrote, or a failure after the last attempt."""
    written = None if setting.folder is None else read(setting.folder).get(cell.key)
    if written is not None and written.status in FINISHED:
        return written
    if attempt < ATTEMPTS:
        return None
    row = setting.row(cell, status="failed", note=f"the worker {how}, {attempt} times")
    ledger.write(row)
    return row
