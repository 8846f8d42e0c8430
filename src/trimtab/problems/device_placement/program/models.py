# SPDX-License-Identifier: Apache-2.0
"""Hand-written models, small enough to be run for real: a step takes 0.1 to 1 s on one core.

Each function returns ``(module, inputs)``, with weights from a fixed seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

Made = tuple[nn.Module, Sequence[Any]]


class Attention(nn.Module):
    def __init__(self, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        split = self.qkv(x).view(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(split[0], split[1], split[2], is_causal=self.causal)
        return self.out(seen.transpose(1, 2).reshape(batch, length, width))  # type: ignore[no-any-return]


class FeedForward(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(functional.gelu(self.up(x)))  # type: ignore[no-any-return]


class Experts(nn.Module):
    """A mixture in which every expert sees every token, weighed by the gate (Mixtral's, without its sparsity)."""

    def __init__(self, width: int, hidden: int, experts: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, experts)
        self.experts = nn.ModuleList(FeedForward(width, hidden) for _ in range(experts))

    def forward(self, x: Tensor) -> Tensor:
        weight = self.gate(x).softmax(-1)
        return torch.stack([expert(x) * weight[..., i : i + 1] for i, expert in enumerate(self.experts)]).sum(0)


class Block(nn.Module):
    def __init__(self, width: int, heads: int, causal: bool, feed: nn.Module) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention, self.feed = Attention(width, heads, causal), feed

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.first(x))
        return x + self.feed(self.second(x))  # type: ignore[no-any-return]


class Transformer(nn.Module):
    def __init__(self, words: int, length: int, blocks: Sequence[nn.Module], width: int) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(words, width), nn.Embedding(length, width)
        self.blocks, self.last, self.head = nn.ModuleList(blocks), nn.LayerNorm(width), nn.Linear(width, words)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.words(tokens) + self.places.weight[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.head(self.last(x))  # type: ignore[no-any-return]


class Ensemble(nn.Module):
    """Encoders side by side, whose vectors meet in the end."""

    def __init__(self, towers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.towers = nn.ModuleList(towers)

    def forward(self, tokens: Tensor) -> Tensor:
        return torch.stack([tower(tokens).mean(1) for tower in self.towers]).sum(0)


def convolution(inside: int, outside: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outside), nn.ReLU()
    )


class Bottleneck(nn.Module):
    def __init__(self, inside: int, middle: int, stride: int) -> None:
        super().__init__()
        self.path = nn.Sequential(
            convolution(inside, middle, 1), convolution(middle, middle, 3, stride), nn.Conv2d(middle, 4 * middle, 1)
        )
        self.short = nn.Identity() if inside == 4 * middle and stride == 1 else nn.Conv2d(inside, 4 * middle, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.path(x) + self.short(x))


class Inception(nn.Module):
    """Four branches, as in GoogLeNet and its successors."""

    def __init__(self, inside: int, width: int) -> None:
        super().__init__()
        self.one = convolution(inside, width, 1)
        self.three = nn.Sequential(convolution(inside, width, 1), convolution(width, width, 3))
        self.twice = nn.Sequential(
            convolution(inside, width, 1), convolution(width, width, 3), convolution(width, width, 3)
        )
        self.pooled = nn.Sequential(nn.AvgPool2d(3, 1, 1), convolution(inside, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.one(x), self.three(x), self.twice(x), self.pooled(x)], 1)


class Classifier(nn.Module):
    def __init__(self, body: nn.Module, width: int) -> None:
        super().__init__()
        self.body, self.head = body, nn.Linear(width, 100)

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.body(image).mean((2, 3)))  # type: ignore[no-any-return]


def gpt(width: int = 512, layers: int = 4, batch: int = 2, length: int = 256) -> Made:
    """GPT-2's blocks."""
    torch.manual_seed(0)
    blocks = [Block(width, 8, True, FeedForward(width, 4 * width)) for _ in range(layers)]
    return _eval(Transformer(2048, length, blocks, width)), (torch.randint(2048, (batch, length)),)


def bert(width: int = 384, layers: int = 3, batch: int = 2, length: int = 256) -> Made:
    """Two encoders in BERT's manner on the same tokens."""
    torch.manual_seed(1)
    towers = [
        Transformer(1024, length, [Block(width, 6, False, FeedForward(width, 4 * width)) for _ in range(layers)], width)
        for _ in range(2)
    ]
    return _eval(Ensemble(towers)), (torch.randint(1024, (batch, length)),)


def mixtral(width: int = 384, layers: int = 2, experts: int = 4, batch: int = 2, length: int = 256) -> Made:
    """Blocks with a mixture of experts."""
    torch.manual_seed(2)
    blocks = [Block(width, 6, True, Experts(width, 2 * width, experts)) for _ in range(layers)]
    return _eval(Transformer(1024, length, blocks, width)), (torch.randint(1024, (batch, length)),)


def resnet(width: int = 48, batch: int = 4, size: int = 96) -> Made:
    """A stem and six bottleneck blocks of ResNet."""
    torch.manual_seed(3)
    layers: list[nn.Module] = [convolution(3, 4 * width, 7, 2)]
    inside = 4 * width
    for middle, stride in ((width, 1), (width, 1), (2 * width, 2), (2 * width, 1), (4 * width, 2), (4 * width, 1)):
        layers.append(Bottleneck(inside, middle, stride))
        inside = 4 * middle
    return _eval(Classifier(nn.Sequential(*layers), inside)), (torch.randn(batch, 3, size, size),)


def inception(width: int = 96, blocks: int = 4, batch: int = 4, size: int = 64) -> Made:
    """A stem and blocks of four branches."""
    torch.manual_seed(4)
    layers: list[nn.Module] = [convolution(3, 4 * width, 3, 2), *(Inception(4 * width, width) for _ in range(blocks))]
    return _eval(Classifier(nn.Sequential(*layers), 4 * width)), (torch.randn(batch, 3, size, size),)


def _eval(module: nn.Module) -> nn.Module:
    return module.eval()


MODELS: Final[Mapping[str, Callable[..., Made]]] = {
    "gpt": gpt, "bert": bert, "mixtral": mixtral, "resnet": resnet, "inception": inception,
}  # fmt: skip
