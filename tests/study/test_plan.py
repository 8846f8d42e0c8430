# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import math
from dataclasses import replace

from trimtab.core.problem import Metric
from trimtab.core.task import Budget
from trimtab.study.plan import Entrant, Plan, allowance

PLAN = Plan(
    problem="p",
    question="?",
    version="1",
    backend="simulator",
    split="test",
    suite="",
    metrics=(Metric("time", "s"), Metric("rate", "1/s", "maximize")),
    reference="a",
    budget=Budget(evaluations=50),
    seeds=(0, 1),
    entrants=(Entrant("a", "policy", "fa"), Entrant("s", "search", "fs"), Entrant("x", "policy", "fx", "needs y")),
    instances={"i0": "0" * 32, "i1": "1" * 32},
)


def test_json_gives_the_plan_back() -> None:
    text = json.dumps(PLAN.to_json()).encode()
    assert "Infinity" not in text.decode()
    assert Plan.from_json(text) == PLAN
    unlimited = replace(PLAN, budget=Budget())
    assert Plan.from_json(json.dumps(unlimited.to_json()).encode()).budget.evaluations == math.inf


def test_cells_are_all_there_once_with_solvers_innermost_and_turned_round() -> None:
    cells = PLAN.cells()
    assert [(c.instance, c.seed, c.solver) for c in cells[:6]] == [
        *(("i0", 0, "a"), ("i0", 0, "s"), ("i0", 0, "x")),
        *(("i0", 1, "x"), ("i0", 1, "s"), ("i0", 1, "a")),
    ]
    assert len({c.key for c in cells}) == len(cells) == 2 * 2 * 3


def test_solvers_share_their_draws_and_instances_and_seeds_do_not() -> None:
    entropy = {(c.instance, c.seed): set() for c in PLAN.cells()}
    for c in PLAN.cells():
        entropy[c.instance, c.seed].add(c.entropy)
    assert all(len(values) == 1 for values in entropy.values())
    assert len(set.union(*entropy.values())) == 4


def test_a_policy_s_cell_does_not_depend_on_the_search_budget() -> None:
    more = {(c.instance, c.solver, c.seed): c.key for c in replace(PLAN, budget=Budget(evaluations=99)).cells()}
    for c in PLAN.cells():
        assert (more[c.instance, c.solver, c.seed] == c.key) == (c.track == "policy")
    assert allowance(Budget(50, 2.0), "policy") == Budget(0, 2.0)


def test_a_key_depends_on_contents_not_on_names_of_instances() -> None:
    renamed = replace(PLAN, instances={"other": "0" * 32})
    assert {c.key for c in renamed.cells()} == {c.key for c in PLAN.cells() if c.instance == "i0"}
