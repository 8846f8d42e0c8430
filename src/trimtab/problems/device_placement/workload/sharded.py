# SPDX-License-Identifier: Apache-2.0
"""Matrix programs cut into blocks, one op per block: the grain at which DOPPLER (ICLR 2026) places ops."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

Blocks = list[list[Tensor]]


def cut(x: Tensor, rows: int, columns: int) -> Blocks:
    return [list(part.chunk(columns, 1)) for part in x.chunk(rows, 0)]


def product(a: Blocks, b: Blocks) -> Blocks:
    """Of two matrices in blocks: every product of two blocks is an op, and so is every sum, in a tree."""
    out: Blocks = []
    for row in a:
        line = []
        for j in range(len(b[0])):
            parts = [row[x] @ b[x][j] for x in range(len(b))]
            while len(parts) > 1:
                parts = [*[p + q for p, q in zip(parts[::2], parts[1::2], strict=False)], *parts[len(parts) // 2 * 2 :]]
            line.append(parts[0])
        out.append(line)
    return out


class ShardedChain(nn.Module):
    """(A B) (C D) + E (F G), in blocks; all matrices are inputs."""

    def __init__(self, cuts: int) -> None:
        super().__init__()
        self.cuts = cuts

    def forward(self, *matrices: Tensor) -> tuple[Tensor, ...]:
        a, b, c, d, e, f, g = (cut(x, self.cuts, self.cuts) for x in matrices)
        left, right = product(product(a, b), product(c, d)), product(e, product(f, g))
        return tuple(p + q for line, other in zip(left, right, strict=True) for p, q in zip(line, other, strict=True))


class ShardedFeedForward(nn.Module):
    """Layers of a ReLU network in blocks; activations and weights are inputs."""

    def __init__(self, cuts: int) -> None:
        super().__init__()
        self.cuts = cuts

    def forward(self, x: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        now = cut(x, self.cuts, self.cuts)
        for weight in weights:
            now = [[functional.relu(p) for p in line] for line in product(now, cut(weight, self.cuts, self.cuts))]
        return tuple(p for line in now for p in line)


class ShardedTransformer(nn.Module):
    """Attention by heads and parts of the batch, projections in blocks, a sharded SwiGLU: 7 weights per layer."""

    def __init__(self, cuts: int) -> None:
        super().__init__()
        self.cuts = cuts

    def forward(self, x: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        now = cut(x, self.cuts, self.cuts)
        for at in range(0, len(weights), 7):
            wq, wk, wv, wo, wg, wu, wd = (cut(w, self.cuts, self.cuts) for w in weights[at : at + 7])
            q, k, v = product(now, wq), product(now, wk), product(now, wv)
            mixed = [
                [torch.softmax(a @ b.t() * a.shape[1] ** -0.5, -1) @ c for a, b, c in zip(qr, kr, vr, strict=True)]
                for qr, kr, vr in zip(q, k, v, strict=True)
            ]
            now = added(now, product(mixed, wo))
            gate, up = product(now, wg), product(now, wu)
            inner = [[functional.silu(p) * r for p, r in zip(a, b, strict=True)] for a, b in zip(gate, up, strict=True)]
            now = added(now, product(inner, wd))
        return tuple(p for line in now for p in line)


def added(a: Blocks, b: Blocks) -> Blocks:
    return [[p + q for p, q in zip(x, y, strict=True)] for x, y in zip(a, b, strict=True)]


def matrices(count: int, size: int) -> tuple[Tensor, ...]:
    return tuple(torch.randn(size, size) * size**-0.5 for _ in range(count))
