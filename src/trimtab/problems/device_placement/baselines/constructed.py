# SPDX-License-Identifier: Apache-2.0
"""The best of the constructed placements: where warm searches begin, and what CP-SAT is hinted with."""

from __future__ import annotations

import contextlib
from typing import Final

import numpy as np

from trimtab.core.errors import Unavailable
from trimtab.core.task import Budget, Task

from ..problem import Placement, PlacementInstance
from ..simulator.backend import Simulator
from .chain import ContiguousSplit
from .heuristics import Heuristic
from .ideals import IdealSplit

CANDIDATES: Final[tuple[Heuristic | ContiguousSplit | IdealSplit, ...]] = (
    *(Heuristic(name) for name in ("heft", "m_etf", "chunks", "single")),
    ContiguousSplit(),
    IdealSplit(max_ideals=5_000),  # only full pipelines; a moment where there are so few
)


def best_constructed(instance: PlacementInstance, seed: int = 0, most: int = len(CANDIDATES)) -> tuple[Placement, int]:
    """(the one of the first `most` of `CANDIDATES` with the least step time, how many were simulated for it).

    Of one alone nothing needs to be simulated. Raises `Unavailable` where none fits.
    """
    found: list[Placement] = []
    for solver in CANDIDATES[: max(1, most)]:
        with contextlib.suppress(Unavailable):
            found.append(solver.solve(Task(instance, Simulator(), Budget(), seed)))
    if not found:
        raise Unavailable(f"no heuristic found a placement of {instance.graph.name!r} that fits")
    if len(found) == 1:
        return found[0], 0
    return min(found, key=lambda placement: step_time(instance, placement)), len(found)


def step_time(instance: PlacementInstance, placement: Placement) -> float:
    """s; inf where it is infeasible."""
    outcome = Simulator().evaluate(instance, placement, seed=0)
    return outcome.metrics["step_time"] if outcome.feasible else np.inf
