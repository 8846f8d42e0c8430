# SPDX-License-Identifier: Apache-2.0
"""Orders are really forced, in both engines."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from trimtab.problems.join_ordering.problem import HASH, INDEX, LOOP, MERGE, JoinPlan, JoinQuery
from trimtab.problems.join_ordering.system.clock import backend_clock
from trimtab.problems.join_ordering.system.duckdb import FORCED, DuckEngine, duckdb_statement
from trimtab.problems.join_ordering.system.plans import ARMS, EnginePlan, plan_of_postgresql, settings_of
from trimtab.problems.join_ordering.system.postgresql import Engine, statement
from trimtab.problems.join_ordering.system.session import Session, catalogue_of
from trimtab.problems.join_ordering.workload.harvest import query_of

from ..plans import random_plan

TEXT = """
SELECT count(*) FROM package p, depends d, package t, section s, pkgtag g, tag x
WHERE d.pkg_id = p.id AND d.target_id = t.id AND t.section_id = s.id AND g.pkg_id = p.id AND g.tag_id = x.id
  AND s.name = 'libs' AND x.facet = 'suite' AND p.arch = 'all'
"""


@pytest.fixture
def query(session: Session) -> JoinQuery:
    return query_of(TEXT, "q", catalogue_of(session))


@pytest.fixture
def engine(session: Session) -> Engine:
    return Engine(session, backend_clock(session))


def joined(plan: JoinPlan) -> set[int]:
    return {outer | inner for outer, inner in plan.joins.tolist()}


@pytest.mark.parametrize("seed", range(12))
def test_postgresql_joins_in_the_order_it_is_given(seed: int, query: JoinQuery, session: Session):
    plan = random_plan(query, seed)
    with session.settings(dict(settings_of(plan))):
        done = plan_of_postgresql(query, session.plan(statement(query, plan)))
    assert done is not None
    assert done.flaw(query) == ""
    assert joined(done) == joined(plan)


@pytest.mark.parametrize("seed", range(6))
def test_duckdb_joins_in_the_order_and_on_the_sides_it_is_given(seed: int, query: JoinQuery, duck: Any):
    plan = random_plan(query, seed)
    duck.execute(f"SET disabled_optimizers = '{','.join(FORCED)}'")
    shown = duck.execute("EXPLAIN (FORMAT JSON) " + duckdb_statement(query, plan)).fetchall()[-1][1]
    duck.execute("SET disabled_optimizers = ''")
    found: list[tuple[frozenset[str], frozenset[str]]] = []

    def walk(node: dict[str, Any]) -> frozenset[str]:
        children = [walk(child) for child in node["children"]]
        if "JOIN" in node["name"]:
            found.append((children[0], children[1]))
        table = node.get("extra_info", {}).get("Table")
        return frozenset([table.rpartition(".")[2].strip('"')] if table else []).union(*children)

    walk(json.loads(shown)[0])

    def tables(subset: int) -> frozenset[str]:
        return frozenset(query.relations[query.bitset([a]).bit_length() - 1].table for a in query.aliases(subset))

    assert found == [(tables(outer), tables(inner)) for outer, inner in plan.joins.tolist()]


def test_both_engines_count_the_same(query: JoinQuery, session: Session, duck: Any):
    rows = session.rows(query.sql)
    assert rows == duck.execute(query.sql).fetchall()
    assert rows[0][0] > 0
    for seed in range(3):
        plan = random_plan(query, seed)
        assert session.rows(statement(query, plan)) == rows
        assert duck.execute(duckdb_statement(query, plan)).fetchall() == rows


@pytest.mark.parametrize(
    ("arm", "absent"),
    [("no_hashjoin", HASH), ("no_mergejoin", MERGE), ("no_nestloop", INDEX), ("hash_only", INDEX), ("loop_only", HASH)],
)
def test_a_hint_set_takes_the_operator_away(arm: str, absent: int, query: JoinQuery, engine: Engine):
    plan, _ = engine.own_plan(query, ARMS[arm])
    assert plan is not None
    assert plan.operators is not None
    assert absent not in plan.operators.tolist()


def test_operators_of_a_decision_become_settings():
    joins = np.array([[1, 2], [3, 4]])
    hashes = JoinPlan(joins, np.array([HASH, HASH], np.int8))
    assert dict(settings_of(hashes)) == {
        "join_collapse_limit": "1",
        "enable_nestloop": "off",
        "enable_mergejoin": "off",
    }
    loops = JoinPlan(joins, np.array([LOOP, MERGE], np.int8))
    assert dict(settings_of(loops)) == {"join_collapse_limit": "1", "enable_hashjoin": "off"}
    assert dict(settings_of(JoinPlan(joins))) == {"join_collapse_limit": "1"}
    assert settings_of(EnginePlan(joins, forced=False)) == ()


def test_a_run_is_timed_and_one_that_takes_too_long_is_censored(query: JoinQuery, engine: Engine, duck: Any):
    assert 0 < engine.run(query, None, 60_000).ms < 60_000
    slow = query_of(
        "SELECT count(*) FROM depends a, depends b, depends c WHERE a.kind_id = b.kind_id AND b.kind_id = c.kind_id",
        "s",
        None,
    )
    for tried in (engine.run(slow, None, 60), DuckEngine(duck).run(slow, JoinPlan.of(((0, 1), 2)), 60)):
        assert tried.censored
        assert 0 < tried.ms < 30_000
    assert engine.session.rows("SELECT 1") == [(1,)]  # both go on
    assert DuckEngine(duck).run(query, None, 60_000).censored is False


def test_large_results_are_not_fetched(engine: Engine, server_log: Any):
    pairs = query_of("SELECT a.pkg_id, b.pkg_id FROM depends a, depends b WHERE a.kind_id = b.kind_id", "pairs", None)
    assert not engine.run(pairs, None, 60_000).censored
    last = [line for line in server_log.read_text().splitlines() if "a.kind_id = b.kind_id" in line][-1]
    assert "EXPLAIN (ANALYZE, TIMING OFF" in last


def test_a_plan_that_is_no_tree_of_the_relations_is_none():
    query = query_of("SELECT 1 FROM a, b WHERE a.x = b.x", "q", None)
    assert plan_of_postgresql(query, {"Node Type": "Seq Scan", "Alias": "a"}) is None
