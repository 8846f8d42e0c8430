# SPDX-License-Identifier: Apache-2.0
"""What a cluster scheduler is given, what it decides, and what it is judged by.

The model is Decima's (Mao et al., SIGCOMM 2019, sections 2 and 6.2): jobs are
DAGs of stages, a stage is a number of tasks, an executor runs one task at a
time, and how long a task takes depends on the *wave* it runs in and on how many
executors its job holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trimtab.core.errors import InvalidInstance
from trimtab.core.problem import Metric

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

#: An executor's first task in a job; its first in a stage; any later one there.
WAVES: Final = ("fresh", "first", "rest")
FRESH, FIRST, REST = range(3)

METRICS: Final = (
    Metric("average_jct", "s"),
    Metric("p95_jct", "s"),
    Metric("makespan", "s"),
    Metric("utilisation", "1", "maximize"),
)


@dataclass(frozen=True, eq=False)
class JobProfile:
    """A recurring job: its stage DAG, and task durations measured at several parallelisms."""

    name: str  # "tpch-20g-q5"
    group: str  # what splits are made by ("q5"): profiles of a group share one split
    num_tasks: Ints  # (stages,)
    edges: Ints  # (edges, 2) parent, child
    levels: Ints  # (levels,) executors that the job held when it was measured, ascending
    durations: Floats  # (samples,) ms
    offsets: Ints  # (stages, levels, 3 waves, 2) the range of `durations` to draw from
    measured_mean_ms: Floats | None = None  # (stages,) where the ranges above repeat or leave out measurements
    driver: NDArray[np.bool_] | None = None  # (stages,) True: one task, in which the job's driver prepares what follows

    def __post_init__(self) -> None:
        _check_shapes(self)
        _check_values(self)
        _ = self.topological_order  # raises where the DAG has a cycle

    @property
    def num_stages(self) -> int:
        return len(self.num_tasks)

    @cached_property
    def topological_order(self) -> Ints:
        """Stages, parents before children (Kahn).  (stages,)"""
        waiting = np.bincount(self.edges[:, 1], minlength=self.num_stages)
        order = list(np.flatnonzero(waiting == 0))
        for stage in order:  # grows while it is walked
            for child in self.edges[self.edges[:, 0] == stage, 1]:
                waiting[child] -= 1
                if waiting[child] == 0:
                    order.append(child)
        if len(order) < self.num_stages:
            stuck = [int(s) for s in np.flatnonzero(waiting > 0)]
            raise InvalidInstance(f"job {self.name!r}, field 'edges': stages {stuck} form a cycle")
        return np.array(order, np.int64)

    @cached_property
    def mean_duration_ms(self) -> Floats:
        """Mean over every duration of a stage, levels and waves pooled: all Decima sees.  (stages,)"""
        if self.measured_mean_ms is not None:
            return self.measured_mean_ms
        total = np.concatenate(([0.0], np.cumsum(self.durations)))
        start, stop = self.offsets[..., 0], self.offsets[..., 1]
        summed = (total[stop] - total[start]).sum(axis=(1, 2))
        return np.asarray(summed / (stop - start).sum(axis=(1, 2)), np.float64)

    @cached_property
    def work_s(self) -> float:
        """Executor-seconds at mean durations."""
        return float((self.num_tasks * self.mean_duration_ms).sum() / 1000)


@dataclass(frozen=True, eq=False)
class JobStream:
    """The instance: jobs that arrive at a cluster of identical executors."""

    profiles: tuple[JobProfile, ...]
    jobs: Ints  # (jobs,) index into profiles, in order of arrival
    arrival_ms: Floats  # (jobs,) ascending; all 0 for a batch
    num_executors: int
    moving_delay_ms: float = 2000.0  # an executor's way to another job
    warmup_delay_ms: float = 1000.0  # added to a first-wave duration where no fresh one was measured

    def __post_init__(self) -> None:
        if len(self.jobs) == 0:
            raise InvalidInstance("job stream, field 'jobs': the stream is empty")
        if len(self.jobs) != len(self.arrival_ms):
            raise InvalidInstance(
                f"job stream, field 'arrival_ms': {len(self.arrival_ms)} times for {len(self.jobs)} jobs"
            )
        if self.jobs.min() < 0 or self.jobs.max() >= len(self.profiles):
            raise InvalidInstance("job stream, field 'jobs': an index points at no profile")
        if not np.isfinite(self.arrival_ms).all() or self.arrival_ms[0] < 0 or (np.diff(self.arrival_ms) < 0).any():
            raise InvalidInstance("job stream, field 'arrival_ms': times must be finite, >= 0 and ascending")
        if self.num_executors < 1:
            raise InvalidInstance(f"job stream, field 'num_executors': {self.num_executors} is not a cluster")
        for field in ("moving_delay_ms", "warmup_delay_ms"):
            if not 0 <= getattr(self, field) < np.inf:
                raise InvalidInstance(f"job stream, field {field!r}: {getattr(self, field)} is not a delay")

    @property
    def num_jobs(self) -> int:
        return len(self.jobs)


def _check_shapes(p: JobProfile) -> None:
    stages, levels = len(p.num_tasks), len(p.levels)
    expected = {"num_tasks": (stages,), "edges": (len(p.edges), 2), "offsets": (stages, levels, 3, 2)}
    if p.measured_mean_ms is not None:
        expected["measured_mean_ms"] = (stages,)
    if p.driver is not None:
        expected["driver"] = (stages,)
    for field, shape in expected.items():
        if getattr(p, field).shape != shape:
            raise InvalidInstance(f"job {p.name!r}, field {field!r}: shape {getattr(p, field).shape}, expected {shape}")
    if stages == 0 or levels == 0:
        raise InvalidInstance(f"job {p.name!r}: no {'stages' if stages == 0 else 'levels'}")


def _check_values(p: JobProfile) -> None:
    def complain(field: str, what: str) -> None:
        raise InvalidInstance(f"job {p.name!r}, field {field!r}: {what}")

    if (p.num_tasks < 1).any():
        complain("num_tasks", f"stage {int(p.num_tasks.argmin())} has {int(p.num_tasks.min())} tasks")
    if p.edges.size and (p.edges.min() < 0 or p.edges.max() >= len(p.num_tasks)):
        complain("edges", "an edge points at no stage")
    if (p.levels < 1).any() or (np.diff(p.levels) <= 0).any():
        complain("levels", "parallelisms must be positive and ascending")
    if not np.isfinite(p.durations).all():
        complain("durations", "NaN or infinite duration")
    if (p.durations < 0).any():
        complain("durations", f"negative duration {p.durations.min():g} ms")
    start, stop = p.offsets[..., 0], p.offsets[..., 1]
    if (start < 0).any() or (stop < start).any() or (stop > len(p.durations)).any():
        complain("offsets", "a range lies outside 'durations'")
    empty = np.flatnonzero((stop - start).sum(axis=(1, 2)) == 0)
    if empty.size:
        complain("offsets", f"stage {int(empty[0])} has no durations at all")
