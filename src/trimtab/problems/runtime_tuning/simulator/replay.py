# SPDX-License-Identifier: Apache-2.0
"""`Replay`: a target that is answered from its table of measurements, in microseconds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from trimtab.core.errors import InvalidInstance

from ..encoding import Bools, Encoding, Floats
from ..problem import Status, Trial
from ..space import Value, Values
from .table import Table

_DRAWS: Final = 20_000
_VALID: Final = ("ok", "censored", "constraint")
_FEWEST_FAILED: Final = 10  # configurations: fewer can't be told from chance, and nothing is refused
_FEWEST: Final = 40  # measured configurations


@dataclass(frozen=True)
class Fidelity:
    """How far the replay can be believed."""

    rows: int
    configurations: int
    r2: float  # of the loss of configurations that were not fitted
    validity: float  # balanced accuracy, likewise; nan where hardly anything failed
    noise: float  # standard deviation of one run, as a log ratio
    repeats: int  # runs that the noise was read from
    members: dict[str, float]  # weights of the model's parts


@dataclass(frozen=True)
class Replay:
    """The loss, the validity and the noise of any configuration of a space, fitted to a `Table` when first asked.

    The loss is a mixture of boosted trees, extremely randomised trees and kernel ridge
    regression, weighed by cross-validation (`stack`): none of them is what trimtab's
    own optimiser models a target with, so that it is not flattered. Noise is drawn
    from the residuals of repeated runs. Everything is a function of the table.
    """

    source: Table | Callable[[], Table]
    name: str = ""

    @cached_property
    def table(self) -> Table:
        return self.source if isinstance(self.source, Table) else self.source()

    @cached_property
    def encoding(self) -> Encoding:
        return Encoding(self.table.space)

    @cached_property
    def _model(self) -> Fitted:
        return Fitted(self.table, self.encoding)

    @property
    def fidelity(self) -> Fidelity:
        return self._model.fidelity

    @cached_property
    def best(self) -> tuple[dict[str, Value], float]:
        """The best of 20,000 random configurations after coordinate descent from the ten best of them, and its loss."""
        rng = np.random.default_rng(0)
        codes = self.encoding.spread(rng.random((_DRAWS, self.encoding.size)))
        codes = codes[self.encoding.allowed(codes)]
        codes = codes[self.valid(codes)]
        order = np.argsort(self.losses(codes))[:10]
        found = min((self._polished(codes[i], rng) for i in order), key=lambda pair: pair[1])
        return self.encoding.decode(found[0]), found[1]

    def _polished(self, codes: Floats, rng: np.random.Generator) -> tuple[Floats, float]:
        from ..encoding.moves import neighbours

        loss = float(self.losses(codes[None, :])[0])
        for _ in range(30):
            near = neighbours(self.encoding, codes, rng)
            near = near[self.encoding.allowed(near)]
            near = near[self.valid(near)]
            values = self.losses(near)
            if not len(near) or values.min() >= loss - 1e-9:
                break
            codes, loss = near[values.argmin()], float(values.min())
        return codes, loss

    def losses(self, codes: Floats) -> Floats:
        """Noise-free log ratios to the default, for codes of `encoding`.  (m,)"""
        return self._model.loss(self.encoding.coordinates(codes)) - self._model.home

    def valid(self, codes: Floats) -> Bools:
        """Does it do its work?  (m,)"""
        return self._model.works(self.encoding.coordinates(codes))

    def loss(self, values: Values) -> float:
        """Of one configuration, noise-free."""
        return float(self.losses(self.encoding.encode([values]))[0])

    def measure(self, values: Values, rng: np.random.Generator, metrics: Sequence[str] = ()) -> Trial:
        """One run, as it would have been measured."""
        codes = self.encoding.encode([values])
        if not self.valid(codes)[0]:
            return Trial(dict(values), self._model.failure)
        noise = float(rng.choice(self._model.residuals))
        found = {name: self._model.metric(name, self.encoding.coordinates(codes)) for name in metrics}
        return Trial(dict(values), "ok", float(self.losses(codes)[0]) + noise, metrics=found)


class Fitted:
    """The models behind a replay."""

    def __init__(self, table: Table, encoding: Encoding) -> None:
        from .stack import MEMBERS, fit

        self._table = table
        codes = encoding.encode([table.values(row) for row in table.rows])
        _, first, place = np.unique(codes, axis=0, return_index=True, return_inverse=True)
        place = place.ravel()
        self._x = encoding.coordinates(codes[first])
        self._place = place
        works = np.array([row.s in _VALID for row in table.rows])
        y = np.array([row.l if row.l is not None else math.nan for row in table.rows])
        usable = works & np.isfinite(y)
        total, count = (
            np.bincount(place[usable], y[usable], len(first)),
            np.bincount(place[usable], minlength=len(first)),
        )
        has = count > 0
        if has.sum() < _FEWEST:
            raise InvalidInstance(f"table {table.name!r}: {int(has.sum())} measured configurations; needs {_FEWEST}")
        means = total[has] / count[has]
        self.loss = fit(self._x[has], means)
        home = encoding.coordinates(encoding.default[None, :])
        self.home = float(self.loss(home)[0])
        residual = means - self.loss.left_out
        exact = usable & np.array([row.s != "censored" for row in table.rows])
        repeats = _residuals(place[exact], y[exact])
        self.residuals = repeats if len(repeats) >= 20 else _guessed(residual)

        share = np.bincount(place[works], minlength=len(first)) / np.bincount(place, minlength=len(first))
        self._validity = fit(self._x, share) if (share < 0.5).sum() >= _FEWEST_FAILED else None
        failures = Counter[Status](row.s for row in table.rows if row.s not in _VALID)
        self.failure: Status = failures.most_common(1)[0][0] if failures else "crash"
        accuracy = math.nan
        if self._validity is not None:
            right = (self._validity.left_out >= 0.5) == (share >= 0.5)
            accuracy = 0.5 * float(right[share >= 0.5].mean() + right[share < 0.5].mean())
        r2 = 1.0 - float((residual**2).sum() / ((means - means.mean()) ** 2).sum())
        members = {name: float(w) for name, w in zip(MEMBERS, self.loss.weights, strict=True) if w > 0}
        self.fidelity = Fidelity(
            len(table.rows), int(has.sum()), r2, accuracy, float(self.residuals.std()), len(repeats), members
        )
        self._metrics: dict[str, Callable[[Floats], Floats]] = {}

    def works(self, x: Floats) -> Bools:
        return np.ones(len(x), np.bool_) if self._validity is None else self._validity(x) >= 0.5

    def metric(self, name: str, x: Floats) -> float:
        """A further metric of a configuration, from the rows that have it."""
        if name not in self._metrics:
            from .stack import fit

            rows = [(self._place[i], math.log(row.m[name])) for i, row in enumerate(self._table.rows) if name in row.m]
            if len(rows) < _FEWEST:
                raise InvalidInstance(f"table {self._table.name!r} has {len(rows)} values of {name!r}; needs {_FEWEST}")
            place, value = np.array([p for p, _ in rows]), np.array([v for _, v in rows])
            seen, at = np.unique(place, return_inverse=True)
            self._metrics[name] = fit(self._x[seen], np.bincount(at, value) / np.bincount(at))
        return math.exp(float(self._metrics[name](x)[0]))


def _residuals(place: np.ndarray, y: Floats) -> Floats:
    """Of repeated runs around their means, made as wide as single runs around the truth."""
    count = np.bincount(place)
    mean = np.bincount(place, y) / np.maximum(count, 1)
    many = count[place] > 1
    spread: Floats = (y - mean[place])[many] * np.sqrt(count[place] / np.maximum(count[place] - 1, 1))[many]
    return spread - spread.mean() if len(spread) else spread


def _guessed(residual: Floats) -> Floats:
    """Where hardly anything was repeated: normal, as wide as half of the middle of what the model leaves unexplained.

    What is left is noise and what the model does not know, together; its middle is
    less touched by the latter.
    """
    spread = 0.5 * float(np.subtract(*np.quantile(residual, [0.75, 0.25]))) / 1.349
    u = (np.arange(199) + 0.5) / 199
    from scipy.special import ndtri

    quantiles: Floats = spread * ndtri(u)
    return quantiles
