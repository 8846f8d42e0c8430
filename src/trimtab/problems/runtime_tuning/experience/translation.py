# SPDX-License-Identifier: Apache-2.0
"""From the codes of one space to those of another that has the same knobs, or most of them."""

from __future__ import annotations

import numpy as np

from ..encoding import Column, Encoding, Floats
from ..space import Value


class Translation:
    """Each knob of `there` has the value that the knob of that name has here, or the nearest that it can have.

    Knobs that are not here, or are of another kind, are at their defaults.
    """

    def __init__(self, here: Encoding, there: Encoding) -> None:
        self._there = there
        names = {c.knob.name: i for i, c in enumerate(here.columns)}
        self._pairs = [
            (i, j)
            for j, c in enumerate(there.columns)
            if (i := names.get(c.knob.name)) is not None and here.columns[i].is_number == c.is_number
        ]
        self._columns = [(here.columns[i], there.columns[j]) for i, j in self._pairs]
        self._tables = [None if a.is_number or a.knob == b.knob else _table(a, b) for a, b in self._columns]

    @property
    def share(self) -> float:
        """Of the knobs there, those that are here."""
        return len(self._pairs) / self._there.size

    def __call__(self, codes: Floats) -> Floats:
        found = np.repeat(self._there.default[None, :], len(codes), axis=0)
        for (i, j), (a, b), table in zip(self._pairs, self._columns, self._tables, strict=True):
            if a.knob == b.knob:
                found[:, j] = codes[:, i]
            elif table is not None:
                found[:, j] = table[codes[:, i].astype(np.int64)]
            else:
                found[:, j] = _moved(codes[:, i], a, b, float(self._there.default[j]))
        return self._there.canonical(found)


def _table(a: Column, b: Column) -> Floats:
    """Of listed values: the code there of each code here."""
    return np.array([_listed(a.value(float(code)), b) for code in range(a.count)])


def _listed(value: Value, b: Column) -> float:
    if b.knob.holds(value):
        return b.code(value)
    if not b.ordered or isinstance(value, bool | str | tuple):
        return b.code(b.knob.default)
    there = np.array([b.value(float(code)) for code in range(b.count)], dtype=np.float64)
    return float(np.abs(there - value).argmin())


def _moved(codes: Floats, a: Column, b: Column, home: float) -> Floats:
    """Of numbers: the nearest in the other range; a special value that is none there is the default."""
    low, high = _ends(a)
    value = low * (high / low) ** codes if a.knob.log else low + codes * (high - low)
    low, high = _ends(b)
    fraction = np.log(np.maximum(value, low) / low) / np.log(high / low) if b.knob.log else (value - low) / (high - low)
    moved = np.clip(fraction, 0.0, 1.0)
    for k, special in enumerate(a.knob.special):
        moved[codes == -1.0 - k] = b.code(special) if b.knob.holds(special) else home
    return moved


def _ends(column: Column) -> tuple[float, float]:
    knob = column.knob
    wider = 0.5 if knob.kind == "int" and not knob.log else 0.0
    return knob.low - wider, knob.high + wider
