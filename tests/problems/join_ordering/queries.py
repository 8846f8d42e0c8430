# SPDX-License-Identifier: Apache-2.0
"""Small queries whose every row count is known, and what plans cost, told slowly and plainly."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations

import numpy as np

from trimtab.problems.join_ordering.problem import Cardinalities, JoinEdge, JoinQuery, Relation, Tree, bits

SHAPES = ("chain", "star", "cycle", "clique", "tree")


def graph(shape: str, n: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    if shape == "clique":
        return list(combinations(range(n), 2))
    if shape == "star":
        return [(0, i) for i in range(1, n)]
    if shape == "tree":
        return [(int(rng.integers(i)), i) for i in range(1, n)]
    chain = [(i, i + 1) for i in range(n - 1)]
    return chain + ([(0, n - 1)] if shape == "cycle" and n > 2 else [])


def connected(query: JoinQuery, subset: int) -> bool:
    members = set(bits(subset))
    reached = {min(members)}
    while True:
        more = {j for i in reached for j in bits(int(query.neighbours[i])) if j in members} - reached
        if not more:
            return reached == members
        reached |= more


def random_query(shape: str, n: int, seed: int, *, product: bool = False, model: str = "c_out") -> JoinQuery:
    """Row counts of every connected subset drawn at random, or by the product form; every join is with a key."""
    rng = np.random.default_rng(seed)
    edges = tuple(
        JoinEdge(a, b, f"c{b}", "id", right_key=True, selectivity=float(rng.uniform(1e-3, 0.5)))
        for a, b in graph(shape, n, rng)
    )
    relations = tuple(Relation(f"r{i}", f"t{i}", float(rng.integers(5_000, 90_000))) for i in range(n))
    bare = JoinQuery("q", relations, edges, Cardinalities.of({}, "count"))
    subsets = [1 << i for i in range(n)] if product else [s for s in range(1, 1 << n) if connected(bare, s)]
    rows = {s: float(math.ceil(10 ** rng.uniform(0, 4.5))) for s in subsets}
    return JoinQuery("q", relations, edges, Cardinalities.of(rows, "count"), cost_model=model)


def trees(query: JoinQuery, subset: int) -> Iterator[Tree]:
    """Every binary tree of a subset without cross products, both orders of every join."""
    members = list(bits(subset))
    if len(members) == 1:
        yield members[0]
        return
    outer = (subset - 1) & subset
    while outer:
        inner = subset ^ outer
        if connected(query, outer) and connected(query, inner) and joined(query, outer, inner):
            for a in trees(query, outer):
                for b in trees(query, inner):
                    yield (a, b)
        outer = (outer - 1) & subset


def joined(query: JoinQuery, a: int, b: int) -> bool:
    return any(int(query.neighbours[i]) & b for i in bits(a))


def rows(query: JoinQuery, subset: int) -> float:
    """Counted, or the product form."""
    known = query.cardinalities.get(subset)
    if known is not None:
        return known
    product = math.prod(query.cardinalities.get(1 << i) or 0.0 for i in bits(subset))
    return product * math.prod(e.selectivity for e in query.edges if subset >> e.left & 1 and subset >> e.right & 1)


def cost(query: JoinQuery, tree: Tree, memory: float = 20_000.0) -> float:
    """c_out, cm1, cm2 and cm3, written down from the papers."""
    model = query.cost_model

    def leaf(i: int) -> float:
        return 0.0 if model == "c_out" else max(1.0, rows(query, 1 << i))

    def walk(node: Tree) -> tuple[int, float]:
        if isinstance(node, int):
            return 1 << node, leaf(node)
        (outer, below_outer), (inner, below_inner) = walk(node[0]), walk(node[1])
        left, right, out = (max(1.0, rows(query, s)) for s in (outer, inner, outer | inner))
        both = below_outer + below_inner
        table = isinstance(node[1], int)
        if model == "cm1":
            total = both + out
            if table and any(e.right == node[1] and outer >> e.left & 1 for e in query.edges):
                total = min(total, below_outer + max(left, out))
        elif model == "cm2":
            if left + right <= memory:
                total = both + out
            elif min(left, right) <= memory:
                total = both + 2 * (left + right) + out
            else:
                total = both + right + math.ceil(right / memory) * left + out
        elif model == "cm3" and table:
            total = below_outer + out
        else:
            total = both + out
        return outer | inner, total

    return walk(tree)[1]
