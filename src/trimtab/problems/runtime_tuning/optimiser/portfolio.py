# SPDX-License-Identifier: Apache-2.0
"""Surrogates side by side, weighed by how well they foretell what they did not see."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from scipy.special import ndtr

from ..encoding import Encoding, Floats, Ints
from .acquisition import expected_gain
from .forest import Forest, grow
from .gp import GP, Data, Kernel, condition
from .history import Observed

_TRUST: Final = 0.25  # in a likelihood: trials that a search chose are no independent sample
_MANY: Final = 100  # rows, from which on half as many trees do
_NOISES: Final = np.geomspace(1e-3, 1.0, 13)  # of the forest, as shares of the variance


class Surrogate(Protocol):
    """A model of the noise-free value, on the modelled scale."""

    @property
    def noise(self) -> float: ...

    def predict(self, codes: Floats) -> tuple[Floats, Floats]: ...


@dataclass(frozen=True)
class Smooth:
    """The Gaussian process, on codes."""

    encoding: Encoding
    gp: GP
    offset: float = 0.0
    unit: float = 1.0

    @property
    def noise(self) -> float:
        return self.gp.noise * self.unit**2

    def predict(self, codes: Floats) -> tuple[Floats, Floats]:
        mean, variance = self.gp.predict(*self.encoding.arrays(codes))
        return self.offset + self.unit * mean, self.unit**2 * variance

    def log_density(self) -> Floats:
        """Of each observation given the others."""
        mean, variance = self.gp.left_out()
        return _log_normal(self.gp.data.y, mean, variance)


@dataclass(frozen=True)
class Trees:
    """The forest, on codes."""

    encoding: Encoding
    forest: Forest
    noise: float
    density: Floats

    def predict(self, codes: Floats) -> tuple[Floats, Floats]:
        return self.forest.predict(self.encoding.arrays(codes)[0])

    def log_density(self) -> Floats:
        return self.density


@dataclass(frozen=True)
class Portfolio:
    """Members and their weights."""

    members: tuple[Surrogate, ...]
    weights: Floats
    told: tuple[Floats, ...]  # posterior means of the tried rows, by member

    def mean(self, codes: Floats) -> Floats:
        found: Floats = sum(
            (w * m.predict(codes)[0] for w, m in zip(self.weights, self.members, strict=True)), np.zeros(len(codes))
        )
        return found

    def told_mean(self) -> Floats:
        return np.average(np.array(self.told), axis=0, weights=self.weights)

    def below(self, codes: Floats, limit: float) -> Floats:
        """P(value < limit).  (m,)"""
        chance = np.zeros(len(codes))
        for weight, member in zip(self.weights, self.members, strict=True):
            mean, variance = member.predict(codes)
            chance += weight * ndtr((limit - mean) / np.sqrt(variance))
        return chance

    def gain(self, codes: Floats, told: Ints, bold: float = 1.0) -> Floats:
        """The expected gain of one more trial, averaged over the members; deviations are `bold` times theirs.  (m,)"""
        total = np.zeros(len(codes))
        for weight, member, seen in zip(self.weights, self.members, self.told, strict=True):
            mean, variance = member.predict(codes)
            total += weight * expected_gain(mean, bold**2 * variance, member.noise, seen, told)
        return total


def smooth(encoding: Encoding, kernel: Kernel, theta: Floats, observed: Observed, codes: Floats) -> Smooth:
    """The Gaussian process for given hyper-parameters, with censored values where they are expected."""
    data = data_of(encoding, observed, codes)
    gp = condition(kernel, theta, data)
    for _ in range(3 if observed.censored.any() else 0):
        gp = gp.with_y(_expected(observed, *gp.left_out()))
    return Smooth(encoding, gp)


def data_of(encoding: Encoding, observed: Observed, codes: Floats) -> Data:
    return Data(*encoding.arrays(codes), observed.y, observed.runs, observed.extra, observed.within)


def _expected(observed: Observed, mean: Floats, variance: Floats) -> Floats:
    """A censored value's mean given that it is above its bound (a truncated normal's)."""
    spread = np.sqrt(variance)
    u = np.clip((observed.y - mean) / spread, -6.0, 6.0)
    mills = np.exp(-0.5 * u * u) / (math.sqrt(2.0 * math.pi) * ndtr(-u))
    return np.where(observed.censored, np.maximum(observed.y, mean + spread * mills), observed.y)


def trees(encoding: Encoding, observed: Observed, codes: Floats, rng: np.random.Generator) -> Trees:
    """A forest whose noise is the one that makes the left-out values likeliest."""
    x = encoding.coordinates(codes)
    forest = grow(x, observed.y, observed.runs, rng, trees=16 if len(x) <= _MANY else 8)
    mean, variance = forest.left_out(x)
    densities = np.array([_log_normal(observed.y, mean, variance + s / observed.runs) for s in _NOISES])
    best = int(densities.sum(axis=1).argmax())
    return Trees(encoding, forest, float(_NOISES[best]), densities[best])


def portfolio(members: Sequence[Smooth | Trees], codes: Floats, exact: Floats) -> Portfolio:
    """Weights in proportion to the likelihood of the left-out values."""
    scores = _TRUST * np.array([(m.log_density() * exact).sum() for m in members])
    weights = np.exp(scores - scores.max())
    weights /= weights.sum()
    kept = [(m, w) for m, w in zip(members, weights, strict=True) if w > 0.02]
    shares = np.array([w for _, w in kept])
    told = tuple(m.predict(codes)[0] for m, _ in kept)
    return Portfolio(tuple(m for m, _ in kept), shares / shares.sum(), told)


def _log_normal(y: Floats, mean: Floats, variance: Floats) -> Floats:
    density: Floats = -0.5 * (np.log(2.0 * math.pi * variance) + (y - mean) ** 2 / variance)
    return density
