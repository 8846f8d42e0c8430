# SPDX-License-Identifier: Apache-2.0
"""A Gaussian process of additive effects and their interaction, with learned noise.

The covariance of two configurations is

    1 + sum_d a_d phi_d(x)' phi_d(x') + b * matern52(sum_d w_d |z_d(x) - z_d(x')|^2)

with `phi_d` the features and `z_d` the coordinates of knob d (see `encoding`):
each knob has an effect of its own, which a few trials can tell, and what is left
is an interaction with automatic relevance determination. Features that are no
knob's (`informed`) have an effect, too. An observation that is
the mean of r runs has noise s / r. The hyper-parameters (log a, log w, log b,
log s) are the mode of their posterior: log-normal priors pull a knob that the
data say nothing about towards no effect (sparsity), and the rest to few parts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from scipy.linalg import get_lapack_funcs
from scipy.optimize import minimize

from ..encoding import Floats, Ints

_JITTER: Final = 1e-8
_BOUNDS: Final = 14.0  # of a logarithm, around the mode of its prior

_potrf, _potri, _potrs, _trtrs = get_lapack_funcs(("potrf", "potri", "potrs", "trtrs"), (np.zeros((1, 1)),))


@dataclass(frozen=True)
class Prior:
    """Medians and spreads (of logarithms) of the hyper-parameters; y is standardised."""

    effect: float = 0.15  # a_d
    effect_spread: float = 1.6
    relevance: float = 4.0  # sum of all w_d
    relevance_spread: float = 1.3
    interaction: float = 0.3  # b
    interaction_spread: float = 1.0
    noise: float = 0.02  # s
    noise_spread: float = 1.5
    hint: float = 0.5  # a of effects that are no knob's


@dataclass(frozen=True)
class Data:
    """Observations, each the weighted mean of all runs of one configuration."""

    coordinates: Floats  # (n, sum of widths)
    features: Floats  # (n, sum of sizes)
    y: Floats  # (n,) standardised
    runs: Floats  # (n,)
    extra: int = 0  # observations beyond the first of each configuration
    within: float = 0.0  # their sum of squares around the means, weighted by runs


class Kernel:
    """Which columns belong to which knob, and the covariances."""

    def __init__(self, owner: Ints, feature_owner: Ints, knobs: int, prior: Prior | None = None) -> None:
        self.owner, self.feature_owner, self.knobs = owner, feature_owner, knobs
        self.prior = prior or Prior()
        p, d = self.prior, knobs
        self.effects = int(feature_owner.max()) + 1  # of the knobs, and of what else features tell
        effect = np.r_[np.full(d, p.effect), np.full(self.effects - d, p.hint)]
        self.mode = np.log(np.r_[effect, np.full(d, p.relevance / d), p.interaction, p.noise])
        self.spread = np.r_[
            np.full(self.effects, p.effect_spread),
            np.full(d, p.relevance_spread),
            p.interaction_spread,
            p.noise_spread,
        ]

    def between(self, theta: Floats, data: Data, coordinates: Floats, features: Floats) -> Floats:
        """(m, n)"""
        e = self.effects
        effect = np.exp(theta[:e])[self.feature_owner]
        scale = np.exp(0.5 * theta[e:-2])[self.owner]
        squared = _squared(coordinates * scale, data.coordinates * scale)
        value, _, _ = _matern(squared)
        covariance: Floats = 1.0 + (features * effect) @ data.features.T + math.exp(theta[-2]) * value
        return covariance

    def at(self, theta: Floats, features: Floats) -> Floats:
        """Variance of each row.  (m,)"""
        effect = np.exp(theta[: self.effects])[self.feature_owner]
        variance: Floats = 1.0 + features**2 @ effect + math.exp(theta[-2])
        return variance

    def loss(self, theta: Floats, data: Data) -> tuple[float, Floats]:
        """Minus the log posterior density of the hyper-parameters (up to a constant), and its gradient."""
        e, d, n = self.effects, self.knobs, len(data.y)
        effect = np.exp(theta[:e])[self.feature_owner]
        relevance = np.exp(theta[e:-2])[self.owner]
        b, s = math.exp(theta[-2]), math.exp(theta[-1])
        scaled = data.coordinates * np.sqrt(relevance)
        value, root, decay = _matern(_squared(scaled, scaled))
        covariance = 1.0 + (data.features * effect) @ data.features.T + b * value
        covariance[np.diag_indices(n)] += s / data.runs + _JITTER
        factor, failed = _potrf(covariance, lower=1)
        if failed:
            return 1e10, np.zeros_like(theta)
        inverse = _inverse(factor)
        alpha = inverse @ data.y
        density = 0.5 * float(data.y @ alpha) + float(np.log(np.diag(factor)).sum())
        density += 0.5 * (data.extra * theta[-1] + data.within / s)

        residual = inverse - np.outer(alpha, alpha)  # d(loss)/d(covariance), twice
        gradient = np.empty_like(theta)
        own = np.einsum("ij,ij->j", data.features, residual @ data.features) * effect
        gradient[:e] = 0.5 * np.bincount(self.feature_owner, own, e)
        pull = (-5.0 / 6.0 * b) * residual * (1.0 + root) * decay  # by the derivative of the Matern function
        apart = pull.sum(axis=1) @ scaled**2 - np.einsum("ij,ij->j", scaled, pull @ scaled)
        gradient[e:-2] = np.bincount(self.owner, apart, d)
        gradient[-2] = 0.5 * b * float(np.vdot(residual, value))
        gradient[-1] = 0.5 * (s * float((np.diag(residual) / data.runs).sum()) + data.extra - data.within / s)

        away = (theta - self.mode) / self.spread
        return density + 0.5 * float(away @ away), gradient + away / self.spread


@dataclass(frozen=True)
class GP:
    """A posterior."""

    kernel: Kernel
    theta: Floats
    data: Data
    factor: Floats  # lower Cholesky factor of the covariance
    alpha: Floats

    @property
    def noise(self) -> float:
        """Variance of one run."""
        return math.exp(self.theta[-1])

    def predict(self, coordinates: Floats, features: Floats) -> tuple[Floats, Floats]:
        """Mean and variance of the noise-free value.  (m,), (m,)"""
        cross = self.kernel.between(self.theta, self.data, coordinates, features)
        half, _ = _trtrs(self.factor, cross.T, lower=1)
        variance = self.kernel.at(self.theta, features) - np.einsum("ij,ij->j", half, half)
        return cross @ self.alpha, np.maximum(variance, 1e-12)

    @cached_property
    def _inverse(self) -> Floats:
        return _inverse(self.factor)

    def left_out(self) -> tuple[Floats, Floats]:
        """Mean and variance (noise included) of each observation, given the others (Rasmussen and Williams, 5.4.2)."""
        precision = np.diag(self._inverse)
        return self.data.y - self.alpha / precision, 1.0 / precision

    def with_y(self, y: Floats) -> GP:
        """The same inputs, other observations."""
        data = Data(self.data.coordinates, self.data.features, y, self.data.runs, self.data.extra, self.data.within)
        return GP(self.kernel, self.theta, data, self.factor, _solved(self.factor, y))


def condition(kernel: Kernel, theta: Floats, data: Data) -> GP:
    """The posterior for given hyper-parameters."""
    covariance = kernel.between(theta, data, data.coordinates, data.features)
    covariance[np.diag_indices(len(data.y))] += math.exp(theta[-1]) / data.runs + _JITTER
    factor, failed = _potrf(covariance, lower=1, clean=1)
    if failed:
        raise np.linalg.LinAlgError("the covariance is not positive definite")
    return GP(kernel, theta, data, factor, _solved(factor, data.y))


def learn(kernel: Kernel, data: Data, start: Floats | None, steps: int) -> Floats:
    """Hyper-parameters after at most `steps` evaluations from where the last search ended (or the prior's mode)."""
    begin = kernel.mode if start is None else start
    box = [(m - _BOUNDS, m + _BOUNDS) for m in kernel.mode]
    found = minimize(
        kernel.loss, begin, (data,), jac=True, method="L-BFGS-B", bounds=box, options={"maxfun": steps, "maxcor": 20}
    )
    theta: Floats = found.x
    return theta


def _squared(a: Floats, b: Floats) -> Floats:
    """Squared distances of rows.  (len(a), len(b))"""
    squared: Floats = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2.0 * (a @ b.T)
    np.maximum(squared, 0.0, out=squared)
    return squared


def _matern(squared: Floats) -> tuple[Floats, Floats, Floats]:
    """Matern 5/2 of squared distances, and two of its parts: the root of 5 of them, and its decay."""
    root = np.sqrt(5.0 * squared)
    decay = np.exp(-root)
    return (1.0 + root + (5.0 / 3.0) * squared) * decay, root, decay


def _solved(factor: Floats, y: Floats) -> Floats:
    """The covariance's inverse times y."""
    solved: Floats
    solved, _ = _potrs(factor, y, lower=1)
    return solved


def _inverse(factor: Floats) -> Floats:
    inverse, _ = _potri(factor, lower=1)
    low = np.tril(inverse)
    symmetric: Floats = low + np.tril(low, -1).T
    return symmetric
