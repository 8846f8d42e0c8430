# SPDX-License-Identifier: Apache-2.0
"""A placement instance as numbers for the network. None names a device: numbering them otherwise changes nothing.

Times are measured in the mean op, or in the lower bound on the step time, so that
neither seconds nor the machine matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from ..baselines import listing
from ..baselines.common import Prepared, prepare
from ..bounds import step_time_bound
from ..problem import LINKS, Floats, Ints, PlacementInstance
from .ties import transfer_seconds

NODE: Final = 26
EDGE: Final = 9


@dataclass(frozen=True, eq=False)
class Features:
    node: Floats  # (ops, NODE)
    edge: Floats  # (edges, EDGE)
    source: Ints  # (edges,) producer
    target: Ints  # (edges,) reader
    seconds: Floats  # (edges,) s, mean transfer between two devices


@lru_cache(maxsize=64)
def features(instance: PlacementInstance) -> Features:
    graph, ready = instance.graph, prepare(instance)
    source, target = graph.sources, graph.edge_op
    cost = _mean_cost(ready)
    mean = max(float(cost.mean()), 1e-12)
    bound = max(step_time_bound(instance), 1e-12)
    seconds = transfer_seconds(ready)
    n = len(cost)
    paid, down = listing.ranks_of(ready.packed, ready.order)
    free_up, free_down = _free_ranks(ready)
    longest = max(float(free_up.max()), 1e-12)
    level = _levels(ready)
    width = np.bincount(level)[level]
    read, made = _heaviest(seconds, target, n), _heaviest(seconds, source, n)
    into, out = np.bincount(target, minlength=n), np.bincount(source, minlength=n)
    node = np.column_stack(
        [
            _log(cost / mean),
            np.minimum(cost / bound, 1.0),
            free_up / longest,
            free_down / longest,
            (free_up + free_down) / longest,
            np.minimum(paid / bound, 8.0) / 2,
            np.minimum(down / bound, 8.0) / 2,
            level / max(1, int(level.max())),
            np.log1p(width) / 4,
            np.log1p(into) / 2,
            np.log1p(out) / 2,
            _log(read / mean),
            _log(made / mean),
            np.minimum(read / bound, 2.0),
            np.minimum(made / bound, 2.0),
            np.tile(_world(instance, cost, seconds, longest, bound), (n, 1)),
        ]
    )
    edge = np.column_stack(
        [
            _log(seconds / mean),
            np.minimum(seconds / bound, 2.0),
            seconds / np.maximum(read[target], 1e-12),
            seconds / np.maximum(made[source], 1e-12),
            _log(seconds / np.maximum(cost[target], 1e-3 * mean)),
            _log(seconds / np.maximum(cost[source], 1e-3 * mean)),
            np.log1p(into[target]) / 2,
            np.log1p(out[source]) / 2,
            ((free_up[target] + free_down[target]) - (free_up[source] + free_down[source])) / longest,
        ]
    )
    return Features(node, edge, source, target, seconds)


def _world(instance: PlacementInstance, cost: Floats, seconds: Floats, longest: float, bound: float) -> Floats:
    """What is the same for all ops.  (11,)"""
    topology = instance.topology
    links = np.zeros(len(LINKS))
    links[LINKS.index(topology.links)] = 1.0
    total = float(cost.sum())
    rest = [
        float(topology.queue == "priority"),
        np.log2(topology.num_devices) / 3,
        _log(seconds.sum() / max(total, 1e-12)) if len(seconds) else 0.0,
        np.log(max(total / longest, 1.0)) / 3,
        np.log(len(cost)) / 6,
        float(np.isfinite(topology.memory_bytes).any()),
        float(len(set(topology.device_type)) > 1),
    ]
    return np.concatenate([links, np.array(rest, np.float64)])


def _mean_cost(ready: Prepared) -> Floats:
    """Over the devices that an op runs on, s.  (ops,)"""
    possible = np.isfinite(ready.packed.cost)
    total = np.where(possible, ready.packed.cost, 0.0).sum(axis=1)
    return np.asarray(total / np.maximum(possible.sum(axis=1), 1))


def _log(x: Floats) -> Floats:
    return np.asarray(np.log(np.clip(x, 1e-4, 1e4)) / 4)


def _heaviest(seconds: Floats, of: Ints, n: int) -> Floats:
    most = np.zeros(n)
    np.maximum.at(most, of, seconds)
    return most


def _free_ranks(ready: Prepared) -> tuple[Floats, Floats]:
    """Longest compute from the start of each op to the end, and from the start of all to its start; no transfers. s"""
    p = ready.packed
    silent = p._replace(alpha=np.zeros_like(p.alpha), beta=np.zeros_like(p.beta))
    up, down = listing.ranks_of(silent, ready.order)
    return np.asarray(up), np.asarray(down)


def _levels(ready: Prepared) -> Ints:
    """Edges on the longest way from an input.  (ops,)"""
    p = ready.packed
    unit = p._replace(
        cost=np.ones((len(p.cost), 1)), alpha=np.zeros((1, 1)), beta=np.zeros((1, 1)), overhead=np.zeros(1)
    )
    _, down = listing.ranks_of(unit, ready.order)
    return np.asarray(np.rint(down), np.int64)
