# SPDX-License-Identifier: Apache-2.0
"""Two other ways to simulate a placement, written here from their descriptions: what the speed is compared with.

`Placeto` is an event simulator in plain Python with the semantics and the data
structures of Placeto's (Addanki et al., NeurIPS 2019): an event queue of op ends, bus
ends and arrivals; queues per device and per bus in order of insertion; ops, devices
and what is awaited are looked up by name. `Lean` does the same with numbers and
lists, as fast as plain Python will. `simulate_simpy` is the usual SimPy program for
links without contention: a process per op and a resource per device.
"""

from __future__ import annotations

import heapq
from collections.abc import Generator
from itertools import count
from typing import Any

from trimtab.problems.device_placement.problem import PlacementInstance

RUN_DEVICE, RUN_BUS, ARRIVE = "run_device", "run_bus", "arrive"


class Lean:
    """Bus links, first in first out. Built once for a graph, run for many placements."""

    def __init__(self, instance: PlacementInstance) -> None:
        graph, topology = instance.graph, instance.topology
        self.ops = range(graph.num_ops)
        self.cost = instance.cost.tolist()
        self.size = graph.tensor_bytes.tolist()
        self.alpha, self.beta = topology.alpha_s.tolist(), topology.beta_s_per_B.tolist()
        self.overhead, self.gap = topology.op_overhead_s.tolist(), topology.link_gap_s
        self.tensors: list[list[int]] = [[] for _ in self.ops]
        for tensor, op in enumerate(graph.tensor_op.tolist()):
            self.tensors[op].append(tensor)
        self.readers: list[list[int]] = [[] for _ in self.size]
        self.parents: list[set[int]] = [set() for _ in self.ops]
        for tensor, op in zip(graph.edge_tensor.tolist(), graph.edge_op.tolist(), strict=True):
            self.readers[tensor].append(op)
            self.parents[op].add(tensor)

    def run(self, device: list[int]) -> float:
        """Time of the last event."""
        number = count()
        events: list[tuple[float, int, str, Any]] = []
        queues: dict[Any, list[tuple[float, int, Any]]] = {}
        busy: dict[Any, bool] = {}
        missing = [set(parents) for parents in self.parents]

        def enqueue(at: float, kind: str, place: Any, item: Any) -> None:
            heapq.heappush(queues.setdefault(place, []), (at, next(number), item))
            if not busy.get(place):
                busy[place] = True
                heapq.heappush(events, (at, next(number), kind, place))

        for op in self.ops:
            if not missing[op]:
                enqueue(0.0, RUN_DEVICE, device[op], op)
        last = 0.0
        while events:
            now, _, kind, what = heapq.heappop(events)
            last = max(last, now)
            if kind == ARRIVE:
                tensor, op = what
                missing[op].discard(tensor)
                if not missing[op]:
                    enqueue(now, RUN_DEVICE, device[op], op)
            elif not queues[what]:
                busy[what] = False
            elif kind == RUN_DEVICE:
                _, _, op = heapq.heappop(queues[what])
                cost = self.cost[op][what]
                end = now + cost
                heapq.heappush(events, (end + (self.overhead[what] if cost > 0 else 0.0), next(number), kind, what))
                for tensor in self.tensors[op]:
                    away = [reader for reader in self.readers[tensor] if device[reader] != what]
                    for reader in self.readers[tensor]:
                        if device[reader] == what:
                            heapq.heappush(events, (end, next(number), ARRIVE, (tensor, reader)))
                    if away:
                        takes = max(
                            self.alpha[what][device[r]] + self.beta[what][device[r]] * self.size[tensor] for r in away
                        )
                        enqueue(end, RUN_BUS, ("bus", what), (tensor, takes, away))
            else:
                asked, order, (tensor, takes, away) = heapq.heappop(queues[what])
                if asked > now:  # it was put there for later
                    heapq.heappush(queues[what], (asked, order, (tensor, takes, away)))
                    heapq.heappush(events, (asked, next(number), kind, what))
                    continue
                for reader in away:
                    heapq.heappush(events, (now + takes, next(number), ARRIVE, (tensor, reader)))
                heapq.heappush(events, (now + takes + self.gap, next(number), kind, what))
        return last


class Placeto:
    """As `Lean`, with ops and devices by name, and a map of awaited parents per op that is asked as a whole."""

    def __init__(self, instance: PlacementInstance) -> None:
        graph, topology = instance.graph, instance.topology
        self.names = [f"{i:06d}/{name}" for i, name in enumerate(graph.op_name)]  # two readers of one tensor: by number
        self.devices = list(topology.device_name)
        self.cost = {
            name: dict(zip(self.devices, row, strict=True))
            for name, row in zip(self.names, instance.cost.tolist(), strict=True)
        }
        first: dict[int, int] = {}
        for tensor, op in enumerate(graph.tensor_op.tolist()):
            first.setdefault(op, tensor)
        self.output_bytes: dict[str, dict[int, float]] = {name: {} for name in self.names}
        self.children: dict[str, dict[tuple[str, int], int]] = {name: {} for name in self.names}
        self.awaited: dict[str, dict[tuple[str, int], bool]] = {name: {} for name in self.names}
        for tensor, op in zip(graph.edge_tensor.tolist(), graph.edge_op.tolist(), strict=True):
            maker = int(graph.tensor_op[tensor])
            output = tensor - first[maker]
            self.output_bytes[self.names[maker]][output] = float(graph.tensor_bytes[tensor])
            self.children[self.names[maker]][self.names[op], output] = output
            self.awaited[self.names[op]][self.names[maker], output] = True
        self.alpha, self.beta = topology.alpha_s.tolist(), topology.beta_s_per_B.tolist()
        self.overhead = dict(zip(self.devices, topology.op_overhead_s.tolist(), strict=True))
        self.gap = topology.link_gap_s

    def run(self, device: list[int]) -> float:
        """Time of the last event."""
        place = {name: self.devices[d] for name, d in zip(self.names, device, strict=True)}
        number_of = {name: i for i, name in enumerate(self.devices)}
        self.count, last = 0, 0.0
        events: list[Any] = []
        everywhere = [*self.devices, *("/bus" + name for name in self.devices)]
        running, queues = dict.fromkeys(everywhere, False), {name: [] for name in everywhere}  # type: ignore[var-annotated]
        start, end = {}, {}
        for awaited in self.awaited.values():
            for parent in awaited:
                awaited[parent] = True

        def enqueue(at: float, kind: str, where: str, item: Any) -> None:
            self.count += 1
            heapq.heappush(queues[where], ((at, self.count), item))
            if not running[where]:
                heapq.heappush(events, (at, kind, where, self.count))
                running[where] = True

        def run_device(now: float, where: str) -> None:
            _, name = heapq.heappop(queues[where])
            cost = self.cost[name][where]
            start[name], end[name] = now, now + cost
            self.count += 1
            heapq.heappush(
                events, (end[name] + (self.overhead[where] if cost > 0 else 0.0), RUN_DEVICE, where, self.count)
            )
            away: dict[int, list[str]] = {}
            for (child, _), output in self.children[name].items():
                if place[child] == where:
                    self.count += 1
                    heapq.heappush(events, (end[name], ARRIVE, (name, output, child), self.count))
                else:
                    away.setdefault(output, []).append(child)
            for output, readers in away.items():
                size, a = self.output_bytes[name][output], number_of[where]
                takes = max(
                    self.alpha[a][number_of[place[child]]] + self.beta[a][number_of[place[child]]] * size
                    for child in readers
                )
                enqueue(end[name], RUN_BUS, "/bus" + where, (name, output, takes, readers))

        def run_bus(now: float, where: str) -> None:
            asked, (name, output, takes, readers) = heapq.heappop(queues[where])
            self.count += 1
            if asked[0] > now:
                heapq.heappush(queues[where], (asked, (name, output, takes, readers)))
                heapq.heappush(events, (asked[0], RUN_BUS, where, self.count))
                return
            for child in readers:
                heapq.heappush(events, (now + takes, ARRIVE, (name, output, child), self.count))
            heapq.heappush(events, (now + takes + self.gap, RUN_BUS, where, self.count))

        for name in self.names:
            if not self.awaited[name]:
                enqueue(0.0, RUN_DEVICE, place[name], name)
        while events:
            now, kind, what, _ = heapq.heappop(events)
            last = max(last, now)
            if kind == ARRIVE:
                parent, output, child = what
                self.awaited[child][parent, output] = False
                if not any(self.awaited[child].values()):
                    enqueue(now, RUN_DEVICE, place[child], child)
            elif not queues[what]:
                running[what] = False
            elif kind == RUN_DEVICE:
                run_device(now, what)
            else:
                run_bus(now, what)
        return last


def simulate_simpy(instance: PlacementInstance, device: list[int]) -> float:
    """Parallel links, first in first out, with SimPy."""
    import simpy

    graph, topology = instance.graph, instance.topology
    env = simpy.Environment()
    devices = [simpy.Resource(env) for _ in range(topology.num_devices)]
    done = [env.event() for _ in range(graph.num_ops)]
    inputs: list[list[tuple[int, float]]] = [[] for _ in range(graph.num_ops)]
    for tensor, op in zip(graph.edge_tensor.tolist(), graph.edge_op.tolist(), strict=True):
        maker = int(graph.tensor_op[tensor])
        a, b = device[maker], device[op]
        delay = float(topology.alpha_s[a, b] + topology.beta_s_per_B[a, b] * graph.tensor_bytes[tensor])
        inputs[op].append((maker, 0.0 if a == b else delay))
    cost = instance.cost.tolist()

    def arrival(maker: int, delay: float) -> Generator[Any, Any, None]:
        yield done[maker]
        if delay:
            yield env.timeout(delay)

    def run(op: int) -> Generator[Any, Any, None]:
        yield env.all_of([env.process(arrival(maker, delay)) for maker, delay in inputs[op]])
        with devices[device[op]].request() as turn:
            yield turn
            yield env.timeout(cost[op][device[op]])
        done[op].succeed()

    for op in range(graph.num_ops):
        env.process(run(op))
    env.run()
    return float(env.now)
