# SPDX-License-Identifier: Apache-2.0
"""Partitioners cut where the only thin place is."""

from __future__ import annotations

import numpy as np
import pytest

from trimtab.core.errors import Unavailable
from trimtab.core.task import Budget, Task
from trimtab.problems.device_placement.baselines import KaHyParCut, MetisCut, ScotchMap
from trimtab.problems.device_placement.baselines.common import prepare, repaired
from trimtab.problems.device_placement.baselines.cuts import undirected
from trimtab.problems.device_placement.problem import PlacementInstance, homogeneous
from trimtab.problems.device_placement.simulator import Simulator

from ..made import graph_of


@pytest.mark.parametrize("solver", [MetisCut(), KaHyParCut(), ScotchMap()], ids=["metis", "mt_kahypar", "scotch"])
def test_two_thick_halves_are_cut_at_the_thin_edge(solver: MetisCut | KaHyParCut | ScotchMap) -> None:
    edges = [(a, b, 100.0) for half in (0, 6) for a in range(half, half + 5) for b in range(a + 1, half + 6)]
    instance = PlacementInstance(
        graph_of([1.0] * 12, [*edges, (5, 6, 100.0)]), homogeneous("two", 2, kind="core", bandwidth=1.0)
    )
    device = solver.solve(Task(instance, Simulator(), Budget(), 0)).device
    assert len(set(device[:6])) == len(set(device[6:])) == 1 and device[0] != device[6]


def test_parallel_edges_add_up_and_weights_are_symmetric() -> None:
    graph = graph_of([1.0, 2.0, 4.0], [(0, 1, 5.0), (0, 2, 5.0), (1, 2, 10.0)])
    start, near, weight, edge = undirected(
        prepare(PlacementInstance(graph, homogeneous("t", 2, kind="core", bandwidth=1)))
    )
    pairs = {
        (u, int(v)): int(w)
        for u in range(3)
        for v, w in zip(near[start[u] : start[u + 1]], edge[start[u] :], strict=False)
    }
    assert pairs == {(0, 1): 500_000, (1, 0): 500_000, (0, 2): 500_000, (2, 0): 500_000, (1, 2): 10**6, (2, 1): 10**6}
    assert weight.tolist() == [250_000, 500_000, 10**6]


def test_repair_moves_the_largest_that_helps() -> None:
    graph = graph_of([1.0] * 4, [(0, 1, 1.0)], memory=[5, 3, 2, 1])
    instance = PlacementInstance(graph, homogeneous("two", 2, kind="core", memory_bytes=6.0, bandwidth=1.0))
    device = repaired(instance, np.zeros(4, np.int64))
    assert device.tolist() == [1, 0, 0, 0]


def test_repair_says_when_it_finds_no_room() -> None:
    graph = graph_of([1.0] * 3, [(0, 1, 1.0)], memory=[2, 2, 2])
    instance = PlacementInstance(graph, homogeneous("two", 2, kind="core", memory_bytes=3.0, bandwidth=1.0))
    with pytest.raises(Unavailable, match="found no placement of 'made' that fits 'two'"):
        repaired(instance, np.zeros(3, np.int64))
