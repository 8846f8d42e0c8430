# SPDX-License-Identifier: Apache-2.0
"""The best contiguous split along one topological order: the human expert's way, done optimally."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trimtab.core.errors import Unavailable
from trimtab.core.task import Task
from trimtab.kit.compiled import compiled

from ..problem import Flags, Floats, Ints, Placement, PlacementInstance
from ..simulator.pack import Ints32
from .common import decide, prepare, upward_rank
from .contraction import Contracted, contract


@dataclass(frozen=True)
class ContiguousSplit:
    """Consecutive pieces of a depth-first topological order, one per device in their order, with the least max-load."""

    @property
    def config(self) -> dict[str, Any]:
        return {"order": "depth-first"}

    def solve(self, task: Task[PlacementInstance, Placement]) -> Placement:
        instance = task.instance
        small = contract(instance)
        value, piece = pieces(small, instance)
        if not np.isfinite(value):
            raise Unavailable(f"contiguous: no such split of {instance.graph.name!r} fits {instance.topology.name!r}")
        ready = prepare(instance)
        device = piece[small.node]
        return decide(instance, device[ready.members[ready.member_start[:-1]]], upward_rank(ready, instance))


def pieces(small: Contracted, instance: PlacementInstance) -> tuple[float, Ints]:
    """(least max-load, device of each node (nodes,)) over all cuts, devices in their order; a device may stay empty."""
    topology = instance.topology
    pays = topology.pays_transfers if len(topology.pays_transfers) else np.ones(topology.num_devices, bool)
    best, cut = _cut(
        small.cost, pays, topology.memory_bytes, small.bytes, small.workspace, small.touch_start, small.touch,
        small.made, small.readers, small.transfer_s,
    )  # fmt: skip
    device = np.zeros(small.num_nodes, np.int64)
    end = small.num_nodes
    for d in range(topology.num_devices - 1, -1, -1):
        begin = int(cut[d, end])
        device[begin:end] = d
        end = begin
    return float(best), device


def best_chain(small: Contracted, cost: Floats, counts: Ints, pays: Flags, room: Floats) -> tuple[float, Ints]:
    """As `pieces`, for kinds of devices: first all of the first kind, then those of the second."""
    kinds = np.repeat(np.arange(len(counts)), counts)
    best, cut = _cut(
        np.ascontiguousarray(cost[:, kinds]), pays[kinds], room[kinds], small.bytes, small.workspace,
        small.touch_start, small.touch, small.made, small.readers, small.transfer_s,
    )  # fmt: skip
    return float(best), cut


@compiled
def _cut(
    cost: Floats, pays: Flags, room: Floats, kept: Floats, workspace: Floats, touch_start: Ints32, touch: Ints32,
    made: Flags, readers: Ints32, transfer: Floats,
) -> tuple[float, Ints]:  # fmt: skip
    """Least max-load of nodes 0 .. n on devices 0 .. k, and where the last piece begins.  (value, (k, n + 1))"""
    n, k = cost.shape
    best, cut = np.full((k, n + 1), np.inf), np.zeros((k, n + 1), np.int64)
    inside, has_maker = np.zeros(len(readers), np.int32), np.zeros(len(readers), np.bool_)
    time = np.zeros(k)
    for d in range(k):
        best[d, 0] = 0.0
    for begin in range(n):
        for d in range(k):  # a device may stay empty
            if d > 0 and best[d - 1, begin] < best[d, begin]:
                best[d, begin], cut[d, begin] = best[d - 1, begin], begin
        inside[:] = 0
        has_maker[:] = False
        time[:] = 0.0
        comm, size, work = 0.0, 0.0, 0.0
        for end in range(begin + 1, n + 1):
            v = end - 1
            for x in range(touch_start[v], touch_start[v + 1]):
                t = touch[x]
                paid = (inside[t] < readers[t]) if has_maker[t] else (inside[t] > 0)
                if made[x]:
                    has_maker[t] = True
                else:
                    inside[t] += 1
                now = (inside[t] < readers[t]) if has_maker[t] else (inside[t] > 0)
                if now and not paid:
                    comm += transfer[t]
                elif paid and not now:
                    comm -= transfer[t]
            size += kept[v]
            work = max(work, workspace[v])
            for d in range(k):
                time[d] += cost[v, d]
                if size + work > room[d]:
                    continue
                before = 0.0 if d == 0 and begin == 0 else (np.inf if d == 0 else best[d - 1, begin])
                value = max(before, time[d] + (comm if pays[d] else 0.0))
                if value < best[d, end]:
                    best[d, end], cut[d, end] = value, begin
    for d in range(1, k):
        if best[d - 1, n] < best[d, n]:
            best[d, n], cut[d, n] = best[d - 1, n], n
    return float(best[k - 1, n]), cut
