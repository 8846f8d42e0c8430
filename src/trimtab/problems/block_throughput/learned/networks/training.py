# SPDX-License-Identifier: Apache-2.0
"""Training of a network on blocks, for a number of CPU seconds, by the relative error of the cycles."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.core.extras import need

from ...baselines.graphs import graphs
from ...baselines.ragged import Ints
from ...baselines.tokens import tokenise
from ...baselines.trained import Examples
from . import modules

if TYPE_CHECKING:
    import torch
else:
    torch = need("torch", extra="learn", purpose="training a network on blocks")

_LOG: Final = logging.getLogger("trimtab")


@dataclass(frozen=True)
class Settings:
    """All that training depends on besides its blocks and its seed."""

    seconds: float = 120.0  # CPU; the learning rate falls to nothing over them
    epochs: float = np.inf  # at most
    hidden: int = 64
    work: int = 6000  # tokens, or nodes and edges, in a batch, at most
    blocks: int = 192  # in a batch, at most; every block counts the same, also in a batch that has fewer
    rate: float = 2e-3  # Adam's, at most
    average: float = 0.998  # of the weights over steps: what is kept is their moving average
    most: float = 512.0  # work of a block that is trained on, at most


@dataclass
class Progress:
    steps: int = 0
    epochs: float = 0.0
    cpu_s: float = 0.0
    loss: float = np.nan  # mean relative error over recent batches


def begin(kind: str, seen: Examples, words: Mapping[str, int], settings: Settings, seed: int) -> Any:
    """An untrained network on its corpus, which starts from the mean of the log cycles."""
    torch.manual_seed(seed)
    if kind == "granite":
        return modules.Granite(len(words), settings.hidden, graphs(seen.blocks, words), seen.target)
    tokens = tokenise(seen.blocks, words)
    network: Any
    if kind == "flat":
        network = modules.FlatLstm(len(words), settings.hidden, tokens.flat(), seen.target)
    else:
        network = modules.Ithemal(len(words), settings.hidden, tokens, seen.target)
    network.head.bias.data.fill_(float(np.log(seen.cycles).mean()))
    return network


def train(network: Any, cycles: NDArray[np.float64], settings: Settings, seed: int) -> Progress:
    """Train a `modules.Network` in place; it ends with the average of its weights."""
    torch.manual_seed(seed)
    target = torch.as_tensor(np.log(cycles), dtype=torch.float32)
    tuned = [p for p in network.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(tuned, lr=settings.rate)
    mean = [p.detach().clone() for p in tuned]
    progress, started, told = Progress(), time.process_time(), 0.0
    for rows, epoch in _batches(network.sizes, settings, seed):
        progress.cpu_s = time.process_time() - started
        done = max(progress.cpu_s / max(settings.seconds, 1e-9), epoch / settings.epochs)
        if done >= 1:
            break
        optimiser.param_groups[0]["lr"] = settings.rate * _schedule(done)
        _step(network, optimiser, tuned, rows, target[torch.as_tensor(rows)], settings.blocks, progress)
        progress.steps, progress.epochs = progress.steps + 1, epoch
        keep = min(settings.average, progress.steps / (progress.steps + 10))
        for average, p in zip(mean, tuned, strict=True):
            average.lerp_(p.detach(), 1 - keep)
        if progress.cpu_s > told + 10:
            told = progress.cpu_s
            _LOG.info("epoch %.2f, %.0f CPU s: relative error %.3f", epoch, told, progress.loss)
    for average, p in zip(mean, tuned, strict=True):
        p.data.copy_(average)
    return progress


def _step(
    network: Any, optimiser: Any, tuned: Any, rows: Ints, target: torch.Tensor, blocks: int, progress: Progress
) -> None:
    optimiser.zero_grad(set_to_none=True)
    # |p / y - 1|, which beyond a factor e grows as its logarithm, or a few blocks would be all of the gradient;
    # and a share of |log p / y|, or blocks taken for much too short would have none
    log_ratio = network.log_cycles(rows) - target
    relative = torch.where(log_ratio < 1, log_ratio.clamp_max(1).exp() - 1, log_ratio + (np.e - 2)).abs()
    loss = (relative + 0.3 * log_ratio.abs()).sum() / blocks
    loss.backward()
    torch.nn.utils.clip_grad_norm_(tuned, 1.0)
    optimiser.step()
    value = float(relative.detach().mean())
    weight = 0.02 * min(1.0, len(rows) / blocks)
    progress.loss = value if np.isnan(progress.loss) else (1 - weight) * progress.loss + weight * value


def _schedule(done: float) -> float:
    """Up in the first fiftieth, then down along half a cosine."""
    return float(min(1.0, done / 0.02 + 0.05) * 0.5 * (1 + np.cos(np.pi * min(done, 1.0))))


def _batches(sizes: Ints, settings: Settings, seed: int) -> Iterator[tuple[Ints, float]]:
    """Blocks of like size together, in a new order each epoch; and the epoch so far."""
    rng = np.random.default_rng(seed)
    allowed = np.flatnonzero(sizes <= settings.most)
    epoch = 0
    while True:
        jitter = sizes[allowed] * rng.uniform(0.8, 1.25, len(allowed))
        order = allowed[np.argsort(jitter, kind="stable")]
        share = np.maximum(sizes[order] / settings.work, 1 / settings.blocks)  # of a batch that a block takes
        cuts = np.flatnonzero(np.diff(np.floor(np.cumsum(share)))) + 1
        batches = np.split(order, cuts)
        for at, chosen in enumerate(rng.permutation(len(batches))):
            yield batches[chosen], epoch + at / len(batches)
        epoch += 1
