# SPDX-License-Identifier: Apache-2.0
"""Favourite children by linear programming (Hanen and Munier 1995), as in Baechi's m-SCT; solved with HiGHS."""

from __future__ import annotations

from typing import Final

import numpy as np

from trimtab.core.extras import need

from ..simulator.pack import Ints32
from .common import Prepared

THRESHOLD: Final = 0.1  # Baechi's: x below it makes a favourite


def favourite_children(ready: Prepared) -> Ints32:
    """The child that each op should share its device with; -1: none.  (ops,)

    minimise w; x in [0, 1] per edge, 0 for a favourite:
    start_i + p_i + x_ij c_ij <= start_j;  start_i + p_i <= w;
    every op has at most one favourite child, and is that of at most one parent.
    """
    optimize = need("scipy.optimize", extra="fast", purpose="m_sct")
    sparse = need("scipy.sparse", extra="fast", purpose="m_sct")
    p, n = ready.packed, len(ready.unit)
    finite = np.where(np.isfinite(p.cost), p.cost, np.nan)
    cost = np.nanmean(finite, axis=1)
    k = len(p.overhead)
    apart = ~np.eye(k, dtype=bool)
    transfer = np.zeros(len(p.bytes)) if k == 1 else p.alpha[apart].mean() + p.beta[apart].mean() * p.bytes
    tensor = np.repeat(np.arange(len(p.bytes)), np.diff(p.reader_start))
    pairs = {(int(p.tensor_op[t]), int(c)): 0.0 for t, c in zip(tensor, p.reader, strict=True)}
    for t, c in zip(tensor, p.reader, strict=True):
        key = (int(p.tensor_op[t]), int(c))
        pairs[key] = max(pairs[key], float(transfer[t]))
    favourite = np.full(n, -1, np.int32)
    if not pairs:
        return favourite
    parent, child = np.array(list(pairs)).T
    delay, edges = np.array(list(pairs.values())), len(pairs)
    scale = max(cost.max(), delay.max(), 1e-300)
    cost, delay = cost / scale, delay / scale
    # variables: start (n), x (edges), w
    row = np.arange(edges)
    data = sparse.coo_matrix(
        (
            np.concatenate([np.ones(edges), -np.ones(edges), delay]),
            (np.tile(row, 3), np.concatenate([parent, child, n + row])),
        ),
        (edges, n + edges + 1),
    )
    last = sparse.coo_matrix(
        (np.r_[np.ones(n), -np.ones(n)], (np.tile(np.arange(n), 2), np.r_[np.arange(n), np.full(n, n + edges)])),
        (n, n + edges + 1),
    )
    children = sparse.coo_matrix((-np.ones(edges), (parent, n + row)), (n, n + edges + 1))
    parents = sparse.coo_matrix((-np.ones(edges), (child, n + row)), (n, n + edges + 1))
    limit = np.concatenate(
        [
            -cost[parent],
            -cost,
            np.minimum(0, 1 - np.bincount(parent, minlength=n)),
            np.minimum(0, 1 - np.bincount(child, minlength=n)),
        ]
    )
    objective = np.zeros(n + edges + 1)
    objective[-1] = 1.0
    solved = optimize.linprog(
        objective,
        sparse.vstack([data, last, children, parents]).tocsr(),
        limit,
        bounds=[(0, None)] * n + [(0, 1)] * edges + [(0, None)],
        method="highs",
    )
    x = solved.x[n : n + edges]
    for e in np.argsort(-x, kind="stable"):  # the surest last
        if x[e] < THRESHOLD:
            favourite[parent[e]] = child[e]
    return favourite
