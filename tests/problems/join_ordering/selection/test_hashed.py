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
from trimtab.problems.join_ordering.selection.pricing import BUILD, EMIT, FILTER, SPARE, Sheet
from trimtab.problems.join_ordering.simulator import optimum, plan_cost
from trimtab.problems.join_ordering.sql.text import count_sql
from trimtab.problems.join_ordering.system.duckdb import duckdb_statement

from ..queries import trees


def by_hand(query: JoinQuery, plan: JoinPlan, duck: Any, counts: dict[tuple[int, int], float]) -> float:
    """ns of a plan: its smaller operands hashed, its results given, conditions checked on rows that may join."""
    known = dict(zip(query.cardinalities.subsets.tolist(), np.maximum(1.0, query.cardinalities.rows), strict=True))
    total = 0.0
    for i, relation in enumerate(query.relations):
        if relation.predicates:
            total += float(PRICES[FILTER]) * free_rows(query, 0, i, duck, counts)
    for outer, inner in plan.joins.tolist():
        hashed, other = (outer, inner) if known[outer] < known[inner] else (inner, outer)
        total += float(PRICES[BUILD] * known[hashed] + PRICES[EMIT] * known[outer | inner])
        i = other.bit_length() - 1
        if other == 1 << i and query.relations[i].predicates:
            joined = max(1.0, free_rows(query, hashed, i, duck, counts))
            total += float(PRICES[SPARE]) * max(0.0, free_rows(query, 0, i, duck, counts) - joined)
    return total


def free_rows(query: JoinQuery, others: int, i: int, duck: Any, counts: dict[tuple[int, int], float]) -> float:
    """Rows of relation `i`, without its conditions, joined with the others."""
    if (others, i) not in counts:
        relations = list(query.relations)
        relations[i] = replace(relations[i], predicates=())
        text = count_sql(replace(query, relations=tuple(relations)), others | 1 << i)
        counts[others, i] = duck.execute(text).fetchone()[0]
    return counts[others, i]


def test_no_order_is_cheaper_under_true_counts(whole: Memory, queries: list[JoinQuery], duck: Any):
    compared = differ = 0
    for query in queries:
        plan = DuckChooser(whole, quick=whole.sizes).choose(query)
        assert plan is not None
        assert duck.execute(duckdb_statement(query, plan)).fetchone() == (query.cardinalities.get(query.everything),)
        if query.num_relations <= 5:
            counts: dict[tuple[int, int], float] = {}
            others = [by_hand(query, JoinPlan.of(tree), duck, counts) for tree in trees(query, query.everything)]
            assert by_hand(query, plan, duck, counts) == pytest.approx(min(others))
            compared += len(others)
            differ += max(others) > 1.5 * min(others)
    assert compared > 200
    assert differ > 5


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
