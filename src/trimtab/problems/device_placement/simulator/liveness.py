# SPDX-License-Identifier: Apache-2.0
"""How much a device really holds at once, from when ops start and end.

`problem.memory`, the constraint, keeps every output to the end of the step and counts
no copies: it needs no order, so that planners can reckon with it. Here an output lives
from the start of its op to the end of the last reader beside it, or the start of the
last one elsewhere (which has its copy by then); a copy on another device lives from the
end of the op that made it, when it may be under way, to the end of its last reader there. What nobody
reads is a result, and stays.
"""

from __future__ import annotations

import numpy as np

from ..problem import Floats, Ints, PlacementInstance


def live_memory(instance: PlacementInstance, device: Ints, start: Floats, end: Floats) -> Floats:
    """The most bytes that each device holds at any time of a step.  (devices,)"""
    graph, k = instance.graph, instance.topology.num_devices
    maker, reader, tensor = graph.sources, graph.edge_op, graph.edge_tensor
    beside = device[maker] == device[reader]
    last = np.full(graph.num_ops, -np.inf)
    np.maximum.at(last, maker, np.where(beside, end[reader], start[reader]))
    last[~np.isfinite(last)] = np.inf
    last = np.maximum(last, end)
    sent, at = np.unique(tensor[~beside] * k + device[reader[~beside]], return_inverse=True)
    used = np.zeros(len(sent))
    np.maximum.at(used, at.ravel(), end[reader[~beside]])
    copied, there = sent // k, sent % k
    where = np.concatenate([device, device, there])
    size = np.concatenate([graph.output_bytes, graph.workspace_bytes, graph.tensor_bytes[copied]])
    begin = np.concatenate([start, start, end[graph.tensor_op[copied]]])
    until = np.concatenate([last, end, used])
    params = np.bincount(device, graph.param_bytes, k)
    return np.asarray([params[d] + _peak(size[where == d], begin[where == d], until[where == d]) for d in range(k)])


def _peak(size: Floats, begin: Floats, until: Floats) -> float:
    """The largest sum of those that live at a time; what ends when another begins makes room for it."""
    time, change = np.concatenate([begin, until]), np.concatenate([size, -size])
    held = np.cumsum(change[np.lexsort((change, time))])
    return float(max(held.max(), 0.0)) if len(held) else 0.0
