# SPDX-License-Identifier: Apache-2.0
"""An instance as arrays for compiled code, and ranks for its priority queues."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..problem import LINKS, Flags, Floats, Ints, PlacementInstance

Ints32 = NDArray[np.int32]


class Packed(NamedTuple):
    """CSR twice: an op's tensors, and a tensor's readers."""

    cost: Floats  # (ops, devices) s
    tensor_start: Ints32  # (ops + 1,) tensors of op i: tensor_start[i] .. tensor_start[i + 1]
    reader_start: Ints32  # (tensors + 1,)
    reader: Ints32  # (edges,)
    tensor_op: Ints32  # (tensors,)
    input_start: Ints32  # (ops + 1,)
    inputs: Ints32  # (edges,) tensors that op i reads: inputs[input_start[i]] ...
    waits: Ints32  # (ops,) tensors that op i reads
    first: Ints32  # ops that read none, ascending
    bytes: Floats  # (tensors,)
    alpha: Floats  # (devices, devices) s
    beta: Floats  # (devices, devices) s per B
    overhead: Floats  # (devices,) s
    gap: float  # s
    links: int
    pays: Flags  # (devices,) whether transfers count as load
    kept_bytes: Floats  # (ops,)
    workspace_bytes: Floats  # (ops,)
    room: Floats  # (devices,) B


@lru_cache(maxsize=512)
def pack(instance: PlacementInstance) -> Packed:
    graph, topology = instance.graph, instance.topology
    n, tensors, k = graph.num_ops, len(graph.tensor_op), topology.num_devices
    by_reader = np.argsort(graph.edge_op, kind="stable")
    waits = np.bincount(graph.edge_op, minlength=n).astype(np.int32)
    return Packed(
        instance.cost,
        _starts(graph.tensor_op, n),
        _starts(graph.edge_tensor, tensors),
        graph.edge_op.astype(np.int32),
        graph.tensor_op.astype(np.int32),
        _starts(graph.edge_op[by_reader], n),
        graph.edge_tensor[by_reader].astype(np.int32),
        waits,
        np.flatnonzero(waits == 0).astype(np.int32),
        np.ascontiguousarray(graph.tensor_bytes, np.float64),
        np.ascontiguousarray(topology.alpha_s, np.float64),
        np.ascontiguousarray(topology.beta_s_per_B, np.float64),
        np.ascontiguousarray(topology.op_overhead_s, np.float64),
        float(topology.link_gap_s),
        LINKS.index(topology.links),
        np.ones(k, np.bool_) if not len(topology.pays_transfers) else np.asarray(topology.pays_transfers, np.bool_),
        np.ascontiguousarray(graph.param_bytes + graph.output_bytes, np.float64),
        np.ascontiguousarray(graph.workspace_bytes, np.float64),
        np.ascontiguousarray(topology.memory_bytes, np.float64),
    )


def ranks(instance: PlacementInstance, priority: Floats | None) -> Ints32:
    """Place of each op in its device's priority queue, 0 first; empty where queues are first in, first out.  (ops,)"""
    if instance.topology.queue == "fifo":
        return np.zeros(0, np.int32)
    n = instance.graph.num_ops
    rank = np.empty(n, np.int32)
    rank[np.arange(n) if priority is None else np.argsort(-np.asarray(priority), kind="stable")] = np.arange(n)
    return rank


def _starts(ascending: Ints, count: int) -> Ints32:
    return np.searchsorted(ascending, np.arange(count + 1)).astype(np.int32)
