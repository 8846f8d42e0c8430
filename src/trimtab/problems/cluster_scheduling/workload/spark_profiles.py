# SPDX-License-Identifier: Apache-2.0
"""Runs of the same query -> one `JobProfile`. `spark_log` says how and why."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trimtab.core.errors import InvalidInstance

from ..problem import FIRST, FRESH, REST, JobProfile
from .spark_runs import Run, SparkJob, Stage, Task

Sample = tuple[int, int, int, float]  # stage of the profile, level, wave, ms


def profiles_of(runs: Sequence[tuple[Run, bool]]) -> tuple[tuple[JobProfile, ...], list[int]]:
    """The profiles of runs (each with: was it in local mode?), and each run's index among them."""
    shaped = [_Shaped(run, local) for run, local in runs]
    alike: dict[tuple[str, tuple[str, ...]], list[_Shaped]] = defaultdict(list)
    for one in shaped:
        alike[one.run.name, one.signature].append(one)
    names = _names([name for name, _ in alike])
    profiles = tuple(_profile(name, group) for name, group in zip(names, alike.values(), strict=True))
    index = {key: at for at, key in enumerate(alike)}
    return profiles, [index[one.run.name, one.signature] for one in shaped]


def _names(names: Sequence[str]) -> list[str]:
    """Different DAGs of one name are told apart: count, count#2, ..."""
    seen: dict[str, int] = defaultdict(int)
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return unique


@dataclass(frozen=True)
class _Shaped:
    """A run whose Spark jobs and stages are in an order that is the same for every run of the query.

    Spark numbers the stages of concurrent broadcasts as it happens, so they are
    ordered by what they are: their operators, number of tasks, ancestors and descendants.
    """

    run: Run
    local: bool

    @cached_property
    def jobs(self) -> list[tuple[SparkJob, list[Stage]]]:
        ranked = []
        for job in self.run.jobs:
            if job.stages:
                stages = sorted(job.stages, key=lambda stage: (self.colours[stage.id], stage.id))
                key = "".join(self.colours[stage.id] for stage in stages)
                ranked.append((key, job.submitted, job.id, job, stages))
        return [(job, stages) for *_, job, stages in sorted(ranked, key=lambda entry: entry[:3])]

    @cached_property
    def signature(self) -> tuple[str, ...]:
        return tuple(self.colours[stage.id] for _, stages in self.jobs for stage in stages)

    @cached_property
    def parents(self) -> dict[int, list[int]]:
        """Of each stage that ran: its parents that ran in this job."""
        ran = {stage.id for job in self.run.jobs for stage in job.stages}
        return {s.id: sorted(set(s.parents) & ran) for job in self.run.jobs for s in job.stages}

    @cached_property
    def colours(self) -> dict[int, str]:
        stages = {stage.id: stage for job in self.run.jobs for stage in job.stages}
        children: dict[int, list[int]] = {at: [] for at in stages}
        for child, parents in self.parents.items():
            for parent in parents:
                children[parent].append(child)
        order = self._order(children)
        own = {at: f"{stage.num_tasks} {stage.operators}" for at, stage in stages.items()}
        depth: dict[int, int] = {}
        above: dict[int, str] = {}
        for at in order:
            depth[at] = 1 + max((depth[p] for p in self.parents[at]), default=0)
            above[at] = _digest(own[at], sorted(above[p] for p in self.parents[at]))
        below: dict[int, str] = {}
        for at in reversed(order):
            below[at] = _digest(own[at], sorted(below[c] for c in children[at]))
        return {at: f"{depth[at]:08d}{above[at]}{below[at]}" for at in order}

    def _order(self, children: dict[int, list[int]]) -> list[int]:
        waiting = {at: len(parents) for at, parents in self.parents.items()}
        order = [at for at, count in waiting.items() if count == 0]
        for at in order:  # grows while it is walked
            for child in children[at]:
                waiting[child] -= 1
                if waiting[child] == 0:
                    order.append(child)
        if len(order) < len(waiting):
            stuck = sorted(at for at, count in waiting.items() if count)
            raise InvalidInstance(f"job {self.run.name!r}, field 'Parent IDs': stages {stuck} form a cycle")
        return order


def _digest(own: str, others: Sequence[str]) -> str:
    return hashlib.blake2b("|".join((own, *others)).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class _Layout:
    """The stages of a profile: driver stages, and those of the Spark jobs after each."""

    groups: list[tuple[tuple[int, ...], list[int]]]  # predecessors (Spark jobs), the Spark jobs themselves
    driver: list[int]  # stage number of each group's driver stage
    numbers: list[list[int]]  # stage numbers of each Spark job
    edges: list[tuple[int, int]]
    num_tasks: list[int]


def _profile(name: str, runs: Sequence[_Shaped]) -> JobProfile:
    layout = _layout(runs)
    samples: list[Sample] = []
    for run in runs:
        samples += _samples(run, layout)
    levels = sorted({level for _, level, _, _ in samples})
    durations, offsets = _ranges(samples, len(layout.num_tasks), levels, pooled=all(run.local for run in runs))
    return JobProfile(
        name=name,
        group=name,
        num_tasks=np.array(layout.num_tasks),
        edges=np.array(layout.edges, np.int64).reshape(-1, 2),
        levels=np.array(levels),
        durations=durations,
        offsets=offsets,
        driver=np.isin(np.arange(len(layout.num_tasks)), layout.driver),
    )


def _layout(runs: Sequence[_Shaped]) -> _Layout:
    predecessors = _direct(_precedence(runs))
    shape = runs[0]
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for job in range(len(shape.jobs)):
        groups[tuple(np.flatnonzero(predecessors[:, job]).tolist())].append(job)
    layout = _Layout(list(groups.items()), [], [[] for _ in shape.jobs], [], [])
    for _, members in layout.groups:
        layout.driver.append(len(layout.num_tasks))
        layout.num_tasks.append(1)
        for job in members:
            stages = shape.jobs[job][1]
            first = len(layout.num_tasks)
            layout.numbers[job] += range(first, first + len(stages))
            layout.num_tasks.extend(max(stage.num_tasks, 1) for stage in stages)
    _connect(layout, shape)
    return layout


def _precedence(runs: Sequence[_Shaped]) -> NDArray[np.bool_]:
    """before[a, b]: in every run, Spark job a had ended when b was submitted."""
    before = np.ones((len(runs[0].jobs),) * 2, np.bool_)
    for run in runs:
        ended = np.array([job.ended for job, _ in run.jobs])
        submitted = np.array([job.submitted for job, _ in run.jobs])
        number = np.array([job.id for job, _ in run.jobs])
        turn = np.argsort(np.lexsort((number, submitted)))
        before &= (ended[:, None] <= submitted[None, :]) & (turn[:, None] < turn[None, :])
    return before


def _direct(before: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without what follows from the rest (transitive reduction of an order)."""
    through = before.astype(np.float32) @ before.astype(np.float32) > 0
    return before & ~through


def _connect(layout: _Layout, shape: _Shaped) -> None:
    """Parents inside Spark jobs; group's predecessors -> its driver stage -> the first stages of its jobs."""
    number = {
        stage.id: at
        for job, (_, stages) in enumerate(shape.jobs)
        for stage, at in zip(stages, layout.numbers[job], strict=True)
    }
    inner = [(number[parent], number[child]) for child, parents in shape.parents.items() for parent in parents]
    has_child, has_parent = {parent for parent, _ in inner}, {child for _, child in inner}
    layout.edges.extend(inner)
    for driver, (predecessors, members) in zip(layout.driver, layout.groups, strict=True):
        last = [at for job in predecessors for at in layout.numbers[job] if at not in has_child]
        first = [at for job in members for at in layout.numbers[job] if at not in has_parent]
        layout.edges.extend([(at, driver) for at in last] + [(driver, at) for at in first])
    layout.edges.sort()


def _samples(shaped: _Shaped, layout: _Layout) -> list[Sample]:
    """Every measured duration of a run."""
    level, samples, ready = _level(shaped.run), [], {}
    for driver, (predecessors, members) in zip(layout.driver, layout.groups, strict=True):
        since = max((shaped.jobs[job][0].ended for job in predecessors), default=shaped.run.arrival)
        started = min(shaped.jobs[job][0].submitted for job in members)
        samples.append((driver, level, FRESH if not predecessors else FIRST, float(max(0, started - since))))
        ready.update(dict.fromkeys(members, started))
    done: dict[int, int] = {}
    tried: set[tuple[int, int]] = set()
    seen: dict[int, int] = {}  # slot -> the stage it last worked on in this run
    tasks = []
    for job, (_, stages) in enumerate(shaped.jobs):
        for stage, number in zip(stages, layout.numbers[job], strict=True):
            done[stage.id] = max(task.finish for task in stage.tasks)
            tasks += [(task.launch, task.finish, number, task, stage, ready[job]) for task in stage.tasks]
    for _, _, number, task, stage, submitted in sorted(tasks, key=lambda entry: entry[:3]):
        start = max([submitted, *(done[parent] for parent in shaped.parents[stage.id])])
        wave = FRESH if task.slot not in seen else REST if seen[task.slot] == stage.id else FIRST
        seen[task.slot] = stage.id
        retry = (number, task.index) in tried
        tried.add((number, task.index))
        if task.succeeded:
            samples.append((number, level, wave, float(_held(task, task.launch if retry else start))))
    return samples


def _held(task: Task, ready: int) -> int:
    """ms for which a task kept its slot, from when the slot was free and the task was ready."""
    since = max(task.free_since, min(ready, task.launch))
    return task.finish - since if since <= task.finish else task.finish - task.launch


def _level(run: Run) -> int:
    """The most slots that the run's tasks held at once (a task may seem to start a little before its slot was free)."""
    tasks = [task for job in run.jobs for stage in job.stages for task in stage.tasks]
    begin = ((max(task.launch, min(task.free_since, task.finish)), 1) for task in tasks)
    changes = sorted([*begin, *((task.finish, -1) for task in tasks)])
    most = int(np.cumsum([change for _, change in changes]).max())
    return min(max(1, most), len({task.slot for task in tasks}))


def _ranges(
    samples: Sequence[Sample], stages: int, levels: Sequence[int], *, pooled: bool
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Durations laid out range by range, each ascending; `pooled`: fresh and first waves share one range."""
    lists: dict[tuple[int, int, int], list[float]] = defaultdict(list)
    for stage, level, wave, duration in samples:
        lists[stage, levels.index(level), FIRST if pooled and wave == FRESH else wave].append(duration)
    durations: list[float] = []
    offsets = np.zeros((stages, len(levels), 3, 2), np.int64)
    for stage, level, wave in np.ndindex(stages, len(levels), 3):
        start = len(durations)
        durations += sorted(lists[stage, level, wave])
        offsets[stage, level, wave] = start, len(durations)
    if pooled:
        offsets[:, :, FRESH] = offsets[:, :, FIRST]
    return np.array(durations), offsets
