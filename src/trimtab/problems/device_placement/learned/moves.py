# SPDX-License-Identifier: Apache-2.0
"""Simulated annealing with moves made for graphs with transfers, compiled with the simulator.

Where a tensor costs more to move than to make, a step that moves one op can't help:
what it talks to stays behind. So of four moves three know the graph:

* a *cluster* goes to another device: from an op, along ties of a strength above a
  random threshold, to what is on the same device (after Swendsen and Wang, Phys. Rev.
  Lett. 1987). The device is mostly one of a neighbour's;
* two units swap their devices;
* an op goes before the one that it waited for in its device's queue;
* an op goes anywhere in the order.

Moves begin at an op of the critical path, mostly: nothing else can shorten the step.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trimtab.kit.compiled import compiled, inlined

from ..problem import MAX_LOAD, Flags, Floats
from ..simulator.engine import State, advance, begin, finish, heaviest, loads, new_state, overfull
from ..simulator.pack import Ints32, Packed

PENALTY = 10.0  # of the step time, per device's memory that is too much
CRITICAL = 0.7  # of moves begin on the critical path
ORDERING = 0.25  # of moves are in the order, where queues have one
SWAPS = 0.1
CLUSTERS = 0.5  # of the other moves: more than one unit
NEAR = 0.6  # go where a neighbour is
SLACK = 1e-9  # relative: bounds are summed in another order than the step


class Neighbourhood(NamedTuple):
    """Units, their ops, and their ties."""

    unit: Ints32  # (ops,)
    member_start: Ints32  # (units + 1,)
    members: Ints32  # (ops,)
    allowed: Flags  # (units, devices)
    near_start: Ints32  # (units + 1,) neighbours of unit u: near[near_start[u] ...]
    near: Ints32  # (ties,)
    strength: Floats  # (ties,) in [0, 1]
    tail: Floats  # (ops,) s, least time from an op's start to the end
    limited: bool  # a device's memory is


class Incumbent(NamedTuple):
    """Where the walk is, and the best that it has seen; changed in place."""

    where: Ints32  # (units,) device
    order: Ints32  # (ops,) by priority, the first first
    best_where: Ints32
    best_order: Ints32
    values: Floats  # (2,) s: now, best


class Scratch(NamedTuple):
    device: Ints32  # (ops,)
    rank: Ints32  # (ops,) inverse of `order`; (0,) where queues have no priorities
    path: Ints32  # (ops,) critical
    blocker: Ints32  # (ops,) whom that op of the path waited for, or -1
    moved: Ints32  # (units,)
    origin: Ints32  # (units,)
    mark: Ints32  # (units,)
    work: Floats  # (devices,) s, of each device's ops
    rest: Floats  # (devices,) s, of those that have not started


@compiled
def anneal(
    p: Packed, h: Neighbourhood, b: Incumbent, prioritised: bool, calls: int, hot: float, cold: float, seed: int
) -> None:
    """So many simulator calls, from the incumbent on. The heat falls geometrically, as a share of the current value."""
    np.random.seed(seed)
    n, k = p.cost.shape
    units = len(h.allowed)
    state = new_state(p)
    w = Scratch(
        np.zeros(n, np.int32),
        np.zeros(n if prioritised else 0, np.int32),
        np.zeros(n, np.int32),
        np.zeros(n, np.int32),
        np.zeros(units, np.int32),
        np.zeros(units, np.int32),
        np.zeros(units, np.int32),
        np.zeros(k),
        np.zeros(k),
    )
    for i in range(n):
        w.device[i] = b.where[h.unit[i]]
        w.work[w.device[i]] += occupies(p, i, w.device[i])
        if prioritised:
            w.rank[b.order[i]] = i
    now = value(p, h, w, state, np.inf)
    length = critical(p, w, state)
    keep(b, now)
    for done in range(1, calls):
        heat = hot * (cold / hot) ** (done / calls)
        at = np.random.randint(length)
        op = w.path[at] if np.random.random() < CRITICAL else np.random.randint(n)
        kind = np.random.random()
        count, pushed, back = 0, -1, 0
        if prioritised and kind < ORDERING:
            to = np.random.randint(n)
            if w.blocker[at] >= 0 and np.random.random() < CRITICAL:
                op = w.path[at]
                to = w.rank[w.blocker[at]]
            pushed, back = op, w.rank[op]
            insert(b.order, w.rank, op, int(to))
        elif kind < ORDERING + SWAPS:
            count = swap(p, h, b.where, w, int(h.unit[op]), int(h.unit[np.random.randint(n)]))
        else:
            count = shift(p, h, b.where, w, int(h.unit[op]), k, done)
        if count == 0 and pushed < 0:
            continue
        limit = now - heat * now * np.log(
            1.0 - np.random.random()
        )  # Metropolis, drawn before: worse need not be finished
        new = value(p, h, w, state, limit)
        if new <= limit:
            if new != now or np.random.random() < 0.1:
                length = critical(p, w, state)
            now = new
            keep(b, now)
        else:
            for x in range(count):
                place(p, h, b.where, w, w.moved[x], w.origin[x])
            if pushed >= 0:
                insert(b.order, w.rank, pushed, int(back))


@inlined
def value(p: Packed, h: Neighbourhood, w: Scratch, state: State, limit: float) -> float:
    """Step time with the penalty for memory, s; inf as soon as it is certainly more than `limit`."""
    step: float
    if p.links == MAX_LOAD:
        step = heaviest(loads(p, w.device))
    else:
        for d in range(len(w.work)):
            w.rest[d] = w.work[d]
        begin(p, w.device, w.rank, state)
        if not advance(p, w.device, w.rank, state, len(w.device), h.tail, w.rest, limit * (1.0 + SLACK)):
            return np.inf
        step = finish(p, state)
    if h.limited:
        step *= 1.0 + PENALTY * overfull(p, w.device)
    return step


@inlined
def occupies(p: Packed, i: int, d: int) -> float:
    """How long device d is busy with op i, s."""
    cost: float = p.cost[i, d]
    return cost + p.overhead[d] if cost > 0.0 else cost


@inlined
def keep(b: Incumbent, now: float) -> None:
    b.values[0] = now
    if now < b.values[1] * (1.0 - 1e-12):
        b.values[1] = now
        for u in range(len(b.where)):
            b.best_where[u] = b.where[u]
        for i in range(len(b.order)):
            b.best_order[i] = b.order[i]


@inlined
def place(p: Packed, h: Neighbourhood, where: Ints32, w: Scratch, u: int, d: int) -> None:
    old = where[u]
    where[u] = d
    for x in range(h.member_start[u], h.member_start[u + 1]):
        i = h.members[x]
        w.device[i] = d
        w.work[old] -= occupies(p, i, old)
        w.work[d] += occupies(p, i, d)


@inlined
def insert(order: Ints32, rank: Ints32, op: int, to: int) -> None:
    """Op `op` becomes the to-th; those between move up or down by one."""
    at = rank[op]
    while at > to:
        order[at] = order[at - 1]
        rank[order[at]] = at
        at -= 1
    while at < to:
        order[at] = order[at + 1]
        rank[order[at]] = at
        at += 1
    order[at] = op
    rank[op] = at


@inlined
def swap(p: Packed, h: Neighbourhood, where: Ints32, w: Scratch, u: int, v: int) -> int:
    d, e = where[u], where[v]
    if d == e or not h.allowed[u, e] or not h.allowed[v, d]:
        return 0
    w.moved[0], w.origin[0], w.moved[1], w.origin[1] = u, d, v, e
    place(p, h, where, w, u, e)
    place(p, h, where, w, v, d)
    return 2


@inlined
def shift(p: Packed, h: Neighbourhood, where: Ints32, w: Scratch, u: int, k: int, stamp: int) -> int:
    """Move a cluster that begins at unit u; how many units moved."""
    old, d = where[u], -1
    ties = h.near_start[u + 1] - h.near_start[u]
    if ties > 0 and np.random.random() < NEAR:
        d = where[h.near[h.near_start[u] + np.random.randint(ties)]]
    if d < 0 or d == old:
        d = np.random.randint(k)
        if d == old:
            d = (d + 1) % k
    if d == old or not h.allowed[u, d]:
        return 0
    threshold = 2.0
    if np.random.random() < CLUSTERS:
        threshold = np.random.random() * 1.05
    units = len(where)
    most = 1 + np.random.randint(1 + units // k)
    count, top, done = 0, 1, 0
    w.moved[0] = u  # found so far; those before `done` have moved
    w.mark[u] = stamp
    while done < top and count < most:
        v = w.moved[done]
        w.origin[done] = old
        place(p, h, where, w, v, int(d))
        done += 1
        count += 1
        for y in range(h.near_start[v], h.near_start[v + 1]):
            z = h.near[y]
            if h.strength[y] >= threshold and w.mark[z] != stamp and where[z] == old and h.allowed[z, d]:
                w.mark[z] = stamp
                w.moved[top] = z
                top += 1
    return count


@compiled
def critical(p: Packed, w: Scratch, s: State) -> int:
    """The chain of ops that made the step so long, from its end, into ``w.path``; how many they are.

    In max_load links: the ops of the busiest device. Of contention of links it
    takes no notice: the path then leads through the producer of the last tensor.
    """
    n = len(w.device)
    if p.links == MAX_LOAD:
        load = loads(p, w.device)
        busiest, count = np.argmax(load), 0
        for i in range(n):
            if w.device[i] == busiest:
                w.path[count], w.blocker[count] = i, -1
                count += 1
        if count == 0:  # nothing takes any time
            w.path[0], w.blocker[0] = 0, -1
        return max(1, count)
    i, latest = -1, -1.0
    for j in range(n):
        end = s.ops[j].start + p.cost[j, w.device[j]]
        if end > latest:
            i, latest = j, end
    count = 0
    while i >= 0 and count < n:
        w.path[count], w.blocker[count] = i, -1
        start, before = s.ops[i].start, -1
        if start > s.ops[i].ready:
            before = predecessor(p, w, s, i)
            w.blocker[count] = before
        if before < 0:
            before = supplier(p, w, s, i)
        count += 1
        i = before
    return count


@inlined
def predecessor(p: Packed, w: Scratch, s: State, i: int) -> int:
    """The op that ran on i's device just before it."""
    d, start = w.device[i], s.ops[i].start
    found, latest = -1, -1.0
    for j in range(len(w.device)):
        if w.device[j] == d and s.ops[j].start < start:
            end = s.ops[j].start + p.cost[j, d]
            if end > latest:
                found, latest = j, end
    return found


@inlined
def supplier(p: Packed, w: Scratch, s: State, i: int) -> int:
    """The producer of what reached op i last, were links free."""
    d = w.device[i]
    found, latest = -1, -1.0
    for x in range(p.input_start[i], p.input_start[i + 1]):
        t = p.inputs[x]
        j = p.tensor_op[t]
        e = w.device[j]
        there = s.ops[j].start + p.cost[j, e]
        if e != d:
            there += p.alpha[e, d] + p.beta[e, d] * p.bytes[t]
        if there > latest:
            found, latest = int(j), there
    return found
