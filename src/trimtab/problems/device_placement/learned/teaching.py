# SPDX-License-Identifier: Apache-2.0
"""What the network learns from: the decisions of long searches, as answers that name no device."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

from trimtab.core.fingerprint import fingerprint
from trimtab.core.task import Budget, Task
from trimtab.kit.compiled import made_of

from ..problem import Floats, PlacementInstance
from ..simulator import Simulator, timeline
from .annealing import CriticalAnnealing
from .features import Features, features

RUNS: Final = 2


@dataclass(frozen=True, eq=False)
class Lesson:
    """One instance, searched for long."""

    features: Features
    together: Floats  # (edges,) share of the runs in which both ends are on one device
    start: Floats  # (ops,) when it starts, as a share of the step; nan where there is no order


def lesson(instance: PlacementInstance, calls: int, seed: int, kept: Path | None = None) -> Lesson:
    """Search `RUNS` times with so many simulator calls each.

    Answers are kept in the folder `kept`, the user's cache where none is given, so
    that training that was broken off goes on. They are keyed by instance, calls,
    seed, and the source of the search.
    """
    path = (kept or cache_folder()) / f"{_key(instance, calls, seed)}.npz"
    if path.exists():
        with np.load(path, allow_pickle=False) as stored:
            return Lesson(features(instance), stored["together"], stored["start"])
    graph, together, start = instance.graph, np.zeros(len(instance.graph.edge_op)), np.zeros(instance.graph.num_ops)
    for run in range(RUNS):
        found = CriticalAnnealing().solve(Task(instance, Simulator(), Budget(evaluations=calls), seed + run))
        together += (found.device[graph.sources] == found.device[graph.edge_op]) / RUNS
        if instance.topology.links == "max_load":
            start[:] = np.nan
        else:
            begin, end = timeline(instance, found)
            start += begin / max(float(end.max()), 1e-300) / RUNS
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.stem}.{os.getpid()}.tmp.npz")
    np.savez_compressed(partial, together=together, start=start)
    partial.replace(path)
    return Lesson(features(instance), together, start)


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trimtab" / "lessons"


def _key(instance: PlacementInstance, calls: int, seed: int) -> str:
    text = f"{fingerprint(instance)} {calls} {seed} {RUNS} {_source()}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


@cache
def _source() -> str:
    """Of the search and all that it is made of."""
    digest = hashlib.blake2b(digest_size=16)
    for path in sorted(made_of(Path(__file__).with_name("annealing.py"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()
