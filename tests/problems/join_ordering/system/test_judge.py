# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest

from trimtab.core.errors import TrimtabError
from trimtab.problems.join_ordering.problem import METRICS, JoinPlan, JoinQuery
from trimtab.problems.join_ordering.simulator import ratio
from trimtab.problems.join_ordering.system.duckdb import DuckDB, DuckEngine
from trimtab.problems.join_ordering.system.judge import judge
from trimtab.problems.join_ordering.system.measure import Sample
from trimtab.problems.join_ordering.system.postgresql import PostgreSQL
from trimtab.problems.join_ordering.system.session import Address
from trimtab.problems.join_ordering.workload.aptdb import HABITS
from trimtab.problems.join_ordering.workload.database import Database
from trimtab.problems.join_ordering.workload.harvest import Amount, generate

from ..plans import random_plan


@pytest.fixture(scope="module")
def query(small_aptdb: Database) -> JoinQuery:
    return next(iter(generate(small_aptdb, HABITS, Amount(shapes=1, per_shape=1, seed=2, most_rows=100_000), "t")))


class Scripted:
    """An engine that takes what it is told: by default, and for any plan."""

    def __init__(self, own: Sample, plan: Sample) -> None:
        self.own, self.plan = own, plan

    def run(self, query: JoinQuery, plan: JoinPlan | None, limit_ms: float) -> Sample:
        return self.own if plan is None else self.plan


def test_metrics_are_medians_beside_the_default(query: JoinQuery):
    plan = random_plan(query, 0)
    outcome = judge(Scripted(Sample(10.0), Sample(5.0)), query, plan, rounds=3, longest_ms=1e4, seed=0)
    assert dict(outcome.metrics) == {"cost_ratio": ratio(query, plan), "regression": 0.5, "cost": 5.0}
    assert outcome.feasible


def test_a_plan_that_is_stopped_is_censored_and_never_a_winner(query: JoinQuery):
    engine = Scripted(Sample(10.0), Sample(200.0, censored=True))
    outcome = judge(engine, query, random_plan(query, 0), rounds=3, longest_ms=1e4, seed=0)
    assert not outcome.feasible
    assert outcome.metrics["regression"] == 20.0
    assert "stopped after 200 ms" in outcome.note
    with pytest.raises(TrimtabError, match="own plan did not end within 10 s"):
        judge(
            Scripted(Sample(1e4, censored=True), Sample(1.0)),
            query,
            random_plan(query, 0),
            rounds=1,
            longest_ms=1e4,
            seed=0,
        )


def test_a_flaw_is_said_and_nothing_is_run(query: JoinQuery):
    outcome = judge(Scripted(Sample(1.0), Sample(1.0)), query, JoinPlan.of((0, 0)), rounds=1, longest_ms=1e4, seed=0)
    assert not outcome.feasible
    assert outcome.metrics["cost"] == float("inf")


def test_both_backends_report_what_is_declared(query: JoinQuery, dsn: str, duck: Any):
    for backend in (PostgreSQL(Address(dsn), rounds=2), DuckDB(rounds=2, _engine=DuckEngine(duck))):
        assert backend.exclusive
        outcome = backend.evaluate(query, random_plan(query, 3), seed=1)
        assert set(outcome.metrics) == {metric.name for metric in METRICS}
        assert 0 < outcome.metrics["cost"] < 10_000
        assert 0.01 < outcome.metrics["regression"] < 100
