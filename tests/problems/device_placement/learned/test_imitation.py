# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trimtab.core.errors import DataError
from trimtab.core.fingerprint import fingerprint
from trimtab.core.task import Budget, Task
from trimtab.problems.device_placement.baselines import Heuristic, listing
from trimtab.problems.device_placement.baselines.common import prepare
from trimtab.problems.device_placement.learned import Imitation, ImitationLearner, load
from trimtab.problems.device_placement.learned.decode import decode
from trimtab.problems.device_placement.learned.features import EDGE, NODE, features
from trimtab.problems.device_placement.learned.network import forward, shapes
from trimtab.problems.device_placement.learned.teaching import Teacher
from trimtab.problems.device_placement.problem import (
    DeviceTopology,
    OpGraph,
    Placement,
    PlacementInstance,
    homogeneous,
)
from trimtab.problems.device_placement.simulator import Simulator
from trimtab.problems.device_placement.workload import sharded

from ..made import graph_of, random_instance


def task(instance: PlacementInstance, calls: float = 0) -> Task[PlacementInstance, Placement]:
    return Task(instance, Simulator(), Budget(calls), 0, "step_time")


def random_weights(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes().items()}


def renumbered(instance: PlacementInstance, new: np.ndarray) -> tuple[PlacementInstance, np.ndarray]:
    """Op i becomes op new[i]; and the old edge of each new one."""
    g = instance.graph
    old = np.argsort(new)
    tensors = np.argsort(new[g.tensor_op], kind="stable")
    tensor_number = np.argsort(tensors)
    edge_tensor, edge_op = tensor_number[g.edge_tensor], new[g.edge_op]
    edges = np.lexsort((edge_op, edge_tensor))
    graph = OpGraph(
        g.name, tuple(g.op_name[i] for i in old), tuple(g.op_type[i] for i in old), g.device_types, g.compute_s[old],
        g.param_bytes[old], g.output_bytes[old], g.workspace_bytes[old], new[g.tensor_op][tensors],
        g.tensor_bytes[tensors], edge_tensor[edges], edge_op[edges], g.colocation[old], g.is_backward[old], g.family,
    )  # fmt: skip
    return PlacementInstance(graph, instance.topology), edges


def test_numbering_of_ops_changes_nothing() -> None:
    weights = random_weights(0)
    for seed in range(3):
        instance = sharded.draw("attention", seed)
        new = np.random.default_rng(seed).permutation(instance.graph.num_ops)
        other, edges = renumbered(instance, new)
        together, start = forward(weights, features(instance))
        other_together, other_start = forward(weights, features(other))
        np.testing.assert_allclose(other_start[new], start, atol=1e-4)
        np.testing.assert_allclose(other_together, together[edges], atol=1e-4)


def test_numbering_of_devices_changes_nothing() -> None:
    """Features of unequal devices, the other way round."""
    instance = next(i for s in range(50) if len(set((i := sharded.draw("feed", s)).topology.device_type)) > 1)
    t = instance.topology
    turned = DeviceTopology(
        t.name, t.device_name, t.device_type[::-1], t.memory_bytes[::-1], t.alpha_s, t.beta_s_per_B, t.op_overhead_s,
        t.link_gap_s, t.links, t.queue,
    )  # fmt: skip
    one, other = features(instance), features(PlacementInstance(instance.graph, turned))
    np.testing.assert_allclose(one.node, other.node, atol=1e-9)
    np.testing.assert_allclose(one.edge, other.edge, atol=1e-9)


def test_seconds_do_not_matter() -> None:
    """All times a thousand times as long: the same features."""
    instance = sharded.draw("chain", 1)
    t = instance.topology
    slower = PlacementInstance(
        replace(instance.graph, compute_s=instance.graph.compute_s * 1e3),
        replace(t, alpha_s=t.alpha_s * 1e3, beta_s_per_B=t.beta_s_per_B * 1e3, op_overhead_s=t.op_overhead_s * 1e3),
    )
    np.testing.assert_allclose(features(instance).node, features(slower).node, atol=1e-9)
    assert features(instance).node.shape[1] == NODE
    assert features(instance).edge.shape[1] == EDGE


def test_torch_and_numpy_are_one_network() -> None:
    torch = pytest.importorskip("torch")
    from trimtab.problems.device_placement.learned.torch_network import torch_forward

    weights, f = random_weights(1), features(sharded.draw("halo", 0))
    tensors = {name: torch.from_numpy(value) for name, value in weights.items()}
    node, edge = torch.from_numpy(f.node.astype(np.float32)), torch.from_numpy(f.edge.astype(np.float32))
    together, start = torch_forward(tensors, node, edge, torch.from_numpy(f.source), torch.from_numpy(f.target))
    expected = forward(weights, f)
    np.testing.assert_allclose(together.numpy(), expected[0], atol=2e-4)
    np.testing.assert_allclose(start.numpy(), expected[1], atol=2e-4)


class PlainDecoder:
    """The same rules in plain Python: pick the most important ready op, try all devices."""

    def __init__(self, instance: PlacementInstance, tie: np.ndarray, weight: float) -> None:
        self.g, self.t, self.cost, self.tie, self.weight = instance.graph, instance.topology, instance.cost, tie, weight
        n, k = self.cost.shape
        self.source = self.g.sources
        self.inputs: list[list[int]] = [[] for _ in range(n)]
        for e, op in enumerate(self.g.edge_op):
            self.inputs[op].append(e)
        self.device, self.end, self.free, self.load = [-1] * n, [0.0] * n, [0.0] * k, [0.0] * k

    def decode(self, importance: np.ndarray) -> list[int]:
        n, k = self.cost.shape
        while -1 in self.device:
            ready = [
                i
                for i in range(n)
                if self.device[i] < 0 and all(self.device[self.source[e]] >= 0 for e in self.inputs[i])
            ]
            i = min(ready, key=lambda op: (-importance[op], op))
            values = [round(self.value(i, d), 9) for d in range(k)]
            self.put(i, values.index(min(values)))
        return self.device

    def put(self, i: int, d: int) -> None:
        self.load[d] += self.cost[i, d] + self.transfers(i, d)
        begin = max([self.free[d], *self.arrivals(i, d)])
        self.device[i], self.end[i] = d, begin + self.cost[i, d]
        self.free[d] = self.end[i] + (self.t.op_overhead_s[d] if self.cost[i, d] > 0 else 0.0)

    def takes(self, e: int, d: int) -> float:
        home = self.device[self.source[e]]
        size = self.g.tensor_bytes[self.g.edge_tensor[e]]
        return 0.0 if home == d else float(self.t.alpha_s[home, d] + self.t.beta_s_per_B[home, d] * size)

    def arrivals(self, i: int, d: int) -> list[float]:
        return [self.end[self.source[e]] + self.takes(e, d) for e in self.inputs[i]]

    def transfers(self, i: int, d: int) -> float:
        return sum(self.takes(e, d) for e in self.inputs[i])

    def broken(self, i: int, d: int) -> float:
        total = sum(float(self.tie[e]) for e in self.inputs[i] if self.device[self.source[e]] != d)
        for e in np.flatnonzero(self.source == i):
            for other in self.inputs[self.g.edge_op[e]]:
                if self.device[self.source[other]] not in (-1, d):
                    total += float(min(self.tie[e], self.tie[other]))
        return total

    def value(self, i: int, d: int) -> float:
        if self.t.links == "max_load":
            base = self.load[d] + self.cost[i, d] + self.transfers(i, d)
        else:
            base = max([self.free[d], *self.arrivals(i, d)]) + self.cost[i, d]
        return float(base + self.weight * self.broken(i, d))


@pytest.mark.parametrize("links", ["parallel", "bus", "max_load"])
@pytest.mark.parametrize("weight", [0.0, 0.7])
def test_decoder_against_plain_rules(links: str, weight: float) -> None:
    rng = np.random.default_rng(11)
    for _ in range(25):
        instance, _ = random_instance(rng, links, ops=14)
        g = instance.graph
        instance = PlacementInstance(
            replace(g, compute_s=rng.random(g.compute_s.shape), tensor_bytes=rng.random(len(g.tensor_bytes))),
            instance.topology,
        )
        ready, n = prepare(instance), g.num_ops
        importance, tie = rng.random(n), rng.random(len(g.edge_op))
        where, _, _ = decode(
            ready.packed, ready.unit, ready.unit_bytes, ready.unit_workspace, ready.unit_cost, importance, tie, weight
        )
        assert where[ready.unit].tolist() == PlainDecoder(instance, tie, weight).decode(importance)


def test_without_ties_it_is_critical_path_scheduling() -> None:
    for seed in range(6):
        instance = sharded.draw("chain", seed)
        if instance.topology.links == "max_load":
            continue
        ready = prepare(instance)
        up, _ = listing.ranks_of(ready.packed, ready.order)
        where, _, _ = decode(
            ready.packed, ready.unit, ready.unit_bytes, ready.unit_workspace, ready.unit_cost, up,
            np.zeros(len(instance.graph.edge_op)), 0.0,
        )  # fmt: skip
        expected = Heuristic("critical_path").solve(task(instance))
        assert where[ready.unit].tolist() == expected.device.tolist()


def test_shipped_weights_beat_heft_on_families_that_they_have_not_seen() -> None:
    """In the geometric mean over all link modes; with links that never contend alone they are about level."""
    solver, log = Imitation(), []
    for seed in range(5000, 5020):
        for family in ("transformer", "experts"):
            instance = sharded.draw(family, seed)
            if instance.graph.num_ops > sharded.MOST:
                continue
            assert fingerprint(instance) not in solver.trained_on
            values = [
                Simulator().evaluate(instance, other.solve(task(instance)), seed=0).metrics["step_time"]
                for other in (solver, Heuristic("heft"))
            ]
            log.append(np.log(values[0] / values[1]))
    assert len(log) >= 20
    assert np.exp(np.mean(log)) < 0.95


def test_ops_that_are_alike_get_the_same_answer() -> None:
    """Bit for bit, whatever their place in the matrices that are multiplied: no chance of the arithmetic decides."""
    graph = graph_of([1.0] * 9, [(i, 8, 1.0) for i in range(8)])
    instance = PlacementInstance(graph, homogeneous("two", 2, kind="core", bandwidth=1.0, links="parallel"))
    together, start = forward(random_weights(2), features(instance))
    assert len(set(together)) == 1
    assert len(set(start[:8])) == 1


def test_weights_are_kept(tmp_path: Path) -> None:
    solver = Imitation(random_weights(3), {"solver": "imitation", "cpu_s": 1.5, "trained_on": ["x"]})
    solver.save(tmp_path / "w.safetensors")
    again = load(tmp_path / "w.safetensors")
    assert isinstance(again, Imitation)
    assert again.trained_on == {"x"}
    instance = sharded.draw("attention", 2)
    assert np.array_equal(again.solve(task(instance)).device, solver.solve(task(instance)).device)
    (tmp_path / "bad.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(DataError, match=r"bad\.safetensors"):
        load(tmp_path / "bad.safetensors")


def test_training_learns_what_a_search_found(tmp_path: Path) -> None:
    """Ties of graphs that it was trained on; the second time its lessons are read from the folder."""
    pytest.importorskip("torch")
    instances = [sharded.draw("chain", seed) for seed in range(4)]
    teacher, kept = Teacher(calls=300, exact_most=0), str(tmp_path / "kept")
    learner = ImitationLearner(teacher, epochs=30, refinements=250, kept=kept)
    solver = learner.fit([task(i) for i in instances])
    assert solver.trained_on == {fingerprint(i) for i in instances}
    assert len(list((tmp_path / "kept").iterdir())) == 4
    again = learner.fit([task(i) for i in instances])
    assert all(np.array_equal(again.weights[name], value) for name, value in solver.weights.items())


def test_refining_goes_where_steps_get_shorter() -> None:
    """Two ops feed a third with transfers of 10 s: earliest finish tears them apart, belief in the ties does not."""
    pytest.importorskip("torch")
    from trimtab.problems.device_placement.learned import refining

    graph = graph_of([1.0, 1.0, 1.0], [(0, 2, 10.0), (1, 2, 10.0)])
    instance = PlacementInstance(graph, homogeneous("two", 2, kind="core", bandwidth=1.0, links="parallel"))
    rng = np.random.default_rng(0)
    undecided = np.full(2, -2.2)  # a belief of 0.1: 1 s for a broken tie, as much as waiting costs
    total = sum(refining.directions(instance, features(instance), undecided, np.zeros(3), rng)[0] for _ in range(50))
    assert (np.asarray(total) > 1.0).all()
