# SPDX-License-Identifier: Apache-2.0
"""What the network learns from: the decisions of long searches and of CP-SAT, as answers that name no device."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

from trimtab.core.fingerprint import fingerprint
from trimtab.core.task import Budget, Task
from trimtab.data import cache_folder
from trimtab.kit.sources import digest

from ..baselines.common import decide
from ..baselines.constructed import step_time
from ..baselines.cp_sat import optimum
from ..problem import Floats, Placement, PlacementInstance
from ..simulator import Simulator, timeline
from .annealing import CriticalAnnealing
from .features import Features, features

BEGINNINGS: Final = ("heuristics", "heuristics", "ties")  # of searches
AS_GOOD: Final = 1.01  # answers that take so much longer than the best still teach


@dataclass(frozen=True, eq=False)
class Lesson:
    """One instance, and how it is placed well."""

    features: Features
    together: Floats  # (edges,) share of the answers in which both ends are on one device
    start: Floats  # (ops,) when it starts, as a share of the step; nan where there is no order


@dataclass(frozen=True)
class Teacher:
    """Searches of so many simulator calls; CP-SAT goes on from the best of them where the instance is small."""

    calls: int = 12_000
    exact_s: float = 2.0  # of its deterministic time
    exact_most: int = 500  # ops x devices

    def answers(self, instance: PlacementInstance, seed: int) -> list[Placement]:
        """Those that are as good as the best, or nearly."""
        found = self.searched(instance, seed)
        if instance.graph.num_ops * instance.topology.num_devices <= self.exact_most:
            best = min(found, key=lambda placement: step_time(instance, placement))
            exact = optimum(instance, self.exact_s, seed=seed, hint=best)
            found.append(decide(instance, exact.unit_device, exact.priority))
        taken = [step_time(instance, placement) for placement in found]
        return [one for one, t in zip(found, taken, strict=True) if t <= AS_GOOD * min(taken)]

    def searched(self, instance: PlacementInstance, seed: int) -> list[Placement]:
        return [
            CriticalAnnealing(begin).solve(Task(instance, Simulator(), Budget(evaluations=self.calls), seed + run))
            for run, begin in enumerate(BEGINNINGS)
        ]


def lesson(instance: PlacementInstance, teacher: Teacher, seed: int, kept: Path | None = None) -> Lesson:
    """Answers are kept in the folder `kept`, the user's cache where none is given.

    So training that was broken off goes on. They are keyed by instance, teacher,
    seed, and the source of the search.
    """
    path = (kept or cache_folder() / "lessons") / f"{_key(instance, teacher, seed)}.npz"
    if path.exists():
        with np.load(path, allow_pickle=False) as stored:
            return Lesson(features(instance), stored["together"], stored["start"])
    together, start = _told(instance, teacher.answers(instance, seed))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.stem}.{os.getpid()}.tmp.npz")
    np.savez_compressed(partial, together=together, start=start)
    partial.replace(path)
    return Lesson(features(instance), together, start)


def _told(instance: PlacementInstance, answers: list[Placement]) -> tuple[Floats, Floats]:
    graph = instance.graph
    together = np.mean([one.device[graph.sources] == one.device[graph.edge_op] for one in answers], axis=0)
    if instance.topology.links == "max_load":
        return together, np.full(graph.num_ops, np.nan)
    times = [timeline(instance, one) for one in answers]
    return together, np.mean([begin / max(float(end.max()), 1e-300) for begin, end in times], axis=0)


def _key(instance: PlacementInstance, teacher: Teacher, seed: int) -> str:
    text = f"{fingerprint(instance)} {asdict(teacher)} {seed} {_source()}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@cache
def _source() -> str:
    """Of the searches and all that they are made of."""
    return digest(Path(__file__))
