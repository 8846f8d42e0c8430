# SPDX-License-Identifier: Apache-2.0
"""Memory by liveness: by hand, and against an account kept second by second."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from trimtab.problems.device_placement.problem import LINKS, Placement, PlacementInstance, homogeneous
from trimtab.problems.device_placement.simulator import Simulator, timeline
from trimtab.problems.device_placement.simulator.liveness import live_memory

from ..made import graph_of, random_instance


def chain(links: str = "bus") -> PlacementInstance:
    """Three ops of 1 s, one after the other; outputs of 10, 20 and 40 B; the first two are read."""
    graph = replace(
        graph_of([1.0, 1.0, 1.0], [(0, 1, 10.0), (1, 2, 20.0)]),
        output_bytes=np.array([10.0, 20.0, 40.0]), param_bytes=np.array([1.0, 2.0, 4.0]),
        workspace_bytes=np.array([0.0, 0.0, 100.0]),
    )  # fmt: skip
    return PlacementInstance(graph, homogeneous("two", 2, kind="core", bandwidth=10.0, links=links))


def test_a_chain_on_one_device_frees_what_was_read() -> None:
    instance = chain()
    outcome = Simulator().evaluate(instance, Placement(np.array([0, 0, 0])), seed=0)
    assert outcome.metrics["live_memory"] == 7 + 20 + 40 + 100  # the first output is gone when the third op runs
    assert outcome.metrics["peak_memory"] == 7 + 10 + 20 + 40 + 100


def test_a_copy_counts_where_it_is_and_while_it_is_under_way() -> None:
    instance = chain()
    device = np.array([0, 1, 1])
    start, end = timeline(instance, Placement(device))
    assert start.tolist() == [0.0, 2.0, 3.0]
    assert live_memory(instance, device, start, end).tolist() == [1 + 10, 6 + 20 + 40 + 100]
    device = np.array([0, 0, 1])  # 20 B from 2 s on, of which the third op makes 40 B and needs 100 B
    assert live_memory(instance, device, *timeline(instance, Placement(device))).tolist() == [3 + 30, 4 + 20 + 40 + 100]


def test_a_full_pipeline_has_no_order_and_no_such_metric() -> None:
    metrics = Simulator().evaluate(chain("max_load"), Placement(np.array([0, 1, 1])), seed=0).metrics
    assert "live_memory" not in metrics and metrics["peak_memory"] == 166.0


@pytest.mark.parametrize("links", [links for links in LINKS if links != "max_load"])
def test_is_what_is_found_by_asking_at_every_moment(links: str) -> None:
    rng = np.random.default_rng(3)
    for _ in range(100):
        made, placement = random_instance(rng, links, ops=12)
        sizes = {name: rng.random(made.graph.num_ops) for name in ("output_bytes", "param_bytes", "workspace_bytes")}
        instance = replace(made, graph=replace(made.graph, **sizes))
        start, end = timeline(instance, placement)
        found = live_memory(instance, placement.device, start, end)
        moments = np.unique(np.concatenate([start, end]))
        asked = np.max([held_at(instance, placement, start, end, at) for at in moments], axis=0)
        assert found == pytest.approx(asked)


def held_at(instance: PlacementInstance, placement: Placement, start: object, end: object, at: float) -> list[float]:
    """Bytes of each device from `at` on, until something changes."""
    graph, where = instance.graph, placement.device
    held = [0.0] * instance.topology.num_devices
    edges = list(zip(graph.sources, graph.edge_op, graph.edge_tensor, strict=True))
    for op in range(graph.num_ops):
        held[where[op]] += graph.param_bytes[op]
        if start[op] <= at < end[op]:  # type: ignore[index]
            held[where[op]] += graph.workspace_bytes[op]
        uses = [end[r] if where[r] == where[op] else start[r] for m, r, _ in edges if m == op]  # type: ignore[index]
        if start[op] <= at < max([*uses, end[op]] if uses else [np.inf]):  # type: ignore[index]
            held[where[op]] += graph.output_bytes[op]
    for tensor in range(len(graph.tensor_op)):
        maker = graph.tensor_op[tensor]
        for device in set(where.tolist()) - {int(where[maker])}:
            readers = [r for _, r, t in edges if t == tensor and where[r] == device]
            if readers and end[maker] <= at < max(end[r] for r in readers):  # type: ignore[index]
                held[device] += graph.tensor_bytes[tensor]
    return held
