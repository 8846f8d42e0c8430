# SPDX-License-Identifier: Apache-2.0
"""Plans of the tie-keeping list scheduler (`decode`), with or without a network's beliefs.

`KeptTies` believes in every tie alike. It is what the network has to beat: the
decoder's rule alone is worth much where transfers are long.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any, Final, NamedTuple

import numpy as np

from trimtab.core.task import Task

from ..baselines.common import Prepared, decide, prepare, upward_rank
from ..problem import Floats, Ints, Placement, PlacementInstance
from ..simulator.engine import makespan, new_state, overfull
from ..simulator.pack import ranks
from . import moves
from .decode import decode

Start = tuple[Ints, Floats]  # devices of units, priorities of ops


class Guide(NamedTuple):
    """What the decoder is told."""

    orders: Sequence[Floats]  # (ops,) each: importance
    ties: Floats  # (opinions, edges) s: transfer times times beliefs


#: How much a broken tie costs beside an op's finish; the plan that ends first by its own reckoning is taken.
MIXTURES: Final = (0.0, 0.25, 0.5, 1.0, 2.0)


class KeptTies:
    """List scheduling by upward rank, earliest finish, and the transfers to all that is near: no network."""

    track = "policy"

    @property
    def config(self) -> dict[str, Any]:
        return {"mixtures": list(MIXTURES)}

    def solve(self, task: Task[PlacementInstance, Placement]) -> Placement:
        ready = prepare(task.instance)
        return decide(task.instance, *best_plan(task.instance, ready, every_tie(task.instance, ready)))


def every_tie(instance: PlacementInstance, ready: Prepared) -> Guide:
    """Upward ranks, and all ties believed in."""
    return Guide([upward_rank(ready, instance)], transfer_seconds(ready)[None])


def best_plan(instance: PlacementInstance, ready: Prepared, guide: Guide) -> Start:
    """Of all plans the one whose step is shortest in the simulator, which takes less time than making the plan."""
    return min(plans(ready, guide), key=lambda plan: simulated(instance, ready, plan))


def simulated(instance: PlacementInstance, ready: Prepared, start: Start) -> float:
    """Step time with the penalty for memory, s."""
    p = ready.packed
    device = np.asarray(start[0], np.int32)[ready.unit]
    step = makespan(p, device, ranks(instance, start[1]), new_state(p))
    return float(step * (1.0 + moves.PENALTY * overfull(p, device)))


def plans(ready: Prepared, guide: Guide) -> list[Start]:
    """A plan of each opinion and mixture in each order; those first that end first by their own reckoning."""
    made, ends = [], []
    for importance, (at, ties), weight in product(guide.orders, enumerate(guide.ties), MIXTURES):
        if weight == 0.0 and at > 0:
            continue  # as by the first opinion
        where, begin, end = decode(
            ready.packed,
            ready.unit,
            ready.unit_bytes,
            ready.unit_workspace,
            ready.unit_cost,
            np.ascontiguousarray(importance, np.float64),
            ties,
            weight,
        )
        made.append((np.asarray(where, np.int64), -np.asarray(begin)))
        ends.append(float(end))
    return [made[at] for at in np.argsort(ends, kind="stable")]


def transfer_seconds(ready: Prepared) -> Floats:
    """Mean time of each edge's transfer between two devices, s.  (edges,)"""
    p = ready.packed
    apart = ~np.eye(len(p.overhead), dtype=bool)
    if not apart.any():
        return np.zeros(len(p.reader))
    tensor = p.alpha[apart].mean() + p.beta[apart].mean() * p.bytes
    return np.repeat(tensor, np.diff(p.reader_start))
