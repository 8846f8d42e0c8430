# SPDX-License-Identifier: Apache-2.0
"""The safe mode: a trust region that grows from the default."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from ..encoding import Encoding, Floats
from ..encoding.moves import distinct, mutated, neighbours, row

if TYPE_CHECKING:
    from .tuner import Tuner

_WORSE: Final = math.log(1.1)  # what a trial may cost over the default
_SURE: Final = 0.9
_FIRST: Final = 8  # single steps from the default before the model decides


class Region:
    """Asks only for what is near something that worked, and is expected to cost at most a tenth more than the default.

    The first trials change one knob of the default each, numbers by a small step. Then
    candidates differ in up to two knobs from a configuration that was tried and is not
    worse than the default, and must, with a probability of 0.9, stay under 1.1 times
    its cost; of those the one with the largest expected gain is asked for. Where none
    is that sure, the surest is.
    """

    def __init__(self, encoding: Encoding) -> None:
        self._encoding = encoding

    def next(self, tuner: Tuner) -> Floats:
        rng = tuner.rng(3)
        models = tuner.models()
        if models is None or len(tuner.history) <= _FIRST:
            steps = self._near(self._encoding.default[None, :], rng)
            return tuner.fresh(steps[rng.permutation(len(steps))])
        limit = float(models.scale(np.array([_WORSE]))[0])
        parents = np.vstack([models.parents(), self._encoding.default])
        parents = parents[models.portfolio.mean(parents) <= limit]
        if not len(parents):
            parents = self._encoding.default[None, :]
        codes = [
            self._near(parents, rng),
            *(neighbours(self._encoding, parent, rng) for parent in parents[:2]),
            parents,
        ]
        pool = tuner.open(distinct(np.vstack(codes)))
        if not len(pool):
            return self._encoding.default
        sure = models.portfolio.below(pool, limit) * models.works(pool)
        chance = np.where(sure >= _SURE, models.score(pool), -1.0)
        return row(pool, chance.argmax() if chance.max() >= 0 else sure.argmax())

    def _near(self, parents: Floats, rng: np.random.Generator) -> Floats:
        """Up to two knobs changed, numbers by at most a tenth of their range."""
        codes = mutated(self._encoding, parents, 400, rng)
        home = parents[rng.integers(0, len(parents), len(codes))]
        numbers = self._encoding.numbers
        here, there = home[:, numbers], codes[:, numbers]
        close = self._encoding.rounded(np.clip(there, here - 0.1, here + 0.1))
        codes[:, numbers] = np.where(here < 0, here, np.where(there < 0, there, close))
        change = rng.random(codes.shape).argsort(axis=1) < rng.integers(1, 3, len(codes))[:, None]
        near = distinct(self._encoding.canonical(np.where(change, codes, home)))
        return near[self._encoding.allowed(near)]
