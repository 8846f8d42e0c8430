# SPDX-License-Identifier: Apache-2.0
"""Every solver keeps its promises on small instances of each link mode, where none has a reason to decline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from trimtab.core.problem import Split
from trimtab.core.task import Budget, Task
from trimtab.problems.device_placement import PROBLEM
from trimtab.problems.device_placement.problem import DeviceTopology, Placement, PlacementInstance, homogeneous
from trimtab.problems.device_placement.simulator import Simulator
from trimtab.testing import check_solver

from .made import graph_of, layered


def _instance(links: str, queue: str) -> PlacementInstance:
    graph = layered(np.random.default_rng(3), ops=18, width=3)
    return PlacementInstance(graph, homogeneous("two", 2, kind="core", bandwidth=4.0, links=links, queue=queue))


SMALL = {
    "pipeline": _instance("max_load", "fifo"),
    "bus": _instance("bus", "fifo"),
    "parallel": _instance("parallel", "priority"),
    "switch": _instance("switch", "priority"),
}


def _only(*names: str) -> PROBLEM.__class__:  # type: ignore[name-defined]
    def instances(split: Split) -> Mapping[str, PlacementInstance]:
        return {name: SMALL[name] for name in names} if split == "test" else {}

    return replace(PROBLEM, instances=instances)


@pytest.mark.parametrize("name", PROBLEM.solvers)
def test_conforms(name: str) -> None:
    pairs = [("pipeline",)] if name == "ideals" else [("pipeline", "bus"), ("parallel", "switch")]
    for names in pairs:
        assert check_solver(_only(*names), name) == []


@pytest.mark.parametrize("name", [n for n in PROBLEM.solvers if getattr(PROBLEM.solver(n), "track", "") == "search"])
@pytest.mark.parametrize("budget", [1, 7, 300])
def test_searches_spend_no_more_than_the_budget(name: str, budget: int) -> None:
    task = Task(SMALL["bus"], Simulator(), Budget(budget), 0, "step_time")
    PROBLEM.solver(name).solve(task)
    assert 1 <= task.evaluations <= budget


def test_searches_stop_in_time() -> None:
    task = Task(SMALL["bus"], Simulator(), Budget(seconds=0.05), 0, "step_time")
    placement = PROBLEM.solver("annealing").solve(task)
    assert task.remaining.seconds == 0.0 or task.evaluations > 0
    assert Simulator().evaluate(SMALL["bus"], placement, seed=0).feasible


@pytest.mark.parametrize("name", ["annealing", "hill_climbing", "cross_entropy", "brkga", "random_search"])
def test_searches_find_the_best_of_all_placements(name: str) -> None:
    """By trying all 2 ** 8 of them."""
    graph = layered(np.random.default_rng(0), ops=8, width=2)
    instance = PlacementInstance(graph, homogeneous("two", 2, kind="core", bandwidth=2.0, links="bus"))
    best = min(
        Simulator().evaluate(instance, Placement(np.array([x >> i & 1 for i in range(8)])), seed=0).metrics["step_time"]
        for x in range(256)
    )
    found = PROBLEM.solver(name).solve(Task(instance, Simulator(), Budget(4000), 1, "step_time"))
    assert Simulator().evaluate(instance, found, seed=0).metrics["step_time"] == pytest.approx(best)


@pytest.mark.parametrize("name", [n for n in PROBLEM.solvers if n not in ("ideals", "single", "contiguous")])
def test_memory_is_kept_where_it_is_short(name: str) -> None:
    graph = graph_of([1.0] * 6, [(i, i + 1, 1.0) for i in range(5)], memory=[3, 3, 2, 2, 1, 1])
    instance = PlacementInstance(graph, homogeneous("tight", 3, kind="core", memory_bytes=4.0, bandwidth=1.0))
    placement = PROBLEM.solver(name).solve(Task(instance, Simulator(), Budget(200), 0, "step_time"))
    outcome = Simulator().evaluate(instance, placement, seed=0)
    assert outcome.feasible, outcome.note


def test_devices_that_cannot_run_an_op_are_avoided() -> None:
    """Op 0 only runs on the slow device, op 1 only on the core."""
    graph = graph_of([[np.inf, 1.0], [1.0, np.inf], [1.0, 1.0]], [(0, 1, 1.0), (1, 2, 1.0)])
    topology = DeviceTopology(
        "mixed", ("a", "b"), ("core", "slow"), np.full(2, np.inf), np.zeros((2, 2)), 1 - np.eye(2), np.zeros(2)
    )
    instance = PlacementInstance(graph, topology)
    for name in PROBLEM.solvers:
        if name in ("single", "cpop", "ideals", "contiguous"):  # no device runs all of it, or they say why not
            continue
        placement = PROBLEM.solver(name).solve(Task(instance, Simulator(), Budget(60), 0, "step_time"))
        assert placement.device[:2].tolist() == [1, 0], name
