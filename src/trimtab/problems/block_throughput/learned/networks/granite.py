# SPDX-License-Identifier: Apache-2.0
"""GRANITE's idea: message passing on the dependency graph, then a sum of what each instruction contributes.

Source: Sýkora et al.: GRANITE. IISWC 2022, section III. Smaller than published:
one update network for all rounds, messages by a linear layer for the sender and a
vector for the kind of edge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...baselines.graphs import KINDS, Graphs, graphs
from ...baselines.instructions import Instruction

Floats = NDArray[np.float32]
Weights = Mapping[str, Floats]

ROUNDS: Final = 5
_CHUNK: Final = 2000  # blocks at a time


def shapes(words: int, targets: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """Of the arrays in a weights file."""
    return {
        "embedding": (words, hidden),
        "kind": (2 * len(KINDS), hidden),
        "message.weight": (hidden, hidden),
        "update.0.weight": (hidden, 2 * hidden),
        "update.0.bias": (hidden,),
        "update.1.weight": (hidden, hidden),
        "update.1.bias": (hidden,),
        "head.0.weight": (hidden, hidden),
        "head.0.bias": (hidden,),
        "head.1.weight": (targets, hidden),
        "head.1.bias": (targets,),
    }


def forward(weights: Weights, drawn: Graphs, target_cpu: int) -> Floats:
    """Cycles per iteration on one of the CPUs, each of which has a head of its own.  (blocks,)"""
    words, decoded, block, (source, target), kinds = drawn.joined()
    order = np.argsort(target, kind="stable")
    source, target, kinds = source[order], target[order], kinds[order]
    receivers, first = np.unique(target, return_index=True)
    state = weights["embedding"][words]
    for _ in range(ROUNDS):
        seen = normalised(state)
        messages = _relu((seen @ weights["message.weight"].T)[source] + weights["kind"][kinds])
        received = np.zeros_like(state)
        if len(receivers):
            received[receivers] = np.add.reduceat(messages, first)
        state = state + _two_layers(weights, "update", np.concatenate((seen, received), axis=1))
    each = _softplus(_two_layers(weights, "head", normalised(state[decoded]))[:, target_cpu])
    return np.bincount(block, each, len(drawn.nodes)).astype(np.float32)


def predict(
    weights: Weights, words: Mapping[str, int], blocks: Sequence[Sequence[Instruction]], target: int
) -> NDArray[np.float64]:
    parts = [forward(weights, graphs(blocks[at : at + _CHUNK], words), target) for at in range(0, len(blocks), _CHUNK)]
    return np.concatenate(parts).astype(np.float64) if parts else np.zeros(0)


def normalised(state: Floats) -> Floats:
    """To unit mean square."""
    return np.asarray(state / np.sqrt(np.mean(state * state, axis=1, keepdims=True) + 1e-6), np.float32)


def _two_layers(weights: Weights, name: str, inputs: Floats) -> Floats:
    middle = _relu(inputs @ weights[f"{name}.0.weight"].T + weights[f"{name}.0.bias"])
    return np.asarray(middle @ weights[f"{name}.1.weight"].T + weights[f"{name}.1.bias"], np.float32)


def _relu(x: Floats) -> Floats:
    return np.maximum(x, np.float32(0))


def _softplus(x: Floats) -> Floats:
    return np.asarray(np.logaddexp(np.float32(0), x), np.float32)
