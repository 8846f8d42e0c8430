# SPDX-License-Identifier: Apache-2.0
"""JSON of ``msr-fiddle/piper`` (Piper, NeurIPS 2021): layers with times for degrees of tensor parallelism.

Read is what a placement of whole layers needs: degree 1 without recomputation
(``TMPCs["1"]``, "vanilla"), forward and backward in one op, the memory of one
sample in flight, and bytes per edge at the file's bandwidth. Times are s, as its
program adds them to bytes / bandwidth. Replication, tensor parallelism and
recomputation are decisions of another problem (parallel plans).
"""

from __future__ import annotations

import json
from typing import Any

from trimtab.core.errors import InvalidInstance

from ..problem import PlacementInstance, homogeneous
from .building import GraphBuilder

MOST_DEVICES = 8


def read(text: bytes, name: str) -> PlacementInstance:
    """One instance: a full pipeline over `maxDevices` devices, at most 8."""
    try:
        data = json.loads(text)
        return _instance(data, name)
    except InvalidInstance:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise InvalidInstance(f"{name}: not a Piper file ({error!r})") from error


def is_one(data: Any) -> bool:
    """Whether parsed JSON looks like this format."""
    return isinstance(data, dict) and {"maxDevices", "bandwidth", "nodes", "edges"} <= set(data)


def _instance(data: Any, name: str) -> PlacementInstance:
    builder = GraphBuilder(name, ("accelerator",), family=family_of(name))
    for node in data["nodes"]:
        config = next(c for c in node["TMPCs"]["1"] if c["id"] == "vanilla")
        builder.op(
            node["id"],
            f"{node['name']}#{node['id']}",
            str(node["name"]),
            (float(config["timePerSample"]),),
            param_bytes=float(config["memoryUsageA"]) + float(config["memoryUsageB"]),
        )
    for edge in data["edges"]:
        key = (edge["sourceId"], float(edge["communicationCost"]))
        builder.tensor(key, edge["sourceId"], float(edge["communicationCost"]))
        builder.read(key, edge["destId"])
    count = min(MOST_DEVICES, int(data["maxDevices"]))
    topology = homogeneous(
        f"{count} accelerators", count, kind="accelerator", memory_bytes=float(data["maxMemoryPerDevice"]),
        bandwidth=float(data["bandwidth"]), links="max_load",
    )  # fmt: skip
    return PlacementInstance(builder.build(), topology)


def family_of(name: str) -> str:
    return next((word for word in ("bert", "gnmt", "resnet") if word in name.lower()), name)
