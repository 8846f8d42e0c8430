# SPDX-License-Identifier: Apache-2.0
"""The ledger of a study: what is finished is on disk, whatever happens next.

A folder with

    study.json       what was asked (`trimtab.study.plan.Plan`)
    system.json      where and when it ran (`trimtab.study.system.describe`)
    cells/*.jsonl    one file per worker, one line per cell, only ever appended to
    runs.parquet     all cells as one table, where `compact` was asked for

Each row is one `write` to the file as soon as its cell is finished, so a process
that is killed loses the cell it was running and nothing else; rows reach the
disk itself (fsync) at most a second later. A line torn by a power cut can only
be a file's last, and is skipped.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import msgspec

from trimtab.core.errors import DataError, TrimtabError
from trimtab.core.extras import need
from trimtab.core.outcome import Run
from trimtab.core.task import Budget

from .files import replace_file

FINISHED: Final = frozenset({"ok", "infeasible", "timeout"})  # the others are tried again
SYNC_EVERY_S: Final = 1.0

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Run).decode


def cell_key(problem: str, version: str, instance: str, backend: str, solver: str, budget: Budget, seed: int) -> str:
    """What a cell's result depends on, hashed: equal keys are the same experiment.

    `instance` and `solver` are fingerprints; the solver's is of its name, its
    `config` and its `weights`.
    """
    limits = f"{float(budget.evaluations)!r} {float(budget.seconds)!r}"
    parts = (problem, version, instance, backend, solver, limits, str(seed))
    return blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()


class Writer:
    """Appends rows to a file of its own, which appears with the first row. Without a folder, keeps nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder and folder / "cells"
        self._file: int | None = None
        self._synced = 0.0

    def write(self, run: Run) -> None:
        if self._folder is None:
            return
        line = encode(run) + b"\n"
        try:
            if self._file is None:
                self._file = _create(self._folder)
            if os.write(self._file, line) != len(line):
                raise OSError("the line was cut short")
            now = time.monotonic()
            if now - self._synced >= SYNC_EVERY_S:
                os.fsync(self._file)
                self._synced = now
        except OSError as error:
            raise TrimtabError(f"{self._folder}: the ledger can't be written: {error}") from error

    def close(self) -> None:
        if self._file is not None:
            os.fsync(self._file)
            os.close(self._file)
            self._file = None

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _create(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{time.time_ns()}-{socket.gethostname()}-{os.getpid()}.jsonl"
    return os.open(folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o666)


def read(folder: Path) -> dict[str, Run]:
    """The last word on every cell, by key: a finished run if there is one, else the latest attempt."""
    runs: dict[str, Run] = {}
    for path in sorted((folder / "cells").glob("*.jsonl")):
        for run in _rows(path):
            if run.status in FINISHED or run.key not in runs or runs[run.key].status not in FINISHED:
                runs[run.key] = run
    return runs


def _rows(path: Path) -> Iterator[Run]:
    lines = path.read_bytes().splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            yield decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if number < len(lines):
                raise DataError(
                    f"{path}, line {number}: not a row of a ledger ({error}). "
                    "Remove the line; its cell will be run again."
                ) from error


def compact(folder: Path) -> Path:
    """Write every cell's last word to ``runs.parquet``, for other tools. The cells' files stay."""
    need("pyarrow", extra="tables", purpose="compacting a ledger")
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [flatten(run) for run in read(folder).values()]
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = pa.table({name: [row.get(name) for row in rows] for name in names})
    target = folder / "runs.parquet"
    replace_file(target, lambda path: pq.write_table(table, path, compression="zstd"))
    return target


def flatten(run: Run) -> dict[str, Any]:
    """A row with a column per metric (``metrics.<name>``), for tables."""
    row = asdict(run)
    metrics: Mapping[str, float] = row.pop("metrics")
    row["anytime"] = [list(point) for point in run.anytime]
    return row | {f"metrics.{name}": value for name, value in metrics.items()}
