# SPDX-License-Identifier: Apache-2.0
"""Small instances for tests: random ones with many ties, and by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trimtab.problems.device_placement.problem import (
    LINKS,
    QUEUES,
    DeviceTopology,
    OpGraph,
    Placement,
    PlacementInstance,
)


def graph_of(
    compute: Sequence[Sequence[float]] | Sequence[float],
    edges: Sequence[tuple[int, int, float]],
    *,
    colocation: Sequence[int] = (),
    memory: Sequence[float] = (),
    name: str = "made",
) -> OpGraph:
    """One tensor per producer; (producer, reader, bytes)."""
    cost = np.array(compute, float)
    cost = cost[:, None] if cost.ndim == 1 else cost
    n = len(cost)
    producers = sorted({a for a, _, _ in edges})
    size = {a: b for a, _, b in edges}
    tensor = {a: t for t, a in enumerate(producers)}
    pairs = sorted({(tensor[a], c) for a, c, _ in edges})
    return OpGraph(
        name=name,
        op_name=tuple(f"op{i}" for i in range(n)),
        op_type=("made",) * n,
        device_types=("core", "slow")[: cost.shape[1]],
        compute_s=cost,
        param_bytes=np.array(memory or [0.0] * n, float),
        output_bytes=np.zeros(n),
        workspace_bytes=np.zeros(n),
        tensor_op=np.array(producers, np.int64),
        tensor_bytes=np.array([size[a] for a in producers], float),
        edge_tensor=np.array([t for t, _ in pairs], np.int64),
        edge_op=np.array([c for _, c in pairs], np.int64),
        colocation=np.array(colocation or [-1] * n, np.int64),
        is_backward=np.zeros(n, np.bool_),
        family="made",
    )


def layered(rng: np.random.Generator, *, ops: int, width: int) -> OpGraph:
    """Ops in layers of `width`, each reading one or two of the layer before; costs and bytes up to 1."""
    edges = []
    for op in range(width, ops):
        layer = op // width * width
        edges += [(source, op) for source in sorted({int(rng.integers(layer - width, layer)) for _ in range(2)})]
    size = rng.random(ops)
    return graph_of(rng.random(ops).tolist(), [(a, b, float(size[a])) for a, b in edges])


def random_instance(rng: np.random.Generator, links: str, *, ops: int = 24) -> tuple[PlacementInstance, Placement]:
    """Several tensors per op, costs from few values (0 among them) so that ties are everywhere."""
    n, k = int(rng.integers(1, ops + 1)), int(rng.integers(1, 6))
    whole = rng.random() < 0.5
    cost = rng.integers(0, 4, (n, 2)).astype(float) if whole else rng.random((n, 2)) * (rng.random((n, 2)) < 0.8)
    per_op = rng.integers(0, 3, n)
    tensor_op = np.repeat(np.arange(n), per_op)
    order = rng.permutation(n)  # ops are not numbered in their order
    place = np.argsort(order)
    edges = sorted(
        {
            (t, int(order[later]))
            for t, op in enumerate(tensor_op)
            for later in range(int(place[op]) + 1, n)
            if rng.random() < 2.5 / n
        }
    )
    graph = OpGraph(
        name="random",
        op_name=tuple(f"op{i}" for i in range(n)),
        op_type=("made",) * n,
        device_types=("core", "slow"),
        compute_s=cost,
        param_bytes=np.zeros(n),
        output_bytes=np.zeros(n),
        workspace_bytes=np.zeros(n),
        tensor_op=tensor_op.astype(np.int64),
        tensor_bytes=rng.integers(0, 4, len(tensor_op)).astype(float) if whole else rng.random(len(tensor_op)),
        edge_tensor=np.array([t for t, _ in edges], np.int64),
        edge_op=np.array([c for _, c in edges], np.int64),
        colocation=np.full(n, -1),
        is_backward=np.zeros(n, np.bool_),
    )
    apart = 1.0 - np.eye(k)
    topology = DeviceTopology(
        "random",
        tuple(f"d{i}" for i in range(k)),
        tuple(rng.choice(["core", "slow"], k).tolist()),
        np.full(k, np.inf),
        apart * (rng.integers(0, 3, (k, k)) if whole else rng.random((k, k))),
        apart * (rng.integers(0, 3, (k, k)) if whole else rng.random((k, k))),
        np.asarray(rng.integers(0, 2, k) * 0.5, np.float64),
        float(rng.integers(0, 2)) * 0.25,
        links,
        str(rng.choice(QUEUES)),
        rng.random(k) < 0.7,
    )
    assert links in LINKS
    priority = rng.integers(0, 4, n).astype(float) if rng.random() < 0.8 else None
    return PlacementInstance(graph, topology), Placement(rng.integers(0, k, n), priority)
