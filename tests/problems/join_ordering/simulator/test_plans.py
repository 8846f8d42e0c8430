# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.errors import InvalidInstance
from trimtab.problems.join_ordering.problem import (
    HASH,
    INDEX,
    LOOP,
    MERGE,
    Cardinalities,
    JoinEdge,
    JoinPlan,
    JoinQuery,
    Relation,
)
from trimtab.problems.join_ordering.simulator import pg_like
from trimtab.problems.join_ordering.simulator.backend import Simulator, ratio
from trimtab.problems.join_ordering.simulator.plans import operator_features, optimum, plan_cost, plan_costs

from ..plans import random_plan
from ..queries import SHAPES, cost, random_query

TWO = JoinQuery(
    "two",
    (Relation("a", "t", 1000.0), Relation("b", "u", 500.0)),
    (JoinEdge(0, 1, "x", "id", right_key=True),),
    Cardinalities.of({1: 100.0, 2: 50.0, 3: 80.0}, "count"),
    cost_model="pg_like",
)


@given(
    st.sampled_from(SHAPES), st.integers(2, 9), st.integers(0, 10**6),
    st.sampled_from(["c_out", "cm1", "cm2", "cm3"]), st.booleans(),
)  # fmt: skip
def test_any_plan_costs_what_the_papers_say(shape: str, n: int, seed: int, model: str, product: bool) -> None:
    query = random_query(shape, n, seed, product=product, model=model)
    plan = random_plan(query, seed)
    found = plan_costs(query, plan)
    assert found.total == pytest.approx(cost(query, plan.tree()), rel=1e-9)
    assert plan_cost(query, plan) >= optimum(query)[1] * (1 - 1e-12)


@pytest.mark.parametrize(
    ("operator", "work"),
    [
        (HASH, {"scan": 1500, "build": 50, "probe": 100, "emit": 80, "query": 1}),
        (LOOP, {"scan": 1500, "pair": 5000, "emit": 80, "query": 1}),
        (INDEX, {"scan": 1000, "lookup": 100, "match": 800, "emit": 80, "query": 1}),
        (
            MERGE,
            {"scan": 1500, "sort": 100 * np.log2(101) + 50 * np.log2(51), "merge": 150, "emit": 80, "query": 1},
        ),
    ],
)
def test_work_of_one_join_by_hand(operator: int, work: dict[str, float]) -> None:
    plan = JoinPlan(np.array([[1, 2]]), np.array([operator], np.int8))
    found = dict(zip(pg_like.FEATURES, operator_features(TWO, plan).tolist(), strict=True))
    assert {name: value for name, value in found.items() if value} == pytest.approx(work)


def test_the_model_is_its_work_times_its_coefficients_and_auto_the_cheapest() -> None:
    totals = []
    for operator in (HASH, LOOP, INDEX, MERGE):
        plan = JoinPlan(np.array([[1, 2]]), np.array([operator], np.int8))
        totals.append(float(operator_features(TWO, plan) @ pg_like.coefficients()))
        assert plan_cost(TWO, plan) == pytest.approx(totals[-1])
    assert plan_cost(TWO, JoinPlan.of((0, 1))) == pytest.approx(min(totals))


def test_features_want_every_operator() -> None:
    with pytest.raises(InvalidInstance, match="every operator"):
        operator_features(TWO, JoinPlan.of((0, 1)))


def test_an_index_that_is_not_there_is_infeasible() -> None:
    outcome = Simulator().evaluate(TWO, JoinPlan(np.array([[2, 1]]), np.array([INDEX], np.int8)), seed=0)
    assert not outcome.feasible and "can't have" in outcome.note


def test_what_is_no_plan_is_infeasible() -> None:
    outcome = Simulator().evaluate(random_query("chain", 3, 0), JoinPlan.of((0, 1)), seed=0)
    assert not outcome.feasible and "1 joins for 3" in outcome.note


def test_judged_by_counts_planned_by_estimates() -> None:
    """A chain whose middle the optimiser gets wrong: regret and regression by hand."""
    query = random_query("chain", 3, 0)
    truth = Cardinalities.of({1: 10, 2: 10, 4: 10, 3: 1000, 6: 10, 7: 50}, "count")
    guess = Cardinalities.of({1: 10, 2: 10, 4: 10, 3: 5, 6: 10, 7: 50}, "guess", 2)
    both = replace(query, cardinalities=truth, estimates=guess)
    bad, good = JoinPlan.of(((0, 1), 2)), JoinPlan.of((0, (1, 2)))
    expected = {"cost_ratio": 1.0, "regression": 60 / 1050, "cost": 60}
    assert Simulator().evaluate(both, good, seed=0).metrics == pytest.approx(expected)
    assert ratio(both, bad) == pytest.approx(1050 / 60)


def test_what_a_judgement_rests_on_is_said() -> None:
    query = random_query("chain", 2, 0)
    bounded = Cardinalities.of({1: 5, 2: 5, 3: 5}, "count", bounds=[3])
    guessed = Cardinalities.of({1: 5, 2: 5, 3: 5}, "postgresql", 2)
    notes = [
        Simulator().evaluate(replace(query, cardinalities=cards), JoinPlan.of((0, 1)), seed=0).note
        for cards in (query.cardinalities, bounded, guessed)
    ]
    assert notes[0] == "" and "bounds" in notes[1] and "estimates" in notes[2]


def test_models_that_read_tables_want_their_rows() -> None:
    query = JoinQuery("q", TWO.relations, TWO.edges, Cardinalities.of({3: 5.0}, "count"))
    assert plan_cost(query, JoinPlan.of((0, 1))) == pytest.approx(5.0)
    with pytest.raises(InvalidInstance, match="'a' alone are not known"):
        plan_cost(query, JoinPlan.of((0, 1)), "cm1")


def test_coefficients_are_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "pg.json"
    ns = {name: float(k) for k, name in enumerate(pg_like.FEATURES)}
    pg_like.save(ns, {"machine": "x"}, path)
    assert json.loads(path.read_text())["ns"]["query"] == 9.0
    with pytest.raises(ValueError, match="negative"):
        pg_like.save({**ns, "scan": -1.0}, {}, path)
