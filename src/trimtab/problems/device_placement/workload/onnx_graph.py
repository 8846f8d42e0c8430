# SPDX-License-Identifier: Apache-2.0
"""ONNX files as op graphs. Ops are not run: their times are estimated for a nominal core.

Shapes come from ONNX's own inference; free dimensions are taken as 1. An op takes
the longest of its arithmetic, its memory traffic and a launch (`CORE`). External
weights are not read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from trimtab.core.errors import InvalidInstance
from trimtab.core.extras import need

from ..problem import OpGraph
from .building import GraphBuilder
from .profiling import Nominal

CORE: Final = Nominal(flops=1e11, memory_bandwidth=2e10, launch_s=2e-6)
VIEWS: Final = frozenset({"Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Dropout"})
MOST_NODES: Final = 1_000_000

Shape = tuple[int, ...]


def read(path: Path, core: Nominal = CORE) -> OpGraph:
    """The graph of an ONNX file; raises `InvalidInstance`."""
    onnx = need("onnx", extra="placement", purpose="reading ONNX files")
    try:
        model = onnx.load(path, load_external_data=False)
        model = onnx.shape_inference.infer_shapes(model)
    except Exception as error:  # protobuf's and onnx's own, of many kinds
        raise InvalidInstance(f"{path}: not an ONNX model ({str(error).splitlines()[0][:200]})") from error
    graph = model.graph
    if not 0 < len(graph.node) <= MOST_NODES:
        raise InvalidInstance(f"{path}: {len(graph.node)} nodes")
    values = _values(onnx, graph)
    weights = {tensor.name for tensor in graph.initializer}
    return _build(path.stem, graph, values, weights, core)


def _values(onnx: Any, graph: Any) -> dict[str, tuple[Shape, int]]:
    """Shape and bytes per element of every value that is known."""
    helper = onnx.helper
    found: dict[str, tuple[Shape, int]] = {}
    for tensor in graph.initializer:
        size = helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        found[tensor.name] = (tuple(int(d) for d in tensor.dims), size)
    for info in (*graph.input, *graph.value_info, *graph.output):
        kind = info.type.tensor_type
        if info.name in found or not kind.elem_type:
            continue
        shape = tuple(int(d.dim_value) if d.HasField("dim_value") else 1 for d in kind.shape.dim)
        found[info.name] = (shape, helper.tensor_dtype_to_np_dtype(kind.elem_type).itemsize)
    return found


def _build(name: str, graph: Any, values: Mapping[str, tuple[Shape, int]], weights: set[str], core: Nominal) -> OpGraph:
    builder = GraphBuilder(name, ("nominal",), family=name)
    base: dict[str, str] = {}  # a view's output -> what it is a view of
    maker: dict[str, str] = {}  # value -> op
    carried: set[str] = set()
    groups = _weight_groups(graph, weights)
    for at, node in enumerate(graph.node):
        key = f"{at}"
        below = base.get(node.input[0], node.input[0]) if node.input else ""
        if node.op_type in VIEWS and below:
            base[node.output[0]] = below
            continue
        if node.op_type == "Constant":
            continue
        fresh = [w for w in node.input if w in weights and w not in carried]
        carried.update(fresh)
        out = sum(_bytes(values, o) for o in node.output)
        builder.op(
            key,
            node.name or f"{node.op_type}{at}",
            node.op_type,
            (_seconds(node, values, core),),
            param_bytes=float(sum(_bytes(values, w) for w in fresh)),
            output_bytes=float(out),
            group=groups.get(at),
        )
        for output in node.output:
            if output:
                maker[output] = key
        for value in node.input:
            value = base.get(value, value)
            if value in maker and maker[value] != key:
                builder.tensor(value, maker[value], float(_bytes(values, value)))
                builder.read(value, key)
    return builder.build()


def _weight_groups(graph: Any, weights: set[str]) -> dict[int, int]:
    """Nodes that share a weight, by the number of the first of them."""
    first: dict[str, int] = {}
    group: dict[int, int] = {}
    for at, node in enumerate(graph.node):
        known = sorted({first[w] for w in node.input if w in first})
        home = group.get(known[0], known[0]) if known else at
        for w in node.input:
            if w in weights:
                first.setdefault(w, home)
        if known:
            group[at] = home
            group.setdefault(home, home)
    return group


def _bytes(values: Mapping[str, tuple[Shape, int]], name: str) -> int:
    shape, size = values.get(name, ((0,), 4))
    return int(np.prod(shape, dtype=np.int64)) * size


def _seconds(node: Any, values: Mapping[str, tuple[Shape, int]], core: Nominal) -> float:
    moved = sum(_bytes(values, name) for name in (*node.input, *node.output))
    return max(_flops(node, values) / core.flops, moved / core.memory_bandwidth, core.launch_s)


def _flops(node: Any, values: Mapping[str, tuple[Shape, int]]) -> float:
    """Multiply-adds count twice; anything that is no product takes one per element of its output."""
    out = values.get(node.output[0], ((), 4))[0] if node.output else ()
    elements = float(np.prod(out, dtype=np.int64)) if out else 0.0
    inputs: Sequence[Shape] = [values.get(name, ((), 4))[0] for name in node.input]
    if node.op_type in ("Conv", "ConvTranspose") and len(inputs) > 1 and len(inputs[1]) > 2:
        return 2.0 * elements * float(np.prod(inputs[1][1:], dtype=np.int64))
    if node.op_type in ("MatMul", "Gemm") and inputs and inputs[0]:
        transposed = any(a.name == "transA" and a.i for a in node.attribute)
        return 2.0 * elements * (inputs[0][0] if transposed else inputs[0][-1])
    return elements
