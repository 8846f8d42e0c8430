# SPDX-License-Identifier: Apache-2.0
"""What is placed (`OpGraph`), on what (`DeviceTopology`), what is decided (`Placement`), and what it is judged by.

Seconds and bytes only. A *tensor* is an output of one op; an edge says that an op
reads a tensor. Whatever reads a tensor on another device than its producer's
needs a transfer of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trimtab.core.errors import InvalidInstance
from trimtab.core.problem import Metric

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: How transfers share links, see `simulator`.
LINKS: Final = ("bus", "parallel", "switch", "max_load")
BUS, PARALLEL, SWITCH, MAX_LOAD = range(4)

#: Which of the ready ops of a device is next.
QUEUES: Final = ("fifo", "priority")

MAX_DEVICES: Final = 64
MAX_OPS: Final = 1 << 24

METRICS: Final = (
    Metric("step_time", "s"),  # from the start of a step to its end; in max_load links between the ends of two steps
    Metric("step_time_ratio", "1"),  # to the lower bound, see bounds.py
    Metric("max_load", "s"),  # busiest device: its ops and the transfers that it takes part in
    Metric("max_load_ratio", "1"),  # to the lower bound
    Metric("peak_memory", "B"),  # of the fullest device
    Metric("memory_ratio", "1"),  # largest share of its own memory that a device fills
    Metric("live_memory", "B", optional=True),  # see simulator/liveness.py; not in max_load links
)


@dataclass(frozen=True, eq=False)
class OpGraph:
    """A computation: ops, the tensors that they make, and who reads them. Ops are in a topological order or not."""

    name: str
    op_name: tuple[str, ...]  # (ops,)
    op_type: tuple[str, ...]  # (ops,) such as "aten.mm.default"
    device_types: tuple[str, ...]  # (types,) what `compute_s` was measured on, such as ("accelerator", "cpu")
    compute_s: Floats  # (ops, types) s; inf: does not run there
    param_bytes: Floats  # (ops,) B, kept for the whole step: parameters, their gradients and optimiser state
    output_bytes: Floats  # (ops,) B of all outputs, kept for the whole step; views have 0
    workspace_bytes: Floats  # (ops,) B, only while the op runs
    tensor_op: Ints  # (tensors,) the producer
    tensor_bytes: Floats  # (tensors,) B that a transfer moves
    edge_tensor: Ints  # (edges,) what is read; ascending
    edge_op: Ints  # (edges,) by whom
    colocation: Ints  # (ops,) group whose ops share one device; -1: free
    is_backward: Flags  # (ops,)
    family: str = ""  # graphs of one family share a split

    def __post_init__(self) -> None:
        _check_shapes(self)
        _check_numbers(self)
        order = topological_order(len(self.op_name), self.tensor_op[self.edge_tensor], self.edge_op)
        if len(order) < self.num_ops:
            stuck = sorted(set(range(self.num_ops)) - set(order.tolist()))
            raise InvalidInstance(f"graph {self.name!r}: op {self.op_name[stuck[0]]!r} is on a cycle, or behind one")

    @property
    def num_ops(self) -> int:
        return len(self.op_name)

    @property
    def sources(self) -> Ints:
        """Producer of what each edge carries.  (edges,)"""
        return self.tensor_op[self.edge_tensor]


@dataclass(frozen=True, eq=False)
class DeviceTopology:
    """Devices and what lies between them.

    Moving B bytes from device i to j takes ``alpha_s[i, j] + beta_s_per_B[i, j] * B``;
    what carried it is free again `link_gap_s` later. A device needs `op_overhead_s`
    after each op that takes time. `links` and `queue` are modes of the simulator.
    """

    name: str
    device_name: tuple[str, ...]  # (devices,)
    device_type: tuple[str, ...]  # (devices,) a name in OpGraph.device_types
    memory_bytes: Floats  # (devices,) B; inf: no limit
    alpha_s: Floats  # (devices, devices) s per transfer
    beta_s_per_B: Floats  # noqa: N815  (devices, devices) s per byte
    op_overhead_s: Floats  # (devices,) s
    link_gap_s: float = 0.0
    links: str = "bus"
    queue: str = "fifo"
    pays_transfers: Flags = field(default_factory=lambda: np.zeros(0, np.bool_))  # (devices,) in max_load; empty: all

    def __post_init__(self) -> None:
        k = len(self.device_name)
        if not 1 <= k <= MAX_DEVICES:
            raise InvalidInstance(f"topology {self.name!r}: {k} devices; 1 to {MAX_DEVICES} are possible")
        if self.links not in LINKS:
            raise InvalidInstance(f"topology {self.name!r}, field 'links': {self.links!r} is none of {LINKS}")
        if self.queue not in QUEUES:
            raise InvalidInstance(f"topology {self.name!r}, field 'queue': {self.queue!r} is none of {QUEUES}")
        shapes = {"device_type": (k,), "memory_bytes": (k,), "alpha_s": (k, k), "beta_s_per_B": (k, k)}
        for name, shape in {**shapes, "op_overhead_s": (k,)}.items():
            values = getattr(self, name)
            if np.shape(values) != shape:
                raise InvalidInstance(
                    f"topology {self.name!r}, field {name!r}: shape {np.shape(values)}, expected {shape}"
                )
            if name != "device_type" and not (np.asarray(values) >= 0).all():
                raise InvalidInstance(f"topology {self.name!r}, field {name!r}: a number is negative or missing")
        if not (np.isfinite(self.alpha_s).all() and np.isfinite(self.beta_s_per_B).all()):
            raise InvalidInstance(f"topology {self.name!r}, fields 'alpha_s', 'beta_s_per_B': a link takes for ever")
        if not 0 <= self.link_gap_s < np.inf or not np.isfinite(self.op_overhead_s).all():
            raise InvalidInstance(f"topology {self.name!r}, fields 'link_gap_s', 'op_overhead_s': must be finite")
        if len(self.pays_transfers) not in (0, k):
            raise InvalidInstance(f"topology {self.name!r}, field 'pays_transfers': {len(self.pays_transfers)} flags")

    @property
    def num_devices(self) -> int:
        return len(self.device_name)


@dataclass(frozen=True, eq=False)
class PlacementInstance:
    """The instance: a graph and the devices for it."""

    graph: OpGraph
    topology: DeviceTopology

    def __post_init__(self) -> None:
        graph, topology = self.graph, self.topology
        unknown = set(topology.device_type) - set(graph.device_types)
        if unknown:
            raise InvalidInstance(
                f"graph {graph.name!r} was not measured on devices of type {sorted(unknown)[0]!r}, "
                f"only on {', '.join(graph.device_types)}"
            )
        unit, _ = units(graph)
        cost, memory = self.cost, graph.param_bytes + graph.output_bytes
        together = np.zeros((int(unit.max()) + 1, topology.num_devices))
        np.add.at(together, unit, cost)
        held, work = np.zeros(len(together)), np.zeros(len(together))
        np.add.at(held, unit, memory)
        np.maximum.at(work, unit, graph.workspace_bytes)
        fits = np.isfinite(together) & (held + work)[:, None].__le__(topology.memory_bytes)
        bad = np.flatnonzero(~fits.any(axis=1))
        if bad.size:
            op = int(np.flatnonzero(unit == bad[0])[0])
            raise InvalidInstance(
                f"graph {graph.name!r} on {topology.name!r}: op {graph.op_name[op]!r}"
                f"{' and its colocation group' if graph.colocation[op] >= 0 else ''} fits on no device "
                f"({held[bad[0]] + work[bad[0]]:.4g} B; the largest has {topology.memory_bytes.max():.4g} B)"
            )

    @property
    def cost(self) -> Floats:
        """Compute time of each op on each device, s.  (ops, devices)"""
        columns = [self.graph.device_types.index(kind) for kind in self.topology.device_type]
        return np.ascontiguousarray(self.graph.compute_s[:, columns])


@dataclass(frozen=True, eq=False)
class Placement:
    """The decision: a device for each op, and where queues have priorities, which ready op goes first."""

    device: Ints  # (ops,)
    priority: Floats | None = None  # (ops,) the largest first; ops of equal priority in their order

    def flaw(self, instance: PlacementInstance) -> str:
        """Why this can't be done, for a person; '' where it can."""
        graph, k = instance.graph, instance.topology.num_devices
        device = np.asarray(self.device)
        if device.shape != (graph.num_ops,) or device.dtype.kind not in "iu":
            return f"there are {graph.num_ops} ops, and devices for {device.shape}"
        if self.priority is not None and np.shape(self.priority) != (graph.num_ops,):
            return f"there are {graph.num_ops} ops, and priorities for {np.shape(self.priority)}"
        if self.priority is not None and not np.isfinite(self.priority).all():
            return "a priority is not a number"
        bad = np.flatnonzero((device < 0) | (device >= k))
        if bad.size:
            return f"op {graph.op_name[bad[0]]!r} is on device {device[bad[0]]} of {k}"
        bad = np.flatnonzero(~np.isfinite(instance.cost[np.arange(graph.num_ops), device]))
        if bad.size:
            where = instance.topology.device_type[device[bad[0]]]
            return f"op {graph.op_name[bad[0]]!r} does not run on a device of type {where!r}"
        unit, first = units(graph)
        bad = np.flatnonzero(device != device[first[unit]])
        if bad.size:
            return f"op {graph.op_name[bad[0]]!r} is apart from its colocation group {graph.colocation[bad[0]]}"
        used, room = memory(instance, device), instance.topology.memory_bytes
        over = np.flatnonzero(used > room)
        if over.size:
            name = instance.topology.device_name[over[0]]
            return f"device {name!r} has {room[over[0]]:.4g} B, and needs {used[over[0]]:.4g} B"
        return ""


def memory(instance: PlacementInstance, device: Ints) -> Floats:
    """Bytes that each device holds: parameters and outputs of its ops, and the largest workspace.  (devices,)

    Outputs are counted as kept to the end of the step, as training needs them;
    copies of what other devices sent are not counted.
    """
    graph, k = instance.graph, instance.topology.num_devices
    kept = np.bincount(device, graph.param_bytes + graph.output_bytes, k)
    work = np.zeros(k)
    np.maximum.at(work, device, graph.workspace_bytes)
    return np.asarray(kept + work)


def units(graph: OpGraph) -> tuple[Ints, Ints]:
    """What is placed as one: a colocation group, or a single op. (unit of each op (ops,); first op of each (units,))"""
    _, first, label = np.unique(
        np.where(graph.colocation >= 0, graph.colocation, -1 - np.arange(graph.num_ops)),
        return_index=True,
        return_inverse=True,
    )
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))  # number units by their first op
    return rank[label.ravel()], np.sort(first)


def topological_order(n: int, sources: Ints, targets: Ints) -> Ints:
    """Every op after what it reads, the smallest index first (Kahn); shorter than n where there is a cycle."""
    import heapq

    waits = np.bincount(targets, minlength=n)
    by_source = np.argsort(sources, kind="stable")
    start = np.searchsorted(sources[by_source], np.arange(n + 1))
    following, left, begin = targets[by_source].tolist(), waits.tolist(), start.tolist()
    ready = np.flatnonzero(waits == 0).tolist()
    order = []
    while ready:
        op = heapq.heappop(ready)
        order.append(op)
        for target in following[begin[op] : begin[op + 1]]:
            left[target] -= 1
            if left[target] == 0:
                heapq.heappush(ready, target)
    return np.array(order, np.int64)


def homogeneous(
    name: str,
    devices: int,
    *,
    kind: str,
    memory_bytes: float = float("inf"),
    bandwidth: float,
    latency_s: float = 0.0,
    links: str = "bus",
    queue: str = "fifo",
    op_overhead_s: float = 0.0,
    link_gap_s: float = 0.0,
) -> DeviceTopology:
    """Equal devices of one type with equal links of `bandwidth` B/s."""
    apart = 1.0 - np.eye(devices)
    return DeviceTopology(
        name,
        tuple(f"{kind}{i}" for i in range(devices)),
        (kind,) * devices,
        np.full(devices, memory_bytes),
        apart * latency_s,
        apart / bandwidth,
        np.full(devices, op_overhead_s),
        link_gap_s,
        links,
        queue,
    )


def _check_shapes(graph: OpGraph) -> None:
    where, n = f"graph {graph.name!r}", len(graph.op_name)
    if not 1 <= n <= MAX_OPS:
        raise InvalidInstance(f"{where}: {n} ops; 1 to {MAX_OPS} are possible")
    if graph.compute_s.shape != (n, len(graph.device_types)) or not graph.device_types:
        raise InvalidInstance(f"{where}, field 'compute_s': shape {graph.compute_s.shape}, ({n}, types) expected")
    of_ops: Sequence[str] = ("op_type", "param_bytes", "output_bytes", "workspace_bytes", "colocation", "is_backward")
    for name in of_ops:
        if len(getattr(graph, name)) != n:
            raise InvalidInstance(f"{where}, field {name!r}: {len(getattr(graph, name))} entries for {n} ops")
    if len(graph.tensor_op) != len(graph.tensor_bytes) or len(graph.edge_tensor) != len(graph.edge_op):
        raise InvalidInstance(f"{where}: fields of tensors, or of edges, differ in length")
    for name, values, count in (
        ("tensor_op", graph.tensor_op, n),
        ("edge_op", graph.edge_op, n),
        ("edge_tensor", graph.edge_tensor, len(graph.tensor_op)),
    ):
        if len(values) and not 0 <= values.min() <= values.max() < count:
            raise InvalidInstance(f"{where}, field {name!r}: {values.min()} to {values.max()}, of {count}")
    if (np.diff(graph.edge_tensor) < 0).any() or (np.diff(graph.tensor_op) < 0).any():
        raise InvalidInstance(f"{where}: tensors must ascend by op, and edges by tensor")
    pairs = np.stack([graph.edge_tensor, graph.edge_op], 1)
    if len(np.unique(pairs, axis=0)) < len(pairs):
        raise InvalidInstance(f"{where}: an op reads one tensor by two edges")


def _check_numbers(graph: OpGraph) -> None:
    where = f"graph {graph.name!r}"
    bad = np.flatnonzero(~(graph.compute_s >= 0).all(axis=1))
    if bad.size:
        raise InvalidInstance(f"{where}, op {graph.op_name[bad[0]]!r}: a compute time is negative or missing")
    bad = np.flatnonzero(~np.isfinite(graph.compute_s).any(axis=1))
    if bad.size:
        raise InvalidInstance(f"{where}, op {graph.op_name[bad[0]]!r} runs on no type of device")
    for name in ("param_bytes", "output_bytes", "workspace_bytes"):
        values = getattr(graph, name)
        bad = np.flatnonzero(~((values >= 0) & np.isfinite(values)))
        if bad.size:
            raise InvalidInstance(f"{where}, op {graph.op_name[bad[0]]!r}, field {name!r}: {values[bad[0]]} B")
    bad = np.flatnonzero(~((graph.tensor_bytes >= 0) & np.isfinite(graph.tensor_bytes)))
    if bad.size:
        op = graph.op_name[graph.tensor_op[bad[0]]]
        raise InvalidInstance(f"{where}, a tensor of op {op!r} has {graph.tensor_bytes[bad[0]]} B")
