# SPDX-License-Identifier: Apache-2.0
"""Ithemal's network: an LSTM over the tokens of each instruction, another over the instructions, a linear layer.

Source: Mendis, Renda, Amarasinghe, Carbin: Ithemal. ICML 2019, section 4. As
published but for the width (256 there), and for the last layer's output being the
logarithm of the throughput, so that short and long blocks train alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ...baselines.instructions import Instruction
from ...baselines.tokens import Tokens, tokenise
from .recurrent import last_hidden

Floats = NDArray[np.float32]
Weights = Mapping[str, Floats]


def shapes(words: int, targets: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """Of the arrays in a weights file."""
    lstm = {"weight_ih": (4 * hidden, hidden), "weight_hh": (4 * hidden, hidden), "bias": (4 * hidden,)}
    return {
        "embedding": (words, hidden),
        **{f"{level}.{name}": shape for level in ("tokens", "instructions") for name, shape in lstm.items()},
        "head.weight": (targets, hidden),
        "head.bias": (targets,),
    }


def forward(weights: Weights, tokens: Tokens, target: int) -> Floats:
    """Cycles per iteration on one of the CPUs, each of which has a head of its own.  (blocks,)"""
    words = last_hidden(
        _gates(weights, "tokens", weights["embedding"]), tokens.instructions, weights["tokens.weight_hh"]
    )
    blocks = last_hidden(_gates(weights, "instructions", words), tokens.blocks, weights["instructions.weight_hh"])
    return np.asarray(np.exp(blocks @ weights["head.weight"][target] + weights["head.bias"][target]), np.float32)


def _gates(weights: Weights, level: str, inputs: Floats) -> Floats:
    return np.asarray(inputs @ weights[f"{level}.weight_ih"].T + weights[f"{level}.bias"], np.float32)


def predict(
    weights: Weights, words: Mapping[str, int], blocks: Sequence[Sequence[Instruction]], target: int
) -> NDArray[np.float64]:
    return forward(weights, tokenise(blocks, words), target).astype(np.float64)
