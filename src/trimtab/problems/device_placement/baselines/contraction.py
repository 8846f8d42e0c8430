# SPDX-License-Identifier: Apache-2.0
"""A graph as the contiguous methods see it: what must stay together is one node, and backward ops follow forward ones.

As in Tarnawski et al. (NeurIPS 2020), section 3 and appendix B: ops of one colocation group are one
node; a group of backward ops only gets a place in the forward order by mirroring
its backward edges; forward cycles between groups are fused; and a group that takes
no time and touches one other group only joins that one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..problem import Flags, Floats, Ints, PlacementInstance
from ..simulator.pack import Ints32
from .common import prepare

NO_TIME_S = 1e-9  # what takes less is merged into its only neighbour


@dataclass(frozen=True, eq=False)
class Contracted:
    """Nodes in a topological order of the forward graph."""

    node: Ints  # (ops,) of each op
    cost: Floats  # (nodes, devices) s
    bytes: Floats  # (nodes,) B kept
    workspace: Floats  # (nodes,) B
    before: Flags  # (nodes, nodes) before[a, b]: edge a -> b of the forward graph
    touch_start: Ints32  # (nodes + 1,) tensors that node v makes, or reads from another node
    touch: Ints32  # (touches,)
    made: Flags  # (touches,) whether it makes it
    readers: Ints32  # (tensors,) other nodes that read it
    transfer_s: Floats  # (tensors,) s between two devices

    @property
    def num_nodes(self) -> int:
        return len(self.bytes)


def contract(instance: PlacementInstance) -> Contracted:
    """The forward graph of an instance; nodes are numbered in a depth-first topological order."""
    graph = instance.graph
    group = prepare(instance).unit.astype(np.int64)
    forward = ~graph.is_backward
    source, target = graph.sources, graph.edge_op
    mirrored = _mirrored(group, forward, source, target)
    group = _fuse_cycles(group, forward, source, target, mirrored)
    group = _merge_idle(group, instance, source, target, mirrored)
    group = np.unique(group, return_inverse=True)[1].ravel()
    edges = _forward_edges(group, forward, source, target, mirrored)
    count = int(group.max()) + 1
    order = _depth_first(count, edges)
    number = np.empty(count, np.int64)
    number[order] = np.arange(count)
    return _number(instance, number[group], number[edges] if len(edges) else edges, count)


def _mirrored(group: Ints, forward: Flags, source: Ints, target: Ints) -> Ints:
    """Edges (group, group) that stand in for backward edges of groups without forward ops, turned round."""
    has_forward = np.zeros(group.max() + 1, bool)
    has_forward[group[forward]] = True
    here = ~forward[source] & ~forward[target]
    a, b = group[source[here]], group[target[here]]
    orphan = ~has_forward[a] | ~has_forward[b]
    pairs = np.stack([b[orphan], a[orphan]], 1)
    return np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)


def _forward_edges(group: Ints, forward: Flags, source: Ints, target: Ints, mirrored: Ints) -> Ints:
    """(edges, 2) of groups, mirrored ones under their new names."""
    here = forward[target] & forward[source]
    pairs = np.stack([group[source[here]], group[target[here]]], 1)
    pairs = np.concatenate([pairs, mirrored]) if len(mirrored) else pairs
    return np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0).reshape(-1, 2)


def _fuse_cycles(group: Ints, forward: Flags, source: Ints, target: Ints, mirrored: Ints) -> Ints:
    """Groups on a cycle of the forward graph become one. `mirrored` is renamed in place."""
    edges = _forward_edges(group, forward, source, target, mirrored)
    component = _strong_components(int(group.max()) + 1, edges)
    mirrored[:] = component[mirrored]
    return component[group]


def _strong_components(count: int, edges: Ints) -> Ints:
    """Tarjan, without recursion.  (nodes,) a number for each component"""
    following: list[list[int]] = [[] for _ in range(count)]
    for a, b in edges.tolist():
        following[a].append(b)
    index, low, component = [-1] * count, [0] * count, [-1] * count
    stack: list[int] = []
    clock = found = 0
    for root in range(count):
        if index[root] >= 0:
            continue
        index[root] = low[root] = clock
        clock += 1
        stack.append(root)
        path = [(root, 0)]
        while path:
            v, at = path.pop()
            if at < len(following[v]):
                path.append((v, at + 1))
                w = following[v][at]
                if index[w] < 0:
                    index[w] = low[w] = clock
                    clock += 1
                    stack.append(w)
                    path.append((w, 0))
                elif component[w] < 0:
                    low[v] = min(low[v], index[w])
                continue
            if low[v] == index[v]:
                while component[v] < 0:
                    component[stack.pop()] = found
                found += 1
            if path:
                low[path[-1][0]] = min(low[path[-1][0]], low[v])
    return np.array(component, np.int64)


def _merge_idle(group: Ints, instance: PlacementInstance, source: Ints, target: Ints, mirrored: Ints) -> Ints:
    """A group whose ops all take no time, and which touches one forward group only, joins it."""
    graph = instance.graph
    count = int(group.max()) + 1
    slowest = np.where(np.isfinite(instance.cost), instance.cost, 1.0).max(axis=1)
    time = np.bincount(group, slowest, count)
    backward = graph.is_backward.astype(np.int64)
    near: list[set[tuple[int, int]]] = [set() for _ in range(count)]  # (group, backward?) of neighbours of forward ops
    for a, b in zip(source.tolist(), target.tolist(), strict=True):
        if group[a] != group[b] or backward[a] != backward[b]:
            if not backward[a]:
                near[group[a]].add((int(group[b]), int(backward[b])))
            if not backward[b]:
                near[group[b]].add((int(group[a]), int(backward[a])))
    for a, b in mirrored.tolist():
        near[a].add((b, 0))
        near[b].add((a, 0))
    parent = list(range(count))
    waiting = list(range(count))
    while waiting:
        g = waiting.pop()
        if parent[g] != g or time[g] >= NO_TIME_S or len(near[g]) != 1:
            continue
        (other, is_backward), *_ = near[g]
        if is_backward or other == g:
            continue
        parent[g] = other
        near[other].discard((g, 0))
        time[other] += time[g]
        waiting.append(other)
    for g in range(count):
        root = g
        while parent[root] != root:
            root = parent[root]
        parent[g] = root
    final = np.array(parent, np.int64)
    mirrored[:] = final[mirrored]
    return final[group]


def _depth_first(count: int, edges: Ints) -> Ints:
    """Topological; what was freed last comes first, so that branches stay together."""
    following: list[list[int]] = [[] for _ in range(count)]
    waits = [0] * count
    for a, b in edges.tolist():
        following[a].append(b)
        waits[b] += 1
    ready = [v for v in range(count - 1, -1, -1) if waits[v] == 0]
    order = []
    while ready:
        v = ready.pop()
        order.append(v)
        for w in following[v]:
            waits[w] -= 1
            if waits[w] == 0:
                ready.append(w)
    return np.array(order, np.int64)


def _number(instance: PlacementInstance, node: Ints, edges: Ints, count: int) -> Contracted:
    graph, topology = instance.graph, instance.topology
    k = topology.num_devices
    cost = np.zeros((count, k))
    np.add.at(cost, node, instance.cost)
    work = np.zeros(count)
    np.maximum.at(work, node, graph.workspace_bytes)
    before = np.zeros((count, count), bool)
    if len(edges):
        before[edges[:, 0], edges[:, 1]] = True
    maker = node[graph.tensor_op]
    reads = np.unique(np.stack([node[graph.edge_op], graph.edge_tensor], 1), axis=0)
    reads = reads[reads[:, 0] != maker[reads[:, 1]]]
    crossing = np.unique(reads[:, 1])
    touches = np.concatenate([reads, np.stack([maker[crossing], crossing], 1)])
    made = np.arange(len(touches)) >= len(reads)
    order = np.argsort(touches[:, 0], kind="stable")
    apart = ~np.eye(k, dtype=bool)
    alpha = topology.alpha_s[apart].mean() if k > 1 else 0.0
    beta = topology.beta_s_per_B[apart].mean() if k > 1 else 0.0
    return Contracted(
        node,
        cost,
        np.bincount(node, graph.param_bytes + graph.output_bytes, count).astype(np.float64),
        work,
        before,
        np.searchsorted(touches[order, 0], np.arange(count + 1)).astype(np.int32),
        touches[order, 1].astype(np.int32),
        made[order],
        np.bincount(reads[:, 1], minlength=len(graph.tensor_bytes)).astype(np.int32),
        alpha + beta * graph.tensor_bytes,
    )
