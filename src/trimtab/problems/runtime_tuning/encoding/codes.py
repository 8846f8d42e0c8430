# SPDX-License-Identifier: Apache-2.0
"""Configurations as arrays: codes (what is searched), coordinates (distances), features (additive effects).

A *code* is one float a knob: the index of a choice or a permutation, the
fraction u in [0, 1] of a number's range, or -1 - k for its k-th special value.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..space import Knob, KnobSpace, Value, Values

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Ints: TypeAlias = NDArray[np.int64]

_CENTRES: Final = np.linspace(0.0, 1.0, 7)  # of the smooth effect of a number
_WIDTH: Final = 0.45
_SPECIAL_SHARE: Final = 0.2  # as in Knob.at
_SAME: Final = 1e-9


@dataclass(frozen=True)
class Column:
    """How one knob is turned into numbers."""

    knob: Knob
    ordered: bool = field(init=False)  # a number, or an enum of rising numbers

    def __post_init__(self) -> None:
        object.__setattr__(self, "ordered", self.is_number or _rising(self.knob.choices))

    @property
    def is_number(self) -> bool:
        return self.knob.kind in ("int", "real")

    @cached_property
    def count(self) -> int:
        """How many values, for those that are listed; specials for a number."""
        if self.is_number:
            return len(self.knob.special)
        return len(self.knob.choices) or math.factorial(len(self.knob.values))

    @cached_property
    def shape(self) -> Knob:
        """The number without its specials."""
        knob = self.knob
        middle = knob.low if knob.kind == "int" else 0.5 * (knob.low + knob.high)
        default = int(middle) if knob.kind == "int" else middle
        return Knob(knob.name, knob.kind, default, knob.low, knob.high, knob.log)

    def code(self, value: Value) -> float:
        if not self.is_number:
            return math.floor(self.knob.unit_of(value) * self.count)
        assert isinstance(value, int | float)
        if value in self.knob.special:
            return -1.0 - self.knob.special.index(value)
        return self.shape.unit_of(value)

    def value(self, code: float) -> Value:
        if not self.is_number:
            return self.knob.at((code + 0.5) / self.count)
        if code < 0:
            return self.knob.special[round(-1.0 - code)]
        return self.shape.at(code)

    def spread(self, u: Floats) -> Floats:
        """Codes at points of the unit interval, with the shares of `Knob.at`."""
        if not self.is_number:
            whole: Floats = np.floor(np.minimum(u, 1.0 - _SAME) * self.count)
            return whole
        if not self.count:
            return self.rounded(u)
        special = u < _SPECIAL_SHARE
        index = np.floor(np.where(special, u, 0.0) / _SPECIAL_SHARE * self.count)
        return np.where(special, -1.0 - index, self.rounded((u - _SPECIAL_SHARE) / (1.0 - _SPECIAL_SHARE)))

    def rounded(self, u: Floats) -> Floats:
        """Fractions moved to the nearest value that the number can have."""
        u = np.clip(u, 0.0, 1.0)
        knob = self.knob
        if knob.kind == "real":
            return u
        if knob.log:
            whole = np.clip(np.round(knob.low * (knob.high / knob.low) ** u), knob.low, knob.high)
            fraction: Floats = np.log(whole / knob.low) / math.log(knob.high / knob.low)
            return fraction
        low, wide = knob.low - 0.5, knob.high - knob.low + 1.0
        even: Floats = (np.clip(np.round(low + u * wide), knob.low, knob.high) - low) / wide
        return even

    def matches(self, codes: Floats, values: Sequence[Value]) -> Bools:
        among = np.array([self.code(v) for v in values])
        found: Bools = (np.abs(codes[:, None] - among) < _SAME).any(axis=1)
        return found

    def coordinates(self, codes: Floats) -> Floats:
        """A block of a Euclidean space in which the knob's values are at most 1 apart.  (n, width)"""
        if self.knob.kind == "permutation":
            return self._orders(codes)
        if self.is_number:
            return self._with_specials(codes, np.where(codes < 0, 0.5, codes)[:, None])
        if self.count == 2:
            return codes[:, None].copy()
        apart: Floats = (codes[:, None] == np.arange(self.count)) / math.sqrt(2.0)
        if not self.ordered:
            return apart
        return np.hstack([math.sqrt(0.75) * codes[:, None] / (self.count - 1), 0.5 * apart])

    def features(self, codes: Floats) -> Floats:
        """A basis of the knob's own effect, of about unit prior variance.  (n, size)"""
        if self.knob.kind == "permutation":
            return self._orders(codes)
        if not self.ordered:
            which: Floats = (codes[:, None] == np.arange(self.count)).astype(np.float64)
            return which
        if self.is_number:
            smooth = np.where(codes[:, None] < 0, 0.0, _bumps(np.clip(codes, 0.0, 1.0)))
            return self._with_specials(codes, smooth)
        return _bumps(codes / (self.count - 1))

    def _with_specials(self, codes: Floats, block: Floats) -> Floats:
        return np.hstack([block, codes[:, None] == -1.0 - np.arange(self.count)]) if self.count else block

    def _orders(self, codes: Floats) -> Floats:
        """Which of each pair of items comes first; squared distances are Kendall's.  (n, pairs)"""
        pairs = list(itertools.combinations([str(v) for v in self.knob.values], 2))
        rows = []
        for code in codes:
            order = self.value(float(code))
            assert isinstance(order, tuple)
            rows.append([order.index(a) < order.index(b) for a, b in pairs])
        return np.array(rows, dtype=np.float64).reshape(-1, len(pairs)) / math.sqrt(len(pairs))


class Encoding:
    """The arrays of a space. All methods are vectorised over configurations."""

    def __init__(self, space: KnobSpace) -> None:
        self.space = space
        self.columns = tuple(Column(knob) for knob in space.knobs)
        self.size = len(self.columns)
        self._place = {knob.name: i for i, knob in enumerate(space.knobs)}
        self.default: Floats = self.encode([space.default])[0]
        probe = self.default[None, :]
        self.owner = np.repeat(np.arange(self.size), [b.shape[1] for b in self._blocks(probe)])
        self.feature_owner = np.repeat(np.arange(self.size), [c.features(probe[:, 0]).shape[1] for c in self.columns])

    def encode(self, configurations: Sequence[Values]) -> Floats:
        """Codes of canonical configurations.  (n, knobs)"""
        rows = [self.space.canonical(values) for values in configurations]
        return np.array([[c.code(row[c.knob.name]) for c in self.columns] for row in rows]).reshape(-1, self.size)

    def decode(self, codes: Floats) -> dict[str, Value]:
        """The canonical configuration of one row."""
        return self.space.canonical({c.knob.name: c.value(float(x)) for c, x in zip(self.columns, codes, strict=True)})

    def spread(self, u: Floats) -> Floats:
        """Canonical codes at points of the unit cube.  (n, knobs)"""
        return self.canonical(np.column_stack([c.spread(u[:, i]) for i, c in enumerate(self.columns)]))

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
        for _ in self._conditional:  # as many rounds as a chain of conditions can be long
            for i in self._conditional:
                active[:, i] = self._all_match(codes, self.columns[i].knob.when, active)
        return active

    def allowed(self, codes: Floats) -> Bools:
        """Rows that no forbidden clause refuses.  (n,)"""
        bad = np.zeros(len(codes), dtype=np.bool_)
        for clause in self.space.forbidden:
            bad |= self._all_match(codes, clause, None)
        return ~bad

    def _all_match(self, codes: Floats, clause: Mapping[str, tuple[Value, ...]], active: Bools | None) -> Bools:
        met = np.ones(len(codes), dtype=np.bool_)
        for name, values in clause.items():
            i = self._place[name]
            met &= self.columns[i].matches(codes[:, i], values)
            if active is not None:
                met &= active[:, i]
        return met

    def coordinates(self, codes: Floats) -> Floats:
        """Points whose squared distances, knob by knob (`owner`), the interaction kernel weighs.  (n, sum of widths)"""
        return np.hstack(self._blocks(codes))

    def _blocks(self, codes: Floats) -> list[Floats]:
        blocks = [c.coordinates(codes[:, i]) for i, c in enumerate(self.columns)]
        if self._conditional:  # "does not matter" is a place of its own, beside the middle (Hutter and Osborne 2013)
            active = self.active(codes)
            for i in self._conditional:
                off = ~active[:, i]
                blocks[i] = np.hstack([np.where(off[:, None], 0.0, blocks[i]), 0.5 * off[:, None]])
        return blocks

    def features(self, codes: Floats) -> Floats:
        """The bases of all knobs side by side; inactive knobs have no effect.  (n, sum of sizes)"""
        blocks = [c.features(codes[:, i]) for i, c in enumerate(self.columns)]
        if self._conditional:
            active = self.active(codes)
            for i in self._conditional:
                blocks[i] = blocks[i] * active[:, i, None]
        return np.hstack(blocks)


def _rising(values: tuple[Value, ...]) -> bool:
    """Three or more numbers in rising order are steps of one scale."""
    if len(values) < 3 or any(isinstance(v, bool | str | tuple) for v in values):
        return False
    numbers = [float(v) for v in values if isinstance(v, int | float)]
    return numbers == sorted(numbers)


def _bumps(u: Floats) -> Floats:
    """Nyström features of a 1-D Gaussian kernel.  (n, centres)"""
    features: Floats = np.exp(-0.5 * ((u[:, None] - _CENTRES) / _WIDTH) ** 2) @ _WHITEN
    return features


def _whitening() -> Floats:
    gram = np.exp(-0.5 * ((_CENTRES[:, None] - _CENTRES) / _WIDTH) ** 2)
    values, vectors = np.linalg.eigh(gram)
    keep = values > 1e-4 * values.max()
    whitening: Floats = vectors[:, keep] / np.sqrt(values[keep])
    return whitening


_WHITEN: Final = _whitening()
