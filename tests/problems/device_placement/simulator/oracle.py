# SPDX-License-Identifier: Apache-2.0
"""The simulator's rules once more, in the plainest Python: sorted lists, dictionaries, no cleverness."""

from __future__ import annotations

from trimtab.problems.device_placement.problem import Placement, PlacementInstance


def step_time(instance: PlacementInstance, placement: Placement) -> tuple[float, list[float]]:
    """(step time, start of each op)"""
    graph, topology = instance.graph, instance.topology
    where = [int(d) for d in placement.device]
    cost = instance.cost.tolist()
    alpha, beta = topology.alpha_s.tolist(), topology.beta_s_per_B.tolist()
    size = graph.tensor_bytes.tolist()
    tensors: dict[int, list[int]] = {op: [] for op in range(graph.num_ops)}
    for tensor, op in enumerate(graph.tensor_op.tolist()):
        tensors[op].append(tensor)
    readers: dict[int, list[int]] = {tensor: [] for tensor in range(len(size))}
    awaited: dict[int, set[int]] = {op: set() for op in range(graph.num_ops)}
    for tensor, op in zip(graph.edge_tensor.tolist(), graph.edge_op.tolist(), strict=True):
        readers[tensor].append(op)
        awaited[op].add(tensor)
    devices = range(topology.num_devices)
    free = [0.0 for _ in devices]
    link_free = [0.0 for _ in devices]
    arrived: dict[int, float] = dict.fromkeys(range(graph.num_ops), 0.0)  # the latest tensor so far
    requests: list[tuple[float, int, int]] = []
    start: dict[int, float] = {}

    def takes(a: int, b: int, tensor: int) -> float:
        return float(alpha[a][b] + beta[a][b] * size[tensor])

    def deliver(tensor: int, op: int, at: float) -> None:
        awaited[op].remove(tensor)
        arrived[op] = max(arrived[op], at)

    if topology.links == "max_load":
        return max(_loads(instance, placement)), []
    while len(start) < graph.num_ops:
        ready = [op for op in range(graph.num_ops) if op not in start and not awaited[op]]
        first = min((max(free[where[op]], arrived[op]), where[op]) for op in ready) if ready else (float("inf"), -1)
        if requests and min(requests)[0] <= first[0]:
            asked, tensor, target = min(requests)
            requests.remove((asked, tensor, target))
            source = where[int(graph.tensor_op[tensor])]
            there = max(asked, link_free[0]) + takes(source, target, tensor)
            link_free[0] = there + topology.link_gap_s
            for op in readers[tensor]:
                if where[op] == target:
                    deliver(tensor, op, there)
            continue
        now, device = first
        here = [op for op in ready if where[op] == device]
        if topology.queue == "fifo":
            op = min(here, key=lambda op: (arrived[op], op))
        else:
            importance = [0.0] * graph.num_ops if placement.priority is None else placement.priority.tolist()
            op = min((op for op in here if arrived[op] <= now), key=lambda op: (-importance[op], op))
        start[op] = now
        end = now + cost[op][device]
        free[device] = end + float(topology.op_overhead_s[device]) if cost[op][device] > 0 else end
        for tensor in tensors[op]:
            elsewhere = sorted({where[reader] for reader in readers[tensor]} - {device})
            there = end
            if elsewhere and topology.links == "bus":
                there = max(end, link_free[device]) + max(takes(device, e, tensor) for e in elsewhere)
                link_free[device] = there + topology.link_gap_s
            if topology.links == "switch":
                requests += [(end, tensor, e) for e in elsewhere]
            for reader in readers[tensor]:
                if where[reader] == device:
                    deliver(tensor, reader, end)
                elif topology.links == "bus":
                    deliver(tensor, reader, there)
                elif topology.links == "parallel":
                    deliver(tensor, reader, end + takes(device, where[reader], tensor))
    return max([*free, *link_free]), [start[op] for op in range(graph.num_ops)]


def _loads(instance: PlacementInstance, placement: Placement) -> list[float]:
    graph, topology = instance.graph, instance.topology
    where = [int(d) for d in placement.device]
    load = [0.0] * topology.num_devices
    pays = topology.pays_transfers.tolist() or [True] * topology.num_devices
    for op in range(graph.num_ops):
        device = where[op]
        load[device] += float(instance.cost[op, device])
        for tensor in [t for t, producer in enumerate(graph.tensor_op) if producer == op]:
            targets: list[int] = []
            for t, reader in zip(graph.edge_tensor, graph.edge_op, strict=True):
                if t == tensor and where[reader] != device and where[reader] not in targets:
                    targets.append(where[reader])
            costs = [
                float(topology.alpha_s[device, e])
                + float(topology.beta_s_per_B[device, e]) * float(graph.tensor_bytes[tensor])
                for e in targets
            ]
            for target, takes in zip(targets, costs, strict=True):
                if pays[target]:
                    load[target] += takes
            if pays[device] and costs:
                load[device] += max(costs)
    return load
