# SPDX-License-Identifier: Apache-2.0
"""Architectures of well-known families, after their papers, at any size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

Tensor = torch.Tensor


class Attention(nn.Module):
    """Multi-head attention; `shared` heads of keys and values (grouped queries) where it is less than `heads`."""

    def __init__(self, width: int, heads: int, *, shared: int = 0, causal: bool = False, bias: bool = True) -> None:
        super().__init__()
        self.heads, self.shared, self.causal = heads, shared or heads, causal
        self.size = width // heads
        self.query = nn.Linear(width, width, bias=bias)
        self.key = nn.Linear(width, self.shared * self.size, bias=bias)
        self.value = nn.Linear(width, self.shared * self.size, bias=bias)
        self.out = nn.Linear(width, width, bias=bias)

    def forward(self, x: Tensor, memory: Tensor | None = None, rotate: Any = None, bias: Any = None) -> Tensor:
        other = x if memory is None else memory
        b, n, width = x.shape
        q = self.query(x).view(b, n, self.heads, self.size).transpose(1, 2)
        k = self.key(other).view(b, other.shape[1], self.shared, self.size).transpose(1, 2)
        v = self.value(other).view(b, other.shape[1], self.shared, self.size).transpose(1, 2)
        if rotate is not None:
            q, k = rotate(q), rotate(k)
        if self.shared != self.heads:
            k = k.repeat_interleave(self.heads // self.shared, 1)
            v = v.repeat_interleave(self.heads // self.shared, 1)
        scores = q @ k.transpose(-1, -2) * self.size**-0.5
        if bias is not None:
            scores = scores + bias
        if self.causal:
            scores = scores + torch.full((n, n), float("-inf")).triu(1)
        mixed = torch.softmax(scores, -1) @ v
        return self.out(mixed.transpose(1, 2).reshape(b, n, width))  # type: ignore[no-any-return]


class Block(nn.Module):
    """A transformer layer: normalised before (GPT-2, ViT) or after (BERT)."""

    def __init__(self, width: int, heads: int, *, causal: bool, first: bool) -> None:
        super().__init__()
        self.attention = Attention(width, heads, causal=causal)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.first = first

    def forward(self, x: Tensor) -> Tensor:
        if self.first:
            x = x + self.attention(self.norms[0](x))
            return x + self.down(functional.gelu(self.up(self.norms[1](x))))  # type: ignore[no-any-return]
        x = self.norms[0](x + self.attention(x))
        return self.norms[1](x + self.down(functional.gelu(self.up(x))))  # type: ignore[no-any-return]


class Transformer(nn.Module):
    """GPT-2 (causal, tied head) or BERT (an embedding of segments and a dense head)."""

    def __init__(self, layers: int, width: int, heads: int, words: int, length: int, *, causal: bool) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList([Block(width, heads, causal=causal, first=causal) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        self.causal = causal
        self.head = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.words(tokens) + self.places(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        x = x if self.causal else functional.gelu(self.head(x))
        return x @ self.words.weight.t()


class RootMeanSquare(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight


class Gated(nn.Module):
    """SwiGLU."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.gate, self.up = nn.Linear(width, inner, bias=False), nn.Linear(width, inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(functional.silu(self.gate(x)) * self.up(x))  # type: ignore[no-any-return]


class Experts(nn.Module):
    """Mixtral's experts, every one on all tokens and weighted (what exports without data-dependent shapes)."""

    def __init__(self, width: int, inner: int, experts: int) -> None:
        super().__init__()
        self.router = nn.Linear(width, experts, bias=False)
        self.experts = nn.ModuleList([Gated(width, inner) for _ in range(experts)])

    def forward(self, x: Tensor) -> Tensor:
        weight = torch.softmax(self.router(x), -1)
        parts = [expert(x) * weight[..., i : i + 1] for i, expert in enumerate(self.experts)]
        return torch.stack(parts).sum(0)


class Llama(nn.Module):
    """Rotary positions, grouped queries, SwiGLU; with `experts` it is Mixtral's shape."""

    def __init__(self, layers: int, width: int, heads: int, words: int, length: int, experts: int = 0) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.attention = nn.ModuleList(
            [Attention(width, heads, shared=heads // 4, causal=True, bias=False) for _ in range(layers)]
        )
        inner = width * 8 // 3 // 8 * 8
        self.feed = nn.ModuleList(
            [Experts(width, inner, experts) if experts else Gated(width, inner) for _ in range(layers)]
        )
        self.norms = nn.ModuleList([RootMeanSquare(width) for _ in range(2 * layers + 1)])
        self.head = nn.Linear(width, words, bias=False)
        angle = torch.arange(length)[:, None] / 10000 ** (torch.arange(0, width // heads, 2) / (width // heads))
        self.register_buffer("cos", angle.cos().repeat(1, 2))
        self.register_buffer("sin", angle.sin().repeat(1, 2))

    def rotate(self, x: Tensor) -> Tensor:
        half = x.shape[-1] // 2
        turned = torch.cat([-x[..., half:], x[..., :half]], -1)
        cos, sin = self.get_buffer("cos"), self.get_buffer("sin")
        return x * cos + turned * sin

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.words(tokens)
        for i, (attention, feed) in enumerate(zip(self.attention, self.feed, strict=True)):
            x = x + attention(self.norms[2 * i](x), rotate=self.rotate)
            x = x + feed(self.norms[2 * i + 1](x))
        return self.head(self.norms[-1](x))  # type: ignore[no-any-return]


class T5(nn.Module):
    """Encoder and decoder with cross attention and a learned bias of relative positions."""

    def __init__(self, layers: int, width: int, heads: int, words: int, length: int) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.bias = nn.Parameter(torch.zeros(2, heads, length, length))

        def attentions(causal: bool) -> nn.ModuleList:
            return nn.ModuleList([Attention(width, heads, causal=causal, bias=False) for _ in range(layers)])

        self.own, self.decoder, self.cross = attentions(False), attentions(True), attentions(False)
        self.feed = nn.ModuleList(
            [
                nn.Sequential(
                    nn.Linear(width, 4 * width, bias=False), nn.ReLU(), nn.Linear(4 * width, width, bias=False)
                )
                for _ in range(2 * layers)
            ]
        )
        self.norms = nn.ModuleList([RootMeanSquare(width) for _ in range(5 * layers)])

    def forward(self, tokens: Tensor, target: Tensor) -> Tensor:
        norm, feed = iter(self.norms), iter(self.feed)
        x = self.words(tokens)
        for own in self.own:
            x = x + own(next(norm)(x), bias=self.bias[0])
            x = x + next(feed)(next(norm)(x))
        y: Tensor = self.words(target)
        for own, cross in zip(self.decoder, self.cross, strict=True):
            y = y + own(next(norm)(y), bias=self.bias[1])
            y = y + cross(next(norm)(y), memory=x)
            y = y + next(feed)(next(norm)(y))
        return y @ self.words.weight.t()


class VisionTransformer(nn.Module):
    def __init__(self, layers: int, width: int, heads: int, pixels: int, patch: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.places = nn.Parameter(torch.zeros(1, (pixels // patch) ** 2 + 1, width))
        self.first = nn.Parameter(torch.zeros(1, 1, width))
        self.blocks = nn.ModuleList([Block(width, heads, causal=False, first=True) for _ in range(layers)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 1000)

    def forward(self, image: Tensor) -> Tensor:
        x = self.patches(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(len(x), -1, -1), x], 1) + self.places
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])  # type: ignore[no-any-return]


class Mixer(nn.Module):
    def __init__(self, layers: int, width: int, pixels: int, patch: int) -> None:
        super().__init__()
        places = (pixels // patch) ** 2
        self.patches = nn.Conv2d(3, width, patch, patch)

        def mlp(size: int, inner: int) -> nn.Module:
            return nn.Sequential(nn.Linear(size, inner), nn.GELU(), nn.Linear(inner, size))

        self.tokens = nn.ModuleList([mlp(places, 2 * places) for _ in range(layers)])
        self.channels = nn.ModuleList([mlp(width, 4 * width) for _ in range(layers)])
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(2 * layers + 1)])
        self.head = nn.Linear(width, 1000)

    def forward(self, image: Tensor) -> Tensor:
        x = self.patches(image).flatten(2).transpose(1, 2)
        for i, (tokens, channels) in enumerate(zip(self.tokens, self.channels, strict=True)):
            x = x + tokens(self.norms[2 * i](x).transpose(1, 2)).transpose(1, 2)
            x = x + channels(self.norms[2 * i + 1](x))
        return self.head(self.norms[-1](x).mean(1))  # type: ignore[no-any-return]


def conv(inner: int, outer: int, size: int = 3, stride: int = 1) -> nn.Module:
    """Convolution, batch norm, ReLU."""
    return nn.Sequential(nn.Conv2d(inner, outer, size, stride, size // 2, bias=False), nn.BatchNorm2d(outer), nn.ReLU())


class Residual(nn.Module):
    """ResNet's bottleneck."""

    def __init__(self, inner: int, width: int, stride: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            conv(inner, width, 1), conv(width, width, 3, stride), nn.Conv2d(width, 4 * width, 1, bias=False),
            nn.BatchNorm2d(4 * width),
        )  # fmt: skip
        same = inner == 4 * width and stride == 1
        self.skip = nn.Identity() if same else nn.Conv2d(inner, 4 * width, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.path(x) + self.skip(x))


class Inception(nn.Module):
    """GoogLeNet's module: four branches, concatenated."""

    def __init__(self, inner: int, width: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            [
                conv(inner, width, 1),
                nn.Sequential(conv(inner, width, 1), conv(width, 2 * width)),
                nn.Sequential(conv(inner, width // 2, 1), conv(width // 2, width), conv(width, width)),
                nn.Sequential(nn.AvgPool2d(3, 1, 1), conv(inner, width, 1)),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


class Dense(nn.Module):
    """DenseNet's block: every layer reads all before it."""

    def __init__(self, inner: int, growth: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [nn.Sequential(conv(inner + i * growth, 4 * growth, 1), conv(4 * growth, growth)) for i in range(layers)]
        )

    def forward(self, x: Tensor) -> Tensor:
        parts = [x]
        for layer in self.layers:
            parts.append(layer(torch.cat(parts, 1)))
        return torch.cat(parts, 1)


class Head(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.head = nn.Linear(width, 1000)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.mean((2, 3)))  # type: ignore[no-any-return]


class UNet(nn.Module):
    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        steps = list(zip((3, *widths[:-1]), widths, strict=True))
        self.down = nn.ModuleList([nn.Sequential(conv(a, b), conv(b, b)) for a, b in steps])
        self.up = nn.ModuleList(
            [nn.Sequential(conv(a + b, b), conv(b, b)) for a, b in zip(widths[:0:-1], widths[-2::-1], strict=True)]
        )
        self.out = nn.Conv2d(widths[0], 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        kept = []
        for i, step in enumerate(self.down):
            x = step(functional.max_pool2d(x, 2) if i else x)
            kept.append(x)
        for step, skip in zip(self.up, kept[-2::-1], strict=True):
            x = step(torch.cat([functional.interpolate(x, scale_factor=2.0), skip], 1))
        return self.out(x)  # type: ignore[no-any-return]


class Translator(nn.Module):
    """GNMT's shape: LSTM layers unrolled over the words, a decoder that attends to the encoder."""

    def __init__(self, layers: int, width: int, words: int) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.encoder = nn.ModuleList([nn.LSTMCell(width, width) for _ in range(layers)])
        self.decoder = nn.ModuleList([nn.LSTMCell(2 * width if i == 0 else width, width) for i in range(layers)])
        self.out = nn.Linear(width, words)

    def unroll(self, cells: Any, steps: list[Tensor], memory: Tensor | None) -> list[Tensor]:
        width = cells[0].hidden_size
        zero = torch.zeros(len(steps[0]), width)
        state = [(zero, zero) for _ in cells]
        found: list[Tensor] = []
        for step in steps:
            x = step
            if memory is not None:
                weight = torch.softmax((memory @ state[-1][0].unsqueeze(-1)).squeeze(-1), -1)
                x = torch.cat([x, (weight.unsqueeze(1) @ memory).squeeze(1)], -1)
            for i, cell in enumerate(cells):
                state[i] = cell(x, state[i])
                x = state[i][0] if i == 0 else x + state[i][0]
            found.append(x)
        return found

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        memory = torch.stack(self.unroll(self.encoder, list(self.words(source).unbind(1)), None), 1)
        steps = self.unroll(self.decoder, list(self.words(target).unbind(1)), memory)
        return torch.stack([self.out(step) for step in steps], 1)


def resnet(stages: Sequence[tuple[int, int]], blocks: int, first: int = 32) -> nn.Module:
    """`stages`: (width, stride) each, of so many bottlenecks."""
    layers: list[nn.Module] = [conv(3, first, 7, 2), nn.MaxPool2d(3, 2, 1)]
    inner = first
    for width, stride in stages:
        for i in range(blocks):
            layers.append(Residual(inner, width, stride if i == 0 else 1))
            inner = 4 * width
    return nn.Sequential(*layers, Head(inner))


def vgg(stages: Sequence[tuple[int, int]], pixels: int, dense: int) -> nn.Module:
    """`stages`: (width, convolutions) each, halving the image."""
    layers: list[nn.Module] = []
    inner = 3
    for width, count in stages:
        for _ in range(count):
            layers += [nn.Conv2d(inner, width, 3, padding=1), nn.ReLU()]
            inner = width
        layers.append(nn.MaxPool2d(2))
    flat = inner * (pixels // 2 ** len(stages)) ** 2
    tail = [nn.Linear(flat, dense), nn.ReLU(), nn.Linear(dense, dense), nn.ReLU(), nn.Linear(dense, 1000)]
    return nn.Sequential(*layers, nn.Flatten(), *tail)


def inception(modules: Sequence[tuple[int, int]]) -> nn.Module:
    """`modules`: (width, stride) each."""
    layers: list[nn.Module] = [conv(3, 32, 3, 2), conv(32, 64), nn.MaxPool2d(3, 2, 1)]
    inner = 64
    for width, stride in modules:
        layers.append(Inception(inner, width))
        inner = 5 * width
        if stride == 2:
            layers.append(nn.MaxPool2d(3, 2, 1))
    return nn.Sequential(*layers, Head(inner))


def densenet(blocks: Sequence[int], growth: int, first: int = 32) -> nn.Module:
    """`blocks`: layers of each."""
    layers: list[nn.Module] = [conv(3, first, 7, 2), nn.MaxPool2d(3, 2, 1)]
    inner = first
    for count in blocks:
        outer = (inner + growth * count) // 2
        layers += [Dense(inner, growth, count), conv(inner + growth * count, outer, 1), nn.AvgPool2d(2)]
        inner = outer
    return nn.Sequential(*layers, Head(inner))
