# SPDX-License-Identifier: Apache-2.0
"""`Column`: one knob and its codes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..space import Knob, Value

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Ints: TypeAlias = NDArray[np.int64]

SAME: Final = 1e-9  # of codes
DIGITS: Final = {"int": 12, "real": 9}  # of a fraction: a value and its code lead to each other, to the last bit

#: number; two: a bool or an enum of two; step: one of an enum of three or more rising
#: numbers; choice: of any other enum; order: a permutation
Sort: TypeAlias = Literal["number", "two", "step", "choice", "order"]


@dataclass(frozen=True)
class Column:
    """How one knob is turned into numbers."""

    knob: Knob
    kind: Sort = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", _sort(self.knob))

    @property
    def is_number(self) -> bool:
        return self.kind == "number"

    @property
    def ordered(self) -> bool:
        return self.kind in ("number", "step")

    @cached_property
    def count(self) -> int:
        """How many values, for those that are listed; specials for a number."""
        if self.is_number:
            return len(self.knob.special)
        return len(self.knob.choices) or math.factorial(len(self.knob.values))

    @property
    def pairs(self) -> int:
        """Of a permutation's items."""
        return math.comb(len(self.knob.values), 2)

    @cached_property
    def _shape(self) -> Knob:
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
        return round(self._shape.unit_of(value), DIGITS[self.knob.kind])

    def value(self, code: float) -> Value:
        if not self.is_number:
            return self.knob.at((code + 0.5) / self.count)
        if code < 0:
            return self.knob.special[round(-1.0 - code)]
        value = self._shape.at(code)
        assert isinstance(value, int | float)
        return value if self.knob.kind == "int" else min(max(value, self.knob.low), self.knob.high)  # rounding errors

    def matches(self, codes: Floats, values: Sequence[Value]) -> Bools:
        """Which codes are those of some values.  (n,)"""
        among = np.array([self.code(v) for v in values])
        return np.asarray((np.abs(codes[:, None] - among) < SAME).any(axis=1), np.bool_)

    def orders(self, codes: Floats) -> Floats:
        """Of a permutation: which of each pair of items comes first, over the root of their number.  (n, pairs)"""
        couples = list(itertools.combinations([str(v) for v in self.knob.values], 2))
        rows = []
        for code in codes:
            order = self.value(float(code))
            assert isinstance(order, tuple)
            rows.append([order.index(a) < order.index(b) for a, b in couples])
        return np.array(rows, dtype=np.float64).reshape(-1, len(couples)) / math.sqrt(len(couples))


def _sort(knob: Knob) -> Sort:
    if knob.kind in ("int", "real"):
        return "number"
    if knob.kind == "permutation":
        return "order"
    if len(knob.choices) == 2:
        return "two"
    return "step" if _rising(knob.choices) else "choice"


def _rising(values: tuple[Value, ...]) -> bool:
    """Numbers in rising order are steps of one scale."""
    if any(isinstance(v, bool | str | tuple) for v in values):
        return False
    numbers = [float(v) for v in values if isinstance(v, int | float)]
    return numbers == sorted(numbers)
