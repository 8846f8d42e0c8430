# SPDX-License-Identifier: Apache-2.0
"""What no placement can beat: the largest of three simple bounds on the step time, and one on the load.

* critical path: ops of a path run one after another, each on its fastest device;
* work: k equal devices share the fastest times of all ops at best evenly. Where
  devices differ, the fractional optimum is bounded by the sum of speeds: the work
  that can be done in a second by all devices together;
* the longest single op.

Transfers are free in all of them, so on slow links they are weak: a ratio to them
compares solvers, it is no distance from the optimum.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from .problem import MAX_DEVICES, Floats, PlacementInstance, topological_order


@lru_cache(maxsize=4096)
def step_time_bound(instance: PlacementInstance) -> float:
    """Least possible step time, s. In max_load links steps overlap, so that paths bound nothing."""
    load = load_bound(instance)
    return load if instance.topology.links == "max_load" else max(load, critical_path(instance))


@lru_cache(maxsize=4096)
def load_bound(instance: PlacementInstance) -> float:
    """Least possible load of the busiest device, s."""
    cost = instance.cost
    fastest = cost.min(axis=1)
    return float(max(fastest.max(), work_bound(cost, fastest)))


def work_bound(cost: Floats, fastest: Floats) -> float:
    """A dual bound of the fractional assignment: weights w on devices that sum to 1, and each op at its cheapest.

    For equal devices w = 1 / k is the optimum, total / k; else a few multiplicative
    steps from there. Any w is a valid bound.
    """
    k = cost.shape[1]
    if k > MAX_DEVICES or not len(cost):
        return 0.0
    if np.isfinite(cost).all() and np.ptp(cost, axis=1).max() == 0.0:
        return float(fastest.sum() / k)
    weight, best = np.full(k, 1.0 / k), 0.0
    for _ in range(200):
        priced = np.where(np.isfinite(cost), cost, np.inf) * weight
        choice = priced.argmin(axis=1)
        best = max(best, float(priced[np.arange(len(cost)), choice].sum()))
        load = np.bincount(choice, cost[np.arange(len(cost)), choice], k)
        weight = weight * np.exp(0.1 * (load / max(load.max(), 1e-300) - 1.0))
        weight /= weight.sum()
    return best


def critical_path(instance: PlacementInstance) -> float:
    """The longest path of fastest compute times, s."""
    graph = instance.graph
    sources, targets = graph.sources, graph.edge_op
    fastest = instance.cost.min(axis=1)
    done = fastest.copy()
    by_source = np.argsort(sources, kind="stable")
    start = np.searchsorted(sources[by_source], np.arange(graph.num_ops + 1))
    for op in topological_order(graph.num_ops, sources, targets):
        for target in targets[by_source[start[op] : start[op + 1]]]:
            done[target] = max(done[target], done[op] + fastest[target])
    return float(done.max())
