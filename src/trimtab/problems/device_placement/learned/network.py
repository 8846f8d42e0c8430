# SPDX-License-Identifier: Apache-2.0
"""The graph network, in NumPy: what decides needs no torch. Training holds the same layers in torch (`training`).

Three rounds of messages along edges and against them; then for each edge the log-odds
that its ends share a device, and for each op the part of the step at which it starts.
Equivariant to the numbering of ops; devices do not appear.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .features import EDGE, NODE, Features

WIDTH: Final = 32
ROUNDS: Final = 3
SLOPE: Final = 0.1  # of leaky ReLU below 0

Weights = Mapping[str, NDArray[np.float32]]
Floats = NDArray[np.float64]

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

    into, out = Segments(f.target, len(f.node)), Segments(f.source, len(f.node))
    h = leaky(linear("node", f.node))
    e = leaky(linear("edge", f.edge))
    for r in range(ROUNDS):
        forth = into.mean(leaky(linear(f"forth{r}", h)[f.source] + e))
        back = out.mean(leaky(linear(f"back{r}", h)[f.target] + e))
        h = h + leaky(linear(f"own{r}", h) + linear(f"mix_forth{r}", forth) + linear(f"mix_back{r}", back))
    pair = leaky(linear("pair_source", h)[f.source] + linear("pair_target", h)[f.target] + e)
    together = linear("together", pair)[:, 0]
    start = linear("start", leaky(linear("late", h)))[:, 0]
    return together.round(DECIMALS), start.round(DECIMALS)


def leaky(x: Floats) -> Floats:
    return np.asarray(np.maximum(x, SLOPE * x), np.float64)


class Segments:
    """Means of rows by group."""

    def __init__(self, of: NDArray[np.int64], groups: int) -> None:
        self._order = np.argsort(of, kind="stable")
        count = np.bincount(of, minlength=groups)
        self._some = np.flatnonzero(count)
        self._first = np.searchsorted(of[self._order], self._some)
        self._count = count[self._some, None]
        self._groups = groups

    def mean(self, rows: Floats) -> Floats:
        total = np.zeros((self._groups, rows.shape[1]))
        if len(self._some):
            total[self._some] = np.add.reduceat(rows[self._order], self._first, axis=0) / self._count
        return total
