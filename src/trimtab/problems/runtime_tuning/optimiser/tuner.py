# SPDX-License-Identifier: Apache-2.0
"""`Tuner`: trimtab's own optimiser, by ask and tell."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from scipy.special import ndtr
from threadpoolctl import ThreadpoolController

from ..encoding import Bools, Encoding, Floats
from ..encoding.moves import distinct, everywhere, mutated, neighbours, row
from ..encoding.sobol import design
from ..problem import Constraint, Objective, Trial
from ..space import KnobSpace, Value
from .feasibility import Feasibility
from .gp import Kernel, Prior, learn
from .history import History, Observed, Scale
from .portfolio import Portfolio, Smooth, Trees, data_of, portfolio, smooth, trees
from .region import Region

_START: Final = 6  # configurations of the design beside the default
PRIORS: Final = (Prior(),)
_BOLD: Final = (1.8, 1.4)  # by which standard deviations are widened, first and last
_LEAST_FOR_TREES: Final = 12
_AT_ONCE: Final = 96
_BETTER: Final = 0.005  # of a log ratio: less is no reason to leave the default


class Tuner:
    """Finds a good configuration in few noisy trials (`AskTell`).

    The default comes first, then a scrambled Sobol design, then what a portfolio of
    a Gaussian process and a forest expects the largest gain of, times the chance that
    it works and meets the constraints. All state is a function of the seed and of what
    was told, in order.

    safe: stay where nothing much worse than the default is expected (see `region`).
    budget: how many trials there will be, where it is known.
    """

    def __init__(
        self,
        space: KnobSpace,
        objective: Objective | None = None,
        *,
        seed: int = 0,
        safe: bool = False,
        budget: int | None = None,
    ) -> None:
        self.space = space
        self.objective = objective or Objective()
        self.seed = seed
        self.budget = budget
        self.encoding = Encoding(space)
        self.history = History(self.encoding, {c.metric for c in self.objective.constraints})
        self.kernels = tuple(
            Kernel(self.encoding.owner, self.encoding.feature_owner, self.encoding.size, p) for p in PRIORS
        )
        self._region = Region(self.encoding) if safe else None
        self._thetas: list[Floats | None] = [None] * len(PRIORS)
        self._limits: dict[str, Floats] = {}  # hyper-parameters of a constraint's model
        self._pending: list[Floats] = []
        self._design: Floats | None = None
        self._learnt_at = 0
        self._models: tuple[int, Models] | None = None
        self._threads = ThreadpoolController()

    def ask(self) -> dict[str, Value]:
        """The next configuration to try. Asked again before it is told, another one."""
        with self._threads.limit(limits=1, user_api="blas"):
            codes = self._next()
        self._pending.append(codes)
        return self.encoding.decode(codes)

    def tell(self, trial: Trial) -> None:
        """What came of a configuration, whether it was asked for or not."""
        self.space.check(trial.values)
        with self._threads.limit(limits=1, user_api="blas"):
            place = self.history.add(trial)
            codes = self.history.codes[place]
            for i, waiting in enumerate(self._pending):
                if (waiting == codes).all():
                    del self._pending[i]
                    break
            self._learn()

    def best(self) -> dict[str, Value]:
        """The tried configuration with the lowest posterior mean, of those that worked and met the constraints."""
        models = self._current()
        if models is None:
            return dict(self.space.default)
        with self._threads.limit(limits=1, user_api="blas"):
            means = models.portfolio.told_mean()
            usable = models.met(self.history)[models.observed.rows]
        if not usable.any():
            return dict(self.space.default)
        row = models.observed.rows[np.where(usable, means, np.inf).argmin()]
        home = self.history.row_of(self.encoding.default)
        if home is not None and home in models.observed.rows:
            place = int(np.flatnonzero(models.observed.rows == home)[0])
            lead = means[place] - means[usable].min()
            if usable[place] and lead * models.scale.spread * models.scale.unit < _BETTER:
                row = home
        return self.encoding.decode(self.history.codes[row])

    def _learn(self) -> None:
        """Hyper-parameters, warm-started; often while there are few trials."""
        count = self.history.trials
        if len(self.history.losses()) < 3:
            return
        every = 1 if count <= 40 else 2 if count <= 100 else 5
        if count - self._learnt_at < every:
            return
        self._learnt_at = count
        steps = 15 if count <= 40 else 10 if count <= 100 else 8
        scale = Scale.of(self.history.losses())
        observed = self.history.observed(scale)
        for i, kernel in enumerate(self.kernels):
            self._thetas[i] = self._fitted(kernel, observed, self._thetas[i], steps)
        for constraint in self.objective.constraints if count <= 20 or count % 4 == 0 else ():
            found = self.history.metric(constraint.metric)
            if found is not None and len(found.rows) >= 3:
                standard, _, _ = _standardised(found)
                self._limits[constraint.metric] = self._fitted(
                    self.kernels[0], standard, self._limits.get(constraint.metric), steps
                )

    def _fitted(self, kernel: Kernel, observed: Observed, start: Floats | None, steps: int) -> Floats:
        return learn(kernel, data_of(self.encoding, observed, self.history.codes[observed.rows]), start, steps)

    def _current(self) -> Models | None:
        """The models of what was told so far."""
        if self._models is None or self._models[0] != self.history.trials:
            if self._thetas[0] is None:
                return None
            self._models = (self.history.trials, Models(self))
        return self._models[1]

    def _rng(self, purpose: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, purpose, self.history.trials, len(self._pending)))

    def _next(self) -> Floats:
        if not self._taken(self.encoding.default):
            return self.encoding.default
        if self._region is not None:
            return self._region.next(self)
        planned = self._planned()
        return planned if planned is not None else self._proposed()

    def _taken(self, codes: Floats) -> bool:
        return codes in self.history or any((codes == p).all() for p in self._pending)

    def _boldness(self) -> float:
        """Wider than the model says at first, where an error costs least and a surrogate is most sure of itself."""
        share = 0.5 if self.budget is None else min(self.history.trials / self.budget, 1.0)
        return _BOLD[0] + share * (_BOLD[1] - _BOLD[0])

    def _planned(self) -> Floats | None:
        """The design's next point that is not expected to fail; None when the design is done."""
        worked = int(self.history.worked.sum()) if len(self.history) else 0
        tried = len(self.history) + len(self._pending)
        if worked + len(self._pending) > _START or tried > 4 * _START:
            return None
        if self._design is None:
            self._design = design(self.encoding, 4 * _START, self.seed)
        left = np.array([codes for codes in self._design if not self._taken(codes)]).reshape(-1, self.encoding.size)
        if not len(left):
            return None
        if not self.history.any_failed:
            return row(left, 0)
        works = Feasibility(self.encoding, *self.history.outcomes()).works(left)
        likely = np.flatnonzero(works >= 0.5)
        return row(left, likely[0] if len(likely) else works.argmax())

    def _proposed(self) -> Floats:
        models = self._current()
        rng = self._rng(1)
        if models is None:
            return self._fresh(everywhere(self.encoding, 256, rng))
        few = len(self.history) <= 100
        parents = models.parents()
        pool = [everywhere(self.encoding, 160 if few else 80, rng)]
        pool.append(mutated(self.encoding, parents, 400 if few else 200, rng))
        pool.append(parents)
        codes = self._open(distinct(np.vstack(pool)))
        score = models.score(codes)
        for _ in range(3 if few else 2):
            top = codes[np.argsort(-score)[: 3 if few else 2]]
            near = self._open(distinct(np.vstack([neighbours(self.encoding, one, rng) for one in top])))
            if not len(near):
                break
            before = score.max()
            codes, score = np.vstack([codes, near]), np.r_[score, models.score(near)]
            if score.max() <= before:
                break
        return row(codes, score.argmax())

    def _open(self, codes: Floats) -> Floats:
        """Those that may be asked for: not forbidden, not pending, not known to fail."""
        failed = self.history.codes[~self.history.worked]
        closed = {one.tobytes() for one in [*failed, *self._pending]}
        keep = self.encoding.allowed(codes) & np.array([one.tobytes() not in closed for one in codes], dtype=np.bool_)
        return codes[keep]

    def _fresh(self, codes: Floats) -> Floats:
        """The first that was not tried, and the default in a space that is used up."""
        free = self._open(codes)
        for i, codes in enumerate(free):
            if not self._taken(codes):
                return row(free, i)
        return self.encoding.default


class Models:
    """What is believed after the trials told so far."""

    def __init__(self, tuner: Tuner) -> None:
        history, encoding = tuner.history, tuner.encoding
        self.scale = Scale.of(history.losses())
        self.observed = history.observed(self.scale)
        self._bold = tuner._boldness()
        self._encoding = encoding
        self._rows = history.codes
        told = self._rows[self.observed.rows]
        members: list[Smooth | Trees] = [
            smooth(encoding, kernel, theta, self.observed, told)
            for kernel, theta in zip(tuner.kernels, tuner._thetas, strict=True)
            if theta is not None
        ]
        if len(told) >= _LEAST_FOR_TREES:
            members.append(trees(encoding, self.observed, told, np.random.default_rng((tuner.seed, 2, history.trials))))
        self.portfolio: Portfolio = portfolio(members, told, (~self.observed.censored).astype(np.float64))
        self.feasibility = Feasibility(encoding, *history.outcomes())
        self._limits = [
            (c, m) for c in tuner.objective.constraints if (m := _metric_model(tuner, c.metric)) is not None
        ]
        self._place = {one.tobytes(): i for i, one in enumerate(told)}

    def score(self, codes: Floats) -> Floats:
        """Expected gain times the chance that it counts; 0 for those that can't be among the best of them.  (m,)"""
        told = np.array([self._place.get(one.tobytes(), -1) for one in codes], dtype=np.int64)
        gain = self.portfolio.gain(codes, told, self._bold)
        order = np.argsort(-gain, kind="stable")
        score = np.zeros(len(codes))
        for begin in range(0, len(codes), _AT_ONCE):  # a chance is at most 1: the rest is below what was found
            some = order[begin : begin + _AT_ONCE]
            if gain[some[0]] <= score.max():
                break
            score[some] = gain[some] * self.works(codes[some])
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


def _metric_model(tuner: Tuner, name: str) -> Smooth | None:
    theta, found = tuner._limits.get(name), tuner.history.metric(name)
    if theta is None or found is None:
        return None
    standard, middle, unit = _standardised(found)
    model = smooth(tuner.encoding, tuner.kernels[0], theta, standard, tuner.history.codes[found.rows])
    return Smooth(tuner.encoding, model.gp, middle, unit)
