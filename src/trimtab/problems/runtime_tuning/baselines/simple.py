# SPDX-License-Identifier: Apache-2.0
"""Optimisers without a model."""

from __future__ import annotations

import numpy as np

from ..encoding import Encoding, Floats
from ..encoding.moves import mutated, neighbours
from ..encoding.sobol import design
from ..problem import Target, Trial
from ..space import Values
from .noisy import NoisyBest


class Drawn(NoisyBest):
    """The default, then uniform random configurations."""

    def __init__(self, target: Target, seed: int, budget: int | None = None) -> None:
        super().__init__(target, seed)
        self._rng = np.random.default_rng((seed, 1))
        self._first = True

    def ask(self) -> Values:
        if self._first:
            self._first = False
            return self.space.default
        return self.space.draw(self._rng)


class Sobol(NoisyBest):
    """The default, then a scrambled Sobol sequence."""

    def __init__(self, target: Target, seed: int, budget: int | None = None) -> None:
        super().__init__(target, seed)
        self._encoding = Encoding(target.space)
        self._asked = 0
        self._design = design(self._encoding, budget or 256, seed)
        self._rng = np.random.default_rng((seed, 2))

    def ask(self) -> Values:
        self._asked += 1
        if self._asked == 1:
            return self.space.default
        if self._asked - 2 < len(self._design):
            return self._encoding.decode(self._design[self._asked - 2])
        return self.space.draw(self._rng)


class Local(NoisyBest):
    """(1+1): the best so far with one or a few knobs changed."""

    def __init__(self, target: Target, seed: int, budget: int | None = None) -> None:
        super().__init__(target, seed)
        self._encoding = Encoding(target.space)
        self._rng = np.random.default_rng((seed, 3))
        self._first = True

    def ask(self) -> Values:
        if self._first:
            self._first = False
            return self.space.default
        home = self._encoding.encode([self.best()])
        codes = mutated(self._encoding, home, 64, self._rng)
        codes = codes[self._encoding.allowed(codes) & (codes != home).any(axis=1)]
        return self._encoding.decode(codes[0]) if len(codes) else self.space.draw(self._rng)


class Coordinate(NoisyBest):
    """One knob after another, in random order: a few values of each, and the best one is kept."""

    def __init__(self, target: Target, seed: int, budget: int | None = None) -> None:
        super().__init__(target, seed)
        self._encoding = Encoding(target.space)
        self._rng = np.random.default_rng((seed, 4))
        self._order: list[int] = []
        self._queue: list[Floats] = []
        self._first = True

    def ask(self) -> Values:
        if self._first:
            self._first = False
            return self.space.default
        for _ in range(2 * self._encoding.size):
            if self._queue:
                break
            self._next_knob()
        return self._encoding.decode(self._queue.pop()) if self._queue else self.space.draw(self._rng)

    def _next_knob(self) -> None:
        if not self._order:
            self._order = [int(i) for i in self._rng.permutation(self._encoding.size)]
        knob = self._order.pop()
        home = self._encoding.encode([self.best()])[0]
        near = neighbours(self._encoding, home, self._rng)
        near = near[(near[:, knob] != home[knob]) & self._encoding.allowed(near)]
        self._queue = [near[i] for i in self._rng.permutation(len(near))[:3]]


class Halving(NoisyBest):
    """Successive halving (Jamieson and Talwalkar 2016): random ones once, the better half once more, and so on.

    What is kept is the lowest mean of those that were run most often.
    """

    def __init__(self, target: Target, seed: int, budget: int | None = None) -> None:
        super().__init__(target, seed)
        self._encoding = Encoding(target.space)
        self._rng = np.random.default_rng((seed, 5))
        self._width = max(4, (budget or 64) // 2)
        self._results: dict[bytes, list[float]] = {}
        self._values: dict[bytes, Values] = {}
        self._alive: list[bytes] = []
        self._queue: list[Values] = [target.space.default]

    def ask(self) -> Values:
        if not self._queue:
            self._alive = self._better_half() if len(self._alive) > 1 else []
            if self._alive:
                self._queue = [self._values[key] for key in self._alive]
            else:
                self._queue = [self.space.draw(self._rng) for _ in range(self._width - 1)]
                self._alive = [self._key(values) for values in self._queue]
        return self._queue.pop(0)

    def tell(self, trial: Trial) -> None:
        super().tell(trial)
        key = self._key(trial.values)
        self._values[key] = trial.values
        self._results.setdefault(key, []).append(self.penalised(trial))

    def best(self) -> Values:
        if not self._results or (self.worst == 0.0 and not np.isfinite(self._loss)):
            return self.space.default
        most = max(len(r) for r in self._results.values())
        finalists = [key for key, r in self._results.items() if len(r) == most]
        return self._values[min(finalists, key=lambda key: float(np.mean(self._results[key])))]

    def _better_half(self) -> list[bytes]:
        told = [key for key in self._alive if key in self._results]
        ranked = sorted(told, key=lambda key: float(np.mean(self._results[key])))
        return ranked[: len(ranked) // 2]

    def _key(self, values: Values) -> bytes:
        row: Floats = self._encoding.encode([values])[0]
        return row.tobytes()
