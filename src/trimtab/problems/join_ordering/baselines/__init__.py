# SPDX-License-Identifier: Apache-2.0
"""The classical join-order optimisers. All plan under the query's cost model, by what the engine believes.

`Exhaustive` is the optimum where the beliefs are the truth: dynamic programming
over bushy, left-deep, right-deep or zig-zag trees. What a method can't plan (too
many relations, no rows of single ones) it declines with `Unavailable`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from trimtab.core.errors import Unavailable, UnknownName
from trimtab.core.task import Task

from ..problem import Floats, Ints, JoinPlan, JoinQuery
from ..simulator import greedy
from ..simulator.dp import LIMIT, SHAPES, Table
from ..simulator.models import model_number, parameters
from ..simulator.pack import Graph, pack, pack_with
from ..simulator.plans import check_leaves
from . import genetic, linear, random_plans, simpli, tree
from .pessimistic import upper_bounds

__all__ = ["PLANNERS", "Exhaustive", "Pessimistic", "Planner", "Simpli", "upper_bounds"]

Plan = Callable[[Graph, int, Floats, int, Mapping[str, Any]], Ints]


@dataclass(frozen=True)
class Exhaustive:
    """Dynamic programming over trees of one shape, up to 20 relations."""

    shape: str = "bushy"

    @property
    def config(self) -> dict[str, Any]:
        return {"shape": self.shape}

    def solve(self, task: Task[JoinQuery, JoinPlan]) -> JoinPlan:
        if self.shape not in SHAPES:
            raise UnknownName("shape of trees", self.shape, SHAPES)
        graph, model = ready(task.instance)
        table = Table(graph, model, parameters(model), SHAPES.index(self.shape))
        return JoinPlan(table.joins(task.instance.everything))


@dataclass(frozen=True)
class Pessimistic:
    """Dynamic programming over upper bounds (`upper_bounds`)."""

    def solve(self, task: Task[JoinQuery, JoinPlan]) -> JoinPlan:
        query = task.instance
        if query.num_relations > LIMIT:
            raise Unavailable(f"pessimistic: {query.num_relations} relations; bounds are made for up to {LIMIT}")
        model = model_number(query.cost_model)
        if np.isnan(pack(query).base_log).any():
            raise Unavailable(f"pessimistic: query {query.name!r} has no rows of single relations")
        table = Table(pack_with(query, upper_bounds(query)), model, parameters(model))
        return JoinPlan(table.joins(query.everything))


@dataclass(frozen=True)
class Simpli:
    """Simpli-Squared: keys and table sizes only."""

    def solve(self, task: Task[JoinQuery, JoinPlan]) -> JoinPlan:
        return simpli.simpli_squared(task.instance)


class Planner:
    """One of `PLANNERS` with its options."""

    def __init__(self, name: str, **options: Any) -> None:
        if name not in PLANNERS:
            raise UnknownName("planner", name, PLANNERS)
        self.name, self.options = name, options

    @property
    def config(self) -> dict[str, Any]:
        return {"planner": self.name, **self.options}

    def solve(self, task: Task[JoinQuery, JoinPlan]) -> JoinPlan:
        graph, model = ready(task.instance)
        if self.name in NEED_SINGLE and np.isnan(graph.base_log).any():
            raise Unavailable(f"{self.name}: query {task.instance.name!r} has no rows of single relations")
        return JoinPlan(PLANNERS[self.name](graph, model, parameters(model), task.seed % (1 << 31), self.options))


def ready(query: JoinQuery) -> tuple[Graph, int]:
    """What is planned with, and the number of the cost model."""
    model = model_number(query.cost_model)
    graph = pack(query)
    check_leaves(query, graph, model)
    return graph, model


def _ikkbz(graph: Graph, model: int, p: Floats, seed: int, options: Mapping[str, Any]) -> Ints:
    return linear.left_deep(linear.ikkbz(graph))


def _lindp(graph: Graph, model: int, p: Floats, seed: int, options: Mapping[str, Any]) -> Ints:
    return linear.linear_dp(graph, model, p, linear.ikkbz(graph))


def _goo(graph: Graph, model: int, p: Floats, seed: int, options: Mapping[str, Any]) -> Ints:
    return greedy.contract(graph, model, p, greedy.LEAST_ROWS)


def _min_selectivity(graph: Graph, model: int, p: Floats, seed: int, options: Mapping[str, Any]) -> Ints:
    return greedy.contract(graph, model, p, greedy.LEAST_SELECTIVITY)


def _quickpick(graph: Graph, model: int, p: Floats, seed: int, options: Mapping[str, Any]) -> Ints:
    return random_plans.quickpick(graph, model, p, options["draws"], seed)


def _annealing(graph: Graph, model: int, p: Floats, seed: int, options: Mapping[str, Any]) -> Ints:
    start = random_plans.quickpick(graph, model, p, 1, seed)
    return tree.anneal(graph, model, p, start, options["steps"], options["hot"], options["cold"], seed)[0]


def _geqo(graph: Graph, model: int, p: Floats, seed: int, options: Mapping[str, Any]) -> Ints:
    return genetic.geqo(graph, model, p, seed)


#: They look at selectivities, so they need the rows of single relations whatever the cost model.
NEED_SINGLE: Final = ("ikkbz", "lindp", "min_selectivity")

PLANNERS: Final[Mapping[str, Plan]] = {
    "ikkbz": _ikkbz,
    "lindp": _lindp,
    "goo": _goo,
    "min_selectivity": _min_selectivity,
    "quickpick": _quickpick,
    "annealing": _annealing,
    "geqo": _geqo,
}
