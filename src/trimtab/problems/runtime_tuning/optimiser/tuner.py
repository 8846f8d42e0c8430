# SPDX-License-Identifier: Apache-2.0
"""`Tuner`: trimtab's own optimiser, by ask and tell."""

from __future__ import annotations

from typing import Final

import numpy as np
from threadpoolctl import ThreadpoolController

from ..encoding import Encoding, Floats
from ..encoding.moves import distinct, everywhere, mutated, neighbours, row
from ..encoding.sobol import design
from ..problem import Objective, Trial
from ..space import KnobSpace, Value
from .feasibility import Feasibility
from .history import History
from .informed import Hints, Informed
from .models import Fits, Models
from .region import Region
from .settings import Settings

_BETTER: Final = 0.005  # of a log ratio: less is no reason to leave the default


class Tuner:
    """Finds a good configuration in few noisy trials (`AskTell`).

    The default comes first, then a scrambled Sobol design, then what a portfolio of
    a Gaussian process and a forest expects the largest gain of, times the chance that
    it works and meets the constraints. All state is a function of the seed and of what
    was told, in order.

    safe: stay where nothing much worse than the default is expected (see `region`).
    budget: how many trials there will be, where it is known.
    hints: what is known of other programs (see `informed`).
    """

    def __init__(
        self,
        space: KnobSpace,
        objective: Objective | None = None,
        *,
        seed: int = 0,
        safe: bool = False,
        budget: int | None = None,
        hints: Hints | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.space = space
        self.objective = objective or Objective()
        self.seed = seed
        self.budget = budget
        self.settings = settings or Settings()
        self.encoding = Informed(space, hints) if hints is not None else Encoding(space)
        self.history = History(self.encoding, {c.metric for c in self.objective.constraints})
        self._region = Region(self.encoding) if safe else None
        self._fits = Fits(self.encoding, self.objective, self.settings.prior)
        self._pending: list[Floats] = []
        self._design: Floats | None = None
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
            self._fits.learn(self.history)

    def best(self) -> dict[str, Value]:
        """The tried configuration with the lowest posterior mean, of those that worked and met the constraints."""
        with self._threads.limit(limits=1, user_api="blas"):
            models = self.models()
        if models is None:
            return dict(self.space.default)
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

    def models(self) -> Models | None:
        """The models of what was told so far."""
        if self._models is None or self._models[0] != self.history.trials:
            theta = self._fits.theta
            if theta is None:
                return None
            models = Models(
                self.encoding,
                self.objective,
                self.history,
                self._fits,
                theta,
                self._boldness(),
                np.random.default_rng((self.seed, 2, self.history.trials)),
            )
            self._models = self.history.trials, models
        return self._models[1]

    def rng(self, purpose: int) -> np.random.Generator:
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
        first, last = self.settings.bold
        return first + share * (last - first)

    def _planned(self) -> Floats | None:
        """The design's next point that is not expected to fail; None when the design is done."""
        worked = int(self.history.worked.sum()) if len(self.history) else 0
        tried = len(self.history) + len(self._pending)
        start = self.settings.start
        if worked + len(self._pending) > start or tried > 4 * start:
            return None
        if self._design is None:
            self._design = design(self.encoding, 4 * start, self.seed)
            if isinstance(self.encoding, Informed):
                best = self.encoding.favourites(self.seed)[: self.settings.favourites]
                self._design = np.vstack([best, self._design])
        left = np.array([codes for codes in self._design if not self._taken(codes)]).reshape(-1, self.encoding.size)
        if not len(left):
            return None
        if not self.history.any_failed:
            return row(left, 0)
        works = Feasibility(self.encoding, *self.history.outcomes()).works(left)
        likely = np.flatnonzero(works >= 0.5)
        return row(left, likely[0] if len(likely) else works.argmax())

    def _proposed(self) -> Floats:
        models = self.models()
        rng = self.rng(1)
        if models is None:
            return self.fresh(everywhere(self.encoding, 256, rng))
        few = len(self.history) <= 100
        parents = models.parents()
        pool = [everywhere(self.encoding, 160 if few else 40, rng)]
        pool.append(mutated(self.encoding, parents, 400 if few else 110, rng))
        pool.append(parents)
        codes = self.open(distinct(np.vstack(pool)))
        if not len(codes):  # all that there is waits for an answer
            return self.encoding.default
        score = models.score(codes)
        for _ in range(3 if few else 2):
            top = codes[np.argsort(-score)[: 3 if few else 1]]
            near = self.open(distinct(np.vstack([neighbours(self.encoding, one, rng) for one in top])))
            if not len(near):
                break
            before = score.max()
            codes, score = np.vstack([codes, near]), np.r_[score, models.score(near)]
            if score.max() <= before:
                break
        return row(codes, score.argmax())

    def open(self, codes: Floats) -> Floats:
        """Those that may be asked for: not forbidden, not pending, not known to fail."""
        failed = self.history.codes[~self.history.worked]
        closed = {one.tobytes() for one in [*failed, *self._pending]}
        keep = self.encoding.allowed(codes) & np.array([one.tobytes() not in closed for one in codes], dtype=np.bool_)
        return codes[keep]

    def fresh(self, codes: Floats) -> Floats:
        """The first that was not tried, and the default in a space that is used up."""
        free = self.open(codes)
        for i, codes in enumerate(free):
            if not self._taken(codes):
                return row(free, i)
        return self.encoding.default
