# SPDX-License-Identifier: Apache-2.0
"""The DAG of a profile: several Spark jobs, and the driver's work between them, as one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .spark_shape import Shape


@dataclass(frozen=True)
class Layout:
    """The stages of a profile, numbered: each driver stage, then those of the Spark jobs that it prepares."""

    groups: list[tuple[tuple[int, ...], list[int]]]  # predecessors (Spark jobs), the Spark jobs themselves
    driver: list[int]  # stage number of each group's driver stage
    numbers: list[list[int]]  # stage numbers of each Spark job
    edges: list[tuple[int, int]]
    num_tasks: list[int]


def layout_of(runs: Sequence[Shape]) -> Layout:
    """For runs of one signature."""
    before = _precedence(runs)
    predecessors = _direct(before)
    shape = runs[0]
    groups: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for job in np.argsort(before.sum(axis=0), kind="stable").tolist():  # those that depend on fewer come first
        groups[tuple(np.flatnonzero(predecessors[:, job]).tolist())].append(job)
    layout = Layout(list(groups.items()), [], [[] for _ in shape.jobs], [], [])
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


def _precedence(runs: Sequence[Shape]) -> NDArray[np.bool_]:
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


def _connect(layout: Layout, shape: Shape) -> None:
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
