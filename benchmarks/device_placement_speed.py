# SPDX-License-Identifier: Apache-2.0
"""How fast device_placement's simulator is, beside two others on the same graphs, and whether it is right.

Targets: 10 M op/s on one core at about 350 ops and 7 M at 2,000, in every link mode and
queue; 150 times an event simulator in plain Python with Placeto's semantics, 500 times
one in SimPy; a single move 5 times as fast as a whole simulation; 10,000 random
instances per mode equal to plain rules to the last bit.

    python benchmarks/device_placement_speed.py [--quick]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from device_placement_peers import Lean, Placeto, simulate_simpy

from trimtab.core.task import Budget, Task
from trimtab.problems.device_placement.baselines import Search
from trimtab.problems.device_placement.problem import LINKS, QUEUES, OpGraph, Placement, PlacementInstance, homogeneous
from trimtab.problems.device_placement.simulator import Simulator, engine, step_times
from trimtab.problems.device_placement.simulator.moves import Moves
from trimtab.problems.device_placement.simulator.pack import pack, ranks
from trimtab.problems.device_placement.workload.suites import SHIPPED, load_graph

GRAPHS = {"llama-inference": 10.0, "bert-training": 10.0, "gnmt-training": 7.0}  # 260, 555 and 2,004 ops; M op/s


def least(function: Callable[[], object], repeats: int) -> float:
    """CPU seconds of the fastest of several runs."""
    found = []
    for _ in range(repeats):
        begin = time.thread_time()
        function()
        found.append(time.thread_time() - begin)
    return min(found)


def instance_of(graph: OpGraph, links: str, queue: str = "fifo") -> PlacementInstance:
    topology = homogeneous(
        "bench", 4, kind=graph.device_types[0], bandwidth=10e9 / 8, links=links, queue=queue,
        op_overhead_s=5.7e-6, link_gap_s=25e-6,
    )  # fmt: skip
    return PlacementInstance(graph, topology)


def rates(quick: bool) -> bool:
    """M op/s of every mode."""
    rng, good = np.random.default_rng(0), True
    print(f"{'M op/s (one core)':24s}", *[f"{links[:8]}/{queue[:4]:5s}" for links in LINKS for queue in QUEUES])
    for name, target in GRAPHS.items():
        graph, row = load_graph(SHIPPED / f"{name}.npz"), []
        for links in LINKS:
            for queue in QUEUES:
                instance = instance_of(graph, links, queue)
                devices = rng.integers(0, 4, (50 if quick else 200, graph.num_ops)).astype(np.int32)
                packed, rank = pack(instance), ranks(instance, rng.random(graph.num_ops))
                engine.makespans(packed, devices[:2], rank)
                seconds = least(lambda p=packed, d=devices, r=rank: engine.makespans(p, d, r), 5)  # type: ignore[misc]
                row.append(devices.size / seconds / 1e6)
        good &= min(row) >= target
        print(f"{name:15s} {graph.num_ops:5d}  ", *[f"{rate:13.1f}" for rate in row], f"  target {target:g}")
    return good


def peers(quick: bool) -> bool:
    """Times as fast as the two others, whose results must be the same where no two things happen at once."""
    rng, good = np.random.default_rng(1), True
    for name in GRAPHS:
        graph = load_graph(SHIPPED / f"{name}.npz")
        jitter = rng.uniform(0.9, 1.1, graph.compute_s.shape)  # no ties
        graph = replace(graph, compute_s=(graph.compute_s + 1e-7) * jitter)
        devices = rng.integers(0, 4, (3, graph.num_ops))
        bus, parallel = instance_of(graph, "bus"), instance_of(graph, "parallel")
        parallel = replace(parallel, topology=replace(parallel.topology, op_overhead_s=np.zeros(4)))
        for instance, run, times, label in (
            (bus, Placeto(bus).run, 150, "Placeto's way"),
            (bus, Lean(bus).run, 0, "lean Python"),
            (parallel, lambda d, i=parallel: simulate_simpy(i, d), 500, "SimPy"),
        ):
            ours = step_times(instance, devices)
            theirs = [run(d.tolist()) for d in devices]
            same = np.allclose(ours, theirs, rtol=1e-9)
            many = np.repeat(devices, 100, axis=0)
            fast = least(lambda i=instance, m=many: step_times(i, m), 3) / len(many)  # type: ignore[misc]
            one = devices[0].tolist()
            slow = least(lambda r=run, d=one: r(d), 2 if quick else 5)  # type: ignore[misc]
            good &= same and slow / fast >= times
            print(
                f"{name:18s} {label:16s} {slow * 1e3:8.2f} ms, ours {fast * 1e6:7.1f} us: {slow / fast:6.0f} times "
                f"({f'target {times}' if times else 'no target'}), {'equal results' if same else 'RESULTS DIFFER'}"
            )
    return good


def moves(quick: bool) -> bool:
    """A random single move of an annealed placement, asked whether it is better."""
    rng, good = np.random.default_rng(2), True
    for name in GRAPHS:
        graph = load_graph(SHIPPED / f"{name}.npz")
        for links in LINKS:
            instance = instance_of(graph, links)
            task = Task(instance, Simulator(), Budget(5_000 if quick else 20_000), 0, "step_time")
            placement = Search("walk", warm=True, hot=0.003).solve(task)
            found = Moves(instance, Placement(placement.device))
            tries = [np.array([int(rng.integers(graph.num_ops))]) for _ in range(400)]
            to = rng.integers(0, 4, 400)
            after = np.repeat(placement.device[None].astype(np.int32), 400, axis=0)
            after[np.arange(400), [int(ops[0]) for ops in tries]] = to
            packed, rank = pack(instance), ranks(instance, None)
            values, expected = found.evaluate_many(tries, to), engine.makespans(packed, after, rank)
            same = np.allclose(values, expected, rtol=1e-12) if links == "max_load" else (values == expected).all()
            full = least(lambda p=packed, a=after, r=rank: engine.makespans(p, a, r), 5)  # type: ignore[misc]
            asked = least(lambda f=found, t=tries, d=to: f.evaluate_many(t, d, f.value), 5)  # type: ignore[misc]
            exact = least(lambda f=found, t=tries, d=to: f.evaluate_many(t, d), 5)  # type: ignore[misc]
            good &= bool(same)
            good &= full / asked >= 5
            print(
                f"{name:18s} {links:8s} whole {full / len(tries) * 1e6:7.1f} us; a move, better than now or not: "
                f"{full / asked:5.1f} times as fast (target 5); its value whatever it is: {full / exact:5.1f} times"
                f"{'' if same else '  RESULTS DIFFER'}"
            )
    return good


def rules(quick: bool) -> bool:
    """Against the plain rules of the tests, to the last bit."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.problems.device_placement.made import random_instance
    from tests.problems.device_placement.simulator.oracle import step_time

    cases, good = 300 if quick else 10_000, True
    for links in LINKS:
        rng, wrong = np.random.default_rng(99), 0
        for _ in range(cases):
            instance, placement = random_instance(rng, links, ops=14)
            value = step_times(instance, placement.device[None], placement.priority)[0]
            wrong += bool(value != step_time(instance, placement)[0])
        good &= wrong == 0
        print(f"{links:8s} {cases} random instances: {wrong} differ from the plain rules (target 0)")
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=["rates", "peers", "moves", "rules"])
    options = parser.parse_args()
    parts = {"rates": rates, "peers": peers, "moves": moves, "rules": rules}
    results = [part(options.quick) for name, part in parts.items() if options.only in (None, name)]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
