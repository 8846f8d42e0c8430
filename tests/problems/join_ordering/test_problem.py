# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.errors import InvalidInstance
from trimtab.problems.join_ordering.problem import (
    BOUND,
    ESTIMATE,
    Cardinalities,
    JoinEdge,
    JoinPlan,
    JoinQuery,
    Relation,
    bits,
)

from .plans import random_plan
from .queries import SHAPES, random_query

AB = (Relation("a", "t"), Relation("b", "t"))
JOIN = (JoinEdge(0, 1, "x", "y"),)
NONE = Cardinalities.of({}, "count")


@given(st.sampled_from(SHAPES), st.integers(2, 8), st.integers(0, 10**6))
def test_a_tree_is_its_plan_and_back(shape: str, n: int, seed: int) -> None:
    query = random_query(shape, n, seed)
    plan = random_plan(query, seed)
    assert plan.flaw(query) == ""
    assert (JoinPlan.of(plan.tree()).joins[:, 0] | JoinPlan.of(plan.tree()).joins[:, 1]).max() == query.everything
    assert JoinPlan.of(plan.tree()).tree() == plan.tree()


def test_a_plan_in_words() -> None:
    query = random_query("chain", 3, 0)
    assert JoinPlan.of(((0, 1), 2)).text(query) == "((r0 ⋈ r1) ⋈ r2)"
    assert JoinPlan.of(((0, 1), 2)).joins.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("joins", "flaw"),
    [
        ([[1, 2]], "1 joins for 3 relations"),
        ([[1, 4], [5, 2]], "a cross product of ('r0',) and ('r2',)"),
        ([[1, 2], [1, 4]], "not there"),
        ([[1, 2], [3, 3]], "not there"),
        ([[3, 4], [1, 2]], "not there"),
    ],
)
def test_what_is_no_plan_says_why(joins: list[list[int]], flaw: str) -> None:
    assert flaw in JoinPlan(np.array(joins, np.int64)).flaw(random_query("chain", 3, 0))


def test_operators_are_one_per_join() -> None:
    plan = JoinPlan(np.array([[1, 2], [3, 4]], np.int64), np.zeros(1, np.int8))
    assert "1 operators for 2 joins" in plan.flaw(random_query("chain", 3, 0))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: JoinQuery("q", (), (), NONE), "0 relations"),
        (lambda: JoinQuery("q", AB, (), NONE), "cross product"),
        (lambda: JoinQuery("q", (AB[0], AB[0]), JOIN, NONE), "two relations have the alias 'a'"),
        (lambda: JoinQuery("q", AB, (JoinEdge(0, 2, "x", "y"),), NONE), "joins no two"),
        (lambda: JoinQuery("q", AB, (JoinEdge(1, 1, "x", "y"),), NONE), "joins no two"),
        (lambda: JoinQuery("q", AB, JOIN, Cardinalities.of({4: 1.0}, "count")), "not there"),
        (lambda: JoinQuery("q", AB, JOIN, NONE, cost_model="cm9"), "'cm9' is none of c_out"),
        (lambda: Cardinalities.of({1: -1.0}, "count"), "-1.0 rows"),
        (lambda: Cardinalities.of({1: float("nan")}, "count"), "nan rows"),
        (lambda: Cardinalities.of({0: 1.0}, "count"), "not ascending"),
        (lambda: Cardinalities(np.array([2, 1]), np.ones(2), np.zeros(2, np.int8), "x"), "not ascending"),
        (lambda: Cardinalities(np.array([1]), np.ones(1), np.array([7], np.int8), "x"), "none of"),
        (lambda: random_query("chain", 3, 0).bitset(["r0", "nobody"]), "alias 'nobody'"),
    ],
)
def test_nonsense_is_named(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidInstance, match=message):
        make()


def test_kinds_are_kept_apart() -> None:
    cards = Cardinalities.of({1: 5, 2: 6, 3: 7}, "count", bounds=[3])
    assert cards.kinds.tolist() == [0, 0, BOUND] and not cards.exact
    assert Cardinalities.of({1: 5}, "count").exact
    assert not Cardinalities.of({1: 5}, "postgresql", ESTIMATE).exact
    assert cards.get(3) == 7 and cards.get(4) is None


def test_solvers_plan_by_estimates_where_there_are_some() -> None:
    counts, guess = Cardinalities.of({1: 5}, "count"), Cardinalities.of({1: 9}, "guess", ESTIMATE)
    assert JoinQuery("q", AB, JOIN, counts).planning is counts
    assert JoinQuery("q", AB, JOIN, counts, guess).planning is guess


@given(st.integers(0, 2**62 - 1))
def test_bits_add_up(subset: int) -> None:
    assert sum(1 << i for i in bits(subset)) == subset
