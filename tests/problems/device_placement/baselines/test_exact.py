# SPDX-License-Identifier: Apache-2.0
"""Exact methods against brute force, and the published optima of Tarnawski's pipelines."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from trimtab.core.task import Budget, Task
from trimtab.problems.device_placement.baselines import ContiguousSplit, contiguous_optimum
from trimtab.problems.device_placement.baselines.contraction import contract
from trimtab.problems.device_placement.baselines.cp_sat import optimum
from trimtab.problems.device_placement.bounds import load_bound, step_time_bound
from trimtab.problems.device_placement.problem import (
    DeviceTopology,
    Placement,
    PlacementInstance,
    homogeneous,
)
from trimtab.problems.device_placement.simulator import Simulator, engine
from trimtab.problems.device_placement.simulator.pack import pack
from trimtab.problems.device_placement.workload.archives import read_members
from trimtab.problems.device_placement.workload.tarnawski import read

from ..made import graph_of, layered

#: ms per sample, as the authors' own program finds them (dp.cpp, built with g++ 12), and where it found none, ours.
OPTIMA = {
    "LayerGraphs/bert24_inference": 17.7899,
    "LayerGraphs/bert24_training": 41.7458,
    "LayerGraphs/gnmt_inference": 32.9107,
    "LayerGraphs/resnet50_inference": 33.7747,
    "LayerGraphs/resnet50_training": 78.6318,
    "OperatorGraphs/bert_l-3_inference": 27.9186,
    "OperatorGraphs/bert_l-3_training": 65.3031,
    "OperatorGraphs/bert_l-6_inference": 29.5795,
    "OperatorGraphs/bert_l-6_training": 72.865,
    "OperatorGraphs/bert_l-12_inference": 147.478,
    "OperatorGraphs/bert_L-12_training": 437.998,
    "OperatorGraphs/resnet50_inference": 124.349,
    "OperatorGraphs/resnet50_training": 255.194,
}


def test_the_thirteen_published_optima(public_data: Path) -> None:
    """`benchmarks/device_placement_exact.py` times them, and finds the three that the authors' program does not."""
    members = read_members(public_data / "graphs" / "dnn-partitioning" / "inputs.tar.xz", ".json")
    for name, expected in OPTIMA.items():
        instance = read(members[f"throughput-inputs/{name}.json"], name)
        value, device = contiguous_optimum(instance)
        assert f"{value * 1e3:.6g}" == f"{expected:.6g}", name
        assert not Placement(device).flaw(instance), name
        assert engine.loads(pack(instance), device.astype(np.int32)).max() == pytest.approx(value), name


def contiguous_splits(instance: PlacementInstance) -> Iterator[tuple[int, ...]]:
    """Every placement whose devices can be put in an order such that no op reads from a later one."""
    graph, k = instance.graph, instance.topology.num_devices
    sources, targets = graph.sources.tolist(), graph.edge_op.tolist()
    for device in itertools.product(range(k), repeat=graph.num_ops):
        for order in itertools.permutations(range(k)):
            place = [order.index(d) for d in device]
            if all(place[a] <= place[b] for a, b in zip(sources, targets, strict=True)):
                yield device
                break


@pytest.mark.parametrize("seed", range(6))
def test_ideals_find_the_best_of_all_contiguous_splits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = layered(rng, ops=7, width=2)
    memory = 4.0 if seed % 2 else np.inf
    graph = graph_of(graph.compute_s[:, 0].tolist(), _edges(graph), memory=rng.random(7).tolist())
    topology = homogeneous("three", 3, kind="core", memory_bytes=memory, bandwidth=2.0, links="max_load")
    instance = PlacementInstance(graph, topology)
    values = [
        Simulator().evaluate(instance, Placement(np.array(device)), seed=0) for device in contiguous_splits(instance)
    ]
    best = min(o.metrics["max_load"] for o in values if o.feasible)
    assert contiguous_optimum(instance)[0] == pytest.approx(best)


def test_ideals_use_a_device_that_pays_no_transfers() -> None:
    """An accelerator pays for its transfers, a CPU does not: brute force over both kinds."""
    graph = graph_of([[1.0, 2.0], [1.0, 1.5], [0.5, 3.0], [1.0, 1.0]], [(0, 1, 1.0), (0, 2, 1.0), (1, 3, 1.0)])
    topology = DeviceTopology(
        "mixed", ("a", "b", "c"), ("core", "core", "slow"), np.full(3, np.inf), np.zeros((3, 3)),
        0.3 * (1 - np.eye(3)), np.zeros(3), links="max_load", pays_transfers=np.array([True, True, False]),
    )  # fmt: skip
    instance = PlacementInstance(graph, topology)
    best = min(
        Simulator().evaluate(instance, Placement(np.array(device)), seed=0).metrics["max_load"]
        for device in contiguous_splits(instance)
    )
    assert contiguous_optimum(instance)[0] == pytest.approx(best)


@pytest.mark.parametrize("seed", range(4))
def test_the_chain_is_cut_at_the_best_places(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = graph_of(rng.random(8).tolist(), [(i, i + 1, float(rng.random())) for i in range(7)])
    instance = PlacementInstance(graph, homogeneous("three", 3, kind="core", bandwidth=1.0, links="max_load"))
    found = ContiguousSplit().solve(Task(instance, Simulator(), Budget(), 0))
    best = min(
        Simulator().evaluate(instance, Placement(np.repeat([0, 1, 2], [a, b - a, 8 - b])), seed=0).metrics["max_load"]
        for a in range(9)
        for b in range(a, 9)
    )
    assert Simulator().evaluate(instance, found, seed=0).metrics["max_load"] == pytest.approx(best)


@pytest.mark.parametrize("links", ["parallel", "max_load"])
def test_cp_sat_proves_what_brute_force_finds(links: str) -> None:
    graph = layered(np.random.default_rng(5), ops=6, width=2)
    topology = homogeneous("two", 2, kind="core", bandwidth=2.0, links=links, queue="priority")
    instance = PlacementInstance(graph, topology)
    found = optimum(instance, 5.0)
    best = min(
        Simulator().evaluate(instance, Placement(np.array(d), np.array(order, float)), seed=0).metrics["step_time"]
        for d in itertools.product(range(2), repeat=6)
        for order in ([tuple(range(6))] if links == "max_load" else itertools.permutations(range(6)))
    )
    assert found.proved
    assert found.value == pytest.approx(best, rel=1e-3)
    assert found.bound <= best * (1 + 1e-9)


@pytest.mark.parametrize("links", ["bus", "parallel", "switch", "max_load"])
def test_nothing_is_below_the_bounds(links: str) -> None:
    for seed in range(5):
        graph = layered(np.random.default_rng(seed), ops=7, width=3)
        instance = PlacementInstance(graph, homogeneous("two", 2, kind="core", bandwidth=50.0, links=links))
        outcomes = [
            Simulator().evaluate(instance, Placement(np.array(d)), seed=0).metrics
            for d in itertools.product(range(2), repeat=7)
        ]
        assert min(o["step_time"] for o in outcomes) >= step_time_bound(instance) * (1 - 1e-12)
        assert min(o["max_load"] for o in outcomes) >= load_bound(instance) * (1 - 1e-12)


def test_backward_ops_follow_their_forward_ops() -> None:
    """Two forward ops, their backward mirror, and a backward-only group that mirrors into the forward order."""
    graph = graph_of(
        [1.0, 1.0, 2.0, 2.0, 0.5],
        [(0, 1, 1.0), (1, 2, 1.0), (2, 3, 1.0), (2, 4, 1.0), (4, 3, 1.0)],
        colocation=[0, 1, 1, 0, -1],
    )
    graph = type(graph)(**{**vars(graph), "is_backward": np.array([False, False, True, True, True])})
    small = contract(PlacementInstance(graph, homogeneous("two", 2, kind="core", bandwidth=1.0, links="max_load")))
    assert small.num_nodes == 3
    assert small.node[0] == small.node[3] and small.node[1] == small.node[2]
    first, second, alone = small.node[0], small.node[1], small.node[4]
    # backward 1 -> alone -> 0, mirrored: 0 -> alone -> 1
    assert small.before[first, second] and small.before[first, alone] and small.before[alone, second]


def _edges(graph) -> list[tuple[int, int, float]]:  # type: ignore[no-untyped-def]
    return [
        (int(graph.tensor_op[t]), int(c), float(graph.tensor_bytes[t]))
        for t, c in zip(graph.edge_tensor, graph.edge_op, strict=True)
    ]
