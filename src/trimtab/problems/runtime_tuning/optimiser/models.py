# SPDX-License-Identifier: Apache-2.0
"""What is believed after some trials: `Fits` (hyper-parameters, kept from trial to trial) and `Models` (all else)."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from scipy.special import ndtr

from ..encoding import Bools, Encoding, Floats
from ..problem import Constraint, Objective
from .feasibility import Feasibility
from .gp import Kernel, Prior, learn
from .history import History, Observed, Scale
from .portfolio import Portfolio, Smooth, Trees, data_of, portfolio, smooth, trees

_LEAST: Final = 3  # results before anything is fitted
_LEAST_FOR_TREES: Final = 25
_AT_ONCE: Final = 96
_CAUTION: Final = 2.0  # power of the chance that a trial counts: a failure costs more than the trial, and tells less


class Fits:
    """Hyper-parameters of the Gaussian processes, each search begun where the last one ended."""

    def __init__(self, encoding: Encoding, objective: Objective, prior: Prior) -> None:
        self._encoding = encoding
        self._metrics = tuple(c.metric for c in objective.constraints)
        self.kernel = Kernel(encoding.owner, encoding.feature_owner, encoding.size, prior)
        self.theta: Floats | None = None
        self.of_metric: dict[str, Floats] = {}
        self._learnt_at = self._rounds = 0

    def learn(self, history: History) -> None:
        """Often while there are few trials."""
        count = history.trials
        every, steps = (1, 15) if count <= 40 else (2, 10) if count <= 100 else (8, 8)
        losses = history.losses()
        if len(losses) < _LEAST or count - self._learnt_at < every:
            return
        self._learnt_at = count
        self._rounds += 1
        self.theta = self._fitted(history, history.observed(Scale.of(losses)), self.theta, steps)
        for name in self._metrics if count <= 20 or self._rounds % 4 == 0 else ():
            found = history.metric(name)
            if found is not None and len(found.rows) >= _LEAST:
                standard, _, _ = _standardised(found)
                self.of_metric[name] = self._fitted(history, standard, self.of_metric.get(name), steps)

    def _fitted(self, history: History, observed: Observed, start: Floats | None, steps: int) -> Floats:
        return learn(self.kernel, data_of(self._encoding, observed, history.codes[observed.rows]), start, steps)

    def metric(self, history: History, name: str) -> Smooth | None:
        """A model of the logarithm of a metric; None before there are a few values."""
        theta, found = self.of_metric.get(name), history.metric(name)
        if theta is None or found is None:
            return None
        standard, middle, unit = _standardised(found)
        model = smooth(self._encoding, self.kernel, theta, standard, history.codes[found.rows])
        return Smooth(self._encoding, model.gp, middle, unit)


class Models:
    """The portfolio, the hidden rules and the constraints.

    theta: hyper-parameters of the objective's Gaussian process. bold: by which
    standard deviations are widened. rng: of the forest.
    """

    def __init__(
        self, encoding: Encoding, objective: Objective, history: History, fits: Fits, theta: Floats, bold: float,
        rng: np.random.Generator,
    ) -> None:  # fmt: skip
        self.scale = Scale.of(history.losses())
        self.observed = history.observed(self.scale)
        self._bold = bold
        self._rows = history.codes
        told = self._rows[self.observed.rows]
        members: list[Smooth | Trees] = [smooth(encoding, fits.kernel, theta, self.observed, told)]
        if len(told) >= _LEAST_FOR_TREES:
            members.append(trees(encoding, self.observed, told, rng))
        self.portfolio: Portfolio = portfolio(members, told, (~self.observed.censored).astype(np.float64))
        self.feasibility = Feasibility(encoding, *history.outcomes())
        self._limits = [(c, m) for c in objective.constraints if (m := fits.metric(history, c.metric)) is not None]
        self._place = {one.tobytes(): i for i, one in enumerate(told)}

    def score(self, codes: Floats) -> Floats:
        """Expected gain times a power of the chance that it counts; 0 for what can't be among the best.  (m,)"""
        told = np.array([self._place.get(one.tobytes(), -1) for one in codes], dtype=np.int64)
        gain = self.portfolio.gain(codes, told, self._bold)
        order = np.argsort(-gain, kind="stable")
        score = np.zeros(len(codes))
        for begin in range(0, len(codes), _AT_ONCE):  # a chance is at most 1: the rest is below what was found
            some = order[begin : begin + _AT_ONCE]
            if gain[some[0]] <= score.max():
                break
            score[some] = gain[some] * self.works(codes[some]) ** _CAUTION
        return score

    def works(self, codes: Floats) -> Floats:
        """The chance that a configuration works and meets the constraints.  (m,)"""
        chance = self.feasibility.works(codes)
        for constraint, model in self._limits:
            mean, variance = model.predict(codes)
            chance = chance * ndtr((math.log(constraint.limit) - mean) / np.sqrt(variance + model.noise))
        return chance

    def parents(self) -> Floats:
        """The best tried configurations.  (up to 5, knobs)"""
        means = self.portfolio.told_mean()
        chance = self.works(self._rows[self.observed.rows])
        order = np.argsort(np.where(chance >= 0.5, means, means + 1e3))
        return self._rows[self.observed.rows[order[:5]]]

    def met(self, history: History) -> Bools:
        """Rows that worked and whose own measurements are within the limits.  (rows,)"""
        good = history.worked.copy()
        for constraint, _ in self._limits:
            good &= _within(history, constraint)
        return good


def _within(history: History, constraint: Constraint) -> Bools:
    good = np.zeros(len(history), dtype=np.bool_)
    found = history.metric(constraint.metric)
    if found is not None:
        good[found.rows] = found.y <= math.log(constraint.limit) + 1e-12
    return good


def _standardised(found: Observed) -> tuple[Observed, float, float]:
    middle, unit = float(found.y.mean()), max(float(found.y.std()), 1e-3)
    within = found.within / unit**2
    return (
        Observed(found.rows, (found.y - middle) / unit, found.runs, found.censored, found.extra, within),
        middle,
        unit,
    )
