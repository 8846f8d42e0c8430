# SPDX-License-Identifier: Apache-2.0
"""Which format a file is in, and the instance in it."""

from __future__ import annotations

import json
from pathlib import Path

from trimtab.core.errors import InvalidInstance

from ..problem import DeviceTopology, OpGraph, PlacementInstance
from . import doppler, files, pipedream, piper, tarnawski

MOST_BYTES = 1 << 30


def read_file(path: Path) -> PlacementInstance:
    """The instance in a file of any known format; raises `InvalidInstance`."""
    if path.suffix == ".npz":
        graph, topology, _ = files.load(path)
        return PlacementInstance(graph, topology or _default(graph))
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InvalidInstance(f"{path}: more than {MOST_BYTES} bytes")
        text = path.read_bytes()
    except OSError as error:
        raise InvalidInstance(f"{path}: can't be read ({error.strerror})") from error
    if path.suffix == ".onnx":
        from . import onnx_graph

        graph = onnx_graph.read(path)
        return PlacementInstance(graph, _default(graph))
    if path.suffix == ".json":
        return _json(text, path)
    if path.suffix == ".txt":
        return pipedream.read(text, path.stem) if b"forward_compute_time=" in text else doppler.read(text, path.name)
    raise InvalidInstance(
        f"{path}: graphs are read from .npz (trimtab capture device_placement), .onnx, .json (dnn-partitioning, Piper) "
        "and .txt (PipeDream, DOPPLER)"
    )


def _json(text: bytes, path: Path) -> PlacementInstance:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInstance(f"{path}: not JSON ({error})") from error
    if tarnawski.is_one(data):
        return tarnawski.read(text, path.stem)
    if piper.is_one(data):
        return piper.read(text, path.stem)
    raise InvalidInstance(
        f"{path}: neither a dnn-partitioning file (maxFPGAs, nodes) nor one of Piper (maxDevices, nodes)"
    )


def _default(graph: OpGraph) -> DeviceTopology:
    from .suites import bus4

    return bus4(graph)
