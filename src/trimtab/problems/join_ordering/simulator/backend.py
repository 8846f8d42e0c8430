# SPDX-License-Identifier: Apache-2.0
"""`Simulator`: a cost model as a trimtab backend."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from trimtab.core.outcome import Outcome

from ..problem import BOUND, ESTIMATE, Floats, JoinPlan, JoinQuery
from . import dp, models
from .greedy import reference
from .pack import Graph, pack
from .plans import check_leaves, costs


@dataclass(frozen=True)
class Simulator:
    """Costs of a plan under the judging row counts; the seed does not matter.

    ``cost_ratio`` is to the exact optimum, by dynamic programming; of more than 20
    relations, where there is none, to greedy operator ordering.
    """

    model: str = ""  # the query's own

    def evaluate(self, instance: JoinQuery, decision: JoinPlan, *, seed: int) -> Outcome:
        flaw = decision.flaw(instance)
        if flaw:
            return Outcome({}, feasible=False, note=flaw)
        cost = costs(*_judge(instance, self.model or instance.cost_model), decision).total
        if not np.isfinite(cost):
            return Outcome({}, feasible=False, note="an operator is asked for that this join can't have")
        least, default = standards(instance, self.model or instance.cost_model)
        return Outcome({"cost_ratio": cost / least, "regression": cost / default, "cost": cost}, note=_note(instance))


@lru_cache(maxsize=8192)
def standards(query: JoinQuery, model: str) -> tuple[float, float]:
    """Cost of the best plan there is, and of the one that dynamic programming picks by the estimates."""
    graph, number, parameters = _judge(query, model)
    if query.num_relations > dp.LIMIT:
        least = costs(graph, number, parameters, reference(graph)).total
        believed = reference(pack(query))
        return least, costs(graph, number, parameters, believed).total
    least = float(dp.Table(graph, number, parameters).cost[query.everything])
    if query.estimates is None:
        return least, least
    table = dp.Table(pack(query), number, parameters)
    return least, costs(graph, number, parameters, JoinPlan(table.joins(query.everything))).total


def ratio(query: JoinQuery, plan: JoinPlan, model: str = "") -> float:
    """Cost of a plan / of the best one, under the judging row counts."""
    return float(Simulator(model).evaluate(query, plan, seed=0).metrics["cost_ratio"])


@lru_cache(maxsize=8192)
def _judge(query: JoinQuery, model: str) -> tuple[Graph, int, Floats]:
    number = models.model_number(model)
    graph = pack(query, True)
    check_leaves(query, graph, number)
    return graph, number, models.parameters(number)


def _note(query: JoinQuery) -> str:
    kinds = query.cardinalities.kinds
    if (kinds == ESTIMATE).any():
        return "judged by estimates: there are no counts"
    return "judged by counts and bounds: some counts timed out" if (kinds == BOUND).any() else ""
