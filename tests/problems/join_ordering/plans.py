# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random

from trimtab.problems.join_ordering.problem import JoinPlan, JoinQuery, Tree, bits


def random_plan(query: JoinQuery, seed: int) -> JoinPlan:
    """Any two joinable parts, until one is left."""
    draw = random.Random(seed)
    parts: dict[int, Tree] = {1 << i: i for i in range(query.num_relations)}
    while len(parts) > 1:
        a, b = draw.sample(sorted(parts), 2)
        if any(int(query.neighbours[i]) & b for i in bits(a)):
            parts[a | b] = (parts.pop(a), parts.pop(b))
    return JoinPlan.of(next(iter(parts.values())))
