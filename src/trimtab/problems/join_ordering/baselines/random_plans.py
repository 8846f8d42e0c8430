# SPDX-License-Identifier: Apache-2.0
"""QuickPick (Waas and Pellenkoft, BNCOD 2000): joins in random order, the best of k plans."""

from __future__ import annotations

import numpy as np

from trimtab.kit.compiled import compiled

from ..problem import Floats, Ints
from ..simulator.greedy import cheaper, joined, merge, start
from ..simulator.pack import Graph


@compiled
def quickpick(graph: Graph, model: int, p: Floats, draws: int, seed: int) -> Ints:
    """The cheapest of `draws` random bushy plans; every join in the cheaper order of its operands."""
    np.random.seed(seed)
    n = len(graph.neighbours)
    best, plan = np.inf, np.zeros((n - 1, 2), np.int64)
    joins = np.zeros((n - 1, 2), np.int64)
    for draw in range(draws):
        cost = random_plan(graph, model, p, joins)
        if cost < best or draw == 0:
            best = cost
            plan[:] = joins
    return plan


@compiled
def random_plan(graph: Graph, model: int, p: Floats, joins: Ints) -> float:
    """Edges of the join graph in random order; returns the cost without leaves."""
    n = len(graph.neighbours)
    sets, logs, adjacent, cross = start(graph)
    node = np.arange(n)  # of each relation
    count = 0
    ends = np.zeros((n * n, 2), np.int64)
    for i in range(n):
        for j in range(i):
            if graph.neighbours[i] >> j & 1:
                ends[count, 0], ends[count, 1] = i, j
                count += 1
    total, done = 0.0, 0
    while count:
        pick = np.random.randint(count)
        a, b = int(node[ends[pick, 0]]), int(node[ends[pick, 1]])
        count -= 1
        ends[pick] = ends[count]
        if a != b:
            out = joined(graph, sets, logs, cross, a, b)
            added, swap = cheaper(graph, model, p, sets, logs, a, b, out)
            joins[done, 0], joins[done, 1] = (sets[b], sets[a]) if swap else (sets[a], sets[b])
            total += added
            done += 1
            merge(sets, logs, adjacent, cross, a, b, out)
            for i in range(n):
                if node[i] == b:
                    node[i] = a
    return total
