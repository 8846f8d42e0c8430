# SPDX-License-Identifier: Apache-2.0
"""Runs of the same query -> one `JobProfile`. `spark_log` says how and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..problem import FIRST, FRESH, REST, JobProfile
from .spark_layout import Layout, layout_of
from .spark_runs import Run, Task
from .spark_shape import Shape

Sample = tuple[int, int, int, float]  # stage of the profile, level, wave, ms


def profiles_of(runs: Sequence[tuple[Run, bool]]) -> tuple[tuple[JobProfile, ...], list[int]]:
    """The profiles of runs (each with: was it in local mode?), and each run's index among them."""
    shaped = [Shape(run, local) for run, local in runs]
    alike: dict[tuple[str, tuple[str, ...]], list[Shape]] = defaultdict(list)
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


def _profile(name: str, runs: Sequence[Shape]) -> JobProfile:
    layout = layout_of(runs)
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


def _samples(shape: Shape, layout: Layout) -> list[Sample]:
    """Every measured duration of a run."""
    level = _level(shape.run)
    ready = {}
    samples: list[Sample] = []
    for driver, (predecessors, members) in zip(layout.driver, layout.groups, strict=True):
        since = max((shape.jobs[job][0].ended for job in predecessors), default=shape.run.arrival)
        started = min(shape.jobs[job][0].submitted for job in members)
        samples.append((driver, level, FIRST if predecessors else FRESH, float(max(0, started - since))))
        ready.update(dict.fromkeys(members, started))
    done = {stage.id: max(task.finish for task in stage.tasks) for _, stages in shape.jobs for stage in stages}
    tasks = []
    for job, (_, stages) in enumerate(shape.jobs):
        for stage, number in zip(stages, layout.numbers[job], strict=True):
            since = max([ready[job], *(done[parent] for parent in shape.parents[stage.id])])
            tasks += [(task, number, since) for task in stage.tasks]
    return samples + _task_samples(tasks, level)


def _task_samples(tasks: list[tuple[Task, int, int]], level: int) -> list[Sample]:
    """Of (task, stage, since when the stage was ready)."""
    samples: list[Sample] = []
    last: dict[int, int] = {}  # slot -> the stage that it last worked on for this run
    tried: set[tuple[int, int]] = set()
    for task, stage, ready in sorted(tasks, key=lambda entry: (entry[0].launch, entry[0].finish, entry[1])):
        wave = FRESH if task.slot not in last else REST if last[task.slot] == stage else FIRST
        last[task.slot] = stage
        retry = (stage, task.index) in tried
        tried.add((stage, task.index))
        if task.succeeded:
            samples.append((stage, level, wave, float(_held(task, task.launch if retry else ready))))
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
