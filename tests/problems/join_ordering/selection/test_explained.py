# SPDX-License-Identifier: Apache-2.0
"""Work that is counted from true rows is the work that PostgreSQL then does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from trimtab.problems.join_ordering.problem import JoinQuery
from trimtab.problems.join_ordering.selection.explained import UNITS, prices, work
from trimtab.problems.join_ordering.selection.memory import Memory
from trimtab.problems.join_ordering.selection.pricing import cheapest
from trimtab.problems.join_ordering.selection.pricing import prices as own_prices
from trimtab.problems.join_ordering.system.plans import EnginePlan, settings_of
from trimtab.problems.join_ordering.system.postgresql import statement
from trimtab.problems.join_ordering.system.session import Session


def nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from nodes(child)


@pytest.mark.parametrize("bound", [False, True])
def test_joins_and_lookups(bound: bool, queries: list[JoinQuery], whole: Memory, session: Session):
    looked_up = 0.0
    for query in queries:
        sheet = whole.sheet(query)
        assert sheet is not None
        _, joins, operators = cheapest(sheet, own_prices())
        plan = EnginePlan(joins, operators, bound=True) if bound else None
        with session.settings({"enable_memoize": "off", **dict(settings_of(plan) if plan else ())}):
            root = session.plan(statement(query, plan), options=", ANALYZE, TIMING OFF")
        done = dict(zip(UNITS, work(query, root, sheet, whole).tolist(), strict=True))
        emitted, read, lookups = 0.0, 0.0, 0.0
        for node in nodes(root):
            times, rows = node["Actual Loops"], node["Actual Rows"]
            emitted += rows * times if "Join" in node["Node Type"] or node["Node Type"] == "Nested Loop" else 0
            read += (rows + node.get("Rows Removed by Filter", 0)) * times if node["Node Type"] == "Seq Scan" else 0
            lookups += times if node["Node Type"].startswith("Index") and "Index Cond" in node else 0
        # EXPLAIN rounds rows to whole ones a loop; no row at all is priced as one
        assert done["emit"] == pytest.approx(emitted, rel=0.1, abs=query.num_relations + 0.6 * lookups), query.sql
        if not any(node["Node Type"] in ("Nested Loop", "Materialize") for node in nodes(root)):
            assert done["scan"] == pytest.approx(read, rel=0.01, abs=query.num_relations)
        if bound and not any(node["Node Type"].startswith("Bitmap") for node in nodes(root)):
            assert done["lookup"] == pytest.approx(lookups, rel=0.05, abs=query.num_relations)
        looked_up += lookups
    assert looked_up > 100


def test_prices_are_there_and_sane():
    assert (prices() >= 0).all()
    assert np.isfinite(prices()).all()
