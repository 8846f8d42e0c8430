# SPDX-License-Identifier: Apache-2.0
"""What the baselines share: ops in order, units in CSR form, room on devices, and repair of overfull ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from trimtab.core.errors import Unavailable

from ..problem import Floats, Ints, Placement, PlacementInstance, memory, topological_order, units
from ..simulator.pack import Ints32, Packed, pack


@dataclass(frozen=True, eq=False)
class Prepared:
    """An instance as planners want it."""

    packed: Packed
    order: Ints32  # (ops,) topological
    unit: Ints32  # (ops,) what is placed as one
    member_start: Ints32  # (units + 1,) ops of unit u: members[member_start[u] ...]
    members: Ints32  # (ops,)
    unit_bytes: Floats  # (units,) B kept
    unit_workspace: Floats  # (units,) B
    unit_cost: Floats  # (units, devices) s; inf: runs not there

    @property
    def num_units(self) -> int:
        return len(self.unit_bytes)


@lru_cache(maxsize=256)
def prepare(instance: PlacementInstance) -> Prepared:
    graph, packed = instance.graph, pack(instance)
    unit, first = units(graph)
    count = len(first)
    members = np.argsort(unit, kind="stable")
    cost = np.zeros((count, instance.topology.num_devices))
    np.add.at(cost, unit, packed.cost)
    work = np.zeros(count)
    np.maximum.at(work, unit, packed.workspace_bytes)
    return Prepared(
        packed,
        topological_order(graph.num_ops, graph.sources, graph.edge_op).astype(np.int32),
        unit.astype(np.int32),
        np.searchsorted(unit[members], np.arange(count + 1)).astype(np.int32),
        members.astype(np.int32),
        np.bincount(unit, packed.kept_bytes, count).astype(np.float64),
        work,
        cost,
    )


def decide(instance: PlacementInstance, unit_device: Ints, priority: Floats | None = None) -> Placement:
    """A placement of units as one of ops; what does not fit is moved. Raises `Unavailable` where that fails."""
    ready = prepare(instance)
    device = repaired(instance, np.asarray(unit_device, np.int64))[ready.unit]
    return Placement(device, None if instance.topology.queue == "fifo" else priority)


def repaired(instance: PlacementInstance, unit_device: Ints) -> Ints:
    """Every unit where it can run, and no device too full.

    Units leave an overfull device, the largest that helps first, for the device
    with the most room. Where that gets stuck all units are packed anew, the largest
    first, each where it was if it still fits. Deterministic, and no exact packing:
    where room is very short it may fail.
    """
    ready = prepare(instance)
    device = unit_device.copy()
    wrong = np.flatnonzero(~np.isfinite(ready.unit_cost[np.arange(ready.num_units), device]))
    device[wrong] = ready.unit_cost[wrong].argmin(axis=1)
    room = instance.topology.memory_bytes
    for _ in range(4 * ready.num_units):
        over = memory(instance, device[ready.unit]) - room
        full = int(over.argmax())
        if over[full] <= 0:
            return device
        here = np.flatnonzero((device == full) & (ready.unit_bytes > 0))
        moved = _move_one(ready, device, over, full, here[np.argsort(-ready.unit_bytes[here], kind="stable")])
        if not moved:
            break
    device = _packed_anew(ready, device, room)
    if (memory(instance, device[ready.unit]) > room).any():
        raise Unavailable(f"found no placement of {instance.graph.name!r} that fits {instance.topology.name!r}")
    return device


def _move_one(ready: Prepared, device: Ints, over: Floats, full: int, candidates: Ints) -> bool:
    for u in candidates:
        need = ready.unit_bytes[u] + ready.unit_workspace[u]
        fits = np.flatnonzero((-over >= need) & np.isfinite(ready.unit_cost[u]))
        fits = fits[fits != full]
        if len(fits):
            device[u] = fits[np.argmin(over[fits])]
            return True
    return False


def _packed_anew(ready: Prepared, device: Ints, room: Floats) -> Ints:
    packed, kept, work = device.copy(), np.zeros(len(room)), np.zeros(len(room))
    for u in np.argsort(-ready.unit_bytes, kind="stable"):
        left = room - kept - np.maximum(work, ready.unit_workspace[u]) - ready.unit_bytes[u]
        left[~np.isfinite(ready.unit_cost[u])] = -np.inf
        d = int(device[u]) if left[device[u]] >= 0 else int(left.argmax())
        packed[u] = d
        kept[d] += ready.unit_bytes[u]
        work[d] = max(work[d], ready.unit_workspace[u])
    return packed


def upward_rank(ready: Prepared, instance: PlacementInstance) -> Floats:
    """Mean time from the start of an op to the end of the graph, transfers at their mean time.  (ops,) s"""
    from .listing import ranks_of

    up, _ = ranks_of(ready.packed, ready.order)
    return np.asarray(up)
