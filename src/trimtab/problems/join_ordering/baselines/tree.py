# SPDX-License-Identifier: Apache-2.0
"""Plans as trees that can be changed in place, and annealing over them.

A move changes one operand of one join: what is below and above stays as it is,
so a move costs two joins' costs and no more, whatever the size of the query.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trimtab.kit.compiled import compiled

from ..problem import AUTO, Floats, Ints
from ..simulator.dp import crossing
from ..simulator.models import join_cost, leaf_cost
from ..simulator.pack import Graph


class Forest(NamedTuple):
    """Nodes 0 to n - 1 are relations, n to 2 n - 2 joins, the last the root."""

    sets: Ints  # (2 n - 1,)
    logs: Floats  # (2 n - 1,) log rows
    outer: Ints  # (2 n - 1,) node, -1 of a relation
    inner: Ints  # (2 n - 1,)
    added: Floats  # (2 n - 1,) what a join costs by itself


@compiled
def plant(graph: Graph, model: int, p: Floats, joins: Ints) -> Forest:
    """A plan as a tree, every join in the cheaper order of its operands."""
    n = len(graph.neighbours)
    size = 2 * n - 1
    nobody = np.full(size, -1, np.int64)
    tree = Forest(np.zeros(size, np.int64), np.zeros(size), nobody.copy(), nobody.copy(), np.zeros(size))
    for i in range(n):
        tree.sets[i], tree.logs[i] = 1 << i, graph.base_log[i]
    for k in range(n - 1):
        for node in range(n + k):
            if tree.sets[node] == joins[k, 0]:
                tree.outer[n + k] = node
            if tree.sets[node] == joins[k, 1]:
                tree.inner[n + k] = node
        tree.sets[n + k] = joins[k, 0] | joins[k, 1]
        a, b = tree.outer[n + k], tree.inner[n + k]
        tree.logs[n + k] = join_log(graph, tree, a, b)
        tree.added[n + k], swap = cheaper(graph, model, p, tree, a, b, tree.logs[n + k])
        if swap:
            tree.outer[n + k], tree.inner[n + k] = b, a
    return tree


@compiled
def harvest(tree: Forest) -> Ints:
    """The joins of a tree, children before parents.  (relations - 1, 2)"""
    size = len(tree.sets)
    n = (size + 1) // 2
    joins = np.zeros((n - 1, 2), np.int64)
    waiting = np.zeros(size, np.int64)
    waiting[0], count, at = size - 1, 1, n - 1
    while count:
        count -= 1
        node = waiting[count]
        if node >= n:
            at -= 1
            joins[at, 0], joins[at, 1] = tree.sets[tree.outer[node]], tree.sets[tree.inner[node]]
            waiting[count], waiting[count + 1] = tree.outer[node], tree.inner[node]
            count += 2
    return joins


@compiled
def join_log(graph: Graph, tree: Forest, a: int, b: int) -> float:
    """Log rows of the join of two nodes."""
    if len(graph.rows_log):
        return float(graph.rows_log[tree.sets[a] | tree.sets[b]])
    return float(tree.logs[a] + tree.logs[b] + crossing(graph, tree.sets[a], tree.sets[b]))


@compiled
def cheaper(graph: Graph, model: int, p: Floats, tree: Forest, a: int, b: int, out: float) -> tuple[float, bool]:
    """What the join of two nodes adds in its cheaper order, and whether that has `b` outside."""
    left, right, both = np.exp(min(690.0, tree.logs[a])), np.exp(min(690.0, tree.logs[b])), np.exp(min(690.0, out))
    one, _ = join_cost(model, p, graph, tree.sets[a], tree.sets[b], left, right, both, AUTO)
    other, _ = join_cost(model, p, graph, tree.sets[b], tree.sets[a], right, left, both, AUTO)
    return (other, True) if other < one else (one, False)


@compiled
def around(graph: Graph, subset: int) -> int:
    """Neighbours of a subset."""
    found = 0
    for i in range(len(graph.neighbours)):
        if subset >> i & 1:
            found |= graph.neighbours[i]
    return found


@compiled
def anneal(
    graph: Graph, model: int, p: Floats, joins: Ints, steps: int, hot: float, cold: float, seed: int
) -> tuple[Ints, float]:
    """Simulated annealing from a plan; returns the best seen, and its cost without leaves.

    The move (Ioannidis and Wong 1987; Steinbrunn et al. 1997) exchanges a grandchild
    with the other operand; every join takes the cheaper order of its operands, which
    concerns no other. A rise of the *logarithm* of the cost is accepted with
    probability exp(-rise / temperature), which falls geometrically from `hot` to `cold`.
    """
    np.random.seed(seed)
    n = len(graph.neighbours)
    tree = plant(graph, model, p, joins)
    best_sets, best_outer, best_inner = tree.sets.copy(), tree.outer.copy(), tree.inner.copy()
    total = tree.added.sum()
    fixed = 0.0
    for i in range(n):
        fixed += leaf_cost(model, p, graph, i)
    best = total
    cooling = (cold / hot) ** (1.0 / max(1, steps))
    heat = hot
    for _ in range(steps if n > 2 else 0):
        heat *= cooling
        worst = -heat * np.log(1.0 - np.random.random())
        total += exchange(graph, model, p, tree, total + fixed, worst)
        if total < best:
            best = total
            best_sets[:], best_outer[:], best_inner[:] = tree.sets, tree.outer, tree.inner
    tree.sets[:], tree.outer[:], tree.inner[:] = best_sets, best_outer, best_inner
    return harvest(tree), best


@compiled
def exchange(graph: Graph, model: int, p: Floats, tree: Forest, total: float, worst: float) -> float:
    """Try one random move; returns by how much the cost changed, 0 where it was refused.

    It is kept where the log of the cost rises by at most `worst`.
    """
    n = len(graph.neighbours)
    top = n + np.random.randint(n - 1)
    child, other = int(tree.outer[top]), int(tree.inner[top])
    if child < n or (other >= n and np.random.random() < 0.5):
        child, other = other, child
    if child < n:
        return 0.0
    out, stays = int(tree.outer[child]), int(tree.inner[child])
    if np.random.random() < 0.5:
        out, stays = stays, out
    if not around(graph, tree.sets[other]) & tree.sets[stays]:
        return 0.0
    below = tree.sets[other] | tree.sets[stays]
    if not around(graph, tree.sets[out]) & below:
        return 0.0
    set_before, log_before = tree.sets[child], tree.logs[child]
    log = join_log(graph, tree, other, stays)
    lower, swap_lower = cheaper(graph, model, p, tree, other, stays, log)
    tree.sets[child], tree.logs[child] = below, log
    upper, swap_upper = cheaper(graph, model, p, tree, child, out, tree.logs[top])
    change = lower + upper - tree.added[child] - tree.added[top]
    if not np.log(max(total + change, 1e-300)) - np.log(total) <= worst:
        tree.sets[child], tree.logs[child] = set_before, log_before
        return 0.0
    tree.outer[child], tree.inner[child] = (stays, other) if swap_lower else (other, stays)
    tree.outer[top], tree.inner[top] = (out, child) if swap_upper else (child, out)
    tree.added[child], tree.added[top] = lower, upper
    return float(change)
