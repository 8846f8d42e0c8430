# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trimtab.problems.join_ordering.problem import JoinPlan, JoinQuery
from trimtab.problems.join_ordering.selection import hashed
from trimtab.problems.join_ordering.selection.hashed import C_OUT, PRICES, DuckChooser, smaller_inside
from trimtab.problems.join_ordering.selection.memory import Memory
from trimtab.problems.join_ordering.selection.pricing import BUILD, EMIT, Sheet
from trimtab.problems.join_ordering.simulator import optimum, plan_cost
from trimtab.problems.join_ordering.system.duckdb import duckdb_statement

from ..queries import trees


def by_hand(query: JoinQuery, plan: JoinPlan) -> float:
    """ns of a plan's joins: its smaller operands hashed, its results given."""
    known = dict(zip(query.cardinalities.subsets.tolist(), np.maximum(1.0, query.cardinalities.rows), strict=True))
    return sum(
        float(PRICES[BUILD] * min(known[outer], known[inner]) + PRICES[EMIT] * known[outer | inner])
        for outer, inner in plan.joins.tolist()
    )


def test_no_order_is_cheaper_under_true_counts(whole: Memory, queries: list[JoinQuery], duck: Any):
    everything = whole.sizes._replace(lookups=False)
    compared = 0
    for query in queries:
        plan = DuckChooser(whole, quick=everything).choose(query)
        assert plan is not None
        assert duck.execute(duckdb_statement(query, plan)).fetchone() == (query.cardinalities.get(query.everything),)
        if query.num_relations <= 5:
            others = [by_hand(query, JoinPlan.of(tree)) for tree in trees(query, query.everything)]
            assert by_hand(query, plan) == pytest.approx(min(others))
            compared += len(others)
    assert compared > 200


def test_rows_alone_may_be_what_an_order_costs(
    whole: Memory, queries: list[JoinQuery], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(hashed, "PRICES", np.where(np.isinf(PRICES), np.inf, C_OUT))
    for query in queries:
        plan = DuckChooser(whole, quick=whole.sizes._replace(lookups=False), close=whole.sizes).choose(query)
        assert plan is not None
        assert plan_cost(query, plan, "c_out", query.cardinalities) == pytest.approx(
            optimum(query, "c_out", query.cardinalities)[1]
        )


def test_the_smaller_operand_is_hashed(whole: Memory, queries: list[JoinQuery]):
    sheet = whole.sheet(next(query for query in queries if query.num_relations >= 4))
    assert isinstance(sheet, Sheet)
    rows = np.array([np.nan, 5, 50, 7, 9, np.nan, 8, 6])
    turned = smaller_inside(sheet._replace(rows=rows), JoinPlan.of(((0, 1), 2)).joins)
    assert turned.tolist() == [[2, 1], [4, 3]]
    assert C_OUT.sum() == 1


def test_what_can_not_be_counted_is_left_to_duckdb(whole: Memory, queries: list[JoinQuery]):
    elsewhere = tuple(replace(relation, table="elsewhere") for relation in queries[0].relations)
    assert DuckChooser(whole).choose(replace(queries[0], relations=elsewhere)) is None
