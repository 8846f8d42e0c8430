# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trimtab.problems.join_ordering.problem import Cardinalities, JoinPlan, JoinQuery
from trimtab.problems.join_ordering.selection import correction, statistics, synopsis
from trimtab.problems.join_ordering.selection.choose import Chooser, DuckChooser, smaller_inside
from trimtab.problems.join_ordering.selection.estimator import Estimator
from trimtab.problems.join_ordering.simulator import plan_cost
from trimtab.problems.join_ordering.system.duckdb import DuckEngine, duckdb_statement
from trimtab.problems.join_ordering.system.plans import IN_MEMORY, LOOPS, settings_of
from trimtab.problems.join_ordering.system.postgresql import statement
from trimtab.problems.join_ordering.system.session import Session
from trimtab.problems.join_ordering.workload.aptdb import HABITS
from trimtab.problems.join_ordering.workload.database import Database
from trimtab.problems.join_ordering.workload.harvest import Amount, generate, query_of


@pytest.fixture(scope="module")
def queries(small_aptdb: Database) -> list[JoinQuery]:
    return list(generate(small_aptdb, HABITS, Amount(shapes=8, per_shape=2, seed=9, most_rows=200_000), "t"))


@pytest.fixture(scope="module")
def estimator(small_aptdb: Database, duck: Any, queries: list[JoinQuery]) -> Estimator:
    columns = statistics.gather(duck, small_aptdb)
    learnt = correction.fit(queries[::2], [columns.base_rows(query) for query in queries[::2]])
    return Estimator(columns, learnt, synopsis.gather(duck, small_aptdb))


def test_every_subset_has_rows_and_the_sample_makes_them_better(estimator: Estimator, queries: list[JoinQuery]):
    errors: dict[str, list[float]] = {"product": [], "learnt": [], "both": []}
    for query in queries[1::2]:  # templates are known, these queries are not
        true = np.log(np.maximum(1, query.cardinalities.rows))
        base = estimator.statistics.base_rows(query)
        both = estimator.cardinalities(query)
        assert both.subsets.tolist() == query.cardinalities.subsets.tolist()
        assert (both.rows >= 1 - 1e-9).all()
        errors["product"] += np.abs(correction.product_logs(query, base, both.subsets) - true).tolist()
        errors["learnt"] += np.abs(np.log(estimator.learnt(query).rows) - true).tolist()
        errors["both"] += np.abs(np.log(both.rows) - true).tolist()
    means = {name: float(np.mean(values)) for name, values in errors.items()}
    assert means["both"] < means["learnt"] < means["product"]


@pytest.mark.parametrize("tiny_ms", [0.0, 1e9])
def test_chosen_plans_run_and_count_the_same(
    tiny_ms: float, estimator: Estimator, queries: list[JoinQuery], session: Session
):
    seen = set()
    for query in queries:
        plan = Chooser(estimator, tiny_ms).choose(query)
        assert plan.flaw(query) == ""
        assert plan.settings in (LOOPS, IN_MEMORY)
        seen.add(plan.settings)
        with session.settings(dict(settings_of(plan))):
            assert session.rows(statement(query, plan)) == [(query.cardinalities.get(query.everything),)]
    assert seen


def test_good_estimates_give_nearly_the_best_order(estimator: Estimator, queries: list[JoinQuery]):
    """Under true counts, the orders chosen for DuckDB cost at most half as much again as the best, on the mean."""
    from trimtab.problems.join_ordering.simulator import optimum

    ratios = []
    for query in queries:
        plan = DuckChooser(estimator, least_rows=0).choose(query)
        assert plan is not None
        best = optimum(query, "c_out", query.cardinalities)[1]
        ratios.append(plan_cost(query, plan, "c_out", query.cardinalities) / best)
    assert min(ratios) >= 1 - 1e-9
    assert np.mean(ratios) < 1.5


def test_duckdb_is_left_alone_where_nothing_can_be_gained(estimator: Estimator, queries: list[JoinQuery], duck: Any):
    assert all(DuckChooser(estimator, least_rows=1e12).choose(query) is None for query in queries)
    query = queries[0]
    plan = DuckChooser(estimator, least_rows=0).choose(query)
    assert duck.execute(duckdb_statement(query, plan)).fetchone() == (query.cardinalities.get(query.everything),)
    assert DuckEngine(duck).run(query, plan, 60_000, lean=True).ms > 0


def test_the_smaller_operand_is_hashed():
    query = query_of("SELECT 1 FROM a, b, c WHERE a.x = b.x AND b.y = c.y", "q", None)
    cards = Cardinalities.of({1: 5, 2: 50, 4: 9, 3: 7, 6: 8, 7: 6}, "count")
    plan = smaller_inside(JoinPlan.of(((0, 1), 2)), replace(query, cardinalities=cards).cardinalities)
    assert plan.joins.tolist() == [[2, 1], [4, 3]]
