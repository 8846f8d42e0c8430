# SPDX-License-Identifier: Apache-2.0
"""The best contiguous split for a full pipeline: dynamic programming over ideals (Tarnawski et al., NeurIPS 2020).

An *ideal* is a set of nodes with all that they read. A contiguous set is the
difference of two ideals, so the least max-load of j devices for an ideal follows
from those of j - 1 devices for smaller ones. Here:

* the load of a difference is kept up to date while nodes are added and taken away
  again, instead of being computed anew for each pair of ideals;
* the answer is sought below a limit that is raised until there is one. What would
  exceed it is not looked at: a set with more compute than the limit (adding nodes
  never makes it less), and an ideal whose rest is too much for the devices left.

The optimum is exact: all splits below the final limit are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trimtab.core.errors import Unavailable
from trimtab.core.task import Task
from trimtab.kit.compiled import compiled

from ..problem import Flags, Floats, Ints, Placement, PlacementInstance
from ..simulator.pack import Ints32
from .chain import best_chain
from .common import decide, prepare
from .contraction import Contracted, contract

MAX_IDEALS = 2_000_000
MAX_CLASSES = 2  # kinds of devices


@dataclass(frozen=True)
class IdealSplit:
    """The least max-load of all contiguous splits; declines a graph with too many ideals, or a third kind of device."""

    max_ideals: int = MAX_IDEALS

    @property
    def config(self) -> dict[str, Any]:
        return {"max_ideals": self.max_ideals}

    def solve(self, task: Task[PlacementInstance, Placement]) -> Placement:
        if task.instance.topology.links != "max_load":
            raise Unavailable(
                f"ideals: plans full pipelines (max_load links), not {task.instance.topology.links} links"
            )
        found, device = contiguous_optimum(task.instance, self.max_ideals)
        if not np.isfinite(found):
            raise Unavailable(f"ideals: no contiguous split of {task.instance.graph.name!r} fits")
        ready = prepare(task.instance)
        return decide(task.instance, device[ready.members[ready.member_start[:-1]]], task_priority(task.instance))


def task_priority(instance: PlacementInstance) -> Floats:
    """Upward ranks: what is far from the end first."""
    from .common import upward_rank

    return upward_rank(prepare(instance), instance)


def contiguous_optimum(instance: PlacementInstance, max_ideals: int = MAX_IDEALS) -> tuple[float, Ints]:
    """(least max-load in s, device of each op (ops,)); inf where no contiguous split fits."""
    small = contract(instance)
    kinds, members = _classes(instance)
    cost = np.ascontiguousarray(small.cost[:, [group[0] for group in members]])
    counts = np.array([len(group) for group in members] + [0] * (MAX_CLASSES - len(members)), np.int64)
    if len(members) < MAX_CLASSES:
        cost = np.concatenate([cost, np.full((len(cost), 1), np.inf)], axis=1)
    pays = np.array([bool(kind[1]) for kind in kinds] + [True] * (MAX_CLASSES - len(kinds)))
    room = np.array([float(kind[2]) for kind in kinds] + [0.0] * (MAX_CLASSES - len(kinds)))
    masks = _masks(small)
    sets, step_start, step_node, step_to, full = enumerate_ideals(masks, max_ideals)
    if full < 0:
        raise Unavailable(f"ideals: {instance.graph.name!r} has more than {max_ideals:,} ideals")
    upper = best_chain(small, cost, counts, pays, room)[0]
    fastest = cost.min(axis=1)
    least = max(fastest.max(), fastest.sum() / counts.sum())
    limit = min(upper, least * 1.02)
    while True:
        value, cuts = search(small, cost, counts, pays, room, sets, step_start, step_node, step_to, full, limit)
        if np.isfinite(value) or (np.isfinite(upper) and limit >= upper) or limit > 1e6 * least:
            break
        limit = limit * 1.15 if not np.isfinite(upper) else min(upper, limit * 1.15)
    return value, _spread(small, cuts, sets, members) if np.isfinite(value) else np.zeros(len(small.node), np.int64)


def _classes(instance: PlacementInstance) -> tuple[list[tuple[str, bool, float]], list[list[int]]]:
    """Kinds of devices that are alike in type, transfers and memory; and the devices of each."""
    topology = instance.topology
    pays = topology.pays_transfers if len(topology.pays_transfers) else np.ones(topology.num_devices, bool)
    kinds: dict[tuple[str, bool, float], list[int]] = {}
    for d in range(topology.num_devices):
        key = (topology.device_type[d], bool(pays[d]), float(topology.memory_bytes[d]))
        kinds.setdefault(key, []).append(d)
    if len(kinds) > MAX_CLASSES:
        raise Unavailable(f"ideals: {len(kinds)} kinds of devices; up to {MAX_CLASSES} are planned for")
    return list(kinds), list(kinds.values())


def _masks(small: Contracted) -> Any:
    """Bits of what each node reads directly.  (nodes, words)"""
    n = small.num_nodes
    masks = np.zeros((n, (n + 63) // 64), np.uint64)
    for a, b in np.argwhere(small.before):
        masks[b, a >> 6] |= np.uint64(1) << np.uint64(a & 63)
    return masks


def _spread(small: Contracted, cuts: Ints, sets: Any, members: list[list[int]]) -> Ints:
    """Devices of ops from ``(ideal, smaller ideal, class)`` rows."""
    node_device = np.zeros(small.num_nodes, np.int64)
    used = [0] * len(members)
    for ideal, smaller, kind in cuts.tolist():
        bits = sets[ideal] & ~sets[smaller]
        inside = np.unpackbits(bits.view(np.uint8), bitorder="little")[: small.num_nodes].astype(bool)
        node_device[inside] = members[kind][used[kind]]
        used[kind] += 1
    return node_device[small.node]


def search(
    small: Contracted, cost: Floats, counts: Ints, pays: Flags, room: Floats, sets: Any, step_start: Ints,
    step_node: Ints32, step_to: Ints32, full: int, limit: float,
) -> tuple[float, Ints]:  # fmt: skip
    """(least max-load <= limit or inf, rows of ideal, smaller ideal, class)"""
    value, best, back = _search(
        cost, counts, pays, room, small.bytes, small.workspace, small.touch_start, small.touch, small.made,
        small.readers, small.transfer_s, _ideal_costs(sets, cost), step_start, step_node, step_to, full,
        limit * (1 + 1e-9),
    )  # fmt: skip
    rows = []
    if np.isfinite(value):
        at, (a, b) = full, np.unravel_index(np.argmin(best[full]), best[full].shape)
        while at != 0:
            smaller, kind = int(back[at, a, b]) // 2, int(back[at, a, b]) % 2
            rows.append((at, smaller, kind))
            at, a, b = smaller, a - (kind == 0), b - (kind == 1)
    return float(value), np.array(rows, np.int64).reshape(-1, 3)


def _ideal_costs(sets: Any, cost: Floats) -> Floats:
    """Compute of each ideal on the fastest kind of device.  (ideals,) s"""
    fastest = cost.min(axis=1)
    out = np.zeros(len(sets))
    step = max(1, (1 << 24) // max(1, sets.shape[1] * 64))
    for at in range(0, len(sets), step):
        bits = np.unpackbits(sets[at : at + step].view(np.uint8), axis=1, bitorder="little")[:, : len(fastest)]
        out[at : at + step] = bits @ fastest
    return out


@compiled
def enumerate_ideals(masks: Any, limit: int) -> tuple[Any, Ints, Ints32, Ints32, int]:
    """All ideals, smaller ones first; from ideal i, adding node `step_node[x]` leads to ideal `step_to[x]`.

    Returns (sets (ideals, words), step_start, step_node, step_to, the full set or -1 where there are too many).
    """
    n, words = masks.shape
    room = 1024
    sets = np.zeros((room, words), np.uint64)
    table = np.full(4096, -1, np.int64)
    table[_hash(sets[0]) & 4095] = 0
    count = 1
    steps, start = 0, np.zeros(room + 1, np.int64)
    nodes, to = np.zeros(room * 4, np.int32), np.zeros(room * 4, np.int32)
    fresh = np.zeros(words, np.uint64)
    at = 0
    while at < count:
        for v in range(n):
            if sets[at, v >> 6] >> np.uint64(v & 63) & np.uint64(1):
                continue
            ok = True
            for w in range(words):
                if masks[v, w] & ~sets[at, w]:
                    ok = False
                    break
            if not ok:
                continue
            fresh[:] = sets[at]
            fresh[v >> 6] |= np.uint64(1) << np.uint64(v & 63)
            place = _hash(fresh) & (len(table) - 1)
            found = -1
            while table[place] >= 0:
                same = True
                for w in range(words):
                    if sets[table[place], w] != fresh[w]:
                        same = False
                        break
                if same:
                    found = table[place]
                    break
                place = (place + 1) & (len(table) - 1)
            if found < 0:
                if count >= limit:
                    return sets[:count], start[:1], nodes[:0], to[:0], -1
                if count == room:
                    room *= 2
                    bigger = np.zeros((room, words), np.uint64)
                    bigger[:count] = sets
                    sets = bigger
                    longer = np.zeros(room + 1, np.int64)
                    longer[: at + 1] = start[: at + 1]
                    start = longer
                    table = np.full(room * 4, -1, np.int64)
                    for i in range(count):
                        x = _hash(sets[i]) & (len(table) - 1)
                        while table[x] >= 0:
                            x = (x + 1) & (len(table) - 1)
                        table[x] = i
                    place = _hash(fresh) & (len(table) - 1)
                    while table[place] >= 0:
                        place = (place + 1) & (len(table) - 1)
                sets[count] = fresh
                table[place] = count
                found = count
                count += 1
            if steps == len(nodes):
                more_nodes, more_to = np.zeros(2 * steps, np.int32), np.zeros(2 * steps, np.int32)
                more_nodes[:steps], more_to[:steps] = nodes, to
                nodes, to = more_nodes, more_to
            nodes[steps], to[steps] = v, found
            steps += 1
        at += 1
        start[at] = steps
    return sets[:count], start[: count + 1], nodes[:steps], to[:steps], count - 1


@compiled
def _hash(bits: Any) -> int:
    h = np.uint64(0x9E3779B97F4A7C15)
    for w in range(len(bits)):
        h ^= bits[w]
        h *= np.uint64(0xFF51AFD7ED558CCD)
        h ^= h >> np.uint64(32)
    return int(np.int64(h & np.uint64(0x3FFFFFFFFFFFFFFF)))


@compiled
def change(v: int, sign: int, touch_start: Ints32, touch: Ints32, made: Flags, readers: Ints32, transfer: Floats,
           inside: Ints32, has_maker: Flags) -> float:  # fmt: skip
    """Node v joins the set (sign 1) or leaves it (-1): by how much its transfers grow, s.

    A tensor is paid for once where its maker is inside and a reader outside, or the other way round.
    """
    more = 0.0
    for x in range(touch_start[v], touch_start[v + 1]):
        t = touch[x]
        paid = (inside[t] < readers[t]) if has_maker[t] else (inside[t] > 0)
        if made[x]:
            has_maker[t] = sign > 0
        else:
            inside[t] += sign
        pays = (inside[t] < readers[t]) if has_maker[t] else (inside[t] > 0)
        if pays and not paid:
            more += transfer[t]
        elif paid and not pays:
            more -= transfer[t]
    return float(more)


@compiled
def _search(
    cost: Floats, counts: Ints, pays: Flags, room: Floats, kept: Floats, workspace: Floats, touch_start: Ints32,
    touch: Ints32, made: Flags, readers: Ints32, transfer: Floats, below: Floats, step_start: Ints, step_node: Ints32,
    step_to: Ints32, full: int, limit: float,
) -> tuple[float, Floats, Ints]:  # fmt: skip
    n, ideals = len(cost), len(below)
    A, B = counts[0] + 1, counts[1] + 1
    best = np.full((ideals, A, B), np.inf)
    back = np.zeros((ideals, A, B), np.int64)
    best[0, 0, 0] = 0.0
    stamp = np.full(ideals, -1, np.int32)
    inside, has_maker = np.zeros(len(readers), np.int32), np.zeros(len(readers), np.bool_)
    path, pointer = np.zeros(n + 1, np.int32), np.zeros(n + 1, np.int64)
    added = np.zeros(n + 1, np.int32)
    work_below = np.zeros(n + 1)  # largest workspace of the set, by depth
    total = below[full]
    for s in range(ideals):
        live = False
        for a in range(A):
            for b in range(B):
                if best[s, a, b] <= limit:
                    left = (counts[0] - a + counts[1] - b) * limit
                    if total - below[s] <= left * (1 + 1e-9):
                        live = True
                    else:
                        best[s, a, b] = np.inf
        if not live or s == full:
            continue
        # walk over all ideals above s that one device could add
        depth = 0
        path[0], pointer[0] = s, step_start[s]
        stamp[s] = s
        time_a, time_b, size, comm = 0.0, 0.0, 0.0, 0.0
        work_below[0] = 0.0
        while depth >= 0:
            here = path[depth]
            if pointer[depth] == step_start[here + 1]:
                if depth > 0:  # take the last node away again
                    v = added[depth]
                    comm += change(v, -1, touch_start, touch, made, readers, transfer, inside, has_maker)
                    time_a -= cost[v, 0] if cost[v, 0] < np.inf else 1e30
                    time_b -= cost[v, 1] if cost[v, 1] < np.inf else 1e30
                    size -= kept[v]
                depth -= 1
                continue
            x = pointer[depth]
            pointer[depth] += 1
            there, v = step_to[x], step_node[x]
            if stamp[there] == s:
                continue
            stamp[there] = s
            more_b = cost[v, 1] if cost[v, 1] < np.inf else 1e30
            more_a = cost[v, 0] if cost[v, 0] < np.inf else 1e30
            work = max(work_below[depth], workspace[v])
            fits_a = time_a + more_a <= limit and size + kept[v] + work <= room[0]
            fits_b = counts[1] > 0 and time_b + more_b <= limit and size + kept[v] + work <= room[1]
            if not fits_a and not fits_b:
                continue
            depth += 1
            path[depth], pointer[depth], added[depth] = there, step_start[there], v
            work_below[depth] = work
            comm += change(int(v), 1, touch_start, touch, made, readers, transfer, inside, has_maker)
            time_a += more_a
            time_b += more_b
            size += kept[v]
            for kind in range(2):
                if (kind == 0 and not fits_a) or (kind == 1 and not fits_b):
                    continue
                load = (time_a if kind == 0 else time_b) + (comm if pays[kind] else 0.0)
                if load > limit:
                    continue
                for a in range(A - (1 if kind == 0 else 0)):
                    for b in range(B - (1 if kind == 1 else 0)):
                        value = max(best[s, a, b], load)
                        a2, b2 = a + (1 if kind == 0 else 0), b + (1 if kind == 1 else 0)
                        if value < best[there, a2, b2]:
                            best[there, a2, b2] = value
                            back[there, a2, b2] = 2 * s + kind
    value = np.inf
    for a in range(A):
        for b in range(B):
            value = min(value, best[full, a, b])
    return (value if value <= limit else np.inf), best, back
