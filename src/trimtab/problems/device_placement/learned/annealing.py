# SPDX-License-Identifier: Apache-2.0
"""`CriticalAnnealing`: the anytime search, from constructed placements or from the network's.

Cold and warm are the same compiled walk (`moves`) at the same heat for the same
time. What ties or the network add is where it begins: their plans, and what half of
the time, but no more than so many draws, finds around them (`drawing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from trimtab.core.errors import Unavailable, UnknownName
from trimtab.core.task import Task

from ..baselines import listing
from ..baselines.common import Prepared, prepare, repaired
from ..baselines.heuristics import HEURISTICS
from ..baselines.search import Meter
from ..problem import Floats, Placement, PlacementInstance
from ..simulator.pack import Ints32
from . import moves
from .drawing import drawn
from .ties import Guide, Start, every_tie, plans, simulated, transfer_seconds

BEGINNINGS: Final = ("heuristics", "ties", "network")
HEAT: Final = 0.2  # of an op's mean part of its device's time
COOLED: Final = 0.1  # of the heat is left at the end
PLANS: Final = 3  # of those that ties or the network make
CONSTRUCTED: Final = ("heft", "m_etf", "chunks")


class CriticalAnnealing:
    """Simulated annealing with clusters and critical paths, from one of `BEGINNINGS`.

    ``heuristics``: the best of HEFT, m-ETF and chunks. ``ties``: of these and of plans
    that keep ties together (`KeptTies`, and draws around them). ``network``: of the first
    and of the network's plans, and draws around them.
    """

    track = "search"

    def __init__(self, begin: str = "heuristics", heat: float = HEAT, cooled: float = COOLED) -> None:
        if begin not in BEGINNINGS:
            raise UnknownName("beginning", begin, BEGINNINGS)
        self.begin, self.heat, self.cooled = begin, heat, cooled

    @property
    def config(self) -> dict[str, Any]:
        return {"begin": self.begin, "heat": self.heat, "cooled": self.cooled}

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
        starts = constructed(instance, ready, task.seed)
        if (guide := self._guide(instance, ready)) is not None:
            prioritised = instance.topology.queue == "priority"
            first = guide._replace(ties=guide.ties[:1])  # draws know the others
            starts = [*plans(ready, first)[:PLANS], *starts]
            starts = [*drawn(ready, guide, prioritised, meter, task.seed), *starts]
        where, priority = search(instance, ready, starts, meter, task.seed, self.heat, self.cooled)
        device = repaired(instance, where)[ready.unit]
        placement = Placement(device, priority if instance.topology.queue == "priority" else None)
        meter.settle(placement)
        return placement

    def _guide(self, instance: PlacementInstance, ready: Prepared) -> Guide | None:
        if self.begin == "heuristics":
            return None
        if self.begin == "ties":
            return every_tie(instance, ready)
        from .imitation import Imitation

        return Imitation().guide(instance, ready)


def search(
    instance: PlacementInstance, ready: Prepared, starts: Sequence[Start], meter: Meter, seed: int,
    heat: float = HEAT, cooled: float = COOLED,
) -> Start:  # fmt: skip
    """The best decision found within the meter's budget, cooled over all of it: what starts cost is heat lost."""
    p, near = ready.packed, neighbourhood(instance, ready, transfer_strength(transfer_seconds(ready)))
    affordable = starts[: max(1, meter.left())]
    values = [simulated(instance, ready, start) for start in affordable]
    meter.spent += len(affordable)
    where, priority = affordable[int(np.argmin(values))]
    order = np.argsort(-priority, kind="stable").astype(np.int32)
    begin: Ints32 = where.astype(np.int32)
    b = moves.Incumbent(begin.copy(), order.copy(), begin, order, np.array([np.inf, np.inf]))
    hot = heat * instance.topology.num_devices / instance.graph.num_ops
    leg = 0
    while (calls := meter.left()) > 1:
        now, then = (hot * cooled ** meter.progress(more) for more in (0, calls))
        leg_seed = (seed * 1_000_003 + leg) % (1 << 31)
        moves.anneal(p, near, b, instance.topology.queue == "priority", calls, now, then, leg_seed)
        meter.spent += calls
        leg += 1
    rank = np.empty(len(b.best_order))
    rank[b.best_order] = np.arange(len(rank))
    return b.best_where.astype(np.int64), -rank


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
