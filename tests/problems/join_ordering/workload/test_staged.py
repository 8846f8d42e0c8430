# SPDX-License-Identifier: Apache-2.0
"""The public data against what was published and measured about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trimtab.core.errors import InvalidInstance
from trimtab.problems.join_ordering.problem import BOUND, JoinPlan, JoinQuery
from trimtab.problems.join_ordering.simulator import Table, optimum, pack, plan_cost
from trimtab.problems.join_ordering.simulator.dp import LEFT_DEEP
from trimtab.problems.join_ordering.simulator.greedy import reference
from trimtab.problems.join_ordering.simulator.models import C_OUT
from trimtab.problems.join_ordering.workload import staged
from trimtab.problems.join_ordering.workload.plain_sql import edges, read_block
from trimtab.problems.join_ordering.workload.suites import covers


def of_size(queries: dict[str, JoinQuery], least: int) -> list[JoinQuery]:
    return [query for query in queries.values() if query.num_relations >= least]


@pytest.mark.parametrize(
    ("name", "queries", "subsets", "bounds", "most"),
    [("job_m", 113, 9_472, 1, 11), ("job_light", 70, 696, 1, 5), ("job_light_ranges", 1_000, 10_230, 163, 5)],
)
def test_job_as_its_card_says(name: str, queries: int, subsets: int, bounds: int, most: int, public_data: Path) -> None:
    found = staged.job(name).values()
    kinds = np.concatenate([query.cardinalities.kinds for query in found])
    assert (len(found), len(kinds), int((kinds == BOUND).sum())) == (queries, subsets, bounds)
    assert max(query.num_relations for query in found) == most


def test_bounds_of_whole_queries_in_stats_are_replaced_by_the_published_counts(public_data: Path) -> None:
    found = staged.stats()
    kinds = np.concatenate([query.cardinalities.kinds for query in found.values()])
    assert len(found) == 146 and len(kinds) == 2_577 + sum(q.num_relations for q in found.values())
    assert int((kinds == BOUND).sum()) == 50 - 6
    assert found["stats-000"].cardinalities.get(3) == 79_851
    assert all(query.cardinalities.kinds[-1] != BOUND for query in found.values())


def test_every_query_has_the_counts_of_all_its_connected_subsets(public_data: Path) -> None:
    for queries in (staged.job("job_m"), staged.job("job_light"), staged.job("job_light_ranges"), staged.stats()):
        for query in queries.values():
            pack(query)  # raises where one is missing
    for query in staged.aptdb().values():
        assert covers(query)


def test_job_m_left_deep_and_greedy_as_measured_before(public_data: Path) -> None:
    """Of queries of 4 relations or more, c_out / optimum: mean 1.012 (at most 1.8) and 1.224 (4.1)."""
    left, greedy = [], []
    for query in of_size(staged.job("job_m"), 4):
        least = optimum(query)[1]
        left.append(float(Table(pack(query), C_OUT, np.zeros(1), LEFT_DEEP).cost[query.everything]) / least)
        greedy.append(plan_cost(query, reference(pack(query))) / least)
    assert len(left) == 110
    assert (round(float(np.mean(left)), 3), round(max(left), 1)) == (1.012, 1.8)
    assert (round(float(np.mean(greedy)), 3), round(max(greedy), 1)) == (1.224, 4.1)


def test_postgresql_on_aptdb_as_measured_before(public_data: Path) -> None:
    """Plans by its estimates cost a geometric mean of 3.245 times the optimum, at most 458."""
    regrets = []
    for query in staged.aptdb().values():
        plan = optimum(query, cards=query.estimates)[0]
        regrets.append(plan_cost(query, plan) / optimum(query)[1])
    assert float(np.exp(np.mean(np.log(regrets)))) == pytest.approx(3.245, abs=0.001)
    assert max(regrets) == pytest.approx(458.5, abs=0.1)


@pytest.mark.parametrize("estimator", staged.ESTIMATORS)
def test_estimators_are_matched_by_what_they_estimate(estimator: str, public_data: Path) -> None:
    """A match by row number would give q-errors of orders of magnitude."""
    errors = []
    for query in staged.stats(estimator).values():
        assert query.estimates is not None
        counts = {s: query.cardinalities.get(s) for s in query.estimates.subsets.tolist() if s & (s - 1)}
        errors += [
            abs(np.log(max(query.estimates.get(s) or 1.0, 1.0) / max(rows, 1.0)))
            for s, rows in counts.items()
            if rows is not None
        ]
    median = float(np.exp(np.median(errors)))
    assert median < {"bayescard": 1.3, "flat": 2.0, "deepdb": 2.5, "neurocard": 1000}[estimator]


SQL = "SELECT * FROM a AS x, b AS Y,c AS z WHERE x.id = y.a AND x.id=z.a AND y.s = 'one AND two' AND z.n >= 2.5;"


def test_plain_sql() -> None:
    block = read_block(SQL)
    assert block.tables == {"x": "a", "y": "b", "z": "c"}
    assert block.joins == ((("x", "id"), ("y", "a")), (("x", "id"), ("z", "a")))
    assert block.predicates == {"x": (), "y": ("y.s = 'one AND two'",), "z": ("z.n >= 2.5",)}


def test_joins_that_follow_are_implied_where_they_were_counted() -> None:
    block = read_block(SQL)
    assert [edge.implied for edge in edges(block, frozenset({"id"}))] == [False, False]
    closed = edges(block, frozenset({"id"}), {0b110})
    assert [(edge.left, edge.right, edge.implied) for edge in closed] == [(0, 1, False), (0, 2, False), (1, 2, True)]
    assert closed[0].left_key and not closed[0].right_key and not closed[2].left_key


@pytest.mark.parametrize("sql", ["DROP TABLE x", "SELECT * FROM a", "SELECT * FROM a AS x WHERE y.b = 1", ""])
def test_other_sql_is_refused(sql: str) -> None:
    with pytest.raises(InvalidInstance, match="not a plain benchmark query"):
        read_block(sql)


def test_a_query_is_not_covered_without_all_numbers(public_data: Path) -> None:
    query = next(iter(staged.aptdb().values()))
    assert covers(query) and not covers(replace(query, estimates=None))
    assert JoinPlan(Table(pack(query), C_OUT, np.zeros(1)).joins(query.everything)).flaw(query) == ""
