# SPDX-License-Identifier: Apache-2.0
"""`Graph`: a query as arrays, for compiled code."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from trimtab.core.errors import InvalidInstance
from trimtab.kit.compiled import compiled

from ..problem import Cardinalities, Floats, Ints, JoinQuery

DENSE: Final = 14  # up to so many relations, every subset has its place in an array


class Graph(NamedTuple):
    """A query under one set of row counts. A log is natural."""

    neighbours: Ints  # (relations,) bitset
    base_log: Floats  # (relations,) log rows after predicates; NaN: unknown
    cross_log: Floats  # (relations, relations) log selectivity of the joins of two relations; 0 where there is none
    rows_log: Floats  # (2 ** relations,) by bitset, NaN where not connected; (0,) where the product of the above holds
    table: Floats  # (relations,) rows before predicates
    lookup: Ints  # (relations,) by the inner: bitset of outers that can look it up in an index
    key_lookup: Ints  # (relations,) the same, where the index is that of a key


@lru_cache(maxsize=8192)
def pack(query: JoinQuery, judging: bool = False) -> Graph:
    """The query under what solvers plan with, or under what judges.

    Raises `InvalidInstance` where a connected subset has no row count.
    """
    if judging and query.estimates is None:
        return pack(query)
    return pack_with(query, query.cardinalities if judging else query.planning)


def pack_with(query: JoinQuery, cards: Cardinalities) -> Graph:
    """The query under any row counts."""
    n = query.num_relations
    base = np.array([_log(cards.get(1 << i)) for i in range(n)])
    table = np.array([relation.rows for relation in query.relations])
    table = np.where(np.isfinite(table), np.maximum(table, np.exp(base)), np.exp(base))
    cross, complete = _cross(query)
    lookup, key_lookup = np.zeros(n, np.int64), np.zeros(n, np.int64)
    for edge in query.edges:
        for inner, outer, key, index in (
            (edge.left, edge.right, edge.left_key, edge.left_index),
            (edge.right, edge.left, edge.right_key, edge.right_index),
        ):
            lookup[inner] |= (1 << outer) if index or key else 0
            key_lookup[inner] |= (1 << outer) if key else 0
    rows = np.zeros(0)
    if n <= DENSE:
        rows = np.full(1 << n, np.nan)
        if complete:
            fill(query.neighbours, base, cross, rows)
        rows[cards.subsets] = np.log(np.maximum(cards.rows, 1e-9))
        missing = first_missing(query.neighbours, rows)
        if missing:
            _complain(query, cards, missing)
    elif not complete or np.isnan(base).any():
        _complain(query, cards, query.everything if not complete else 1 << int(np.flatnonzero(np.isnan(base))[0]))
    return Graph(query.neighbours, base, cross, rows, table, lookup, key_lookup)


def _log(rows: float | None) -> float:
    return np.nan if rows is None else float(np.log(max(rows, 1e-9)))


def _cross(query: JoinQuery) -> tuple[Floats, bool]:
    """Log selectivities between two relations, and whether every join has one."""
    cross = np.zeros((query.num_relations, query.num_relations))
    for edge in query.edges:
        log = float(np.log(edge.selectivity)) if edge.selectivity > 0 else np.nan
        cross[edge.left, edge.right] += log
        cross[edge.right, edge.left] += log
    complete = not np.isnan(cross).any()
    return np.where(np.isnan(cross), 0.0, cross), complete


def _complain(query: JoinQuery, cards: Cardinalities, subset: int) -> None:
    raise InvalidInstance(
        f"query {query.name!r}: {cards.source!r} has no rows of {', '.join(query.aliases(subset))}. "
        "Give those of every connected subset, or of every relation and a selectivity of every join."
    )


@compiled
def fill(neighbours: Ints, base: Floats, cross: Floats, rows: Floats) -> None:
    """Log rows of every connected subset by the product form, into `rows`."""
    n = len(neighbours)
    for subset in range(1, 1 << n):
        if connected(neighbours, subset):
            total = 0.0
            for i in range(n):
                if subset >> i & 1:
                    total += base[i]
                    for j in range(i):
                        if subset >> j & 1:
                            total += cross[i, j]
            rows[subset] = total


@compiled
def first_missing(neighbours: Ints, rows: Floats) -> int:
    """A connected subset of two relations or more without rows, or 0."""
    for subset in range(1, len(rows)):
        if subset & (subset - 1) and np.isnan(rows[subset]) and connected(neighbours, subset):
            return subset
    return 0


@compiled
def connected(neighbours: Ints, subset: int) -> bool:
    """Whether the joins inside `subset` connect it."""
    reached = subset & -subset
    grown = True
    while grown:
        grown = False
        for i in range(len(neighbours)):
            if reached >> i & 1:
                new = neighbours[i] & subset & ~reached
                if new:
                    reached |= new
                    grown = True
    return reached == subset
