# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np
import pytest

from trimtab.core.errors import InvalidInstance
from trimtab.problems.join_ordering.problem import Cardinalities, JoinQuery
from trimtab.problems.join_ordering.sql import TableInfo, connected_subsets, count_sql
from trimtab.problems.join_ordering.system.physical import FEATURES, fit, ns_per_unit, rows_in, work
from trimtab.problems.join_ordering.system.session import Session, catalogue_of
from trimtab.problems.join_ordering.workload.harvest import query_of

KEYED = {"a": TableInfo(("x", "y"), 1000.0), "b": TableInfo(("x",), 10.0, keys=frozenset({"x"}))}
HASH = {
    "Node Type": "Hash Join",
    "Plans": [
        {"Node Type": "Seq Scan", "Alias": "a", "Filter": "(y = 1)"},
        {"Node Type": "Hash", "Plans": [{"Node Type": "Seq Scan", "Alias": "b"}]},
    ],
}
LOOP = {
    "Node Type": "Nested Loop",
    "Plans": [
        {"Node Type": "Seq Scan", "Alias": "a", "Filter": "(y = 1)"},
        {"Node Type": "Memoize", "Plans": [{"Node Type": "Index Scan", "Alias": "b", "Index Cond": "(x = a.x)"}]},
    ],
}


def simple() -> tuple[JoinQuery, Cardinalities]:
    query = query_of("SELECT 1 FROM a, b WHERE a.x = b.x AND a.y = 1", "q", KEYED)
    return query, Cardinalities.of({1: 200, 2: 10, 3: 150}, "count")


def units(query: JoinQuery, root: object, cards: Cardinalities) -> dict[str, float]:
    found = work(query, root, cards)  # type: ignore[arg-type]
    return {name: value for name, value in zip(FEATURES, found.tolist(), strict=True) if value}


def test_a_hash_join_by_hand():
    query, cards = simple()
    assert units(query, HASH, cards) == {
        "query": 1, "relation": 2, "scan": 1010, "filter": 1000, "build": 10, "probe": 200, "emit": 150,
    }  # fmt: skip


def test_a_loop_with_a_cache_looks_each_value_up_once():
    query, cards = simple()
    found = units(query, LOOP, cards)
    assert found["memoize"] == 200
    assert found["index_descent"] == found["index_match"] == pytest.approx(10, rel=1e-6)
    assert found["emit"] == 150
    assert "pair" not in found


def test_rows_of_parts_that_are_not_joined_multiply():
    query = query_of("SELECT 1 FROM a, b, c WHERE a.x = b.x AND b.y = c.y", "q", None)
    rows = rows_in(query, Cardinalities.of({1: 20, 2: 0, 4: 30, 3: 7, 6: 9, 7: 2}, "count"))
    assert (rows(2), rows(3), rows(5)) == (1.0, 7.0, 600.0)
    with pytest.raises(InvalidInstance, match="the rows of a, b are not known"):
        rows_in(query, Cardinalities.of({1: 20, 2: 1, 4: 30}, "count"))(3)


def test_work_is_what_the_server_then_does(session: Session):
    """Rows that the joins of a real plan gave, by EXPLAIN ANALYZE, are the units counted from true row counts."""
    text = (
        "SELECT count(*) FROM package p, depends d, package t, section s WHERE d.pkg_id = p.id AND d.target_id = t.id"
        " AND t.section_id = s.id AND s.name = 'libs' AND p.arch = 'all'"
    )
    query = query_of(text, "q", catalogue_of(session))
    cards = Cardinalities.of({s: session.rows(count_sql(query, s))[0][0] for s in connected_subsets(query)}, "count")
    for off in ("enable_nestloop", "enable_hashjoin"):
        with session.settings({off: "off", "enable_memoize": "off"}):
            root = session.plan(text, options=", ANALYZE, TIMING OFF")
        given = 0.0

        def walk(node: dict) -> None:  # type: ignore[type-arg]
            nonlocal given
            if "Join" in node["Node Type"] or node["Node Type"] == "Nested Loop":
                given += node["Actual Rows"] * node["Actual Loops"]
            for child in node.get("Plans", ()):
                walk(child)

        walk(dict(root))
        assert units(query, root, cards)["emit"] == pytest.approx(given, rel=0.01)


def test_the_fit_finds_the_prices_again():
    rng = np.random.default_rng(0)
    prices = rng.uniform(1, 100, len(FEATURES))
    plans = rng.exponential(1000, (400, len(FEATURES)))
    assert fit(plans, plans @ prices) == pytest.approx(prices, rel=1e-6)


def test_measured_prices_are_there_and_sane():
    prices = dict(zip(FEATURES, ns_per_unit().tolist(), strict=True))
    assert min(prices.values()) >= 0
    assert 5 < prices["scan"] < 500  # ns a row
    assert prices["index_descent"] > prices["probe"]
