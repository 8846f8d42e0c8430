# SPDX-License-Identifier: Apache-2.0
"""List scheduling, compiled. All plan with links that never contend, whatever the simulator does.

==============  ======================================================================================
`heft`          highest upward rank first, earliest finish, gaps are filled (Topcuoglu, Hariri and Wu,
                TPDS 2002); without filling it is the critical-path list of DOPPLER's paper
`cpop`          as there: the critical path on one device, the others by earliest finish
`peft`          optimistic cost table (Arabnejad and Barbosa, TPDS 2014)
`etf`           earliest start of all pairs of ready ops and devices (Hwang et al., SIAM J. Comput. 1989),
                with memory as in Baechi's m-ETF (SoCC 2020); with favourite children it is its m-SCT
==============  ======================================================================================

A unit's first op chooses the device for all of it, among those with room for it.
"""

from __future__ import annotations

import numpy as np

from trimtab.kit.compiled import compiled, inlined

from ..problem import Floats
from ..simulator.pack import Ints32, Packed


@compiled
def ranks_of(p: Packed, order: Ints32) -> tuple[Floats, Floats]:
    """Upward and downward ranks of HEFT.  ((ops,), (ops,)) s"""
    n = len(p.cost)
    up, down = np.zeros(n), np.zeros(n)
    for at in range(n - 1, -1, -1):
        i = order[at]
        behind = 0.0
        for t in range(p.tensor_start[i], p.tensor_start[i + 1]):
            c = mean_transfer(p, t)
            for r in range(p.reader_start[t], p.reader_start[t + 1]):
                behind = max(behind, c + up[p.reader[r]])
        up[i] = behind + mean_cost(p, i)
    for at in range(n):
        i = order[at]
        for t in range(p.tensor_start[i], p.tensor_start[i + 1]):
            c = mean_transfer(p, t)
            for r in range(p.reader_start[t], p.reader_start[t + 1]):
                j = p.reader[r]
                down[j] = max(down[j], down[i] + mean_cost(p, i) + c)
    return up, down


@inlined
def mean_cost(p: Packed, i: int) -> float:
    """Over devices that the op runs on, s."""
    total, count = 0.0, 0
    for d in range(p.cost.shape[1]):
        if p.cost[i, d] < np.inf:
            total += p.cost[i, d]
            count += 1
    return float(total / count)


@inlined
def mean_transfer(p: Packed, t: int) -> float:
    """Over pairs of different devices, s."""
    k = len(p.overhead)
    if k == 1:
        return 0.0
    a, b = 0.0, 0.0
    for d in range(k):
        for e in range(k):
            if d != e:
                a += p.alpha[d, e]
                b += p.beta[d, e]
    return float((a + b * p.bytes[t]) / (k * (k - 1)))


@inlined
def data_ready(p: Packed, device: Ints32, end: Floats, i: int, d: int) -> float:
    """When all that op i reads could be on device d, s."""
    at = 0.0
    for x in range(p.input_start[i], p.input_start[i + 1]):
        t = p.inputs[x]
        j = p.tensor_op[t]
        e = device[j]
        there = end[j] if e == d else end[j] + p.alpha[e, d] + p.beta[e, d] * p.bytes[t]
        at = max(at, there)
    return float(at)


@inlined
def has_room(kept: Floats, work: Floats, p: Packed, size: float, workspace: float, d: int) -> bool:
    return bool(kept[d] + size + max(work[d], workspace) <= p.room[d])


@inlined
def allowed(
    p: Packed,
    where: Ints32,
    kept: Floats,
    work: Floats,
    unit_cost: Floats,
    size: Floats,
    workspace: Floats,
    u: int,
    d: int,
) -> bool:
    """Whether an op of unit u may go to device d: there it is already, or it is nowhere, runs there and has room."""
    if where[u] >= 0:
        return bool(where[u] == d)
    return bool(unit_cost[u, d] < np.inf and has_room(kept, work, p, float(size[u]), float(workspace[u]), d))


@inlined
def emptiest(p: Packed, kept: Floats, unit_cost: Floats, u: int) -> int:
    """Where there is no room anywhere: of the devices that unit u runs on; `repaired` puts it right."""
    chosen = -1
    for d in range(p.cost.shape[1]):
        if unit_cost[u, d] < np.inf and (chosen < 0 or kept[d] - p.room[d] < kept[chosen] - p.room[chosen]):
            chosen = d
    return chosen


@inlined
def settle(where: Ints32, kept: Floats, work: Floats, size: Floats, workspace: Floats, u: int, d: int) -> None:
    """Unit u is on device d from now on."""
    if where[u] < 0:
        where[u] = d
        kept[d] += size[u]
        work[d] = max(work[d], workspace[u])


@inlined
def find_gap(begin: Floats, until: Floats, count: int, ready: float, length: float) -> tuple[float, int]:
    """The earliest gap of a device's timeline: (start, its place)."""
    at = count
    low = ready
    # skip what ends before the op is ready
    first = 0
    last = count
    while first < last:
        middle = (first + last) >> 1
        if until[middle] <= ready:
            first = middle + 1
        else:
            last = middle
    for x in range(first, count):
        if low + length <= begin[x]:
            at = x
            break
        low = max(low, until[x])
    return low, at


@compiled
def schedule(
    p: Packed,
    order: Ints32,
    unit: Ints32,
    unit_bytes: Floats,
    unit_workspace: Floats,
    unit_cost: Floats,
    importance: Floats,
    bias: Floats,
    fixed: Ints32,
    insertion: bool,
) -> tuple[Ints32, Floats]:
    """Ops whose inputs are placed, the most important first, each where it ends first.

    Earliest finish plus ``bias[op, device]`` decides; ``fixed[op]`` >= 0 asks for a
    device. Returns the device of each unit and the planned starts.
    """
    n, k = p.cost.shape
    count = len(unit_bytes)
    where, device = np.full(count, -1, np.int32), np.full(n, -1, np.int32)
    start, end = np.zeros(n), np.zeros(n)
    kept, work, free = np.zeros(k), np.zeros(k), np.zeros(k)
    begin, until, filled = np.zeros((k, n)), np.zeros((k, n)), np.zeros(k, np.int64)
    waits, heap = p.waits.copy(), np.zeros(n, np.int32)
    size = first_ready(p, heap, importance)
    while size > 0:
        i, size = pop(heap, size, importance)
        u = int(unit[i])
        best, chosen, best_start, place = np.inf, -1, 0.0, 0
        for d in range(k):
            if not allowed(p, where, kept, work, unit_cost, unit_bytes, unit_workspace, u, d):
                continue
            if (
                where[u] < 0
                and fixed[i] >= 0
                and fixed[i] != d
                and unit_cost[u, fixed[i]] < np.inf
                and has_room(kept, work, p, float(unit_bytes[u]), float(unit_workspace[u]), fixed[i])
            ):
                continue
            ready = data_ready(p, device, end, i, d)
            length = p.cost[i, d] + (p.overhead[d] if p.cost[i, d] > 0.0 else 0.0)
            if insertion:
                at, x = find_gap(begin[d], until[d], filled[d], ready, length)
            else:
                at, x = max(ready, free[d]), filled[d]
            value = at + p.cost[i, d] + bias[i, d]
            if value < best or chosen < 0:
                best, chosen, best_start, place = value, d, at, x
        if chosen < 0:
            chosen = emptiest(p, kept, unit_cost, u)
            best_start, place = max(data_ready(p, device, end, i, chosen), free[chosen]), filled[chosen]
        settle(where, kept, work, unit_bytes, unit_workspace, u, chosen)
        device[i], start[i] = chosen, best_start
        end[i] = best_start + p.cost[i, chosen]
        busy = end[i] + (p.overhead[chosen] if p.cost[i, chosen] > 0.0 else 0.0)
        free[chosen] = max(free[chosen], busy)
        for x in range(filled[chosen], place, -1):
            begin[chosen, x] = begin[chosen, x - 1]
            until[chosen, x] = until[chosen, x - 1]
        begin[chosen, place], until[chosen, place] = best_start, busy
        filled[chosen] += 1
        size = release(p, waits, heap, size, i, importance)
    return where, start


@inlined
def first_ready(p: Packed, heap: Ints32, importance: Floats) -> int:
    """Ops that read nothing are put on the heap; its size."""
    size = 0
    for i in p.first:
        size = push(heap, size, i, importance)
    return size


@inlined
def release(p: Packed, waits: Ints32, heap: Ints32, size: int, i: int, importance: Floats) -> int:
    """Op i is placed: those that waited for it alone are put on the heap; its size."""
    for t in range(p.tensor_start[i], p.tensor_start[i + 1]):
        for r in range(p.reader_start[t], p.reader_start[t + 1]):
            j = p.reader[r]
            waits[j] -= 1
            if waits[j] == 0:
                size = push(heap, size, j, importance)
    return size


@inlined
def before(importance: Floats, i: int, j: int) -> bool:
    return bool(importance[i] > importance[j] or (importance[i] == importance[j] and i < j))


@inlined
def push(heap: Ints32, size: int, i: int, importance: Floats) -> int:
    at = size
    while at > 0:
        up = (at - 1) >> 1
        if before(importance, heap[up], i):
            break
        heap[at] = heap[up]
        at = up
    heap[at] = i
    return size + 1


@inlined
def pop(heap: Ints32, size: int, importance: Floats) -> tuple[int, int]:
    first, last = heap[0], heap[size - 1]
    size -= 1
    at = 0
    while 2 * at + 1 < size:
        below = 2 * at + 1
        if below + 1 < size and before(importance, heap[below + 1], heap[below]):
            below += 1
        if before(importance, last, heap[below]):
            break
        heap[at] = heap[below]
        at = below
    heap[at] = last
    return first, size


@compiled
def optimistic(p: Packed, order: Ints32) -> Floats:
    """PEFT's table: the least time from the end of op i on device d to the end of the graph.  (ops, devices) s"""
    n, k = p.cost.shape
    table = np.zeros((n, k))
    for at in range(n - 1, -1, -1):
        i = order[at]
        for t in range(p.tensor_start[i], p.tensor_start[i + 1]):
            c = mean_transfer(p, t)
            for r in range(p.reader_start[t], p.reader_start[t + 1]):
                j = p.reader[r]
                near = np.inf
                for w in range(k):
                    near = min(near, table[j, w] + p.cost[j, w])
                near += c
                for d in range(k):
                    table[i, d] = max(table[i, d], min(near, table[j, d] + p.cost[j, d]))
    return table


@compiled
def etf(
    p: Packed,
    unit: Ints32,
    unit_bytes: Floats,
    unit_workspace: Floats,
    unit_cost: Floats,
    level: Floats,
    favourite: Ints32,
) -> tuple[Ints32, Floats]:
    """Of all ready ops and devices, the pair that can start first; ties go to the higher level.

    A device whose last op has a favourite child that is not placed is kept for it:
    another op may start there only if its data are all there, or by then, and the
    child is not ready sooner.
    """
    n, k = p.cost.shape
    where, device = np.full(len(unit_bytes), -1, np.int32), np.full(n, -1, np.int32)
    start, end, free = np.zeros(n), np.zeros(n), np.zeros(k)
    kept, work = np.zeros(k), np.zeros(k)
    waits, waiting_for = p.waits.copy(), np.full(k, -1, np.int32)
    ready_list, count = np.zeros(n, np.int32), len(p.first)
    ready_list[:count] = p.first
    data = np.zeros((n, k))
    while count > 0:
        best, best_level, chosen, at_place = np.inf, -1.0, -1, -1
        for x in range(count):
            i = ready_list[x]
            u = int(unit[i])
            for d in range(k):
                if not allowed(p, where, kept, work, unit_cost, unit_bytes, unit_workspace, u, d):
                    continue
                at = max(data[i, d], free[d])
                held = waiting_for[d]
                if held >= 0 and held != i and device[held] < 0 and data[i, d] > free[d] and where[u] < 0:
                    at += p.cost[held, d]  # it would come in the way of the favourite child
                if at < best or (at == best and level[i] > best_level):
                    best, best_level, chosen, at_place = at, level[i], d, x
        if chosen < 0:
            at_place = 0
            chosen = emptiest(p, kept, unit_cost, int(unit[ready_list[0]]))
        i = ready_list[at_place]
        ready_list[at_place] = ready_list[count - 1]
        count -= 1
        u = int(unit[i])
        settle(where, kept, work, unit_bytes, unit_workspace, u, chosen)
        device[i] = chosen
        start[i] = max(data[i, chosen], free[chosen])
        end[i] = start[i] + p.cost[i, chosen]
        free[chosen] = end[i] + (p.overhead[chosen] if p.cost[i, chosen] > 0.0 else 0.0)
        waiting_for[chosen] = favourite[i]
        for t in range(p.tensor_start[i], p.tensor_start[i + 1]):
            for r in range(p.reader_start[t], p.reader_start[t + 1]):
                j = p.reader[r]
                waits[j] -= 1
                if waits[j] == 0:
                    for d in range(k):
                        data[j, d] = data_ready(p, device, end, j, d)
                    ready_list[count] = j
                    count += 1
    return where, start
