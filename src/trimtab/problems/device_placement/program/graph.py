# SPDX-License-Identifier: Apache-2.0
"""A `Program` with the seconds of its ops as an `OpGraph`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trimtab.core.errors import InvalidInstance

from ..problem import Ints, OpGraph
from .instructions import Program


def graph_of(program: Program, seconds: Sequence[float], *, device_type: str = "core", family: str = "") -> OpGraph:
    """Ops in the program's order. `seconds`: (ops,) on one device of `device_type`.

    Ops that read one leaf that a step changes share a device, and so do those that
    read one parameter: it lives there. Leaves themselves cross no link: inputs are
    given to every device, and parameters are where they are read.
    """
    ops = program.ops
    if len(seconds) != len(ops):
        raise InvalidInstance(f"program {program.name!r}: {len(ops)} ops, and seconds for {len(seconds)}")
    number = {node: i for i, node in enumerate(ops)}
    tensors, edges = _edges(program, number)
    group, param_bytes = _parameters(program, number)
    nodes = [program.nodes[node] for node in ops]
    index = {tensor: t for t, tensor in enumerate(tensors)}
    pairs = sorted((index[tensor], op) for tensor, op in edges)
    return OpGraph(
        name=program.name,
        op_name=tuple(node.name for node in nodes),
        op_type=tuple(node.target for node in nodes),
        device_types=(device_type,),
        compute_s=np.asarray(seconds, np.float64).reshape(-1, 1),
        param_bytes=param_bytes,
        output_bytes=np.array([sum(s.bytes for s in node.outputs if s is not None) for node in nodes], np.float64),
        workspace_bytes=np.zeros(len(ops)),
        tensor_op=np.array([op for op, _ in tensors], np.int64),
        tensor_bytes=np.array([_bytes(program, ops[op], output) for op, output in tensors], np.float64),
        edge_tensor=np.array([t for t, _ in pairs], np.int64),
        edge_op=np.array([op for _, op in pairs], np.int64),
        colocation=group,
        is_backward=_backward(program, number),
        family=family or program.name,
    )


def tensors_of(program: Program) -> list[tuple[int, int]]:
    """(node, output) of each tensor of the graph, in its order."""
    number = {node: i for i, node in enumerate(program.ops)}
    return [(program.ops[op], output) for op, output in _edges(program, number)[0]]


def _edges(program: Program, number: dict[int, int]) -> tuple[list[tuple[int, int]], set[tuple[tuple[int, int], int]]]:
    """Tensors that some op reads, as (op, output), ascending; and (tensor, reader)."""
    edges = {
        ((number[ref.node], ref.output), op)
        for node, op in number.items()
        for ref in program.reads(node)
        if ref.node in number
    }
    return sorted({tensor for tensor, _ in edges}), edges


def _bytes(program: Program, node: int, output: int) -> float:
    shape = program.nodes[node].outputs[output]
    if shape is None:
        raise InvalidInstance(
            f"program {program.name!r}, op {program.nodes[node].name!r}: output {output} is read, and is no tensor"
        )
    return float(shape.bytes)


def _parameters(program: Program, number: dict[int, int]) -> tuple[Ints, np.ndarray]:  # type: ignore[type-arg]
    """Colocation group of each op, and the bytes of parameters and buffers that it is the first to read."""
    parent = list(range(len(number)))

    def root(op: int) -> int:
        while parent[op] != op:
            parent[op] = parent[parent[op]]
            op = parent[op]
        return op

    first: dict[int, int] = {}
    held = np.zeros(len(number))
    for node, op in number.items():
        for ref in program.reads(node):
            leaf = program.nodes[ref.node]
            if leaf.kind not in ("parameter", "buffer"):
                continue
            if ref.node in first:
                parent[root(op)] = root(first[ref.node])
            else:
                first[ref.node] = op
                held[op] += leaf.outputs[0].bytes if leaf.outputs[0] is not None else 0
    for leaf_node, ref in program.updates.items():
        made = program.base(ref).node
        if leaf_node in first and made in number:
            parent[root(number[made])] = root(first[leaf_node])
    roots = np.array([root(op) for op in range(len(number))], np.int64)
    _, label, count = np.unique(roots, return_inverse=True, return_counts=True)
    label = label.ravel()
    return np.where(count[label] > 1, label, -1).astype(np.int64), held


def _backward(program: Program, number: dict[int, int]) -> np.ndarray:  # type: ignore[type-arg]
    """Of a training step: ops that the loss does not depend on."""
    flags = np.zeros(len(number), np.bool_)
    if program.loss is None:
        return flags
    forward: set[int] = set()
    waiting = [program.base(program.loss).node]
    while waiting:
        node = waiting.pop()
        if node in number and node not in forward:
            forward.add(node)
            waiting += [ref.node for ref in program.reads(node)]
    for node, op in number.items():
        flags[op] = node not in forward
    return flags
