# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.core.errors import Unavailable, UnknownName
from trimtab.core.task import Budget, Task
from trimtab.problems.join_ordering.baselines import PLANNERS, Exhaustive, Pessimistic, Planner, Simpli, tree
from trimtab.problems.join_ordering.problem import Cardinalities, JoinPlan, JoinQuery
from trimtab.problems.join_ordering.simulator import Simulator, optimum, pack, plan_cost
from trimtab.problems.join_ordering.simulator.models import model_number, parameters
from trimtab.problems.join_ordering.workload import large

from ..plans import random_plan
from ..queries import SHAPES, cost, random_query, rows

OPTIONS = {"quickpick": {"draws": 50}, "annealing": {"steps": 4000, "hot": 1.0, "cold": 0.001}}


def solve(name: str, query: JoinQuery, seed: int = 0) -> JoinPlan:
    return Planner(name, **OPTIONS.get(name, {})).solve(task(query, seed))


def task(query: JoinQuery, seed: int = 0) -> Task[JoinQuery, JoinPlan]:
    return Task(query, Simulator(), Budget(0), seed)


@settings(max_examples=25)
@given(st.sampled_from(SHAPES), st.integers(2, 9), st.integers(0, 10**6), st.booleans())
def test_all_give_plans_and_none_beats_the_optimum(shape: str, n: int, seed: int, product: bool) -> None:
    for model in ("c_out", "cm1", "cm3"):
        query = random_query(shape, n, seed, product=product, model=model)
        least = optimum(query)[1]
        for name in PLANNERS:
            plan = solve(name, query, seed)
            assert plan.flaw(query) == "", name
            assert plan_cost(query, plan) >= least * (1 - 1e-9), name


@settings(max_examples=30)
@given(st.sampled_from(["chain", "star", "tree"]), st.integers(2, 7), st.integers(0, 10**6))
def test_ikkbz_is_the_best_left_deep_plan_of_a_tree(shape: str, n: int, seed: int) -> None:
    """Against all permutations: the theorem of Ibaraki and Kameda."""
    query = random_query(shape, n, seed, product=True)
    least = float("inf")
    for order in permutations(range(n)):
        done, total = 1 << order[0], 0.0
        for i in order[1:]:
            if not int(query.neighbours[i]) & done:
                total = float("inf")
                break
            done |= 1 << i
            total += rows(query, done)  # not clamped: the theorem needs products
        least = min(least, total)
    plan = solve("ikkbz", query)
    assert sum(rows(query, int(a | b)) for a, b in plan.joins) == pytest.approx(least, rel=1e-9)


@given(st.sampled_from(SHAPES), st.integers(2, 9), st.integers(0, 10**6))
def test_lindp_is_at_least_as_good_as_its_order(shape: str, n: int, seed: int) -> None:
    query = random_query(shape, n, seed, product=True)
    assert plan_cost(query, solve("lindp", query)) <= plan_cost(query, solve("ikkbz", query)) * (1 + 1e-9)


def test_goo_by_hand() -> None:
    """A chain of four: the smallest join is taken first, then the smallest of what is left."""
    counts = {1: 9.0, 2: 9.0, 4: 9.0, 8: 9.0, 3: 50.0, 6: 7.0, 12: 60.0, 7: 30.0, 14: 20.0, 15: 40.0}
    query = random_query("chain", 4, 0)
    query = JoinQuery("q", query.relations, query.edges, Cardinalities.of(counts, "count"))
    assert [int(a | b) for a, b in solve("goo", query).joins] == [6, 14, 15]


def test_quickpick_and_annealing_get_better_with_work() -> None:
    worse = better = annealed = 0.0
    for seed in range(20):
        query = random_query("tree", 9, seed)
        least = optimum(query)[1]
        worse += np.log(plan_cost(query, Planner("quickpick", draws=1).solve(task(query, 1))) / least)
        better += np.log(plan_cost(query, Planner("quickpick", draws=200).solve(task(query, 1))) / least)
        annealed += np.log(plan_cost(query, solve("annealing", query)) / least)
    assert better < 0.5 * worse
    assert annealed < 0.7 * better


@settings(max_examples=30)
@given(
    st.sampled_from(SHAPES), st.integers(3, 9), st.integers(0, 10**6), st.sampled_from(["c_out", "cm1", "cm2", "cm3"])
)
def test_annealing_keeps_its_books(shape: str, n: int, seed: int, model: str) -> None:
    """The cost that it carries from move to move is that of the plan it returns; the best is never lost."""
    query = random_query(shape, n, seed, model=model)
    number = model_number(model)
    start = random_plan(query, seed)
    joins, added = tree.anneal(pack(query), number, parameters(number), start.joins, 300, 1.0, 0.01, seed)
    leaves = 0.0 if model == "c_out" else sum(rows(query, 1 << i) for i in range(n))
    assert cost(query, JoinPlan(joins).tree()) == pytest.approx(added + leaves, rel=1e-9)
    assert added + leaves <= cost(query, start.tree()) * (1 + 1e-9)


def test_equal_seeds_equal_plans() -> None:
    query = random_query("clique", 8, 5)
    for name in ("quickpick", "annealing", "geqo"):
        assert (solve(name, query, 3).joins == solve(name, query, 3).joins).all(), name


def test_sixty_relations() -> None:
    query = large.foreign_keys(large.TPCDS, "q", 60, np.random.default_rng(0))
    for name in PLANNERS:
        assert solve(name, query).flaw(query) == "", name
    for solver in (Exhaustive(), Pessimistic()):
        with pytest.raises(Unavailable, match="up to 20"):
            solver.solve(task(query))


def test_simpli_squared_looks_at_keys_and_sizes_only() -> None:
    """A chain r0 - r1 - r2 whose joins are with keys of r1 and r2: from the smallest table on."""
    query = random_query("chain", 3, 0)
    sizes = [relation.rows for relation in query.relations]
    plan = Simpli().solve(task(query))
    assert plan.joins[0, 0] == 1 << int(np.argmin(sizes))
    other = JoinQuery("q", query.relations, query.edges, Cardinalities.of({}, "nothing"))
    assert (Simpli().solve(task(other)).joins == plan.joins).all()


def test_what_a_method_needs_is_said() -> None:
    query = random_query("chain", 3, 0)
    pairs = Cardinalities.of({3: 5.0, 6: 6.0, 7: 7.0}, "count")
    blind = JoinQuery("q", query.relations, query.edges, pairs)
    for name in ("ikkbz", "lindp", "min_selectivity"):
        with pytest.raises(Unavailable, match="no rows of single relations"):
            solve(name, blind)
    assert solve("geqo", blind).flaw(blind) == ""
    with pytest.raises(UnknownName, match="Did you mean"):
        Planner("lindb")
    with pytest.raises(UnknownName):
        Exhaustive("left-deep").solve(task(query))
