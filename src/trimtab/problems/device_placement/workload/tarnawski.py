# SPDX-License-Identifier: Apache-2.0
"""JSON of ``msr-fiddle/dnn-partitioning`` (Tarnawski et al., NeurIPS 2020): profiled graphs, accelerators and CPUs.

Times are ms. A node's output takes ``cost`` ms between an accelerator and the host's
memory, whoever reads it; an accelerator pays for what it sends and for what it
receives, a CPU for neither. Bytes here are that cost times the rate (``size / cost``)
of most edges of the file: in the training graphs of layers some sizes contradict it.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import PurePosixPath
from typing import Any, Final

import numpy as np

from trimtab.core.errors import InvalidInstance

from ..problem import DeviceTopology, Ints, OpGraph, PlacementInstance
from .building import GraphBuilder

MS: Final = 1e-3
KINDS: Final = ("accelerator", "cpu")
RATE: Final = 2.0**31 / 1000  # B per ms, where a file has no sizes


def read(text: bytes, name: str, links: str = "max_load") -> PlacementInstance:
    """One instance; `links` as in `DeviceTopology`."""
    try:
        data = json.loads(text)
        return _instance(data, name, links)
    except InvalidInstance:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidInstance(f"{name}: not a dnn-partitioning file ({_why(error)})") from error


def is_one(data: Any) -> bool:
    """Whether parsed JSON looks like this format."""
    return isinstance(data, dict) and {"maxFPGAs", "nodes", "edges"} <= set(data)


def device_of_experts(text: bytes, instance: PlacementInstance) -> Ints:
    """A human expert's split (``human-experts/``) as devices of ops; backward ops follow their colocation group."""
    data = json.loads(text)
    graph = instance.graph
    number = {op.rpartition("#")[2]: i for i, op in enumerate(graph.op_name)}
    device = np.full(graph.num_ops, -1, np.int64)
    accelerators = [d for d, kind in enumerate(instance.topology.device_type) if kind == "accelerator"]
    cpus = [d for d, kind in enumerate(instance.topology.device_type) if kind == "cpu"]
    for machines, homes in ((data["fpgas"], accelerators), (data["cpus"], cpus)):
        for machine, home in zip(machines, homes, strict=False):
            for node in machine["nodes"]:
                if str(node) in number:
                    device[number[str(node)]] = home
    for group in np.unique(graph.colocation[graph.colocation >= 0]):
        members = np.flatnonzero(graph.colocation == group)
        known = device[members][device[members] >= 0]
        if known.size:
            device[members] = known[0]
    if (device < 0).any():
        raise InvalidInstance(
            f"expert split of {graph.name!r}: op {graph.op_name[int(np.argmin(device))]!r} is nowhere"
        )
    return device


def _instance(data: Any, name: str, links: str) -> PlacementInstance:
    rate = _rate(data["edges"])
    graph = _graph(data, name, rate)
    accelerators, cpus = int(data["maxFPGAs"]), int(data["maxCPUs"])
    if not 0 <= accelerators + cpus <= 64 or min(accelerators, cpus) < 0:
        raise InvalidInstance(f"{name}: maxFPGAs {accelerators} and maxCPUs {cpus}")
    k = accelerators + cpus
    kinds = ("accelerator",) * accelerators + ("cpu",) * cpus
    topology = DeviceTopology(
        f"{accelerators} accelerators, {cpus} CPUs",
        tuple(f"{kind}{i}" for kind, count in (("acc", accelerators), ("cpu", cpus)) for i in range(count)),
        kinds,
        np.array([float(data["maxSizePerFPGA"])] * accelerators + [np.inf] * cpus),
        np.zeros((k, k)),
        (1.0 - np.eye(k)) * (MS / rate),
        np.zeros(k),
        links=links,
        pays_transfers=np.array([kind == "accelerator" for kind in kinds]),
    )
    return PlacementInstance(graph, topology)


def _graph(data: Any, name: str, rate: float) -> OpGraph:
    builder = GraphBuilder(name, KINDS, family=family_of(name))
    for node in data["nodes"]:
        identity = node["id"]
        label = f"{node.get('name', 'node')}#{identity}"
        on_accelerator = float(node["fpgaLatency"]) * MS if node["supportedOnFpga"] else np.inf
        builder.op(
            identity,
            label,
            str(node.get("name", "node")).rpartition(".")[2],
            (on_accelerator, float(node["cpuLatency"]) * MS),
            param_bytes=float(node.get("size", 0.0)),
            group=node.get("colorClass"),
            backward=bool(node["isBackwardNode"]),
        )
    for edge in data["edges"]:
        builder.tensor(edge["sourceId"], edge["sourceId"], float(edge["cost"]) * rate)
        builder.read(edge["sourceId"], edge["destId"])
    return builder.build()


def _rate(edges: Any) -> float:
    """Bytes per ms of most edges."""
    seen = Counter(
        round(float(edge["size"]) / float(edge["cost"]), 3)
        for edge in edges
        if float(edge.get("size", 0)) > 0 and float(edge["cost"]) > 0
    )
    return seen.most_common(1)[0][0] if seen else RATE


def family_of(name: str) -> str:
    """The model's family from a file's name: bert, gnmt, inception or resnet; else the stem's first word."""
    stem = PurePosixPath(name).stem.lower()
    return next((known for known in ("bert", "gnmt", "inception", "resnet") if known in stem), stem.split("_")[0])


def _why(error: BaseException) -> str:
    return f"field {error} is missing" if isinstance(error, KeyError) else str(error)
