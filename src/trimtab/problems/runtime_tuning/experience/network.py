# SPDX-License-Identifier: Apache-2.0
"""A small regression network for a table of about a thousand runs: fitted in a second, asked in microseconds.

A linear part and a layer of tanh units, with ridge penalties; the mean of a few,
begun at random, is one network with more units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from ..encoding import Floats

UNITS: Final = 8
MEMBERS: Final = 4
STRENGTHS: Final = (1.0, 2.0, 4.0, 8.0)  # of the penalties, to choose from: noisy tables want more
_PENALTY: Final = 2.0  # of the units' weights, in squared errors of the standardised value
_LINEAR_PENALTY: Final = 5.0
_STEPS: Final = 200


@dataclass(frozen=True)
class Network:
    """level + linear' x + out' tanh(hidden' x + shift)."""

    hidden: Floats  # (inputs, units)
    shift: Floats  # (units,)
    out: Floats  # (units,)
    linear: Floats  # (inputs,)
    level: Floats  # (1,)

    def __call__(self, x: Floats) -> Floats:
        """(n,)"""
        value: Floats = np.tanh(x @ self.hidden + self.shift) @ self.out + x @ self.linear + self.level[0]
        return value

    def arrays(self) -> dict[str, Floats]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[np.float32]]) -> Network:
        return cls(**{f.name: arrays[f.name].astype(np.float64) for f in fields(cls)})

    @staticmethod
    def shapes(inputs: int) -> dict[str, tuple[int, ...]]:
        units = UNITS * MEMBERS
        return {"hidden": (inputs, units), "shift": (units,), "out": (units,), "linear": (inputs,), "level": (1,)}


def fit(x: Floats, y: Floats, runs: Floats, seed: int, strength: float = 1.0) -> Network:
    """runs: how many a row is the mean of; it weighs as their root, since more runs of one configuration tell
    nothing of the others. y should be about standardised. strength: of the penalties.
    """
    found = [_one(x, y, np.sqrt(runs), strength, np.random.default_rng((seed, k))) for k in range(MEMBERS)]
    return Network(
        np.hstack([n.hidden for n in found]), np.concatenate([n.shift for n in found]),
        np.concatenate([n.out for n in found]) / MEMBERS, np.mean([n.linear for n in found], axis=0),
        np.mean([n.level for n in found], axis=0),
    )  # fmt: skip


def left_out(x: Floats, y: Floats, runs: Floats, seed: int, strength: float = 1.0, folds: int = 5) -> Floats:
    """What is said of each row by a network that did not see it.  (n,)"""
    fold = np.random.default_rng(seed).permutation(len(y)) % folds
    seen = np.zeros(len(y))
    for k in range(folds):
        rows = fold != k
        seen[~rows] = fit(x[rows], y[rows], runs[rows], seed, strength)(x[~rows])
    return seen


def _one(x: Floats, y: Floats, weight: Floats, strength: float, rng: np.random.Generator) -> Network:
    inputs = x.shape[1]
    bend, slope = strength * _PENALTY, strength * _LINEAR_PENALTY
    start = Network(
        0.1 * rng.normal(size=(inputs, UNITS)), np.zeros(UNITS), 0.1 * rng.normal(size=UNITS), np.zeros(inputs),
        np.zeros(1),
    )  # fmt: skip
    sizes = np.cumsum([a.size for a in start.arrays().values()])[:-1]

    def unpacked(theta: Floats) -> Network:
        hidden, *rest = np.split(theta, sizes)
        return Network(hidden.reshape(inputs, UNITS), *rest)

    def loss(theta: Floats) -> tuple[float, Floats]:
        net = unpacked(theta)
        active = np.tanh(x @ net.hidden + net.shift)
        wrong = active @ net.out + x @ net.linear + net.level[0] - y
        pull = wrong * weight
        inner = np.outer(pull, net.out) * (1.0 - active**2)
        penalty = bend * ((net.hidden**2).sum() + (net.out**2).sum()) + slope * (net.linear**2).sum()
        gradient = (
            x.T @ inner + bend * net.hidden, inner.sum(axis=0), active.T @ pull + bend * net.out,
            x.T @ pull + slope * net.linear, pull.sum(keepdims=True),
        )  # fmt: skip
        return 0.5 * float(wrong @ pull + penalty), np.concatenate([g.ravel() for g in gradient])

    begin = np.concatenate([a.ravel() for a in start.arrays().values()])
    return unpacked(minimize(loss, begin, jac=True, method="L-BFGS-B", options={"maxfun": _STEPS}).x)
