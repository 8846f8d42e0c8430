# SPDX-License-Identifier: Apache-2.0
"""IKKBZ, and dynamic programming over a linear order (LinDP).

IKKBZ (Ibaraki and Kameda 1984; Krishnamurthy, Boral and Zaniolo 1986) finds the
best left-deep plan of a tree query under c_out in polynomial time; a cyclic
query is first cut down to its most selective spanning tree. LinDP (Neumann and
Radke, SIGMOD 2018) then finds the best *bushy* plan whose leaves stand in that
order: O(n^3), under any cost model.
"""

from __future__ import annotations

import numpy as np

from trimtab.kit.compiled import compiled

from ..problem import AUTO, Flags, Floats, Ints
from ..simulator.dp import crossing
from ..simulator.models import join_cost, leaf_cost
from ..simulator.pack import Graph


@compiled
def ikkbz(graph: Graph) -> Ints:
    """The best left-deep order of all roots.  (relations,)"""
    n = len(graph.neighbours)
    tree = spanning_tree(graph)
    best, order = np.inf, np.arange(n)
    for root in range(n):
        candidate, cost = linearise(graph, tree, root)
        if cost < best or root == 0:
            best, order = cost, candidate
    return order


@compiled
def spanning_tree(graph: Graph) -> Floats:
    """Log selectivities of the tree's joins; NaN where there is none.  (relations, relations)"""
    n = len(graph.neighbours)
    weight = np.full((n, n), np.inf)
    for i in range(n):
        for j in range(n):
            if graph.neighbours[i] >> j & 1:
                weight[i, j] = selectivity(graph, i, j)
    tree = np.full((n, n), np.nan)
    inside = np.zeros(n, np.bool_)
    inside[0] = True
    for _ in range(n - 1):
        least, a, b = np.inf, -1, -1
        for i in range(n):
            for j in range(n):
                if inside[i] and not inside[j] and (weight[i, j] < least or (a < 0 and weight[i, j] < np.inf)):
                    least, a, b = weight[i, j], i, j
        inside[b] = True
        tree[a, b] = tree[b, a] = least
    return tree


@compiled
def selectivity(graph: Graph, i: int, j: int) -> float:
    """Log selectivity of the joins between two relations."""
    if len(graph.rows_log):
        return float(graph.rows_log[1 << i | 1 << j] - graph.base_log[i] - graph.base_log[j])
    return float(graph.cross_log[i, j])


@compiled
def linearise(graph: Graph, tree: Floats, root: int) -> tuple[Ints, float]:
    """The best order that begins at `root`, and its c_out.

    A *module* is a run of relations that stays together; modules of a subtree form
    a list with ascending ranks (T - 1) / C.
    """
    n = len(graph.neighbours)
    walk, parent = _walk(tree, root)
    growth, cost = np.ones(n), np.zeros(n)  # T and C of the module that begins with a relation
    last, following = np.arange(n), np.full(n, -1, np.int64)  # its end; the relation behind, inside a module
    after = np.full(n, -1, np.int64)  # the next module of the list
    below = np.full(n, -1, np.int64)  # merged list of the modules of all children
    for at in range(n - 1, -1, -1):
        v = walk[at]
        if at > 0:
            growth[v] = np.exp(min(600.0, tree[parent[v], v] + graph.base_log[v]))
            cost[v] = growth[v]
        after[v] = below[v]
        if at > 0:
            while after[v] >= 0 and _rank(growth, cost, v) > _rank(growth, cost, int(after[v])):
                u = after[v]  # a child's module may not come before v: make them one
                cost[v] += growth[v] * cost[u]
                growth[v] *= growth[u]
                following[last[v]] = u
                last[v] = last[u]
                after[v] = after[u]
            below[parent[v]] = _merge_lists(growth, cost, after, int(below[parent[v]]), int(v))
    order = np.zeros(n, np.int64)
    total, rows, at = 0.0, np.exp(graph.base_log[root]), 0
    module = root
    while module >= 0:
        v = module
        while True:
            order[at] = v
            if at > 0:
                rows = min(1e300, rows * np.exp(min(600.0, tree[parent[v], v] + graph.base_log[v])))
                total = min(1e300, total + rows)
            at += 1
            if v == last[module]:
                break
            v = following[v]
        module = after[module]
    return order, total


@compiled
def _walk(tree: Floats, root: int) -> tuple[Ints, Ints]:
    """Relations, parents first; and their parents."""
    n = len(tree)
    walk, parent = np.zeros(n, np.int64), np.full(n, -1, np.int64)
    walk[0] = root
    count = 1
    for at in range(n):
        v = walk[at]
        for u in range(n):
            if not np.isnan(tree[v, u]) and u != parent[v]:
                parent[u] = v
                walk[count] = u
                count += 1
    return walk, parent


@compiled
def _rank(growth: Floats, cost: Floats, v: int) -> float:
    return float((growth[v] - 1.0) / max(cost[v], 1e-300))


@compiled
def _merge_lists(growth: Floats, cost: Floats, after: Ints, a: int, b: int) -> int:
    """Two lists of modules into one, by rank; returns its head."""
    head, end = -1, -1
    while a >= 0 or b >= 0:
        if b < 0 or (a >= 0 and _rank(growth, cost, a) <= _rank(growth, cost, b)):
            take = a
            a = after[a]
        else:
            take = b
            b = after[b]
        if end < 0:
            head = take
        else:
            after[end] = take
        end = take
    if end >= 0:
        after[end] = -1
    return head


@compiled
def left_deep(order: Ints) -> Ints:
    """Joins of a left-deep plan.  (relations - 1, 2)"""
    joins = np.zeros((len(order) - 1, 2), np.int64)
    done = 1 << order[0]
    for k in range(len(order) - 1):
        joins[k, 0], joins[k, 1] = done, 1 << order[k + 1]
        done |= joins[k, 1]
    return joins


@compiled
def linear_dp(graph: Graph, model: int, p: Floats, order: Ints) -> Ints:
    """The best bushy plan whose leaves, up to the order of operands, stand in `order`; (0, 0) joins where none does."""
    n = len(order)
    sets, around = np.zeros((n, n), np.int64), np.zeros((n, n), np.int64)
    cost, rows = np.full((n, n), np.inf), np.zeros((n, n))  # rows: logs
    cut, swapped = np.full((n, n), -1, np.int64), np.zeros((n, n), np.bool_)
    for i in range(n):
        sets[i, i], around[i, i] = 1 << order[i], graph.neighbours[order[i]]
        cost[i, i], rows[i, i] = leaf_cost(model, p, graph, order[i]), graph.base_log[order[i]]
    for width in range(1, n):
        for i in range(n - width):
            j = i + width
            sets[i, j], around[i, j] = sets[i, j - 1] | sets[j, j], around[i, j - 1] | around[j, j]
            for k in range(i, j):
                below = cost[i, k] + cost[k + 1, j]
                if not below < np.inf or not around[i, k] & sets[k + 1, j]:
                    continue
                if cut[i, j] < 0:
                    if len(graph.rows_log):
                        rows[i, j] = graph.rows_log[sets[i, j]]
                    else:
                        rows[i, j] = rows[i, k] + rows[k + 1, j] + crossing(graph, sets[i, k], sets[k + 1, j])
                a, b, out = np.exp(rows[i, k]), np.exp(rows[k + 1, j]), np.exp(min(690.0, rows[i, j]))
                straight, _ = join_cost(model, p, graph, sets[i, k], sets[k + 1, j], a, b, out, AUTO)
                turned, _ = join_cost(model, p, graph, sets[k + 1, j], sets[i, k], b, a, out, AUTO)
                if below + min(straight, turned) < cost[i, j]:
                    cost[i, j] = below + min(straight, turned)
                    cut[i, j], swapped[i, j] = k, turned < straight
    return _unfold(sets, cut, swapped)


@compiled
def _unfold(sets: Ints, cut: Ints, swapped: Flags) -> Ints:
    n = len(sets)
    joins = np.zeros((n - 1, 2), np.int64)
    if n == 1 or cut[0, n - 1] < 0:
        return joins
    at = n - 1
    waiting = np.zeros((n, 2), np.int64)
    waiting[0, 1], count = n - 1, 1
    while count:
        count -= 1
        i, j = waiting[count, 0], waiting[count, 1]
        if i < j:
            k = cut[i, j]
            at -= 1
            joins[at, 0], joins[at, 1] = sets[i, k], sets[k + 1, j]
            if swapped[i, j]:
                joins[at, 0], joins[at, 1] = sets[k + 1, j], sets[i, k]
            waiting[count, 0], waiting[count, 1] = i, k
            waiting[count + 1, 0], waiting[count + 1, 1] = k + 1, j
            count += 2
    return joins
