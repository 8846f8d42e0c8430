# SPDX-License-Identifier: Apache-2.0
"""List schedulers on the example that their own paper works through by hand, and against plain recursion."""

from __future__ import annotations

import numpy as np
import pytest

from trimtab.problems.device_placement.baselines import heuristics, listing
from trimtab.problems.device_placement.baselines.common import prepare
from trimtab.problems.device_placement.baselines.sct import favourite_children
from trimtab.problems.device_placement.problem import DeviceTopology, PlacementInstance, homogeneous
from trimtab.problems.device_placement.workload.building import GraphBuilder

from ..made import graph_of

#: Topcuoglu, Hariri and Wu (TPDS 2002), figure 2 and table 1: ten tasks on three processors.
COSTS = [
    *((14, 16, 9), (13, 19, 18), (11, 13, 19), (13, 8, 17), (12, 13, 10)),
    *((13, 16, 9), (7, 15, 11), (5, 11, 14), (18, 12, 20), (21, 7, 16)),
]
EDGES = {
    **{(1, 2): 18, (1, 3): 12, (1, 4): 9, (1, 5): 11, (1, 6): 14, (2, 8): 19, (2, 9): 16, (3, 7): 23},
    **{(4, 8): 27, (4, 9): 23, (5, 9): 13, (6, 8): 15, (7, 10): 17, (8, 10): 11, (9, 10): 13},
}


@pytest.fixture
def example() -> PlacementInstance:
    kinds = ("p1", "p2", "p3")
    builder = GraphBuilder("topcuoglu", kinds)
    for task, costs in enumerate(COSTS, 1):
        builder.op(task, f"n{task}", "task", [float(c) for c in costs])
    for (a, b), c in EDGES.items():
        builder.tensor((a, b), a, float(c))
        builder.read((a, b), b)
    apart = 1.0 - np.eye(3)
    topology = DeviceTopology(
        "three", kinds, kinds, np.full(3, np.inf), 0 * apart, apart, np.zeros(3), links="parallel"
    )
    return PlacementInstance(builder.build(), topology)


def length(instance: PlacementInstance, where: np.ndarray, priority: np.ndarray) -> float:  # type: ignore[type-arg]
    """Of the planned schedule; priorities are negated starts."""
    cost = instance.cost[np.arange(instance.graph.num_ops), where]
    return float((cost - priority).max())


def test_upward_ranks_are_the_papers(example: PlacementInstance) -> None:
    ready = prepare(example)
    up, _ = listing.ranks_of(ready.packed, ready.order)
    paper = [108.0, 77.0, 80.0, 80.0, 69.0, 63.333, 42.667, 35.667, 44.333, 14.667]
    assert up == pytest.approx(paper, abs=1e-3)


def test_heft_has_the_papers_length(example: PlacementInstance) -> None:
    assert length(example, *heuristics.heft(example, prepare(example), 0)) == 80


def test_cpop_has_the_papers_length(example: PlacementInstance) -> None:
    assert length(example, *heuristics.cpop(example, prepare(example), 0)) == 86


def test_optimistic_costs_are_those_of_the_definition(example: PlacementInstance) -> None:
    """Arabnejad and Barbosa (2014), equation 3, by recursion."""
    ready = prepare(example)
    table = listing.optimistic(ready.packed, ready.order)

    def oct_(task: int, p: int) -> float:
        following = [(b, c) for (a, b), c in EDGES.items() if a == task]
        return max(
            (min(oct_(b, w) + COSTS[b - 1][w] + (c if w != p else 0) for w in range(3)) for b, c in following),
            default=0.0,
        )

    assert table == pytest.approx(np.array([[oct_(task, p) for p in range(3)] for task in range(1, 11)]))


def test_insertion_fills_a_gap() -> None:
    """Device 1 waits for a transfer; a short op of low rank fits in before."""
    graph = graph_of([4.0, 4.0, 4.0, 1.0], [(0, 2, 2.0), (1, 2, 2.0)])
    instance = PlacementInstance(graph, homogeneous("two", 2, kind="core", bandwidth=1.0, links="parallel"))
    ready = prepare(instance)
    up, _ = listing.ranks_of(ready.packed, ready.order)
    _, late = heuristics.listed(ready, up, None, False)
    _, early = heuristics.listed(ready, up, None, True)
    assert -early[3] <= -late[3]
    assert -early[3] == 4.0  # between the end of op 0 (or 1), at 4, and op 2, at 6


def test_etf_starts_the_earliest_pair_first() -> None:
    """Two chains without transfers between them each get a device; nothing ever waits."""
    graph = graph_of([1.0] * 6, [(0, 1, 9.0), (1, 2, 9.0), (3, 4, 9.0), (4, 5, 9.0)])
    instance = PlacementInstance(graph, homogeneous("two", 2, kind="core", bandwidth=1.0, links="parallel"))
    where, priority = heuristics.m_etf(instance, prepare(instance), 0)
    assert len(set(where[:3])) == len(set(where[3:])) == 1 and where[0] != where[3]
    assert length(instance, where, priority) == 3.0


def test_the_favourite_child_is_the_one_that_matters() -> None:
    """Op 0 has a short child and one that begins the long way: the linear program favours the latter."""
    graph = graph_of([1.0, 1.0, 5.0, 5.0], [(0, 1, 4.0), (0, 2, 4.0), (2, 3, 4.0)])
    instance = PlacementInstance(graph, homogeneous("two", 2, kind="core", bandwidth=1.0, links="parallel"))
    favourite = favourite_children(prepare(instance))
    assert favourite[0] == 2 and favourite[2] == 3
    where, _ = heuristics.m_sct(instance, prepare(instance), 0)
    assert where[0] == where[2] == where[3]
