# SPDX-License-Identifier: Apache-2.0
"""`CriticalAnnealing`: the anytime search, from constructed placements or from the network's.

Cold and warm are the same compiled walk (`moves`) at the same heat for the same
time. What the network adds is where it begins, and the strength of ties: cold, a
tie is as strong as its transfer is long; warm, as the network believes that its
ends share a device. Its time counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from trimtab.core.errors import Unavailable, UnknownName
from trimtab.core.task import Task

from ..baselines import listing
from ..baselines.common import Prepared, prepare, repaired, upward_rank
from ..baselines.heuristics import HEURISTICS
from ..baselines.search import Meter
from ..problem import Floats, Placement, PlacementInstance
from ..simulator.engine import makespan, new_state, overfull
from ..simulator.pack import Ints32, ranks
from . import moves
from .ties import Start, plans, transfer_seconds

BEGINNINGS: Final = ("heuristics", "ties", "network")
HOT: Final = 0.01  # shares of the step time
PER_OP: Final = 0.5  # at least so much of an op's part of its device's time, which is more on small graphs
COLD: Final = 0.001
PLANS: Final = 3  # of those that ties or the network make
CONSTRUCTED: Final = ("heft", "m_etf", "chunks")


class CriticalAnnealing:
    """Simulated annealing with clusters and critical paths, from one of `BEGINNINGS`.

    ``heuristics``: the best of HEFT, m-ETF and chunks. ``ties``: of these and of plans
    that keep ties together (`KeptTies`). ``network``: of the former and of the network's plans.
    """

    track = "search"

    def __init__(self, begin: str = "heuristics", hot: float = HOT, cold: float = COLD) -> None:
        if begin not in BEGINNINGS:
            raise UnknownName("beginning", begin, BEGINNINGS)
        self.begin, self.hot, self.cold = begin, hot, cold

    @property
    def config(self) -> dict[str, Any]:
        return {"begin": self.begin, "hot": self.hot, "cold": self.cold}

    @property
    def trained_on(self) -> frozenset[str]:
        """Fingerprints of the instances that what it begins from learnt from."""
        if self.begin != "network":
            return frozenset()
        from .imitation import Imitation

        return Imitation().trained_on

    def solve(self, task: Task[PlacementInstance, Placement]) -> Placement:
        instance = task.instance
        meter = Meter(task)
        ready = prepare(instance)
        seconds = transfer_seconds(ready)
        starts, strength = constructed(instance, ready, task.seed), transfer_strength(seconds)
        if self.begin == "ties":
            starts = [*plans(ready, [upward_rank(ready, instance)], seconds)[:PLANS], *starts]
        elif self.begin == "network":
            from .imitation import Imitation

            better, strength = Imitation().guidance(instance, ready)
            starts = [*better[:PLANS], *starts]
        where, priority = search(instance, ready, starts, strength, meter, task.seed, self.hot, self.cold)
        device = repaired(instance, where)[ready.unit]
        placement = Placement(device, priority if instance.topology.queue == "priority" else None)
        meter.settle(placement)
        return placement


def search(
    instance: PlacementInstance, ready: Prepared, starts: Sequence[Start], strength: Floats, meter: Meter, seed: int,
    hot: float = HOT, cold: float = COLD,
) -> Start:  # fmt: skip
    """The best decision found within the meter's budget, cooled over all of it."""
    p, near = ready.packed, neighbourhood(instance, ready, strength)
    affordable = starts[: max(1, meter.left())]
    values = [simulated(instance, ready, start) for start in affordable]
    meter.spent += len(affordable)
    where, priority = affordable[int(np.argmin(values))]
    order = np.argsort(-priority, kind="stable").astype(np.int32)
    begin: Ints32 = where.astype(np.int32)
    b = moves.Incumbent(begin.copy(), order.copy(), begin, order, np.array([np.inf, np.inf]))
    hot = max(hot, PER_OP * instance.topology.num_devices / instance.graph.num_ops)
    leg = 0
    while (calls := meter.left()) > 1:
        now, then = (hot * (cold / hot) ** meter.progress(more) for more in (0, calls))
        leg_seed = (seed * 1_000_003 + leg) % (1 << 31)
        moves.anneal(p, near, b, instance.topology.queue == "priority", calls, now, then, leg_seed)
        meter.spent += calls
        leg += 1
    rank = np.empty(len(b.best_order))
    rank[b.best_order] = np.arange(len(rank))
    return b.best_where.astype(np.int64), -rank


def simulated(instance: PlacementInstance, ready: Prepared, start: Start) -> float:
    """Step time with the penalty for memory, s."""
    p = ready.packed
    device = np.asarray(start[0], np.int32)[ready.unit]
    step = makespan(p, device, ranks(instance, start[1]), new_state(p))
    return float(step * (1.0 + moves.PENALTY * overfull(p, device)))


def constructed(instance: PlacementInstance, ready: Prepared, seed: int) -> list[Start]:
    """What the quick heuristics make, HEFT first."""
    found = []
    for name in CONSTRUCTED:
        try:
            found.append(HEURISTICS[name](instance, ready, seed))
        except Unavailable:
            continue
    return found


def neighbourhood(instance: PlacementInstance, ready: Prepared, strength: Floats) -> moves.Neighbourhood:
    """`strength`: of each edge of the graph, in [0, 1]; of several edges between two units the strongest counts."""
    graph = instance.graph
    a, b = ready.unit[graph.sources].astype(np.int64), ready.unit[graph.edge_op].astype(np.int64)
    apart = a != b
    ends = np.concatenate([np.stack([a, b]), np.stack([b, a])], axis=1)[:, np.concatenate([apart, apart])]
    key, at = np.unique(ends[0] * ready.num_units + ends[1], return_inverse=True)
    strongest = np.zeros(len(key))
    np.maximum.at(strongest, at.ravel(), np.concatenate([strength, strength])[np.concatenate([apart, apart])])
    return moves.Neighbourhood(
        ready.unit,
        ready.member_start,
        ready.members,
        np.isfinite(ready.unit_cost),
        np.searchsorted(key, np.arange(ready.num_units + 1) * ready.num_units).astype(np.int32),
        (key % ready.num_units).astype(np.int32),
        strongest,
        least_tails(ready),
        bool(np.isfinite(ready.packed.room).any()),
    )


def transfer_strength(seconds: Floats) -> Floats:
    """Where the logarithm of each edge's transfer time lies between the least and the largest.  (edges,)"""
    log = np.log(np.maximum(seconds, 1e-12))
    spread = np.ptp(log) if len(log) else 0.0
    return (log - log.min()) / spread if spread > 1e-9 else np.full(len(log), 0.5)


def least_tails(ready: Prepared) -> Floats:
    """Least time from the start of each op to the end of the step: fastest devices, no transfers.  (ops,) s"""
    p, one = ready.packed, np.zeros((1, 1))
    fastest = p._replace(cost=p.cost.min(axis=1, keepdims=True), alpha=one, beta=one, overhead=np.zeros(1))
    return np.asarray(listing.ranks_of(fastest, ready.order)[0])
