# SPDX-License-Identifier: Apache-2.0
"""Upper bounds of row counts, and planning by them: what is cheap at worst can't surprise.

A join with relation b on column c adds at most as many rows for each as the most
frequent value of c has in b: 1 where c is a key. So |S and b| <= |S| f(b, c),
and over all orders in which S can grow the least such product bounds it (Hertzschuch
et al., *Simplicity Done Right*, CIDR 2021; the bounds of SafeBound and of AGM
type are tighter, and need more than one number per column).
"""

from __future__ import annotations

import numpy as np

from trimtab.kit.compiled import compiled

from ..problem import BOUND, Cardinalities, Floats, JoinQuery
from ..simulator.pack import Graph, connected, pack


def upper_bounds(query: JoinQuery) -> Cardinalities:
    """Bounds of every connected subset, of single relations what the optimiser believes of their predicates.

    A frequency that is not known is bounded by the relation's rows.
    """
    graph = pack(query)
    rows = np.full(1 << query.num_relations, np.nan)
    _grow(graph, _frequencies(query, graph), rows)
    subsets = np.flatnonzero(np.isfinite(rows)).astype(np.int64)
    kinds = np.full(len(subsets), BOUND, np.int8)
    return Cardinalities(subsets, np.exp(np.minimum(rows[subsets], 690.0)), kinds, "upper bound")


def _frequencies(query: JoinQuery, graph: Graph) -> Floats:
    """[i, b]: log of the most rows of b that join one row of i; inf where they are not joined."""
    most = np.full((query.num_relations, query.num_relations), np.inf)
    for edge in query.edges:
        for i, b, key, frequency in (
            (edge.left, edge.right, edge.right_key, edge.right_frequency),
            (edge.right, edge.left, edge.left_key, edge.left_frequency),
        ):
            known = 0.0 if key else float(np.log(frequency)) if frequency >= 1 else np.inf
            most[i, b] = min(most[i, b], known, max(0.0, float(graph.base_log[b])))
    return most


@compiled
def _grow(graph: Graph, most: Floats, rows: Floats) -> None:
    n = len(graph.neighbours)
    for i in range(n):
        rows[1 << i] = graph.base_log[i]
    for subset in range(1, 1 << n):
        if subset & (subset - 1) == 0 or not connected(graph.neighbours, subset):
            continue
        rows[subset] = np.inf
        for b in range(n):
            rest = subset & ~(1 << b)
            if rest == subset or not graph.neighbours[b] & rest or np.isnan(rows[rest]):
                continue
            for i in range(n):
                if rest >> i & 1:
                    rows[subset] = min(rows[subset], rows[rest] + most[i, b])
