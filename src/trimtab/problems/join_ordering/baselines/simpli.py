# SPDX-License-Identifier: Apache-2.0
"""Simpli-Squared (Datta, Izenov, Tsan and Rusu 2021): a join order without any cardinality estimate.

All it looks at is which columns are keys, and the sizes of the tables. The join
graph is split along its many-to-many joins; inside a part, tables come in by
size, smallest first, whenever a join with a key brings them in; the parts follow
one another by size. The plan is left-deep.
"""

from __future__ import annotations

import numpy as np

from ..problem import JoinPlan, JoinQuery


def simpli_squared(query: JoinQuery) -> JoinPlan:
    """The same plan whatever the predicates are."""
    n = query.num_relations
    size = [relation.rows for relation in query.relations]
    with_key = {
        frozenset((edge.left, edge.right)) for edge in query.edges if edge.left_key or edge.right_key
    }  # one-to-many, or one-to-one
    done = {min(range(n), key=lambda i: (_size(size[i]), i))}
    joins: list[tuple[int, int]] = []
    while len(done) < n:
        near = [i for i in range(n) if i not in done and any(query.neighbours[i] >> j & 1 for j in done)]
        keyed = [i for i in near if any(frozenset((i, j)) in with_key for j in done)]
        new = min(keyed or near, key=lambda i: (_size(size[i]), i))
        joins.append((sum(1 << i for i in done), 1 << new))
        done.add(new)
    return JoinPlan(np.array(joins, np.int64).reshape(-1, 2))


def _size(rows: float) -> float:
    """A table of unknown size counts as the largest."""
    return rows if rows == rows else float("inf")
