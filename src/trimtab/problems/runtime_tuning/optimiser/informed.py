# SPDX-License-Identifier: Apache-2.0
"""A space with what is known of other programs beside each configuration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np

from ..encoding import Encoding, Floats
from ..encoding.moves import distinct, everywhere, neighbours
from ..space import KnobSpace

#: codes -> how bad they were elsewhere, about standardised, a column for each that speaks  (n, hints)
Hints: TypeAlias = Callable[[Floats], Floats]

_DRAWS: Final = 1000
_STARTS: Final = 4
_ROUNDS: Final = 12


class Informed(Encoding):
    """Each hint is one more feature, with an effect of its own.

    The Gaussian process then has a term that is proportional to a hint. How large it
    is, is a hyper-parameter as that of any knob's effect: a hint that is wrong of
    this program is dropped as an irrelevant knob is, after some trials.
    """

    def __init__(self, space: KnobSpace, hints: Hints) -> None:
        super().__init__(space)
        self._hints = hints
        many = hints(self.default[None, :]).shape[1]
        self.feature_owner = np.r_[self.feature_owner, self.size + np.arange(many)]

    def features(self, codes: Floats) -> Floats:
        return np.hstack([super().features(codes), self._hints(codes)])

    def favourites(self, seed: int) -> Floats:
        """What was best elsewhere, in the mean of the hints, best first.  (a few, knobs)"""
        rng = np.random.default_rng((seed, 0xFA7))
        codes = everywhere(self, _DRAWS, rng)
        codes = codes[self.allowed(codes)]
        best = codes[np.argsort(self._mean(codes))[:_STARTS]]
        found = distinct(np.vstack([self._descended(one, rng) for one in best]))
        return found[np.argsort(self._mean(found))]

    def _mean(self, codes: Floats) -> Floats:
        mean: Floats = self._hints(codes).mean(axis=1)
        return mean

    def _descended(self, codes: Floats, rng: np.random.Generator) -> Floats:
        value = float(self._mean(codes[None, :])[0])
        for _ in range(_ROUNDS):
            near = neighbours(self, codes, rng)
            near = near[self.allowed(near)]
            values = self._mean(near)
            if not len(near) or values.min() >= value:
                break
            codes, value = near[values.argmin()], float(values.min())
        return codes
