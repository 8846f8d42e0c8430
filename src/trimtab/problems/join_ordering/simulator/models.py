# SPDX-License-Identifier: Apache-2.0
"""What a join costs: four cost models of the literature, and one of PostgreSQL's executor.

|x| is the rows of x, at least 1 as in PostgreSQL; l is the outer operand, r the
inner one, o the result. A plan costs the sum over its leaves and its joins.

=========  ==============================================================================================
c_out      |o|  (Cluet and Moerkotte 1995): rows of all intermediate results, the last one too
cm1        *index mostly* (Krishnan et al. 2018): a leaf costs its rows; a hash join |o|; a lookup in the
           index of an inner table's key costs max(|l|, |o|), and the table is not read
cm2        *hybrid hash*: hash joins in a memory of M rows. |o| where both operands fit;
           2 (|l| + |r|) + |o| where one does; |r| + ceil(|r| / M) |l| + |o| where none does
cm3        *hash reuse*: |o|; where r is a table its hash table is there already, and r costs nothing. (DQ builds
           on the left operand, as Gamma does; here r is built, so DQ's right-deep plan is left-deep here)
pg_like    ns of PostgreSQL's hash, index, merge and nested-loop joins, see `pg_like.py`
=========  ==============================================================================================
"""

from __future__ import annotations

from typing import Final

import numpy as np

from trimtab.core.errors import UnknownName
from trimtab.kit.compiled import compiled

from ..problem import AUTO, COST_MODELS, HASH, INDEX, LOOP, MERGE, Floats
from .pack import Graph
from .pg_like import (
    BUILD,
    EMIT,
    LOOKUP,
    MATCH,
    MERGE_ROW,
    PAIR,
    PROBE,
    QUERY,
    SCAN,
    SORT,
    coefficients,
)

C_OUT, CM1, CM2, CM3, PG_LIKE = range(5)

MEMORY_ROWS: Final = 20_000.0  # of cm2: PostgreSQL's default work_mem, 4 MB, in rows of 200 B


def model_number(name: str) -> int:
    """Its place in `COST_MODELS`, for compiled code."""
    if name not in COST_MODELS:
        raise UnknownName("cost model", name, COST_MODELS)
    return COST_MODELS.index(name)


def parameters(model: int) -> Floats:
    """What `leaf_cost` and `join_cost` are given as `p`."""
    return coefficients() if model == PG_LIKE else np.array([MEMORY_ROWS])


@compiled
def leaf_cost(model: int, p: Floats, graph: Graph, i: int) -> float:
    """Cost of reading relation `i`."""
    if model == C_OUT:
        return 0.0
    if model == PG_LIKE:
        return float(p[SCAN] * graph.table[i])
    return float(max(1.0, np.exp(graph.base_log[i])))


@compiled
def join_cost(
    model: int, p: Floats, graph: Graph, outer: int, inner: int, rl: float, rr: float, ro: float, asked: int
) -> tuple[float, int]:
    """What a join adds to the costs of its operands, and its operator; inf where `asked` for one that can't be.

    `outer` and `inner` are bitsets; `rl`, `rr` and `ro` the rows of l, r and o.
    """
    rl, rr, ro = max(rl, 1.0), max(rr, 1.0), max(ro, 1.0)
    base = -1  # the inner, where it is a table
    if inner & (inner - 1) == 0:
        base = 0
        while inner >> base > 1:
            base += 1
    if model == C_OUT:
        return ro, AUTO
    if model == CM1:
        if asked != HASH and base >= 0 and graph.key_lookup[base] & outer:
            looked_up = max(rl, ro) - rr
            if looked_up < ro or asked == INDEX:
                return looked_up, INDEX
        return (np.inf, INDEX) if asked == INDEX else (ro, HASH)
    if model == CM2:
        if rl + rr <= p[0]:
            return ro, HASH
        if min(rl, rr) <= p[0]:
            return 2.0 * (rl + rr) + ro, HASH
        return rr + np.ceil(rr / p[0]) * rl + ro, LOOP
    if model == CM3:
        return (ro - rr if base >= 0 else ro), HASH
    return _pg_like(p, graph, outer, base, rl, rr, ro, asked)


@compiled
def _pg_like(
    p: Floats, graph: Graph, outer: int, base: int, rl: float, rr: float, ro: float, asked: int
) -> tuple[float, int]:
    best, chosen = np.inf, HASH
    if asked in (AUTO, HASH):
        best = p[BUILD] * rr + p[PROBE] * rl
    if asked in (AUTO, LOOP):
        cost = p[PAIR] * rl * rr
        if cost < best or asked == LOOP:
            best, chosen = cost, LOOP
    if asked in (AUTO, MERGE):
        cost = p[SORT] * (rl * np.log2(rl + 1.0) + rr * np.log2(rr + 1.0)) + p[MERGE_ROW] * (rl + rr)
        if cost < best or asked == MERGE:
            best, chosen = cost, MERGE
    if asked in (AUTO, INDEX) and base >= 0 and graph.lookup[base] & outer:
        matches = ro * graph.table[base] / rr  # before the inner's predicates, as if these did not care
        cost = p[LOOKUP] * rl + p[MATCH] * matches - p[SCAN] * graph.table[base]
        if cost < best or asked == INDEX:
            best, chosen = cost, INDEX
    if asked == INDEX and chosen != INDEX:
        return np.inf, INDEX
    return best + p[EMIT] * ro, chosen


@compiled
def query_cost(model: int, p: Floats) -> float:
    """What every plan costs, whatever its joins."""
    return p[QUERY] if model == PG_LIKE else 0.0
