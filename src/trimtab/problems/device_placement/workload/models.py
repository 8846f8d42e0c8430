# SPDX-License-Identifier: Apache-2.0
"""Models of well-known families, small: what the shipped graphs were exported from.

Widths and depths are such that a step takes well under a second on one core.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import nn

from . import architectures as of
from .blocked import ShardedChain, ShardedFeedForward, ShardedTransformer

Tensor = torch.Tensor
Made = tuple[nn.Module, tuple[Tensor, ...]]

WORDS: Final = 4000


def pictures(batch: int, pixels: int) -> tuple[Tensor]:
    return (torch.randn(batch, 3, pixels, pixels),)


def words(batch: int, length: int, of: int = WORDS) -> Tensor:
    return torch.randint(0, of, (batch, length))


def _matrices(count: int, size: int) -> tuple[Tensor, ...]:
    return tuple(torch.randn(size, size) * size**-0.5 for _ in range(count))


def _resnet() -> Made:
    return of.resnet(((16, 1), (32, 2), (64, 2), (128, 2)), 3), pictures(4, 128)


def _vgg() -> Made:
    return of.vgg(((32, 2), (64, 2), (128, 3), (256, 3), (256, 3)), 96, 1024), pictures(4, 96)


def _inception() -> Made:
    return of.inception(((32, 1), (32, 2), (64, 1), (64, 1), (64, 2), (96, 1), (96, 1))), pictures(4, 96)


#: Family -> (the split of its graphs, a maker of module and inputs).
MODELS: Final[Mapping[str, tuple[str, Callable[[], Made]]]] = {
    "gpt2": ("train", lambda: (of.Transformer(6, 256, 8, WORDS, 128, causal=True), (words(4, 128),))),
    "bert": ("train", lambda: (of.Transformer(6, 256, 8, WORDS, 128, causal=False), (words(4, 128),))),
    "resnet": ("train", _resnet),
    "vgg": ("train", _vgg),
    "mixer": ("train", lambda: (of.Mixer(8, 256, 96, 8), pictures(4, 96))),
    "densenet": ("train", lambda: (of.densenet((4, 6, 8), 24), pictures(4, 96))),
    "sharded_chain": ("train", lambda: (ShardedChain(4), _matrices(7, 512))),
    "vit": ("validation", lambda: (of.VisionTransformer(6, 256, 8, 96, 8), pictures(4, 96))),
    "unet": ("validation", lambda: (of.UNet((16, 32, 64, 128)), pictures(2, 64))),
    "sharded_ffn": ("validation", lambda: (ShardedFeedForward(4), _matrices(5, 512))),
    "llama": ("test", lambda: (of.Llama(6, 256, 8, WORDS, 128), (words(4, 128),))),
    "mixtral": ("test", lambda: (of.Llama(3, 192, 8, 2000, 96, experts=4), (words(4, 96, 2000),))),
    "t5": ("test", lambda: (of.T5(4, 256, 8, WORDS, 96), (words(4, 96), words(4, 96)))),
    "inception": ("test", _inception),
    "gnmt": ("test", lambda: (of.Translator(3, 256, 2000), (words(16, 8, 1000), words(16, 8, 1000)))),
    "sharded_transformer": ("test", lambda: (ShardedTransformer(4), _matrices(8, 512))),
}

#: Of the sharded families only inference: their matrices are no parameters.
SHARDED: Final = frozenset(family for family in MODELS if family.startswith("sharded"))


def make(family: str) -> Made:
    """A module of the family with random weights, the same every time, and inputs for it."""
    torch.manual_seed(0)
    return MODELS[family][1]()
