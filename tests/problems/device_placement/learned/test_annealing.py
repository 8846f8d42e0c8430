# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools

import numpy as np
import pytest

from trimtab.core.errors import UnknownName
from trimtab.core.task import Budget, Task
from trimtab.problems.device_placement.baselines.common import prepare
from trimtab.problems.device_placement.baselines.search import Meter
from trimtab.problems.device_placement.learned import annealing, drawing, moves, ties
from trimtab.problems.device_placement.learned.annealing import CriticalAnnealing
from trimtab.problems.device_placement.problem import LINKS, Placement, PlacementInstance, homogeneous
from trimtab.problems.device_placement.simulator import Simulator, step_times, timeline
from trimtab.problems.device_placement.simulator.engine import makespan, new_state
from trimtab.problems.device_placement.simulator.pack import pack, ranks
from trimtab.problems.device_placement.workload import sharded

from ..made import graph_of, layered, random_instance


def step(instance: PlacementInstance, placement: Placement) -> float:
    outcome = Simulator().evaluate(instance, placement, seed=0)
    assert outcome.feasible, outcome.note
    return outcome.metrics["step_time"]


def solved(instance: PlacementInstance, calls: int, seed: int = 0) -> Placement:
    return CriticalAnnealing().solve(Task(instance, Simulator(), Budget(calls), seed))


@pytest.mark.parametrize("links", LINKS)
def test_finds_the_optimum_of_small_graphs(links: str) -> None:
    """Every placement of eight ops on two devices, first in, first out."""
    for seed in range(4):
        graph = layered(np.random.default_rng(seed), ops=8, width=2)
        instance = PlacementInstance(graph, homogeneous("two", 2, kind="core", bandwidth=4.0, links=links))
        every = np.array(list(itertools.product(range(2), repeat=8)))
        assert step(instance, solved(instance, 3000)) == pytest.approx(step_times(instance, every).min(), rel=1e-12)


@pytest.mark.parametrize("links", LINKS)
def test_what_the_walk_says_is_what_the_simulator_says(links: str) -> None:
    """Runs that are left early change no value: the best is recomputed whole."""
    rng = np.random.default_rng(5)
    for seed in range(20):
        instance, _ = random_instance(rng, links)
        ready = prepare(instance)
        starts = annealing.constructed(instance, ready, seed)
        where = np.asarray(starts[0][0], np.int32)
        order = np.argsort(-starts[0][1], kind="stable").astype(np.int32)
        incumbent = moves.Incumbent(where.copy(), order.copy(), where, order, np.array([np.inf, np.inf]))
        near = annealing.neighbourhood(instance, ready, annealing.transfer_strength(ties.transfer_seconds(ready)))
        prioritised = instance.topology.queue == "priority"
        moves.anneal(ready.packed, near, incumbent, prioritised, 400, 0.05, 0.001, seed)
        rank = np.empty(len(order))
        rank[incumbent.best_order] = np.arange(len(order))
        assert sorted(incumbent.order) == list(range(len(order)))
        found = Placement(incumbent.best_where.astype(np.int64)[ready.unit], -rank if prioritised else None)
        assert step(instance, found) == incumbent.values[1]


def test_critical_path_is_a_chain_that_fills_the_step() -> None:
    """With links that never contend: consecutive ops follow each other without a gap."""
    for seed in range(10):
        instance = sharded.draw("feed", seed)
        if instance.topology.links != "parallel":
            continue
        rng = np.random.default_rng(seed)
        n, k = instance.graph.num_ops, instance.topology.num_devices
        device, p = rng.integers(0, k, n), pack(instance)
        whole = np.zeros((5, n), np.int32)
        parts = (whole[0], whole[1], whole[2], whole[3], whole[4])
        w = moves.Scratch(device.astype(np.int32), ranks(instance, None), *parts, np.zeros(k), np.zeros(k))
        state = new_state(p)
        makespan(p, w.device, w.rank, state)
        path = w.path[: moves.critical(p, w, state)]
        start, end = timeline(instance, Placement(device))
        assert end[path[0]] == end.max()
        assert start[path[-1]] == 0.0
        for later, before in itertools.pairwise(path):
            gap = start[later] - end[before]
            d, e = device[before], device[later]
            on_the_way = 0.0 if d == e else instance.topology.alpha_s[d, e]
            assert gap >= on_the_way - 1e-12
        assert len(set(path)) == len(path)


def test_a_cluster_moves_where_single_ops_are_stuck() -> None:
    """Two chains on one device take 8 s, one on each takes 4 s; every step of one op takes over 100 s."""
    chains = [(4 * c + i, 4 * c + i + 1, 100.0) for c in range(2) for i in range(3)]
    instance = PlacementInstance(graph_of([1.0] * 8, chains), homogeneous("two", 2, kind="core", bandwidth=1.0))
    together = np.zeros(8, np.int64)
    for op in range(8):
        apart = together.copy()
        apart[op] = 1
        assert step(instance, Placement(apart)) > 100.0
    ready = prepare(instance)
    near = annealing.neighbourhood(instance, ready, annealing.transfer_strength(ties.transfer_seconds(ready)))
    where, order = np.zeros(8, np.int32), np.arange(8, dtype=np.int32)
    incumbent = moves.Incumbent(where.copy(), order.copy(), where, order, np.array([np.inf, np.inf]))
    moves.anneal(ready.packed, near, incumbent, False, 500, 1e-6, 1e-6, 0)
    assert incumbent.values[1] == 4.0


def test_same_seed_same_placement() -> None:
    instance = sharded.draw("chain", 3)
    first, second = solved(instance, 2000, seed=4), solved(instance, 2000, seed=4)
    assert np.array_equal(first.device, second.device)
    assert step(instance, first) <= step(instance, solved(instance, 20, seed=4))


def test_what_the_network_learnt_from_is_said_by_the_search_too() -> None:
    assert CriticalAnnealing("network").trained_on
    assert not CriticalAnnealing("ties").trained_on
    with pytest.raises(UnknownName, match="heuristics"):
        CriticalAnnealing("nowhere")


@pytest.mark.parametrize("links", LINKS)
def test_draws_are_plans_that_are_worth_what_they_say_and_beat_the_plan_without_noise(links: str) -> None:
    instance = next(i for s in range(50) if (i := sharded.draw("attention", s)).topology.links == links)
    ready, prioritised = prepare(instance), instance.topology.queue == "priority"
    guide = ties.every_tie(instance, ready)
    plain = min(annealing.simulated(instance, ready, plan) for plan in ties.plans(ready, guide))
    meter = Meter(Task(instance, Simulator(), Budget(4000), 0))
    (start,) = drawing.drawn(ready, guide, prioritised, meter, seed=1)
    assert 0 < meter.spent <= drawing.SHARE * 4000 + 500 / drawing.SLOWER  # in chunks
    assert annealing.simulated(instance, ready, start) <= plain
    again = drawing.drawn(ready, guide, prioritised, Meter(Task(instance, Simulator(), Budget(4000), 0)), seed=1)
    assert np.array_equal(again[0][0], start[0])


def test_without_budget_nothing_is_drawn() -> None:
    instance = sharded.draw("chain", 1)
    meter = Meter(Task(instance, Simulator(), Budget(0), 0))
    assert drawing.drawn(prepare(instance), ties.every_tie(instance, prepare(instance)), False, meter, 0) == []
