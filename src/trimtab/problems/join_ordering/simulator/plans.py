# SPDX-License-Identifier: Apache-2.0
"""Costs of whole plans."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from trimtab.core.errors import InvalidInstance
from trimtab.kit.compiled import compiled

from ..problem import AUTO, Cardinalities, Floats, Ints, JoinPlan, JoinQuery
from . import dp, models
from .models import C_OUT, join_cost, leaf_cost, query_cost
from .pack import Graph, pack, pack_with
from .pg_like import FEATURES


class Costs(NamedTuple):
    """What the joins of a plan cost."""

    total: float
    added: Floats  # (joins,) what each join adds
    rows: Floats  # (joins,) that each gives
    operators: NDArray[np.int8]  # (joins,)


def plan_costs(query: JoinQuery, plan: JoinPlan, model: str = "", cards: Cardinalities | None = None) -> Costs:
    """Join by join; under the query's cost model and the judging row counts, or others."""
    graph, number = _graph(query, model, cards)
    return costs(graph, number, models.parameters(number), plan)


def costs(graph: Graph, model: int, parameters: Floats, plan: JoinPlan) -> Costs:
    """As `plan_costs`, of what is packed already."""
    operators = np.full(len(plan.joins), AUTO, np.int8) if plan.operators is None else plan.operators
    added, rows, chosen = np.zeros(len(plan.joins)), np.zeros(len(plan.joins)), np.zeros(len(plan.joins), np.int8)
    total = accumulate(graph, model, parameters, plan.joins, operators, added, rows, chosen)
    return Costs(total, added, rows, chosen)


def plan_cost(query: JoinQuery, plan: JoinPlan, model: str = "", cards: Cardinalities | None = None) -> float:
    """Cost of a plan; under the query's cost model and the judging row counts, or others."""
    return plan_costs(query, plan, model, cards).total


def optimum(query: JoinQuery, model: str = "", cards: Cardinalities | None = None) -> tuple[JoinPlan, float]:
    """The best plan of any shape, and its cost."""
    graph, number = _graph(query, model, cards)
    table = dp.Table(graph, number, models.parameters(number))
    return JoinPlan(table.joins(query.everything)), float(table.cost[query.everything])


def operator_features(query: JoinQuery, plan: JoinPlan, cards: Cardinalities | None = None) -> Floats:
    """Units of work of a plan whose operators are given: `pg_like`'s cost is their product with its coefficients.

    (features,) in the order of `pg_like.FEATURES`.
    """
    if plan.operators is None or (plan.operators == AUTO).any():
        raise InvalidInstance(f"query {query.name!r}: features are of plans in which every operator is said")
    graph, number = _graph(query, "pg_like", cards)
    return np.array([costs(graph, number, unit, plan).total for unit in np.eye(len(FEATURES))])


def _graph(query: JoinQuery, model: str, cards: Cardinalities | None) -> tuple[Graph, int]:
    number = models.model_number(model or query.cost_model)
    graph = pack(query, True) if cards is None else pack_with(query, cards)
    check_leaves(query, graph, number)
    return graph, number


def check_leaves(query: JoinQuery, graph: Graph, model: int) -> None:
    """Raises `InvalidInstance` where a model needs the rows of single relations and these aren't known."""
    if model != C_OUT and np.isnan(graph.base_log).any():
        lost = query.relations[int(np.flatnonzero(np.isnan(graph.base_log))[0])].alias
        raise InvalidInstance(
            f"query {query.name!r}: the rows of {lost!r} alone are not known; only the cost model c_out does without"
        )


@compiled
def accumulate(
    graph: Graph, model: int, p: Floats, joins: Ints, operators: NDArray[np.int8], added: Floats, rows: Floats,
    chosen: NDArray[np.int8],
) -> float:  # fmt: skip
    """Total cost; of each join what it adds, its rows and its operator."""
    n = len(graph.neighbours)
    total = query_cost(model, p)
    for i in range(n):
        total += leaf_cost(model, p, graph, i)
    logs = np.zeros(len(joins))
    for k in range(len(joins)):
        outer, inner = joins[k, 0], joins[k, 1]
        if len(graph.rows_log):
            left, right, both = graph.rows_log[outer], graph.rows_log[inner], graph.rows_log[outer | inner]
        else:
            left, right = _found(graph, joins, logs, k, outer), _found(graph, joins, logs, k, inner)
            both = min(690.0, left + right + dp.crossing(graph, outer, inner))
        logs[k] = both
        added[k], chosen[k] = join_cost(
            model, p, graph, outer, inner, np.exp(left), np.exp(right), np.exp(both), int(operators[k])
        )
        rows[k] = np.exp(both)
        total += added[k]
    return total


@compiled
def _found(graph: Graph, joins: Ints, logs: Floats, before: int, subset: int) -> float:
    """Log rows of an operand: a relation, or what an earlier join gave."""
    for i in range(len(graph.neighbours)):
        if subset == 1 << i:
            return float(graph.base_log[i])
    for k in range(before - 1, -1, -1):
        if joins[k, 0] | joins[k, 1] == subset:
            return float(logs[k])
    return np.nan
