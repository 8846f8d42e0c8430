# SPDX-License-Identifier: Apache-2.0
"""Dynamic programming over connected subsets: bushy trees (DPccp), and left-deep, right-deep and zig-zag ones.

DPccp (Moerkotte and Neumann, VLDB 2006) visits each pair of connected, disjoint,
joined subsets once, and no other: the least work that any exact method of this
kind can do. Restricted shapes extend a subset by one relation at a time.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from trimtab.core.errors import Unavailable
from trimtab.kit.compiled import compiled

from ..problem import AUTO, Floats, Ints
from .models import join_cost, leaf_cost, query_cost
from .pack import Graph, connected

LIMIT: Final = 20  # relations: the tables have 2 ** relations places

SHAPES: Final = ("bushy", "left_deep", "right_deep", "zig_zag")
BUSHY, LEFT_DEEP, RIGHT_DEEP, ZIG_ZAG = range(4)


class Table:
    """All that dynamic programming found out: for every connected subset the least cost, and how."""

    def __init__(self, graph: Graph, model: int, parameters: Floats, shape: int = BUSHY) -> None:
        n = len(graph.neighbours)
        if n > LIMIT:
            raise Unavailable(f"dynamic programming is for up to {LIMIT} relations, not {n}: lindp or goo plan more")
        self.cost = np.full(1 << n, np.inf)  # (2 ** relations,)
        self.outer = np.zeros(1 << n, np.int64)  # (2 ** relations,) outer operand of the best join
        rows = np.zeros(1 << n)
        self.pairs = int(solve(graph, model, parameters, shape, self.cost, self.outer, rows))

    def joins(self, subset: int) -> Ints:
        """The best plan of a subset.  (relations - 1, 2)"""
        return unfold(self.outer, subset)


@compiled
def solve(graph: Graph, model: int, p: Floats, shape: int, cost: Floats, outer: Ints, rows: Floats) -> int:
    """Fill `cost` (of inf), `outer` and `rows`; returns how many pairs of subsets were joined."""
    n = len(graph.neighbours)
    for i in range(n):
        cost[1 << i] = leaf_cost(model, p, graph, i) + (query_cost(model, p) if n == 1 else 0.0)
        rows[1 << i] = np.exp(graph.base_log[i])
    if shape != BUSHY:
        return _extend(graph, model, p, shape, cost, outer, rows)
    pairs = 0
    for i in range(n - 1, -1, -1):
        start = 1 << i
        before = (start << 1) - 1
        pairs += _complements(graph, model, p, cost, outer, rows, start)
        pairs += _grow(graph, model, p, cost, outer, rows, start, before)
    return pairs


@compiled
def _around(neighbours: Ints, subset: int) -> int:
    """Neighbours of a subset, and some of its own members."""
    found = 0
    while subset:
        low = subset & -subset
        i = 0
        while low >> i > 1:
            i += 1
        found |= neighbours[i]
        subset ^= low
    return found


@compiled
def _grow(
    graph: Graph, model: int, p: Floats, cost: Floats, outer: Ints, rows: Floats, subset: int, excluded: int
) -> int:
    """EnumerateCsgRec: connected supersets of `subset` without `excluded`, smaller ones first."""
    ring = _around(graph.neighbours, subset) & ~excluded & ~subset
    if ring == 0:
        return 0
    pairs = 0
    more = 0
    while True:
        more = (more - ring) & ring  # the next subset of the ring
        if more == 0:
            break
        pairs += _complements(graph, model, p, cost, outer, rows, subset | more)
    while True:
        more = (more - ring) & ring
        if more == 0:
            break
        pairs += _grow(graph, model, p, cost, outer, rows, subset | more, excluded | ring)
    return pairs


@compiled
def _complements(graph: Graph, model: int, p: Floats, cost: Floats, outer: Ints, rows: Floats, left: int) -> int:
    """EnumerateCmp: every connected subset that can be joined with `left` and begins behind it."""
    excluded = (((left & -left) << 1) - 1) | left
    ring = _around(graph.neighbours, left) & ~excluded
    pairs = 0
    for i in range(len(graph.neighbours) - 1, -1, -1):
        if ring >> i & 1:
            start = 1 << i
            _consider(graph, model, p, cost, outer, rows, left, start)
            before = (start << 1) - 1
            pairs += 1 + _grow_right(graph, model, p, cost, outer, rows, left, start, excluded | (before & ring))
    return pairs


@compiled
def _grow_right(
    graph: Graph, model: int, p: Floats, cost: Floats, outer: Ints, rows: Floats, left: int, right: int, excluded: int
) -> int:
    ring = _around(graph.neighbours, right) & ~excluded & ~right
    if ring == 0:
        return 0
    pairs = 0
    more = 0
    while True:
        more = (more - ring) & ring
        if more == 0:
            break
        _consider(graph, model, p, cost, outer, rows, left, right | more)
        pairs += 1
    while True:
        more = (more - ring) & ring
        if more == 0:
            break
        pairs += _grow_right(graph, model, p, cost, outer, rows, left, right | more, excluded | ring)
    return pairs


@compiled
def _consider(
    graph: Graph, model: int, p: Floats, cost: Floats, outer: Ints, rows: Floats, left: int, right: int
) -> None:
    """Both orders of a join of two subsets whose costs are final."""
    both = left | right
    _count(graph, rows, left, right)
    below = cost[left] + cost[right]
    if both == len(cost) - 1:
        below += query_cost(model, p)
    added, _ = join_cost(model, p, graph, left, right, rows[left], rows[right], rows[both], AUTO)
    if below + added < cost[both]:
        cost[both] = below + added
        outer[both] = left
    added, _ = join_cost(model, p, graph, right, left, rows[right], rows[left], rows[both], AUTO)
    if below + added < cost[both]:
        cost[both] = below + added
        outer[both] = right


@compiled
def _count(graph: Graph, rows: Floats, left: int, right: int) -> None:
    """Rows of a join, once."""
    both = left | right
    if rows[both] > 0.0:
        return
    if len(graph.rows_log):
        rows[both] = np.exp(graph.rows_log[both])
    else:
        rows[both] = min(1e300, rows[left] * rows[right] * np.exp(crossing(graph, left, right)))


@compiled
def crossing(graph: Graph, left: int, right: int) -> float:
    """Log selectivity of the joins between two subsets."""
    total = 0.0
    for i in range(len(graph.neighbours)):
        if left >> i & 1:
            shared = graph.neighbours[i] & right
            j = 0
            while shared >> j:
                if shared >> j & 1:
                    total += graph.cross_log[i, j]
                j += 1
    return total


@compiled
def _extend(graph: Graph, model: int, p: Floats, shape: int, cost: Floats, outer: Ints, rows: Floats) -> int:
    """One relation at a time: every subset comes after its own subsets, since its number is larger."""
    n = len(graph.neighbours)
    pairs = 0
    for subset in range(1, 1 << n):
        if subset & (subset - 1) == 0 or not connected(graph.neighbours, subset):
            continue
        extra = query_cost(model, p) if subset == (1 << n) - 1 else 0.0
        for i in range(n):
            one = 1 << i
            rest = subset ^ one
            if not subset & one or not graph.neighbours[i] & rest or not cost[rest] < np.inf:
                continue
            _count(graph, rows, rest, one)
            pairs += 1
            below = cost[rest] + cost[one] + extra
            # two tables are a join of every shape in either order
            if shape != RIGHT_DEEP or rest & (rest - 1) == 0:
                added, _ = join_cost(model, p, graph, rest, one, rows[rest], rows[one], rows[subset], AUTO)
                if below + added < cost[subset]:
                    cost[subset] = below + added
                    outer[subset] = rest
            if shape != LEFT_DEEP or rest & (rest - 1) == 0:
                added, _ = join_cost(model, p, graph, one, rest, rows[one], rows[rest], rows[subset], AUTO)
                if below + added < cost[subset]:
                    cost[subset] = below + added
                    outer[subset] = one
    return pairs


@compiled
def unfold(outer: Ints, subset: int) -> Ints:
    """The joins of a subset's best plan, children before parents.  (members - 1, 2)"""
    members = 0
    for i in range(63):
        members += subset >> i & 1
    joins = np.zeros((members - 1, 2), np.int64)
    at = members - 1
    waiting = np.zeros(members, np.int64)
    waiting[0], count = subset, 1
    while count:
        count -= 1
        here = waiting[count]
        if here & (here - 1):
            at -= 1
            joins[at, 0], joins[at, 1] = outer[here], here ^ outer[here]
            waiting[count], waiting[count + 1] = joins[at, 0], joins[at, 1]
            count += 2
    return joins
