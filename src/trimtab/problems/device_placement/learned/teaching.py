# SPDX-License-Identifier: Apache-2.0
"""What the network learns from: the decisions of long searches, as answers that name no device."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trimtab.core.fingerprint import fingerprint
from trimtab.core.task import Budget, Task

from ..baselines.common import prepare
from ..problem import Floats, PlacementInstance
from ..simulator import Simulator, timeline
from .annealing import CriticalAnnealing
from .features import Features, features

RUNS = 2


@dataclass(frozen=True, eq=False)
class Lesson:
    """One instance, searched for long."""

    features: Features
    together: Floats  # (edges,) share of the runs in which both ends are on one device
    start: Floats  # (ops,) when it starts, as a share of the step; nan where there is no order


def lesson(instance: PlacementInstance, calls: int, seed: int, kept: Path | None = None) -> Lesson:
    """Search `RUNS` times with so many simulator calls each; answers are kept in the folder `kept`, if there is one."""
    path = kept / f"{fingerprint(instance)}-{calls}.npz" if kept else None
    if path is not None and path.exists():
        with np.load(path, allow_pickle=False) as stored:
            return Lesson(features(instance), stored["together"], stored["start"])
    graph, together, start = instance.graph, np.zeros(len(instance.graph.edge_op)), np.zeros(instance.graph.num_ops)
    for run in range(RUNS):
        found = CriticalAnnealing().solve(Task(instance, Simulator(), Budget(evaluations=calls), seed + run))
        together += (found.device[graph.sources] == found.device[graph.edge_op]) / RUNS
        begin, end = timeline(instance, found)
        start += begin / max(float(end.max()), 1e-300) / RUNS
    if instance.topology.links == "max_load":
        start[:] = np.nan
    same = prepare(instance).unit
    together[same[graph.sources] == same[graph.edge_op]] = 1.0
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".tmp.npz")
        np.savez_compressed(partial, together=together, start=start)
        partial.replace(path)
    return Lesson(features(instance), together, start)
