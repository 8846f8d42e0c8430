# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.core.errors import Unavailable
from trimtab.problems.join_ordering.problem import JoinPlan, JoinQuery, Tree
from trimtab.problems.join_ordering.simulator import dp
from trimtab.problems.join_ordering.simulator.models import model_number, parameters
from trimtab.problems.join_ordering.simulator.pack import pack
from trimtab.problems.join_ordering.simulator.plans import optimum
from trimtab.problems.join_ordering.workload import staged

from ..queries import SHAPES, cost, random_query, rows, trees

MODELS = ("c_out", "cm1", "cm2", "cm3")


def table(query: JoinQuery, shape: str = "bushy") -> dp.Table:
    number = model_number(query.cost_model)
    return dp.Table(pack(query), number, parameters(number), dp.SHAPES.index(shape))


def is_shaped(tree: Tree, shape: str) -> bool:
    if isinstance(tree, int):
        return True
    outer, inner = tree
    tables = isinstance(outer, int), isinstance(inner, int)
    allowed = {"left_deep": tables[1], "right_deep": tables[0], "zig_zag": any(tables), "bushy": True}[shape]
    return allowed and is_shaped(outer, shape) and is_shaped(inner, shape)


@settings(max_examples=60)
@given(
    st.sampled_from(SHAPES), st.integers(2, 5), st.integers(0, 10**6), st.sampled_from(MODELS),
    st.sampled_from(dp.SHAPES), st.booleans(),
)  # fmt: skip
def test_it_is_the_cheapest_of_all_trees(graph: str, n: int, seed: int, model: str, shape: str, product: bool) -> None:
    query = random_query(graph, n, seed, product=product, model=model)
    least = min(cost(query, tree) for tree in trees(query, query.everything) if is_shaped(tree, shape))
    found = table(query, shape)
    plan = JoinPlan(found.joins(query.everything))
    assert found.cost[query.everything] == pytest.approx(least, rel=1e-9)
    assert plan.flaw(query) == "" and is_shaped(plan.tree(), shape)
    assert cost(query, plan.tree()) == pytest.approx(least, rel=1e-9)


@pytest.mark.parametrize("n", [2, 3, 5, 8, 10])
def test_every_pair_is_met_once(n: int) -> None:
    """The numbers of csg-cmp pairs in closed form: Moerkotte and Neumann 2006, table 1."""
    pairs = {
        "chain": (n**3 - n) // 6,
        "cycle": (n**3 - 2 * n**2 + n) // 2,
        "star": (n - 1) * 2 ** (n - 2),
        "clique": (3**n - 2 ** (n + 1) + 1) // 2,
    }
    for shape, expected in pairs.items():
        if shape != "cycle" or n > 2:
            assert table(random_query(shape, n, n)).pairs == expected, shape


def test_every_staged_query_of_up_to_seven_relations(public_data: Path) -> None:
    """Against all trees: recursion over subsets, in Python, that knows nothing of DPccp."""
    checked = 0
    for queries in (staged.job("job_m"), staged.job("job_light"), staged.job("job_light_ranges"), staged.stats()):
        for query in queries.values():
            if query.num_relations <= 7:
                checked += 1
                assert optimum(query)[1] == pytest.approx(_least(query, query.everything, {}), rel=1e-9), query.name
    assert checked == 1286


def _least(query: JoinQuery, subset: int, known: dict[int, float]) -> float:
    if subset & (subset - 1) == 0:
        return 0.0
    if subset not in known:
        counted = query.cardinalities.get(subset)
        known[subset] = float("inf")
        outer = (subset - 1) & subset if counted is not None else 0
        while outer:
            below = _least(query, outer, known) + _least(query, subset ^ outer, known)
            known[subset] = min(known[subset], below + max(1.0, counted or 0.0))
            outer = (outer - 1) & subset
    return known[subset]


def test_one_relation_has_a_plan_without_joins() -> None:
    plan, total = optimum(random_query("chain", 1, 0))
    assert plan.joins.shape == (0, 2) and total == 0.0


def test_beyond_the_dense_array_rows_come_from_pairs() -> None:
    """18 relations in a chain: the optimum is not above any left-deep plan, and its cost is that of its tree."""
    query = random_query("chain", 18, 1, product=True)
    plan, total = optimum(query)
    assert total == pytest.approx(cost(query, plan.tree()), rel=1e-9)
    assert total <= table(query, "left_deep").cost[query.everything] * (1 + 1e-12)
    assert rows(query, query.everything) <= total


def test_more_than_twenty_relations_are_refused() -> None:
    with pytest.raises(Unavailable, match="up to 20 relations, not 21"):
        optimum(random_query("chain", 21, 0, product=True))
