# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from trimtab.core.errors import UsageError
from trimtab.problems.join_ordering.problem import HASH, INDEX, JoinQuery
from trimtab.problems.join_ordering.selection import explained, pricing
from trimtab.problems.join_ordering.selection.choose import (
    TOLD,
    Chooser,
    Chosen,
    Kept,
    Sent,
)
from trimtab.problems.join_ordering.selection.memory import Memory
from trimtab.problems.join_ordering.system.plans import IN_MEMORY, EnginePlan, plan_of_postgresql, settings_of
from trimtab.problems.join_ordering.system.postgresql import statement
from trimtab.problems.join_ordering.system.prepared import Prepared
from trimtab.problems.join_ordering.system.session import Address, Refused, Session, TimedOut, connect


@pytest.fixture
def sessions(dsn: str) -> Iterator[list[Prepared]]:
    with ExitStack() as stack:
        found = [stack.enter_context(connect(Address(dsn))) for _ in TOLD]
        for session, told in zip(found, TOLD, strict=True):
            stack.enter_context(session.settings(dict(told)))
        yield [Prepared(session) for session in found]


EAGER: dict[str, Any] = {"few": 0, "little_rows": 0, "little_ms": 0}


@pytest.mark.parametrize("preferred", [1e9, 1.0, 0.0])
def test_chosen_plans_count_the_same(
    preferred: float, whole: Memory, queries: list[JoinQuery], sessions: list[Prepared]
):
    orders = 0
    for query in queries:
        chosen = Chooser(whole, **EAGER, preferred=preferred, patience=1e6).choose(query, *sessions)
        assert chosen.run() == [(str(int(query.cardinalities.get(query.everything) or 0)),)]
        chosen.forget()
        assert chosen.plan is not None
        orders += not chosen.plan.bound
    assert orders == {1e9: len(queries), 0.0: 0}.get(preferred, orders)
    for prepared in sessions:
        assert prepared.session.rows("SELECT count(*) FROM pg_prepared_statements") == [(0,)]


def test_operators_are_left_to_postgresql_where_that_is_expected_to_be_faster(
    whole: Memory, queries: list[JoinQuery], sessions: list[Prepared]
):
    """The comparison, told again: expected ms of both."""
    chooser, orders = Chooser(whole, **EAGER, small_ms=0.0, preferred=1.6), 0
    for query in queries:
        chosen = chooser.choose(query, *sessions)
        sheet = whole.sheet(query)
        assert sheet is not None
        assert chosen.plan is not None
        bound = pricing.cheapest(sheet, pricing.prices())[0]
        order = EnginePlan(chosen.plan.joins, settings=IN_MEMORY)
        shown = sessions[2].session.plan(statement(query, order))
        theirs = float(explained.work(query, shown, sheet, whole) @ explained.prices())
        assert chosen.plan.bound == (theirs >= 1.6 * bound)
        assert chosen.limit_ms == pytest.approx(chooser.patience * bound / 1e6)
        orders += not chosen.plan.bound
        chosen.forget()
    assert 0 < orders < len(queries)


def test_ours_is_stopped_when_it_takes_too_long(whole: Memory, queries: list[JoinQuery], sessions: list[Prepared]):
    for query in queries[:3]:
        chosen = Chooser(whole, **EAGER, patience=1e6).choose(query, *sessions)
        slow = sessions[1]
        endless = Kept(slow, slow.prepare("SELECT pg_sleep(60)"))
        started = time.monotonic()
        answer = replace(chosen, ours=endless, limit_ms=30).run()
        assert answer == [(str(int(query.cardinalities.get(query.everything) or 0)),)]
        assert time.monotonic() - started < 20
        slow.forget(endless.name)
        chosen.forget()


def test_little_work_is_not_looked_at(whole: Memory, queries: list[JoinQuery], sessions: list[Prepared]):
    for query in queries:
        for lazy in ({"few": 99}, {"few": 0, "little_rows": 1e12}):
            chosen = replace(Chooser(whole), **lazy).choose(query, *sessions)
            assert chosen == Chosen(Sent(sessions[0], query.sql))
            assert chosen.run() == [(str(int(query.cardinalities.get(query.everything) or 0)),)]


def test_what_is_expected_to_take_a_short_time_is_not_compared(
    whole: Memory, queries: list[JoinQuery], sessions: list[Prepared]
):
    """It is run as it is bound, under a limit that ends with it, and PostgreSQL shows nothing."""
    for query in queries:
        chosen = Chooser(whole, **{**EAGER, "little_ms": 1e9}, patience=1e6).choose(query, *sessions)
        assert isinstance(chosen.ours, Sent)
        assert chosen.ours.where is sessions[1]
        assert chosen.own == Sent(sessions[0], query.sql)
        assert chosen.tried is None
        assert chosen.run() == [(str(int(query.cardinalities.get(query.everything) or 0)),)]
    assert sessions[1].session.rows("SELECT current_setting('statement_timeout')") == [("1min",)]


def test_a_plan_that_was_looked_at_is_not_planned_again(sessions: list[Prepared], queries: list[JoinQuery]):
    own, query = sessions[0], queries[0]
    name = own.prepare(query.sql)
    own.explain(name)
    own.run(name)
    assert own.session.rows(
        f"SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE name = '{name}'"
    ) == [(2, 0)]
    with own.session.settings({"enable_hashjoin": "off", "enable_mergejoin": "off", "enable_nestloop": "off"}):
        assert own.explain(name) == own.explain(name)  # settings that come later change nothing
    own.forget(name)


def test_prepared_statements_keep_the_sessions_rules(sessions: list[Prepared]):
    own = sessions[0]
    with pytest.raises(UsageError, match="only SELECT"):
        own.prepare("DELETE FROM package")
    with pytest.raises(Refused, match="does not exist"):
        own.prepare("SELECT 1 FROM nothing")
    with own.session.settings({"statement_timeout": "50"}):
        name = own.prepare("SELECT pg_sleep(5)")
        with pytest.raises(TimedOut):
            own.run(name)


def test_operators_bind(whole: Memory, queries: list[JoinQuery], session: Session):
    """Every join is a lookup or a hash join as it was told, in that order; which operand is hashed is not told."""
    seen = set()
    for k, query in enumerate(queries):
        sheet = whole.sheet(query)
        assert sheet is not None
        prices = np.where(np.array(pricing.UNITS) == "lookup", (0.1, 1, 50)[k % 3], 1) * pricing.prices()
        _, joins, operators = pricing.cheapest(sheet, prices)
        plan = EnginePlan(joins, operators, bound=True)
        with session.settings(dict(settings_of(plan))):
            done = plan_of_postgresql(query, aliased(session.plan(statement(query, plan))))
        assert done is not None
        assert done.operators is not None
        told = {(a | b, how == HASH) for (a, b), how in zip(joins.tolist(), operators.tolist(), strict=True)}
        made = {(a | b, how == HASH) for (a, b), how in zip(done.joins.tolist(), done.operators.tolist(), strict=True)}
        assert told == made, query.sql
        seen |= set(operators.tolist())
    assert seen == {HASH, INDEX}


def aliased(node: Any, inside: str = "") -> Any:
    """An EXPLAIN whose subqueries' scans have the alias that the subquery has."""
    inside = node["Alias"] if node["Node Type"] == "Subquery Scan" else inside
    made = {**node, "Plans": [aliased(child, inside) for child in node.get("Plans", ())]}
    if node["Node Type"] == "Subquery Scan":
        return {**made["Plans"][0], "Parent Relationship": node.get("Parent Relationship")}
    return {**made, "Alias": inside} if inside and "Alias" in node else made
