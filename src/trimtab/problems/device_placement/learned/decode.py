# SPDX-License-Identifier: Apache-2.0
"""From what the network believes to a placement: list scheduling by earliest finish and broken ties, compiled.

An op goes where it finishes first, plus the time that it would cost to break ties:
for each op that is already placed elsewhere, with which it is believed to share a
device, the transfer between them; and for each placed op that has a reader in
common with it, the smaller of their two transfers to that reader.
"""

from __future__ import annotations

import numpy as np

from trimtab.kit.compiled import compiled, inlined

from ..baselines.listing import allowed, data_ready, emptiest, first_ready, pop, release, settle
from ..problem import MAX_LOAD, Floats
from ..simulator.engine import State, makespan, new_state, overfull
from ..simulator.pack import Ints32, Packed
from .moves import PENALTY


@compiled
def decode(
    p: Packed,
    unit: Ints32,
    unit_bytes: Floats,
    unit_workspace: Floats,
    unit_cost: Floats,
    importance: Floats,
    tie: Floats,
    weight: float,
) -> tuple[Ints32, Floats, float]:
    """(device of each unit, planned starts, planned step time or, in max_load links, load).

    `tie` (edges,) s, in the order of ``p.reader``: transfer times times beliefs. With
    ``weight`` 0 this is earliest finish alone.
    """
    n, k = p.cost.shape
    where, device = np.full(len(unit_bytes), -1, np.int32), np.full(n, -1, np.int32)
    start, end = np.zeros(n), np.zeros(n)
    kept, work, free, load = np.zeros(k), np.zeros(k), np.zeros(k), np.zeros(k)
    pull = np.zeros(k)
    waits, heap = p.waits.copy(), np.zeros(n, np.int32)
    size = first_ready(p, heap, importance)
    edge_of = edges_by_reader(p)
    while size > 0:
        i, size = pop(heap, size, importance)
        u = unit[i]
        total = attraction(p, device, edge_of, tie, i, pull) if weight > 0.0 else 0.0
        best, chosen = np.inf, -1
        for d in range(k):
            if not allowed(p, where, kept, work, unit_cost, unit_bytes, unit_workspace, u, d):
                continue
            if p.links == MAX_LOAD:
                value = load[d] + p.cost[i, d] + arriving(p, device, i, d)
            else:
                value = max(data_ready(p, device, end, i, d), free[d]) + p.cost[i, d]
            if weight > 0.0:
                value += weight * (total - pull[d])
            if value < best or chosen < 0:
                best, chosen = value, d
        if chosen < 0:
            chosen = emptiest(p, kept, unit_cost, u)
        settle(where, kept, work, unit_bytes, unit_workspace, u, chosen)
        start[i] = max(data_ready(p, device, end, i, chosen), free[chosen])
        device[i] = chosen
        end[i] = start[i] + p.cost[i, chosen]
        free[chosen] = end[i] + (p.overhead[chosen] if p.cost[i, chosen] > 0.0 else 0.0)
        load[chosen] += p.cost[i, chosen] + arriving(p, device, i, chosen)
        size = release(p, waits, heap, size, i, importance)
    most = 0.0
    for d in range(k):
        most = max(most, load[d] if p.links == MAX_LOAD else free[d])
    return where, start, most


@compiled
def outcome(p: Packed, unit: Ints32, where: Ints32, start: Floats, device: Ints32, rank: Ints32, state: State) -> float:
    """Simulated step time of a decoding, with the penalty for memory, s. `rank` is empty where queues have no order."""
    n = len(unit)
    for i in range(n):
        device[i] = where[unit[i]]
    if len(rank):
        rank[np.argsort(start, kind="mergesort")] = np.arange(n, dtype=np.int32)
    return float(makespan(p, device, rank, state) * (1.0 + PENALTY * overfull(p, device)))


@compiled
def outcomes(
    p: Packed,
    unit: Ints32,
    unit_bytes: Floats,
    unit_workspace: Floats,
    unit_cost: Floats,
    importance: Floats,
    tie: Floats,
    prioritised: bool,
) -> Floats:
    """Simulated step times of many decodings, (many, ops) and (many, edges), with the penalty for memory.  (many,) s"""
    n = len(unit)
    state, device = new_state(p), np.zeros(n, np.int32)
    rank = np.zeros(n if prioritised else 0, np.int32)
    values = np.zeros(len(importance))
    for s in range(len(importance)):
        where, start, _ = decode(p, unit, unit_bytes, unit_workspace, unit_cost, importance[s], tie[s], 1.0)
        values[s] = outcome(p, unit, where, start, device, rank, state)
    return values


@compiled
def edges_by_reader(p: Packed) -> Ints32:
    """For each entry of ``p.inputs``, which entry of ``p.reader`` it is.  (edges,)"""
    found = np.zeros(len(p.inputs), np.int32)
    seen = np.zeros(len(p.cost), np.int32)
    for t in range(len(p.bytes)):
        for r in range(p.reader_start[t], p.reader_start[t + 1]):
            i = p.reader[r]
            found[p.input_start[i] + seen[i]] = r
            seen[i] += 1
    return found


@inlined
def attraction(p: Packed, device: Ints32, edge_of: Ints32, tie: Floats, i: int, pull: Floats) -> float:
    """Seconds that speak for each device, into `pull`; their sum."""
    total = 0.0
    for d in range(len(pull)):
        pull[d] = 0.0
    for x in range(p.input_start[i], p.input_start[i + 1]):
        d = device[p.tensor_op[p.inputs[x]]]
        pull[d] += tie[edge_of[x]]
        total += tie[edge_of[x]]
    for t in range(p.tensor_start[i], p.tensor_start[i + 1]):
        for r in range(p.reader_start[t], p.reader_start[t + 1]):
            c = p.reader[r]
            for x in range(p.input_start[c], p.input_start[c + 1]):
                d = device[p.tensor_op[p.inputs[x]]]
                if d >= 0:
                    shared = min(tie[r], tie[edge_of[x]])
                    pull[d] += shared
                    total += shared
    return float(total)


@inlined
def arriving(p: Packed, device: Ints32, i: int, d: int) -> float:
    """Time that op i's inputs from elsewhere take, s."""
    total = 0.0
    for x in range(p.input_start[i], p.input_start[i + 1]):
        t = p.inputs[x]
        e = device[p.tensor_op[t]]
        if e != d:
            total += p.alpha[e, d] + p.beta[e, d] * p.bytes[t]
    return total
