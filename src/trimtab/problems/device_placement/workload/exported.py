# SPDX-License-Identifier: Apache-2.0
"""Graphs that `torch.export` and `make_fx` make of models of drawn sizes: the network learns from them, too.

Architectures are those of the shipped graphs, in the same splits, at the sizes in
which such models are used; they lie on the meta device, so that no size needs
memory. Ops take what a drawn data sheet says (`Nominal`); inference or a training
step, the devices and their links are part of the draw.

Tracing takes a second or so a graph. Graphs are kept in the user's cache, by what
is drawn, the release of torch and the source of this package.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import torch

from trimtab.core.problem import Split
from trimtab.data import cache_folder
from trimtab.kit.sources import digest

from ..problem import OpGraph, PlacementInstance
from . import architectures as of
from .capture import capture
from .files import load, save
from .models import Made, pictures, words
from .profiling import Nominal
from .sharded import KINDS, SLOWER, devices
from .suites import FAMILIES

MOST: Final = 600  # ops
EACH: Final[Mapping[Split, int]] = {"train": 40, "validation": 10, "test": 10}

Draw = Callable[[np.random.Generator], Made]


def _one(rng: np.random.Generator, *values: int) -> int:
    return int(rng.choice(values))


def _language(rng: np.random.Generator) -> tuple[int, int, int, int]:
    """(layers, width, vocabulary, words of a sequence)"""
    return _one(rng, 1, 2, 3, 4, 6), _one(rng, 256, 512, 768, 1024, 2048), _one(rng, 4000, 32_000), _one(rng, 64, 256)


def _transformer(rng: np.random.Generator, causal: bool) -> Made:
    layers, width, known, length = _language(rng)
    return of.Transformer(layers, width, 8, known, length, causal=causal), (words(_one(rng, 1, 4, 16), length, known),)


def _llama(rng: np.random.Generator, experts: int = 0) -> Made:
    layers, width, known, length = _language(rng)
    module = of.Llama(min(layers, 3), width, 8, known, length, experts)
    return module, (words(_one(rng, 1, 4, 16), length, known),)


def _t5(rng: np.random.Generator) -> Made:
    layers, width, known, length = _language(rng)
    batch = _one(rng, 1, 4, 16)
    return of.T5(min(layers, 3), width, 8, known, length), (words(batch, length, known), words(batch, length, known))


def _resnet(rng: np.random.Generator) -> Made:
    width = _one(rng, 16, 32, 64)
    stages = [(width * 2**i, 1 + (i > 0)) for i in range(_one(rng, 2, 3, 4))]
    return of.resnet(stages, _one(rng, 1, 2, 3), width), pictures(_one(rng, 1, 8, 32), _one(rng, 128, 224))


def _vgg(rng: np.random.Generator) -> Made:
    width, pixels = _one(rng, 32, 64), _one(rng, 96, 224)
    stages = [(min(512, width * 2**i), _one(rng, 1, 2, 3)) for i in range(_one(rng, 3, 4, 5))]
    return of.vgg(stages, pixels, _one(rng, 1024, 4096)), pictures(_one(rng, 1, 8, 32), pixels)


def _mixer(rng: np.random.Generator) -> Made:
    pixels, patch = _one(rng, 96, 224), _one(rng, 8, 16)
    module = of.Mixer(_one(rng, 1, 2, 4, 8), _one(rng, 256, 512, 1024), pixels, patch)
    return module, pictures(_one(rng, 1, 8, 32), pixels)


def _densenet(rng: np.random.Generator) -> Made:
    blocks = [_one(rng, 2, 3, 4, 6) for _ in range(_one(rng, 1, 2, 3))]
    return of.densenet(blocks, _one(rng, 12, 24, 32)), pictures(_one(rng, 1, 8, 32), _one(rng, 96, 224))


def _vit(rng: np.random.Generator) -> Made:
    pixels = _one(rng, 96, 224)
    module = of.VisionTransformer(_one(rng, 1, 2, 4), _one(rng, 192, 384, 768), 6, pixels, 16)
    return module, pictures(_one(rng, 1, 8, 32), pixels)


def _unet(rng: np.random.Generator) -> Made:
    width = _one(rng, 16, 32, 64)
    return of.UNet(tuple(width * 2**i for i in range(_one(rng, 3, 4, 5)))), pictures(_one(rng, 1, 4), 128)


def _inception(rng: np.random.Generator) -> Made:
    modules = [(_one(rng, 32, 64, 96), _one(rng, 1, 1, 2)) for _ in range(_one(rng, 2, 4, 6))]
    return of.inception(modules), pictures(_one(rng, 1, 8, 32), _one(rng, 96, 224))


#: A model of each family; which split it is in is said by `FAMILIES`.
DRAWN: Final[Mapping[str, Draw]] = {
    "gpt2": lambda rng: _transformer(rng, causal=True),
    "bert": lambda rng: _transformer(rng, causal=False),
    "resnet": _resnet,
    "vgg": _vgg,
    "mixer": _mixer,
    "densenet": _densenet,
    "vit": _vit,
    "unet": _unet,
    "llama": _llama,
    "mixtral": lambda rng: _llama(rng, experts=_one(rng, 2, 4, 8)),
    "t5": _t5,
    "inception": _inception,
}


def draw(family: str, seed: int) -> PlacementInstance:
    """A graph of the family and devices for it; the same for the same seed."""
    rng = np.random.default_rng([list(DRAWN).index(family), seed])
    train = bool(rng.random() < 0.5)
    nominal = Nominal(10 ** rng.uniform(12.5, 14.5), 10 ** rng.uniform(11, 12.5), 10 ** rng.uniform(-5.5, -5))
    where = np.random.default_rng(rng.integers(1 << 62))  # so that the devices do not depend on how the model is drawn
    graph = _kept(f"exported-{family}-{seed}", family, train, nominal, rng)
    fast = graph.compute_s[:, 0]
    graph = replace(graph, device_types=KINDS, compute_s=np.column_stack([fast, fast * SLOWER]))
    return PlacementInstance(graph, devices(graph, where))


def _kept(name: str, family: str, train: bool, nominal: Nominal, rng: np.random.Generator) -> OpGraph:
    path = folder() / f"{name}.npz"
    if not path.exists():
        with torch.device("meta"):
            module, inputs = DRAWN[family](rng)
            graph, card = capture(module, inputs, name, family, train, nominal=nominal)
        path.parent.mkdir(parents=True, exist_ok=True)
        save(path, graph, None, card)
    return load(path)[0]


@cache
def folder() -> Path:
    """Where graphs are kept that this torch and this source made."""
    return cache_folder() / "exported" / f"{torch.__version__}-{digest(Path(__file__))}"


def suite(split: Split) -> Mapping[str, PlacementInstance]:
    """So many of each family of the split as `EACH` says; of graphs of up to `MOST` ops."""
    families = [family for family in FAMILIES[split] if family in DRAWN]
    made = (draw(family, seed) for seed in range(EACH[split]) for family in families)
    return {instance.graph.name: instance for instance in made if instance.graph.num_ops <= MOST}
