# SPDX-License-Identifier: Apache-2.0
"""Step times to the last bit as the plain rules say, and laws that hold for any schedule."""

from __future__ import annotations

import numpy as np
import pytest

from trimtab.problems.device_placement.problem import LINKS, QUEUES, DeviceTopology, PlacementInstance
from trimtab.problems.device_placement.simulator import Simulator, step_times, timeline

from ..made import graph_of, random_instance
from .oracle import step_time


@pytest.mark.parametrize("links", LINKS)
def test_equals_the_plain_rules_to_the_last_bit(links: str) -> None:
    """`benchmarks/device_placement_speed.py` asks 10,000 of each."""
    rng = np.random.default_rng(LINKS.index(links))
    for case in range(300):
        instance, placement = random_instance(rng, links)
        expected, start = step_time(instance, placement)
        outcome = Simulator().evaluate(instance, placement, seed=0)
        assert outcome.metrics["step_time"] == expected, f"case {case}"
        if start:
            assert timeline(instance, placement)[0].tolist() == start, f"case {case}"


@pytest.mark.parametrize("links", LINKS)
@pytest.mark.parametrize("queue", QUEUES)
@pytest.mark.parametrize("op", range(3))
def test_where_a_device_cannot_run_its_op_the_step_never_ends(links: str, queue: str, op: int) -> None:
    """Nothing of the state is read or written that is not there: the plain rules would wait for ever."""
    cost = [[1.0, 1.0] for _ in range(3)]
    cost[op][0] = np.inf
    graph = graph_of(cost, [(0, 1, 1.0), (1, 2, 1.0)])
    topology = DeviceTopology(
        "mixed", ("a", "b"), ("core", "slow"), np.full(2, np.inf), np.zeros((2, 2)), 1 - np.eye(2), np.zeros(2),
        links=links, queue=queue,
    )  # fmt: skip
    instance = PlacementInstance(graph, topology)
    forbidden, fine = np.zeros((1, 3), np.int64), np.ones((1, 3), np.int64)
    assert step_times(instance, forbidden, np.zeros(3)).tolist() == [np.inf]
    assert step_times(instance, fine, np.zeros(3)).tolist() == [3.0]
