# SPDX-License-Identifier: Apache-2.0
"""Contraction of the join graph: two nodes become one, until one is left. The core of every greedy method."""

from __future__ import annotations

import numpy as np

from trimtab.kit.compiled import compiled

from ..problem import AUTO, Floats, Ints, JoinPlan
from .models import C_OUT, join_cost
from .pack import Graph

LEAST_ROWS, LEAST_SELECTIVITY, LEAST_COST = range(3)


def reference(graph: Graph) -> JoinPlan:
    """Greedy operator ordering (Fegaras 1998): always the join with the fewest rows."""
    return JoinPlan(contract(graph, C_OUT, np.zeros(1), LEAST_ROWS))


@compiled
def contract(graph: Graph, model: int, p: Floats, rule: int) -> Ints:
    """Joins the pair of nodes that `rule` likes best, again and again; the cheaper order of each.

    (relations - 1, 2) joins; O(n^3) comparisons of pairs.
    """
    n = len(graph.neighbours)
    sets, logs, adjacent, cross = start(graph)
    joins = np.zeros((n - 1, 2), np.int64)
    for k in range(n - 1):
        best, first, second = np.inf, -1, -1
        for a in range(n):
            if sets[a] == 0:
                continue
            for b in range(a):
                if sets[b] == 0 or not adjacent[a, b]:
                    continue
                out = joined(graph, sets, logs, cross, a, b)
                score = out
                if rule == LEAST_SELECTIVITY:
                    score = out - logs[a] - logs[b]
                elif rule == LEAST_COST:
                    score = cheaper(graph, model, p, sets, logs, a, b, out)[0]
                if score < best or first < 0:
                    best, first, second = score, a, b
        out = joined(graph, sets, logs, cross, first, second)
        _, swap = cheaper(graph, model, p, sets, logs, first, second, out)
        joins[k, 0], joins[k, 1] = sets[first], sets[second]
        if swap:
            joins[k, 0], joins[k, 1] = sets[second], sets[first]
        merge(sets, logs, adjacent, cross, first, second, out)
    return joins


@compiled
def start(graph: Graph) -> tuple[Ints, Floats, Ints, Floats]:
    """Every relation a node: bitsets (0 once merged away), log rows, whether adjacent, log selectivities between."""
    n = len(graph.neighbours)
    sets, adjacent = np.zeros(n, np.int64), np.zeros((n, n), np.int64)
    for i in range(n):
        sets[i] = 1 << i
        for j in range(n):
            adjacent[i, j] = graph.neighbours[i] >> j & 1
    return sets, graph.base_log.copy(), adjacent, graph.cross_log.copy()


@compiled
def joined(graph: Graph, sets: Ints, logs: Floats, cross: Floats, a: int, b: int) -> float:
    """Log rows of the join of two nodes."""
    if len(graph.rows_log):
        return float(graph.rows_log[sets[a] | sets[b]])
    return float(logs[a] + logs[b] + cross[a, b])


@compiled
def merge(sets: Ints, logs: Floats, adjacent: Ints, cross: Floats, a: int, b: int, out: float) -> None:
    """Node `a` becomes the join of both; `b` is no more."""
    sets[a] |= sets[b]
    sets[b] = 0
    logs[a] = out
    for c in range(len(sets)):
        adjacent[a, c] |= adjacent[b, c]
        adjacent[c, a] = adjacent[a, c]
        cross[a, c] += cross[b, c]
        cross[c, a] = cross[a, c]
    adjacent[a, a] = 0


@compiled
def cheaper(
    graph: Graph, model: int, p: Floats, sets: Ints, logs: Floats, a: int, b: int, out: float
) -> tuple[float, bool]:
    """What the join of two nodes adds in its cheaper order, and whether that has `b` outside."""
    first, second, both = np.exp(logs[a]), np.exp(logs[b]), np.exp(min(out, 690.0))
    one, _ = join_cost(model, p, graph, sets[a], sets[b], first, second, both, AUTO)
    other, _ = join_cost(model, p, graph, sets[b], sets[a], second, first, both, AUTO)
    return (other, True) if other < one else (one, False)
