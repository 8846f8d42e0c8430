# SPDX-License-Identifier: Apache-2.0
"""The compiled simulator: list execution of a placed graph, without an event queue.

Devices run one op at a time and never idle while one of theirs is ready. The
order of everything is total:

1. A transfer over a shared switch is begun before any op that starts at the time
   at which it was requested, or later; of two, the one requested first, then of
   the lower tensor, then to the lower device.
2. Of all devices, the one whose next op can start first is served first; of two
   at one time, the lower device.
3. A fifo device starts the op that was ready first; of two, the lower op. A
   priority device starts, of the ops that are ready by then, the lowest rank.

An op is ready when the last tensor that it reads has arrived. Every op that is
still unknown to a queue will be ready no earlier than the start that is chosen by
rule 2, so no start is ever revised. `tests/.../oracle.py` says the same in plain
Python, and agrees to the last bit.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from trimtab.kit.compiled import compiled, inlined, inner

from ..problem import BUS, MAX_LOAD, PARALLEL, SWITCH, Floats, Ints
from .pack import Ints32, Packed

#: Of an op during a run: tensors still awaited, neighbours in its device's queue, how many
#: ops started before it; ready so far and start, s. What is needed together lies together.
OP: Final = np.dtype(
    [("waits", np.int32), ("previous", np.int32), ("next", np.int32), ("place", np.int32),
     ("ready", np.float64), ("start", np.float64)], align=True,
)  # fmt: skip

#: Of a device: its queue's ends; where its heap lies, and its size; free, its link free, its next start, s.
DEVICE: Final = np.dtype(
    [("head", np.int32), ("tail", np.int32), ("heap_start", np.int32), ("heap_size", np.int32),
     ("free", np.float64), ("link_free", np.float64), ("next_start", np.float64)], align=True,
)  # fmt: skip

#: Of indices that can't be negative: compiled code then does not ask whether they are.
U: Final[Any] = np.uint64


class State(NamedTuple):
    """Everything that changes during a run, so that a run can be resumed."""

    ops: Any  # (ops,) of `OP`
    heap: Ints32  # (ops + devices * slack,) heaps of ranks, one for each device
    devices: Any  # (devices,) of `DEVICE`
    arrival: Floats  # (tensors,) s, at other devices (bus)
    pending_time: Floats  # (transfers,) s, heap of requests to the switch
    pending_key: Ints  # (transfers,) tensor * devices + device
    counts: Ints  # (3,) ops started, transfers pending, transfers begun


@compiled
def new_state(p: Packed, slack: int = 0) -> State:
    """`slack`: how many ops more than it had at the begin a device may get while a run is resumed."""
    n, k = p.cost.shape
    transfers = len(p.reader) if p.links == SWITCH else 0
    return State(
        np.zeros(n, OP),
        np.zeros(n + k * slack, np.int32),
        np.zeros(k, DEVICE),
        np.zeros(len(p.bytes)),
        np.zeros(transfers),
        np.zeros(transfers, np.int64),
        np.zeros(3, np.int64),
    )


@compiled
def makespan(p: Packed, device: Ints32, rank: Ints32, s: State) -> float:
    """Step time of one placement, s; start times in ``s.ops.start``. inf where a device can't run one of its ops."""
    if p.links == MAX_LOAD:
        return heaviest(loads(p, device))
    begin(p, device, rank, s)
    done = advance(p, device, rank, s, p.cost.shape[0], s.arrival[:0], s.arrival[:0], np.inf)
    return finish(p, s) if done else np.inf


@compiled
def makespans(p: Packed, devices: Ints32, rank: Ints32) -> Floats:
    """Of many placements, (placements, ops), with one ranking for all.  (placements,) s"""
    s = new_state(p)
    out = np.empty(len(devices))
    nothing = s.arrival[:0]
    for b in range(len(devices)):
        if p.links == MAX_LOAD:
            out[b] = heaviest(loads(p, devices[b]))
        else:  # as `makespan`, without a call that would count references
            begin(p, devices[b], rank, s)
            done = advance(p, devices[b], rank, s, p.cost.shape[0], nothing, nothing, np.inf)
            out[b] = finish(p, s) if done else np.inf
    return out


@inner
def begin(p: Packed, device: Ints32, rank: Ints32, s: State) -> None:
    """Nothing has started; ops without inputs are ready at 0."""
    n, k = p.cost.shape
    s.counts[:] = 0
    for d in range(k):
        s.devices[d].head = -1
        s.devices[d].tail = -1
        s.devices[d].heap_size = 0
        s.devices[d].heap_start = 0
        s.devices[d].free = 0.0
        s.devices[d].link_free = 0.0
        s.devices[d].next_start = np.inf
    if len(rank):
        for i in range(n):
            if device[i] + 1 < k:
                s.devices[device[i] + 1].heap_start += 1
        slack = (len(s.heap) - n) // k
        for d in range(1, k):
            s.devices[d].heap_start += s.devices[d - 1].heap_start + slack
    for i in range(n):
        s.ops[i].waits = p.waits[i]
        s.ops[i].ready = 0.0
    for x in range(len(p.first)):
        i = U(p.first[x])
        enqueue(s, i, U(device[i]))


@inner
def advance(
    p: Packed, device: Ints32, rank: Ints32, s: State, until: int, tail: Floats, rest: Floats, limit: float
) -> bool:
    """Start ops until so many have started; False as soon as the step will certainly not end by `limit`, or never.

    With a finite limit, ``tail[op]`` is the least time from its start to the end of
    the step, and ``rest[device]`` the time of the device's ops that have not started.
    """
    k, started = p.cost.shape[1], s.counts[0]
    while started < until:
        d, at = 0, s.devices[0].next_start
        for e in range(1, k):
            if s.devices[e].next_start < at:
                d, at = e, s.devices[e].next_start
        if p.links == SWITCH and s.counts[1] > 0 and s.pending_time[0] <= at:
            switch(p, device, s)
            continue
        if at == np.inf:  # what all wait for is on a device that can't run it
            return False
        here = U(d)
        i = U(take(rank, s, here, at))
        cost = p.cost[i, here]
        end = at + cost
        free = end + p.overhead[here] if cost > 0.0 else end
        if limit < np.inf:
            if at + tail[i] > limit or at + rest[here] > limit:
                s.counts[0] = started
                return False
            rest[here] -= cost + (p.overhead[here] if cost > 0.0 else 0.0)
        s.ops[i].start = at
        s.ops[i].place = started
        s.devices[here].free = free
        started += 1
        for t in range(U(p.tensor_start[i]), U(p.tensor_start[i + U(1)])):
            if p.links == PARALLEL:
                for r in range(U(p.reader_start[t]), U(p.reader_start[t + U(1)])):
                    c = U(p.reader[r])
                    e = U(device[c])
                    deliver(s, c, e, end if e == here else end + (p.alpha[here, e] + p.beta[here, e] * p.bytes[t]))
            elif p.links == BUS:
                bus(p, device, s, t, here, end)
            else:
                request(p, device, s, t, here, end)
        note_next(s, here)
    s.counts[0] = started
    return True


@inlined
def take(rank: Ints32, s: State, d: int, at: float) -> int:
    """The op that device d starts."""
    if len(rank) == 0:
        return dequeue(s, d)
    while s.devices[d].head >= 0 and s.ops[U(s.devices[d].head)].ready <= at:
        heap_push(s, d, dequeue(s, d), rank)
    return heap_pop(s, d, rank)


@inlined
def note_next(s: State, d: int) -> None:
    """When device d can start its next op."""
    at = np.inf
    if s.devices[d].heap_size > 0:
        at = s.devices[d].free
    elif s.devices[d].head >= 0:
        at = max(s.devices[d].free, s.ops[U(s.devices[d].head)].ready)
    s.devices[d].next_start = at


@inlined
def deliver(s: State, i: int, d: int, at: float) -> None:
    """A tensor reaches op i."""
    if at > s.ops[i].ready:
        s.ops[i].ready = at
    s.ops[i].waits -= 1
    if s.ops[i].waits == 0:
        enqueue(s, i, d)


@inlined
def enqueue(s: State, i: int, d: int) -> None:
    """Into the device's queue, sorted by (ready, op); most belong at its end."""
    at = s.ops[i].ready
    before = s.devices[d].tail
    while before >= 0 and (s.ops[U(before)].ready > at or (s.ops[U(before)].ready == at and before > np.int64(i))):
        before = s.ops[U(before)].previous
    after = s.devices[d].head if before < 0 else s.ops[U(before)].next
    s.ops[i].previous = before
    s.ops[i].next = after
    if after < 0:
        s.devices[d].tail = i
    else:
        s.ops[U(after)].previous = i
    if before >= 0:
        s.ops[U(before)].next = i
    else:
        s.devices[d].head = i
        if s.devices[d].heap_size == 0:
            s.devices[d].next_start = max(s.devices[d].free, at)


@inlined
def dequeue(s: State, d: int) -> int:
    i: int = s.devices[d].head
    after = s.ops[U(i)].next
    s.devices[d].head = after
    if after >= 0:
        s.ops[U(after)].previous = -1
    else:
        s.devices[d].tail = -1
    return i


@inlined
def heap_push(s: State, d: int, i: int, rank: Ints32) -> None:
    base = s.devices[d].heap_start
    at = s.devices[d].heap_size
    s.devices[d].heap_size += 1
    while at > 0:
        up = (at - 1) >> 1
        other = s.heap[base + up]
        if rank[other] < rank[i]:
            break
        s.heap[base + at] = other
        at = up
    s.heap[base + at] = i


@inlined
def heap_pop(s: State, d: int, rank: Ints32) -> int:
    base = s.devices[d].heap_start
    first: int = s.heap[base]
    size = s.devices[d].heap_size - 1
    s.devices[d].heap_size = size
    last = s.heap[base + size]
    at = 0
    while 2 * at + 1 < size:
        below = 2 * at + 1
        if below + 1 < size and rank[s.heap[base + below + 1]] < rank[s.heap[base + below]]:
            below += 1
        if rank[last] < rank[s.heap[base + below]]:
            break
        s.heap[base + at] = s.heap[base + below]
        at = below
    s.heap[base + at] = last
    return first


@inlined
def bus(p: Packed, device: Ints32, s: State, t: int, d: int, end: float) -> None:
    """One transfer of tensor t over the producer's only way out, to all readers elsewhere at once."""
    slowest = -1.0
    first, end_of = U(p.reader_start[t]), U(p.reader_start[t + U(1)])
    for r in range(first, end_of):
        e = U(device[U(p.reader[r])])
        if e != d:
            slowest = max(slowest, p.alpha[d, e] + p.beta[d, e] * p.bytes[t])
    there = end
    if slowest >= 0.0:
        there = max(end, s.devices[d].link_free) + slowest
        s.devices[d].link_free = there + p.gap
    s.arrival[t] = there
    for r in range(first, end_of):
        c = U(p.reader[r])
        e = U(device[c])
        deliver(s, c, e, end if e == d else there)


@inlined
def request(p: Packed, device: Ints32, s: State, t: int, d: int, end: float) -> None:
    """Readers beside the producer have tensor t; for each other device that reads it the switch gets a request."""
    k = p.cost.shape[1]
    asked = np.uint64(0)
    for r in range(U(p.reader_start[t]), U(p.reader_start[t + U(1)])):
        c = U(p.reader[r])
        e = U(device[c])
        if e == d:
            deliver(s, c, e, end)
        elif not (asked >> e) & np.uint64(1):
            asked |= np.uint64(1) << e
            at, key = s.counts[1], np.int64(t) * k + np.int64(e)
            s.counts[1] += 1
            while at > 0:
                up = (at - 1) >> 1
                if s.pending_time[up] < end or (s.pending_time[up] == end and s.pending_key[up] < key):
                    break
                s.pending_time[at] = s.pending_time[up]
                s.pending_key[at] = s.pending_key[up]
                at = up
            s.pending_time[at] = end
            s.pending_key[at] = key


@inlined
def switch(p: Packed, device: Ints32, s: State) -> None:
    """Begin the transfer that was requested first."""
    k = p.cost.shape[1]
    asked, key = s.pending_time[0], s.pending_key[0]
    size = s.counts[1] - 1
    s.counts[1] = size
    last_time, last_key = s.pending_time[size], s.pending_key[size]
    at = 0
    while 2 * at + 1 < size:
        below = 2 * at + 1
        if below + 1 < size and (
            s.pending_time[below + 1] < s.pending_time[below]
            or (s.pending_time[below + 1] == s.pending_time[below] and s.pending_key[below + 1] < s.pending_key[below])
        ):
            below += 1
        if last_time < s.pending_time[below] or (
            last_time == s.pending_time[below] and last_key < s.pending_key[below]
        ):
            break
        s.pending_time[at] = s.pending_time[below]
        s.pending_key[at] = s.pending_key[below]
        at = below
    s.pending_time[at] = last_time
    s.pending_key[at] = last_key
    t, e = key // k, key % k
    d = device[p.tensor_op[t]]
    there = max(asked, s.devices[0].link_free) + (p.alpha[d, e] + p.beta[d, e] * p.bytes[t])
    s.devices[0].link_free = there + p.gap
    for r in range(p.reader_start[t], p.reader_start[t + 1]):
        if device[p.reader[r]] == e:
            deliver(s, U(p.reader[r]), U(e), there)


@inlined
def finish(p: Packed, s: State) -> float:
    """When the last device and the last link are free again; no request is left, since somebody waited for each."""
    last = 0.0
    for d in range(p.cost.shape[1]):
        last = max(last, s.devices[d].free, s.devices[d].link_free)
    return last


@compiled
def loads(p: Packed, device: Ints32) -> Floats:
    """Time that each device works in a step: its ops, tensors that it sends (once each) and receives.  (devices,) s"""
    n, k = p.cost.shape
    load = np.zeros(k)
    for i in range(n):
        d = device[i]
        load[d] += p.cost[i, d]
        for t in range(p.tensor_start[i], p.tensor_start[i + 1]):
            asked, slowest = np.uint64(0), 0.0
            for r in range(p.reader_start[t], p.reader_start[t + 1]):
                e = device[p.reader[r]]
                if e != d and not (asked >> np.uint64(e)) & np.uint64(1):
                    asked |= np.uint64(1) << np.uint64(e)
                    takes = p.alpha[d, e] + p.beta[d, e] * p.bytes[t]
                    slowest = max(slowest, takes)
                    if p.pays[e]:
                        load[e] += takes
            if p.pays[d]:
                load[d] += slowest
    return load


@inlined
def heaviest(load: Floats) -> float:
    most = 0.0
    for d in range(len(load)):
        most = max(most, load[d])
    return most


@compiled
def overfull(p: Packed, device: Ints32) -> float:
    """By how much devices are too full: bytes above their memory, over all, as a share of it; 0 where all fits."""
    n, k = p.cost.shape
    kept, work = np.zeros(k), np.zeros(k)
    for i in range(n):
        kept[device[i]] += p.kept_bytes[i]
        work[device[i]] = max(work[device[i]], p.workspace_bytes[i])
    over = 0.0
    for d in range(k):
        if kept[d] + work[d] > p.room[d]:
            over += (kept[d] + work[d] - p.room[d]) / max(p.room[d], 1.0)
    return over
