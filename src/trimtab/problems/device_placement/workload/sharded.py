# SPDX-License-Identifier: Apache-2.0
"""Graphs of matrix programs cut into blocks, drawn at random: what a sharding compiler emits, at any size.

A matrix is a grid of blocks. A product of two makes an op for each pair of blocks
that meet, and sums; element-wise ops and softmax make one for each block or row of
blocks. Costs are a roofline: the larger of FLOP over `FLOPS` and bytes over
`MEMORY`, and a launch. Links are drawn so that moving all tensors once takes
between a tenth and ten times what computing takes; they, the devices and the
queues are part of the draw.

===============  ============================================================  ==========
family           program                                                       split
===============  ============================================================  ==========
``chain``        products and sums of 3 to 8 matrices, in any association      train
``feed``         1 to 4 layers of products and activations, with or without    train
                 gates and residuals
``attention``    heads x parts of the batch, projections in blocks             train
``halo``         strips of an image, each reading its neighbours' borders      validation
``transformer``  attention, norms and a gated feed-forward layer               test
``experts``      a router, experts of two layers, a weighted sum               test
===============  ============================================================  ==========
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from trimtab.core.problem import Split

from ..problem import LINKS, DeviceTopology, OpGraph, PlacementInstance
from .building import GraphBuilder

FLOPS: Final = 50e12  # per s, of a device of speed 1
MEMORY: Final = 1e12  # B per s
LAUNCH: Final = 4e-6  # s
WIDTH: Final = 2  # B of a number
KINDS: Final = ("fast", "slow")
SLOWER: Final = 2.0
MOST: Final = 600

SPLITS: Final[Mapping[str, Split]] = {
    "chain": "train",
    "feed": "train",
    "attention": "train",
    "halo": "validation",
    "transformer": "test",
    "experts": "test",
}


class Names(GraphBuilder):
    """A builder that says what it knows."""

    def __len__(self) -> int:
        return len(self._ops)

    def knows(self, key: str) -> bool:
        return key in self._ops


@dataclass(frozen=True)
class Matrix:
    """Names of its blocks, and their size."""

    blocks: list[list[str]]
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.blocks), len(self.blocks[0])


@dataclass
class Program:
    """Writes ops into a graph; names are numbers in order."""

    builder: Names
    flat: bool  # sums of many blocks are one op; else trees of sums of two
    parameters: dict[str, float] = field(default_factory=dict)  # B, of blocks that are inputs

    def op(self, kind: str, reads: list[str], flops: float, size: float) -> str:
        name = f"{kind}{len(self.builder)}"
        held = sum(self.parameters.pop(read, 0.0) for read in reads)  # the first reader keeps it
        moved = size * (len(reads) + 1)
        seconds = LAUNCH + max(flops / FLOPS, moved / MEMORY)
        self.builder.op(
            name, name, kind, (seconds, seconds * SLOWER), param_bytes=held, output_bytes=size, workspace_bytes=0.0
        )
        self.builder.tensor(name, name, size)
        for read in reads:
            if self.builder.knows(read):
                self.builder.read(read, name)
        return name

    def given(self, name: str, rows: int, columns: int, height: int, width: int) -> Matrix:
        """A matrix that is there from the start: a parameter, or the input."""
        blocks = [[f"{name}[{i},{j}]" for j in range(columns)] for i in range(rows)]
        self.parameters |= {block: float(WIDTH * height * width) for line in blocks for block in line}
        return Matrix(blocks, height, width)

    def sum(self, parts: list[str], size: float) -> str:
        if self.flat and len(parts) > 1:
            return self.op("sum", parts, size * len(parts) / WIDTH, size)
        while len(parts) > 1:
            pairs = [self.op("add", [p, q], size / WIDTH, size) for p, q in zip(parts[::2], parts[1::2], strict=False)]
            parts = pairs + parts[len(parts) // 2 * 2 :]
        return parts[0]

    def product(self, a: Matrix, b: Matrix) -> Matrix:
        size = float(WIDTH * a.height * b.width)
        flops = 2.0 * a.height * a.width * b.width
        blocks = [
            [
                self.sum([self.op("mm", [row[x], b.blocks[x][j]], flops, size) for x in range(len(row))], size)
                for j in range(b.shape[1])
            ]
            for row in a.blocks
        ]
        return Matrix(blocks, a.height, b.width)

    def each(self, kind: str, *of: Matrix) -> Matrix:
        first = of[0]
        size = float(WIDTH * first.height * first.width)
        rows, columns = first.shape
        blocks = [
            [self.op(kind, [m.blocks[i][j] for m in of], 4 * size, size) for j in range(columns)] for i in range(rows)
        ]
        return Matrix(blocks, first.height, first.width)

    def rows(self, kind: str, a: Matrix) -> Matrix:
        """What needs a number from each block of a row, for each block: norms."""
        size = float(WIDTH * a.height * a.width)
        blocks = []
        for line in a.blocks:
            few = [self.op("reduce", [block], size, float(WIDTH * a.height)) for block in line]
            total = self.sum(few, float(WIDTH * a.height))
            blocks.append([self.op(kind, [block, total], size, size) for block in line])
        return Matrix(blocks, a.height, a.width)


def _chain(p: Program, rng: np.random.Generator) -> None:
    cuts, size = int(rng.integers(2, 5)), _size(rng)
    stack = [p.given(f"m{i}", cuts, cuts, size, size) for i in range(int(rng.integers(3, 9)))]
    while len(stack) > 1:
        at = int(rng.integers(len(stack) - 1))
        a, b = stack[at], stack.pop(at + 1)
        made = p.builder.knows(a.blocks[0][0]) and p.builder.knows(b.blocks[0][0])
        stack[at] = p.each("add", a, b) if made and rng.random() < 0.4 else p.product(a, b)


def _feed(p: Program, rng: np.random.Generator) -> None:
    rows, columns, inner = (int(c) for c in rng.integers(2, 5, 3))
    size = _size(rng)
    x = p.given("x", rows, columns, size, size)
    for layer in range(int(rng.integers(1, 5))):
        y = _feed_forward(p, rng, x, columns, inner, size, f"{layer}")
        x = p.each("add", x, y) if rng.random() < 0.5 else y


def _feed_forward(
    p: Program, rng: np.random.Generator, x: Matrix, columns: int, inner: int, size: int, name: str
) -> Matrix:
    wide = size * int(rng.choice([1, 2, 4]))
    up = p.product(x, p.given(f"up{name}", columns, inner, size, wide))
    if rng.random() < 0.5:
        gate = p.each("silu", p.product(x, p.given(f"gate{name}", columns, inner, size, wide)))
        up = p.each("mul", gate, up)
    else:
        up = p.each("relu", up)
    return p.product(up, p.given(f"down{name}", inner, columns, wide, size))


def _attention(p: Program, rng: np.random.Generator) -> None:
    rows, heads, size = int(rng.integers(2, 5)), int(rng.integers(2, 5)), _size(rng)
    x = p.given("x", rows, heads, size, size)
    for layer in range(int(rng.integers(1, 3))):
        x = _attend(p, rng, x, size, f"{layer}")


def _attend(p: Program, rng: np.random.Generator, x: Matrix, size: int, name: str) -> Matrix:
    """A column of blocks is a head. Rows are sequences of their own, or parts of one that all see all."""
    heads = x.shape[1]
    q, k, v = (p.product(x, p.given(f"{what}{name}", heads, heads, size, size)) for what in "qkv")
    alone = rng.random() < 0.5
    block, scores = float(WIDTH * size * size), 2.0 * size**3
    mixed = []
    for i in range(x.shape[0]):
        line = []
        for h in range(heads):
            others = [i] if alone else range(x.shape[0])
            parts = []
            for j in others:
                score = p.op("qk", [q.blocks[i][h], k.blocks[j][h]], scores, block)
                soft = p.op("softmax", [score], 5 * block, block)
                parts.append(p.op("sv", [soft, v.blocks[j][h]], scores, block))
            line.append(p.sum(parts, block))
        mixed.append(line)
    return p.product(Matrix(mixed, size, size), p.given(f"out{name}", heads, heads, size, size))


def _transformer(p: Program, rng: np.random.Generator) -> None:
    rows, columns, inner = (int(c) for c in rng.integers(2, 5, 3))
    size = _size(rng)
    x = p.given("x", rows, columns, size, size)
    for layer in range(int(rng.integers(1, 3))):
        x = p.each("add", x, _attend(p, rng, p.rows("norm", x), size, f"{layer}"))
        x = p.each("add", x, _feed_forward(p, rng, p.rows("norm", x), columns, inner, size, f"{layer}"))


def _experts(p: Program, rng: np.random.Generator) -> None:
    rows, columns, inner = (int(c) for c in rng.integers(1, 4, 3))
    size = _size(rng)
    x = p.given("x", rows, columns, size, size)
    for layer in range(int(rng.integers(1, 3))):
        gate = p.rows("softmax", p.product(x, p.given(f"router{layer}", columns, 1, size, 64)))
        outs = []
        for e in range(int(rng.integers(3, 9))):
            out = _feed_forward(p, rng, x, columns, inner, size, f"{layer}.{e}")
            weighted = [
                [p.op("mul", [block, gate.blocks[i][0]], size * size, float(WIDTH * size * size)) for block in line]
                for i, line in enumerate(out.blocks)
            ]
            outs.append(weighted)
        total = [
            [p.sum([out[i][j] for out in outs], float(WIDTH * size * size)) for j in range(columns)]
            for i in range(rows)
        ]
        x = Matrix(total, size, size)


def _halo(p: Program, rng: np.random.Generator) -> None:
    strips, layers, size = int(rng.integers(3, 13)), int(rng.integers(4, 16)), _size(rng)
    block = float(WIDTH * size * size)
    border = block * float(rng.choice([0.02, 0.1, 0.3]))
    now: list[str] = []
    for layer in range(layers):
        made = []
        for s in range(strips):
            reads = [f"edge{layer}.{x}" for x in (s - 1, s + 1) if now and 0 <= x < strips]
            made.append(p.op("conv", [now[s], *reads] if now else [f"x{s}"], 2.0 * size**3, block))
        for s in range(strips):  # what neighbours read is small
            p.builder.op(f"edge{layer + 1}.{s}", f"edge{layer + 1}.{s}", "slice", (LAUNCH, LAUNCH), output_bytes=border)
            p.builder.tensor(f"edge{layer + 1}.{s}", f"edge{layer + 1}.{s}", border)
            p.builder.read(made[s], f"edge{layer + 1}.{s}")
        now = made
    p.op("pool", now, block * strips, block / 16)


PROGRAMS: Final[Mapping[str, Callable[[Program, np.random.Generator], None]]] = {
    "chain": _chain, "feed": _feed, "attention": _attention, "halo": _halo, "transformer": _transformer,
    "experts": _experts,
}  # fmt: skip


def draw(family: str, seed: int) -> PlacementInstance:
    """A graph of the family and devices for it; the same for the same seed."""
    rng = np.random.default_rng([list(PROGRAMS).index(family), seed])
    builder = Names(f"sharded-{family}-{seed}", KINDS, family=f"sharded_{family}")
    PROGRAMS[family](Program(builder, flat=bool(rng.random() < 0.4)), rng)
    graph = builder.build()
    return PlacementInstance(graph, devices(graph, rng))


def suite(split: Split) -> Mapping[str, PlacementInstance]:
    """The suite: 60 of each family of the training split, 10 of each other; of graphs of up to `MOST` ops."""
    each = 60 if split == "train" else 10
    return {name: i for name, i in instances(split, each).items() if i.graph.num_ops <= MOST}


def instances(split: Split, each: int, first: int = 0) -> Mapping[str, PlacementInstance]:
    """`each` instances of every family of the split; families of training and test differ."""
    families = [family for family, of in SPLITS.items() if of == split]
    made = (draw(family, first + seed) for seed in range(each) for family in families)
    return {instance.graph.name: instance for instance in made}


def _size(rng: np.random.Generator) -> int:
    return int(2 ** rng.integers(8, 13))


def devices(graph: OpGraph, rng: np.random.Generator) -> DeviceTopology:
    k = int(rng.choice([2, 3, 4, 6, 8]))
    links = str(rng.choice(LINKS, p=[0.25, 0.45, 0.15, 0.15]))
    ratio = 10 ** rng.uniform(-1, 1)  # all tensors' transfers to all compute
    bandwidth = graph.tensor_bytes.sum() / (ratio * graph.compute_s[:, 0].sum())
    apart = 1.0 - np.eye(k)
    mixed = rng.random() < 0.25
    kinds = tuple("slow" if mixed and d >= k / 2 else "fast" for d in range(k))
    kept = graph.param_bytes + graph.output_bytes
    room = np.inf if rng.random() < 0.7 else max(1.5 * kept.sum() / k, 3.0 * kept.max())
    return DeviceTopology(
        f"{k} {links}",
        tuple(f"device{d}" for d in range(k)),
        kinds,
        np.full(k, room),
        apart * 5e-6,
        apart / bandwidth,
        np.full(k, 1e-6),
        links=links,
        queue=str(rng.choice(["fifo", "priority"])),
    )
