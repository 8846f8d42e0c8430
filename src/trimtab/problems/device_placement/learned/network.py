# SPDX-License-Identifier: Apache-2.0
"""The graph network, compiled: what decides needs no torch. Training holds the same layers in torch (`training`).

Three rounds of messages along edges and against them; then for each edge the log-odds
that its ends share a device, and for each op the part of the step at which it starts.
Equivariant to the numbering of ops; devices do not appear.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trimtab.kit.compiled import compiled

from ..problem import Floats, Ints
from .features import EDGE, NODE, Features

WIDTH: Final = 32
ROUNDS: Final = 3
SLOPE: Final = 0.1  # of leaky ReLU below 0

Weights = Mapping[str, NDArray[np.float32]]

DECIMALS: Final = 9  # of answers


def shapes() -> dict[str, tuple[int, ...]]:
    """(inputs, outputs) of every matrix, and biases."""
    layers = {"node": (NODE, WIDTH), "edge": (EDGE, WIDTH)}
    for r in range(ROUNDS):
        layers |= {
            f"forth{r}": (WIDTH, WIDTH), f"back{r}": (WIDTH, WIDTH), f"own{r}": (WIDTH, WIDTH),
            f"mix_forth{r}": (WIDTH, WIDTH), f"mix_back{r}": (WIDTH, WIDTH),
        }  # fmt: skip
    layers |= {"pair_source": (WIDTH, WIDTH), "pair_target": (WIDTH, WIDTH), "together": (WIDTH, 1),
               "late": (WIDTH, WIDTH), "start": (WIDTH, 1)}  # fmt: skip
    biases = {f"{name}_bias": shape[1:] for name, shape in layers.items()}
    return {**layers, **biases}


def forward(weights: Weights, f: Features) -> tuple[Floats, Floats]:
    """(log-odds of sharing a device (edges,), start as a share of the step (ops,))

    In double precision, and rounded: the order in which a BLAS adds, which changes
    with its threads, must not decide between ops that are alike.
    """

    def linear(name: str, x: Floats) -> Floats:
        return np.asarray(x @ weights[name].astype(np.float64) + weights[f"{name}_bias"], np.float64)

    h, e = leaky(linear("node", f.node)), leaky(linear("edge", f.edge))
    for r in range(ROUNDS):
        forth = messages(linear(f"forth{r}", h), e, f.source, f.target)
        back = messages(linear(f"back{r}", h), e, f.target, f.source)
        h = h + leaky(linear(f"own{r}", h) + linear(f"mix_forth{r}", forth) + linear(f"mix_back{r}", back))
    sender, reader, last = linear("pair_source", h), linear("pair_target", h), weights["together"][:, 0]
    together = scores(sender, reader, e, f.source, f.target, last.astype(np.float64)) + weights["together_bias"]
    start = linear("start", leaky(linear("late", h)))[:, 0]
    return together.round(DECIMALS), start.round(DECIMALS)


def leaky(x: Floats) -> Floats:
    return np.asarray(np.maximum(x, SLOPE * x), np.float64)


@compiled
def messages(h: Floats, e: Floats, sender: Ints, receiver: Ints) -> Floats:
    """Mean over the edges into each op of leaky(h of the sender + e); 0 where there is none.  (ops, width)"""
    total, count = np.zeros_like(h), np.zeros(len(h))
    for x in range(len(sender)):
        a, b = sender[x], receiver[x]
        count[b] += 1.0
        for w in range(h.shape[1]):
            value = h[a, w] + e[x, w]
            total[b, w] += max(value, SLOPE * value)
    for b in range(len(h)):
        total[b] /= max(count[b], 1.0)
    return total


@compiled
def scores(sender: Floats, reader: Floats, e: Floats, source: Ints, target: Ints, weight: Floats) -> Floats:
    """For each edge leaky(sender + reader + e) times weight.  (edges,)"""
    out = np.zeros(len(source))
    for x in range(len(source)):
        a, b = source[x], target[x]
        for w in range(len(weight)):
            value = sender[a, w] + reader[b, w] + e[x, w]
            out[x] += max(value, SLOPE * value) * weight[w]
    return out
