# SPDX-License-Identifier: Apache-2.0
"""Bounds against tables that are really joined."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from trimtab.core.task import Budget, Task
from trimtab.problems.join_ordering.baselines import Pessimistic, upper_bounds
from trimtab.problems.join_ordering.problem import BOUND, Cardinalities, JoinEdge, JoinQuery, Relation
from trimtab.problems.join_ordering.simulator import Simulator

from ..queries import SHAPES, connected, graph

ROWS, VALUES = 30, 6


def counted(shape: str, n: int, seed: int) -> JoinQuery:
    """Tables of skewed values, joined by nested loops."""
    rng = np.random.default_rng(seed)
    pairs = graph(shape, n, rng)
    columns = {
        (i, c): rng.geometric(0.4, ROWS) % VALUES for c, pair in enumerate(pairs) for i in pair
    }  # column c of both ends
    edges = tuple(
        JoinEdge(
            a, b, f"c{c}", f"c{c}",
            left_frequency=float(max(Counter(columns[a, c].tolist()).values())),
            right_frequency=float(max(Counter(columns[b, c].tolist()).values())),
        )
        for c, (a, b) in enumerate(pairs)
    )  # fmt: skip
    relations = tuple(Relation(f"r{i}", f"t{i}", float(ROWS)) for i in range(n))
    bare = JoinQuery("q", relations, edges, Cardinalities.of({}, "count"))
    counts = {s: _count(s, pairs, columns) for s in range(1, 1 << n) if connected(bare, s)}
    return replace(bare, cardinalities=Cardinalities.of(counts, "count"))


def _count(subset: int, pairs: list[tuple[int, int]], columns: dict[tuple[int, int], np.ndarray]) -> float:
    members = [i for i in range(8) if subset >> i & 1]
    found = np.zeros((1, 0), np.int64)  # rows of the join: a row number of each member
    for k, i in enumerate(members):
        left, right = np.repeat(np.arange(len(found)), ROWS), np.tile(np.arange(ROWS), len(found))
        keep = np.ones(len(left), bool)
        for c, (a, b) in enumerate(pairs):
            for here, other in ((a, b), (b, a)):
                if here == i and other in members[:k]:
                    theirs = found[left, members.index(other)]
                    keep &= columns[i, c][right] == columns[other, c][theirs]
        found = np.column_stack([found[left[keep]], right[keep]])
    return float(len(found))


@pytest.mark.parametrize("shape", ["chain", "star", "cycle"])
@pytest.mark.parametrize("seed", range(3))
def test_no_count_is_above_its_bound(shape: str, seed: int) -> None:
    query = counted(shape, 3, seed)
    found = upper_bounds(query)
    assert (found.kinds == BOUND).all()
    assert found.subsets.tolist() == query.cardinalities.subsets.tolist()
    assert (found.rows >= query.cardinalities.rows * (1 - 1e-9)).all()


def test_a_key_bounds_by_what_it_joins() -> None:
    query = counted("chain", 3, 0)
    edges = tuple(replace(edge, right_key=True) for edge in query.edges)
    found = upper_bounds(replace(query, edges=edges))
    assert found.get(3) == pytest.approx(ROWS) and found.get(7) == pytest.approx(ROWS)


def test_an_unknown_frequency_is_the_table() -> None:
    query = counted("chain", 2, 0)
    nothing = tuple(replace(e, left_frequency=float("nan"), right_frequency=float("nan")) for e in query.edges)
    assert upper_bounds(replace(query, edges=nothing)).get(3) == pytest.approx(ROWS**2)


@pytest.mark.parametrize("shape", SHAPES)
def test_it_plans_by_them(shape: str) -> None:
    query = counted(shape, 3, 1)
    plan = Pessimistic().solve(Task(query, Simulator(), Budget(0), 0))
    assert plan.flaw(query) == ""
    bound = upper_bounds(query)
    first = int(plan.joins[0, 0] | plan.joins[0, 1])
    pairs = [float(bound.get(s) or 0.0) for s in (3, 5, 6) if bound.get(s) is not None]
    assert bound.get(first) == pytest.approx(min(pairs))
