# SPDX-License-Identifier: Apache-2.0
"""Which machine runs which task, so that the last one ends soonest (P||Cmax)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trimtab.core.backend import Backend
from trimtab.core.errors import InvalidInstance
from trimtab.core.outcome import Outcome
from trimtab.core.problem import SPLITS, Metric, Problem, Rendering, Split
from trimtab.core.task import Task


@dataclass(frozen=True)
class Batch:
    machines: int  # identical
    seconds: tuple[float, ...]  # of each task


@dataclass(frozen=True)
class ListScheduling:
    """Each task in turn to the machine that is free first (Graham, SIAM J. Appl. Math. 17, 1969)."""

    longest_first: bool

    def solve(self, task: Task[Batch, list[int]]) -> list[int]:
        seconds, ends = task.instance.seconds, [0.0] * task.instance.machines
        where = [0] * len(seconds)
        for i in sorted(range(len(seconds)), key=lambda i: -seconds[i] if self.longest_first else 0):
            where[i] = ends.index(min(ends))
            ends[where[i]] += seconds[i]
        return where


class Machines:
    def evaluate(self, instance: Batch, decision: Sequence[int], *, seed: int) -> Outcome:
        makespan = float(np.bincount(decision, instance.seconds, instance.machines).max())
        bound = max(*instance.seconds, sum(instance.seconds) / instance.machines)
        return Outcome({"makespan": makespan}, note=f"no schedule beats {bound:.4g} s")


def instances(split: Split) -> Mapping[str, Batch]:
    """Twelve batches of 40 tasks whose times are lognormal, as those of data-processing jobs are."""
    draws = {f"batch-{i}": np.random.default_rng([SPLITS.index(split), i]).lognormal(2, 1, 40) for i in range(12)}
    return {name: Batch(6, tuple(seconds.tolist())) for name, seconds in draws.items()}


def parse(paths: Sequence[Path]) -> Mapping[str, Batch]:
    """Text files: the number of machines, then the seconds of each task."""
    return {path.name: _batch(path) for path in paths}


def _batch(path: Path) -> Batch:
    try:
        machines, seconds = path.read_text().split(maxsplit=1)
        batch = Batch(int(machines), tuple(float(s) for s in seconds.split()))
    except ValueError as error:
        raise InvalidInstance(
            f"{path}: wanted the number of machines, then the seconds of each task: {error}"
        ) from None
    if batch.machines < 1 or not all(0 < s < np.inf for s in batch.seconds):
        raise InvalidInstance(f"{path}: wanted at least one machine, and seconds above zero")
    return batch


def render(batch: Batch, where: list[int], backend: Backend[Batch, list[int]], seed: int) -> Rendering:
    rows = [f"{task},{machine}" for task, machine in enumerate(where)]
    return Rendering(
        f"{len(where)} tasks on {batch.machines} machines", files={"plan.csv": "\n".join(["task,machine", *rows, ""])}
    )


PROBLEM = Problem(
    name="makespan",
    question="Which machine runs which task, so that the last one ends soonest?",
    metrics=(Metric("makespan", "s"),),
    instances=instances,
    backends={"simulator": Machines},
    solvers={"fcfs": lambda: ListScheduling(longest_first=False), "lpt": lambda: ListScheduling(longest_first=True)},
    parse=parse,
    render=render,
)
