# SPDX-License-Identifier: Apache-2.0
"""What a single move does to the step time, without simulating the whole step again.

Two things are saved. Up to the moment in which the move first matters the run is
the old one: it is resumed from a snapshot. And with a limit (the value that a move
has to beat, in local search) the run is left as soon as the step will certainly
end later: a device has that much to do, or a path is that long. What is returned is
the simulator's value to the last bit, or inf for more than the limit.

In max_load links only the loads next to the moved ops are changed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trimtab.kit.compiled import compiled, inlined

from ..problem import BUS, MAX_LOAD, PARALLEL, Floats, Ints, Placement, PlacementInstance, topological_order
from .engine import (
    State,
    advance,
    begin,
    finish,
    heaviest,
    loads,
    new_state,
)
from .pack import Ints32, Packed, pack, ranks

SNAPSHOTS = 32
SLACK = 1e-9  # relative: bounds are summed in another order than the step


class Moves:
    """Single moves away from one placement. Ops that move together are given together."""

    def __init__(self, instance: PlacementInstance, placement: Placement) -> None:
        self._packed = pack(instance)
        self.device = placement.device.astype(np.int32)
        self._rank = ranks(instance, placement.priority)
        self._tail = _tails(instance)
        n = instance.graph.num_ops
        self._slack = n if len(self._rank) else 0
        self._state = new_state(self._packed, self._slack)
        self._snapshots = _copies(self._state, SNAPSHOTS)
        self._marks = np.linspace(0, n, SNAPSHOTS, endpoint=False).astype(np.int64)
        self._place, self._start = np.zeros(n, np.int64), np.zeros(n)
        self._arrival = np.zeros(len(self._packed.bytes))
        self._load = np.zeros(instance.topology.num_devices)
        self._readers = np.zeros((len(self._packed.bytes), instance.topology.num_devices), np.int32)
        self.value = self._record()

    def evaluate(self, ops: Ints, device: int, limit: float = np.inf) -> float:
        """Step time with `ops` on `device`, s; inf where it is certainly more than `limit`."""
        moved = np.ascontiguousarray(ops, np.int32)
        return float(self._many(moved, np.array([0, len(moved)], np.int32), np.array([device], np.int32), limit)[0])

    def evaluate_many(self, moves: Sequence[Ints], devices: Ints, limit: float = np.inf) -> Floats:
        """As `evaluate`, of many moves, each away from the same placement.  (moves,) s"""
        start = np.cumsum([0, *map(len, moves)]).astype(np.int32)
        ops = np.concatenate(moves).astype(np.int32) if len(moves) else np.zeros(0, np.int32)
        return self._many(ops, start, np.ascontiguousarray(devices, np.int32), limit)

    def _many(self, ops: Ints32, start: Ints32, devices: Ints32, limit: float) -> Floats:
        if self._packed.links == MAX_LOAD:
            return np.asarray(_moved_loads(self._packed, self.device, self._load, self._readers, ops, start, devices))
        return np.asarray(
            _resume_many(
                self._packed, self.device, self._rank, self._state, self._snapshots, self._marks, self._place,
                self._start, self._arrival, self._tail, ops, start, devices, limit,
            )
        )  # fmt: skip

    def apply(self, ops: Ints, device: int) -> None:
        """Make a move: later moves are away from there."""
        self.device[np.asarray(ops)] = device
        self.value = self._record()

    def _record(self) -> float:
        if self._packed.links == MAX_LOAD:
            self._load[:] = loads(self._packed, self.device)
            _count_readers(self._packed, self.device, self._readers)
            return float(self._load.max())
        value = _record(self._packed, self.device, self._rank, self._state, self._snapshots, self._marks)
        self._place[:] = self._state.ops["place"]
        self._start[:] = self._state.ops["start"]
        self._arrival[:] = self._state.arrival
        return float(value)


def _tails(instance: PlacementInstance) -> Floats:
    """Least time from the start of each op to the end of the step, without transfers.  (ops,) s"""
    graph = instance.graph
    tail: Floats = instance.cost.min(axis=1)
    order = topological_order(graph.num_ops, graph.sources, graph.edge_op)
    by_source = np.argsort(graph.sources, kind="stable")
    start = np.searchsorted(graph.sources[by_source], np.arange(graph.num_ops + 1))
    for op in order[::-1]:
        behind = tail[graph.edge_op[by_source[start[op] : start[op + 1]]]]
        if len(behind):
            tail[op] += behind.max()
    return tail


def _copies(s: State, count: int) -> State:
    """Room for `count` states, one behind the other."""
    return State(*(np.zeros((count, *part.shape), part.dtype) for part in s))


@compiled
def _save(s: State, into: State, at: int) -> None:
    into.ops[at] = s.ops
    into.heap[at] = s.heap
    into.devices[at] = s.devices
    into.arrival[at] = s.arrival
    into.pending_time[at] = s.pending_time
    into.pending_key[at] = s.pending_key
    into.counts[at] = s.counts


@compiled
def _restore(s: State, kept: State, at: int, prioritised: bool) -> None:
    s.ops[:] = kept.ops[at]
    if prioritised:
        s.heap[:] = kept.heap[at]
    s.devices[:] = kept.devices[at]
    pending = kept.counts[at, 1]
    s.pending_time[:pending] = kept.pending_time[at, :pending]
    s.pending_key[:pending] = kept.pending_key[at, :pending]
    s.counts[:] = kept.counts[at]


@compiled
def _record(p: Packed, device: Ints32, rank: Ints32, s: State, kept: State, marks: Ints) -> float:
    """A whole run, with a snapshot when `marks` ops have started."""
    begin(p, device, rank, s)
    nothing = s.arrival[:0]
    for at in range(len(marks)):
        advance(p, device, rank, s, marks[at], nothing, nothing, np.inf)
        _save(s, kept, at)
    advance(p, device, rank, s, p.cost.shape[0], nothing, nothing, np.inf)
    return finish(p, s)


@compiled
def _resume_many(
    p: Packed, device: Ints32, rank: Ints32, s: State, kept: State, marks: Ints, place: Ints, start: Floats,
    arrival: Floats, tail: Floats, ops: Ints32, first: Ints32, to: Ints32, limit: float,
) -> Floats:  # fmt: skip
    out = np.empty(len(to))
    for x in range(len(to)):
        moved = ops[first[x] : first[x + 1]]
        out[x] = _resume(p, device, rank, s, kept, marks, place, start, arrival, tail, moved, to[x], limit)
    return out


@compiled
def _moved_loads(
    p: Packed, device: Ints32, load: Floats, readers: Ints32, ops: Ints32, first: Ints32, to: Ints32
) -> Floats:
    out, after = np.empty(len(to)), np.empty(len(load))
    for x in range(len(to)):
        out[x] = _moved_load(p, device, load, after, readers, ops[first[x] : first[x + 1]], to[x])
    return out


@compiled
def _resume(
    p: Packed, device: Ints32, rank: Ints32, s: State, kept: State, marks: Ints, place: Ints, start: Floats,
    arrival: Floats, tail: Floats, moved: Ints32, to: int, limit: float,
) -> float:  # fmt: skip
    n, k = p.cost.shape
    home = device[moved[0]]
    for x in range(len(moved)):
        if not p.cost[moved[x], to] < np.inf:
            return np.inf
    first = n
    for x in range(len(moved)):
        first = min(first, _matters_from(p, device, place, moved, moved[x], home, to))
    at = 0
    while at + 1 < len(marks) and marks[at + 1] <= first:
        at += 1
    _restore(s, kept, at, len(rank) > 0)
    if first == 0:  # the queues hold ops that the move takes elsewhere
        for x in range(len(moved)):
            device[moved[x]] = to
        begin(p, device, rank, s)
    else:
        for x in range(len(moved)):
            _rearrive(p, device, s, place, start, arrival, moved[x], to, marks[at])
        for x in range(len(moved)):
            device[moved[x]] = to
    rest, bound = np.zeros(k), limit * (1.0 + SLACK)
    if limit < np.inf:
        for i in range(n):
            if place[i] >= s.counts[0]:
                d = device[i]
                rest[d] += p.cost[i, d] + (p.overhead[d] if p.cost[i, d] > 0.0 else 0.0)
    value = np.inf
    certain = False
    if limit < np.inf:
        for d in range(k):
            if s.devices[d].free + rest[d] > bound:
                certain = True
    if not certain and advance(p, device, rank, s, n, tail, rest, bound):
        value = finish(p, s)
    for x in range(len(moved)):
        device[moved[x]] = home
    return value if value <= limit else np.inf


@compiled
def _matters_from(p: Packed, device: Ints32, place: Ints, moved: Ints32, i: int, home: int, to: int) -> int:
    """How many ops have started before it first matters where op i is."""
    last, first = -1, len(place)
    for x in range(p.input_start[i], p.input_start[i + 1]):
        t = p.inputs[x]
        maker = p.tensor_op[t]
        last = max(last, place[maker])
        if p.links != PARALLEL and (p.links != BUS or _bus_changes(p, device, moved, t, to)):
            first = min(first, place[maker])
    return 0 if last < 0 else min(first, last)


@compiled
def _bus_changes(p: Packed, device: Ints32, moved: Ints32, t: int, to: int) -> bool:
    """Whether the transfer of tensor t takes another time than before."""
    d = device[p.tensor_op[t]]
    old, new = -1.0, -1.0
    for r in range(p.reader_start[t], p.reader_start[t + 1]):
        c = p.reader[r]
        e = device[c]
        if e != d:
            old = max(old, p.alpha[d, e] + p.beta[d, e] * p.bytes[t])
        for x in range(len(moved)):
            if moved[x] == c:
                e = to
        if e != d:
            new = max(new, p.alpha[d, e] + p.beta[d, e] * p.bytes[t])
    return old != new


@compiled
def _rearrive(
    p: Packed, device: Ints32, s: State, place: Ints, start: Floats, arrival: Floats, i: int, to: int, started: int
) -> None:
    """When op i would have had, on its new device, what had arrived by the snapshot."""
    ready = 0.0
    for x in range(p.input_start[i], p.input_start[i + 1]):
        t = p.inputs[x]
        j = p.tensor_op[t]
        if place[j] < started:
            e = device[j]
            end = start[j] + p.cost[j, e]
            if e == to:
                ready = max(ready, end)
            elif p.links == BUS:
                ready = max(ready, arrival[t])
            else:
                ready = max(ready, end + (p.alpha[e, to] + p.beta[e, to] * p.bytes[t]))
    s.ops[i].ready = ready


@compiled
def _count_readers(p: Packed, device: Ints32, readers: Ints32) -> None:
    """How many readers of each tensor are on each device."""
    readers[:] = 0
    for t in range(len(p.bytes)):
        for r in range(p.reader_start[t], p.reader_start[t + 1]):
            readers[t, device[p.reader[r]]] += 1


@inlined
def _transfer(p: Packed, readers: Ints32, load: Floats, t: int, d: int, sign: float) -> None:
    """Add or take away what tensor t costs its maker, on device d, and its readers."""
    slowest = 0.0
    for e in range(len(load)):
        if e != d and readers[t, e] > 0:
            takes = p.alpha[d, e] + p.beta[d, e] * p.bytes[t]
            slowest = max(slowest, takes)
            if p.pays[e]:
                load[e] += sign * takes
    if p.pays[d]:
        load[d] += sign * slowest


@inlined
def _moved_load(
    p: Packed, device: Ints32, load: Floats, after: Floats, readers: Ints32, moved: Ints32, to: int
) -> float:
    """The heaviest load after a move, all loads in `after`; `device` and `readers` are left as they were."""
    for d in range(len(load)):
        after[d] = load[d]
    home = device[moved[0]]
    if home != to:
        _shift(p, device, after, readers, moved, home, to)
        for x in range(len(moved)):  # back: only the bookkeeping
            i = moved[x]
            for y in range(p.input_start[i], p.input_start[i + 1]):
                readers[p.inputs[y], to] -= 1
                readers[p.inputs[y], home] += 1
            device[i] = home
    return heaviest(after)


@inlined
def _shift(p: Packed, device: Ints32, load: Floats, readers: Ints32, moved: Ints32, home: int, to: int) -> None:
    """One op after the other: its tensors and its inputs are taken away, and added again where it is now."""
    for x in range(len(moved)):
        i = moved[x]
        for t in range(p.tensor_start[i], p.tensor_start[i + 1]):
            _transfer(p, readers, load, t, home, -1.0)
        for y in range(p.input_start[i], p.input_start[i + 1]):
            t = p.inputs[y]
            if p.tensor_op[t] != i:
                _transfer(p, readers, load, t, device[p.tensor_op[t]], -1.0)
            readers[t, home] -= 1
            readers[t, to] += 1
            if p.tensor_op[t] != i:
                _transfer(p, readers, load, t, device[p.tensor_op[t]], 1.0)
        load[home] -= p.cost[i, home]
        load[to] += p.cost[i, to]
        device[i] = to
        for t in range(p.tensor_start[i], p.tensor_start[i + 1]):
            _transfer(p, readers, load, t, to, 1.0)
