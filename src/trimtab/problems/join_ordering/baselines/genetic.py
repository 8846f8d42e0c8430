# SPDX-License-Identifier: Apache-2.0
"""A genetic optimiser after PostgreSQL's GEQO: permutations, edge recombination, a steady state.

As there: a pool of 2 ** (n + 1) permutations, at least 50 and at most 250 (effort
5); as many generations; each makes one child of two parents chosen with a linear
bias of 2 towards the best, and drops the worst. A permutation is decoded by
merging clumps: a relation joins the first clump that it can be joined with.
"""

from __future__ import annotations

import numpy as np

from trimtab.kit.compiled import compiled

from ..problem import Flags, Floats, Ints
from ..simulator.greedy import cheaper, joined, merge, start
from ..simulator.pack import Graph


@compiled
def geqo(graph: Graph, model: int, p: Floats, seed: int) -> Ints:
    """The best plan of the last pool.  (relations - 1, 2)"""
    np.random.seed(seed)
    n = len(graph.neighbours)
    size = max(50, min(250, 2 ** min(n + 1, 20)))
    pool, worth = np.zeros((size, n), np.int64), np.zeros(size)
    joins = np.zeros((n - 1, 2), np.int64)
    for k in range(size):
        pool[k] = np.random.permutation(n)
        worth[k] = decode(graph, model, p, pool[k], joins)
    rank = np.argsort(worth)
    pool, worth = pool[rank], worth[rank]
    for _ in range(size):
        child = recombine(pool[_biased(size)], pool[_biased(size)])
        cost = decode(graph, model, p, child, joins)
        if cost < worth[size - 1]:
            at = size - 1
            while at > 0 and worth[at - 1] > cost:
                worth[at] = worth[at - 1]
                pool[at] = pool[at - 1]
                at -= 1
            worth[at] = cost
            pool[at] = child
    decode(graph, model, p, pool[0], joins)
    return joins


@compiled
def _biased(size: int) -> int:
    """A place in the pool; the density falls linearly from 2 at the best to 0 at the worst."""
    return min(size - 1, int(size * (1.0 - np.sqrt(1.0 - np.random.random()))))


@compiled
def decode(graph: Graph, model: int, p: Floats, order: Ints, joins: Ints) -> float:
    """The plan of a permutation into `joins`; returns its cost without leaves."""
    n = len(order)
    sets, logs, adjacent, cross = start(graph)
    clumps, count = np.zeros(n, np.int64), 0
    done, total = 0, 0.0
    for k in range(n):
        here = order[k]
        grown = True
        while grown:
            grown = False
            for c in range(count):
                other = clumps[c]
                if adjacent[here, other]:
                    out = joined(graph, sets, logs, cross, other, here)
                    added, swap = cheaper(graph, model, p, sets, logs, other, here, out)
                    joins[done, 0], joins[done, 1] = sets[other], sets[here]
                    if swap:
                        joins[done, 0], joins[done, 1] = sets[here], sets[other]
                    total += added
                    done += 1
                    merge(sets, logs, adjacent, cross, other, here, out)
                    for d in range(c, count - 1):
                        clumps[d] = clumps[d + 1]
                    count -= 1
                    here = other
                    grown = True
                    break
        clumps[count] = here
        count += 1
    return total


@compiled
def recombine(mother: Ints, father: Ints) -> Ints:
    """Edge recombination (Whitley, Starkweather and Fuquay 1989): neighbours in either parent stay neighbours."""
    n = len(mother)
    near, degree = np.full((n, 4), -1, np.int64), np.zeros(n, np.int64)
    for parent in range(2):
        tour = mother if parent == 0 else father
        for k in range(n):
            for other in (tour[k - 1], tour[(k + 1) % n]):
                known = False
                for d in range(degree[tour[k]]):
                    known |= near[tour[k], d] == other
                if not known and other != tour[k]:
                    near[tour[k], degree[tour[k]]] = other
                    degree[tour[k]] += 1
    child, used = np.zeros(n, np.int64), np.zeros(n, np.bool_)
    child[0] = mother[0] if np.random.random() < 0.5 else father[0]
    used[child[0]] = True
    for k in range(1, n):
        child[k] = _next(near, degree, used, child[k - 1])
        used[child[k]] = True
    return child


@compiled
def _next(near: Ints, degree: Ints, used: Flags, here: int) -> int:
    """The unused neighbour that has the fewest unused ones itself; a random one where all are used."""
    n = len(used)
    best, fewest, ties = -1, 5, 0
    for d in range(degree[here]):
        other = near[here, d]
        if not used[other]:
            left = 0
            for e in range(degree[other]):
                left += 0 if used[near[other, e]] else 1
            ties = ties + 1 if left == fewest else 1
            if left < fewest or (left == fewest and np.random.randint(ties) == 0):
                best, fewest = other, left
    if best >= 0:
        return best
    at = np.random.randint(n)
    while used[at]:
        at = (at + 1) % n
    return at
