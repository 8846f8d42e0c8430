# SPDX-License-Identifier: Apache-2.0
"""Configurations as arrays: codes (what is searched), coordinates (distances), features (additive effects).

A *code* is one float a knob: the index of a choice or a permutation, the
fraction u in [0, 1] of a number's range, or -1 - k for its k-th special value.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Final

import numpy as np

from ..space import KnobSpace, Value, Values
from .column import DIGITS, SAME, Bools, Column, Floats, Ints

_CENTRES: Final = np.linspace(0.0, 1.0, 7)  # of the smooth effect of a number
_WIDTH: Final = 0.45
_LISTED: Final = ("choice", "two", "step")  # each value may have an effect of its own
_SPECIAL_SHARE: Final = 0.2  # of a number's draws, as in Knob.at
_RANK: Final = 0.75  # of the squared distance of ordered steps; the rest is as between unordered ones


class Encoding:
    """The arrays of a space. All methods but `encode` and `decode` are vectorised over configurations and knobs."""

    def __init__(self, space: KnobSpace) -> None:
        self.space = space
        self.columns = tuple(Column(knob) for knob in space.knobs)
        self.size = len(self.columns)
        self._place = {knob.name: i for i, knob in enumerate(space.knobs)}
        self.numbers = _places(c.is_number for c in self.columns)
        self.listed = _places(not c.is_number for c in self.columns)
        self.counts = np.array([c.count for c in self.columns], dtype=np.float64)
        self._group()
        self._last: tuple[Floats, Floats, Floats] | None = None
        self.default: Floats = self.encode([space.default])[0]

    def _group(self) -> None:
        """Which columns of coordinates and features belong to which knob."""
        columns = self.columns
        hot = [(i, k) for i, c in enumerate(columns) if c.kind in ("choice", "step") for k in range(c.count)]
        special = [(i, -1 - k) for i in self.numbers for k in range(columns[i].count)]
        self._two = _places(c.kind == "two" for c in columns)
        self.steps = _places(c.kind == "step" for c in columns)
        self._orders = _places(c.kind == "order" for c in columns)
        self._hot_knob, self._hot_code = _pairs(hot)
        self.special_knob, self.special_code = _pairs(special)
        weight = np.sqrt(np.array([0.5 * (1.0 - _RANK) if i in self.steps else 0.5 for i in range(self.size)]))
        self._hot_weight = weight[self._hot_knob]
        pairs = [np.full(columns[i].pairs, i) for i in self._orders]
        conditional = np.array(self._conditional, dtype=np.int64)
        self.owner: Ints = np.concatenate(
            [self.numbers, self.special_knob, self._two, self.steps, self._hot_knob, *pairs, conditional]
        ).astype(np.int64)

        choices = [(i, k) for i, c in enumerate(columns) if c.kind in _LISTED for k in range(c.count)]
        self._choice_knob, self._choice_code = _pairs(choices)
        self._smooth = np.concatenate([self.numbers, self.steps]).astype(np.int64)
        many = _WHITEN.shape[1]
        self.feature_owner: Ints = np.concatenate(
            [np.repeat(self._smooth, many), self.special_knob, self._choice_knob, *pairs]
        ).astype(np.int64)

    def encode(self, configurations: Sequence[Values]) -> Floats:
        """Codes of canonical configurations.  (n, knobs)"""
        rows = [self.space.canonical(values) for values in configurations]
        table = [[c.code(row[c.knob.name]) for c in self.columns] for row in rows]
        return np.array(table, dtype=np.float64).reshape(-1, self.size)

    def decode(self, codes: Floats) -> dict[str, Value]:
        """The canonical configuration of one row."""
        home = codes == self.default  # exactly the default's value, whatever rounding does
        return self.space.canonical(
            {
                c.knob.name: c.knob.default if same else c.value(float(x))
                for c, x, same in zip(self.columns, codes, home, strict=True)
            }
        )

    def spread(self, u: Floats) -> Floats:
        """Canonical codes at points of the unit cube.  (n, knobs)"""
        return self.canonical(self.anywhere(u))

    def anywhere(self, u: Floats) -> Floats:
        """Codes at points of the unit cube, with the shares of `Knob.at`, inactive knobs as well.  (n, knobs)"""
        codes: Floats = np.floor(np.minimum(u, 1.0 - SAME) * np.maximum(self.counts, 1.0))
        if len(self.numbers):
            x, count = u[:, self.numbers], self.counts[self.numbers]
            has = count > 0
            special = has & (x < _SPECIAL_SHARE)
            index = np.floor(np.where(special, x, 0.0) / _SPECIAL_SHARE * count)
            regular = np.where(has, (x - _SPECIAL_SHARE) / (1.0 - _SPECIAL_SHARE), x)
            codes[:, self.numbers] = np.where(special, -1.0 - index, self.rounded(regular))
        return codes

    def rounded(self, fractions: Floats) -> Floats:
        """Fractions of `numbers` moved to the nearest value that each can have.  (n, numbers)"""
        u: Floats = np.clip(fractions, 0.0, 1.0)
        log, plain = self._whole
        if len(log):
            low, high = self._range[:, log]
            value: Floats = np.clip(np.round(low * (high / low) ** u[:, log]), low, high)
            u[:, log] = np.log(value / low) / np.log(high / low)
        if len(plain):
            low, high = self._range[:, plain]
            wide = high - low + 1.0
            u[:, plain] = (np.clip(np.round(low - 0.5 + u[:, plain] * wide), low, high) - low + 0.5) / wide
        whole = np.concatenate([log, plain])
        exact: Floats = np.round(u, DIGITS["real"])
        exact[:, whole] = np.round(u[:, whole], DIGITS["int"])
        return exact

    @cached_property
    def _range(self) -> Floats:
        return np.array([[self.columns[i].knob.low, self.columns[i].knob.high] for i in self.numbers]).T

    @cached_property
    def _whole(self) -> tuple[Ints, Ints]:
        """Places in `numbers` of whole ones: logarithmic, and not."""
        knobs = [self.columns[i].knob for i in self.numbers]
        return _places(k.kind == "int" and k.log for k in knobs), _places(k.kind == "int" and not k.log for k in knobs)

    def canonical(self, codes: Floats) -> Floats:
        """Inactive knobs at their defaults."""
        return np.where(self.active(codes), codes, self.default) if self._conditional else codes

    @cached_property
    def _conditional(self) -> tuple[int, ...]:
        return tuple(i for i, c in enumerate(self.columns) if c.knob.when)

    def active(self, codes: Floats) -> Bools:
        """Which knobs matter in each row.  (n, knobs)"""
        active = np.ones(codes.shape, dtype=np.bool_)
        active[:, list(self._conditional)] = False
        met = [self.columns[i].matches(codes[:, i], values) for i, values in self._asked]
        for i, needs in self._conditions:
            active[:, i] = np.logical_and.reduce([met[k] & active[:, self._asked[k][0]] for k in needs])
        return active

    @cached_property
    def _asked(self) -> tuple[tuple[int, tuple[Value, ...]], ...]:
        """What conditions ask, each once: a knob, and the values that it should have."""
        clauses = (self.columns[i].knob.when.items() for i in self._conditional)
        return tuple(dict.fromkeys((self._place[n], tuple(v)) for clause in clauses for n, v in clause))

    @cached_property
    def _conditions(self) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """Conditional knobs, those that others hang on first, with their places in `_asked`."""
        order: list[tuple[int, tuple[int, ...]]] = []
        settled = {*range(self.size)} - {*self._conditional}
        for _ in self._conditional:
            for i in self._conditional:
                parents = [(self._place[n], tuple(v)) for n, v in self.columns[i].knob.when.items()]
                if i not in settled and settled.issuperset(p for p, _ in parents):
                    settled.add(i)
                    order.append((i, tuple(self._asked.index(p) for p in parents)))
        return tuple(order)

    def allowed(self, codes: Floats) -> Bools:
        """Rows that no forbidden clause refuses.  (n,)"""
        bad = np.zeros(len(codes), dtype=np.bool_)
        for clause in self.space.forbidden:
            at = ((self._place[name], values) for name, values in clause.items())
            bad |= np.logical_and.reduce([self.columns[i].matches(codes[:, i], values) for i, values in at])
        return ~bad

    def arrays(self, codes: Floats) -> tuple[Floats, Floats]:
        """Coordinates and features; kept for the array that was asked for last, since several models ask."""
        if self._last is None or self._last[0] is not codes:
            self._last = codes, self.coordinates(codes), self.features(codes)
        return self._last[1:]

    def coordinates(self, codes: Floats) -> Floats:
        """Points in which two values of a knob (`owner`) are at most 1 apart.  (n, len(owner))

        Numbers are their fraction, specials apart from it; choices are the corners of
        a simplex; steps are both; the squared distance of orders is Kendall's.
        """
        number = codes[:, self.numbers]
        blocks = [
            np.where(number < 0, 0.5, number),
            codes[:, self.special_knob] == self.special_code,
            codes[:, self._two],
            np.sqrt(_RANK) * codes[:, self.steps] / (self.counts[self.steps] - 1.0),
            (codes[:, self._hot_knob] == self._hot_code) * self._hot_weight,
            *(self.columns[i].orders(codes[:, i]) for i in self._orders),
        ]
        if not self._conditional:
            return np.hstack(blocks)
        # "does not matter" is a place of its own, beside the middle (Hutter and Osborne 2013)
        off = ~self.active(codes)
        points = np.hstack([*blocks, np.zeros((len(codes), len(self._conditional)))])
        points[off[:, self.owner]] = 0.0
        points[:, -len(self._conditional) :] = 0.5 * off[:, list(self._conditional)]
        return points

    def features(self, codes: Floats) -> Floats:
        """A basis of each knob's own effect, of unit prior variance.  (n, len(feature_owner))

        Inactive knobs have none.
        """
        smooth = codes[:, self._smooth] / np.where(self.counts[self._smooth] > 2, self._scales, 1.0)
        bumps = np.exp(-0.5 * ((np.maximum(smooth, 0.0)[:, :, None] - _CENTRES) / _WIDTH) ** 2) @ _WHITEN
        bumps[smooth < 0] = 0.0
        blocks = [
            bumps.reshape(len(codes), -1),
            codes[:, self.special_knob] == self.special_code,
            codes[:, self._choice_knob] == self._choice_code,
            *(self.columns[i].orders(codes[:, i]) for i in self._orders),
        ]
        found = np.hstack(blocks)
        return found * self.active(codes)[:, self.feature_owner[: found.shape[1]]] if self._conditional else found

    @cached_property
    def _scales(self) -> Floats:
        """What codes of `_smooth` are divided by to be fractions."""
        return np.array([1.0 if self.columns[i].is_number else self.counts[i] - 1.0 for i in self._smooth])


def _places(flags: object) -> Ints:
    return np.flatnonzero(np.array(list(flags), dtype=np.bool_))  # type: ignore[call-overload]


def _pairs(pairs: Sequence[tuple[int, int]]) -> tuple[Ints, Floats]:
    table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1].astype(np.float64)


def _whitening() -> Floats:
    """Makes Nyström features of a 1-D Gaussian kernel from its values at the centres."""
    gram = np.exp(-0.5 * ((_CENTRES[:, None] - _CENTRES) / _WIDTH) ** 2)
    values, vectors = np.linalg.eigh(gram)
    keep = values > 1e-4 * values.max()
    whitening: Floats = vectors[:, keep] / np.sqrt(values[keep])
    return whitening


_WHITEN: Final = _whitening()
