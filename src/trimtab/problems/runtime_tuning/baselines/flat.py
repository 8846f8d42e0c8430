# SPDX-License-Identifier: Apache-2.0
"""A knob space in the few kinds of parameters that other people's optimisers know.

Steps of a scale (an enum of rising numbers) are a whole number. A special value
becomes a choice of its own beside the number: "automatic, or this number".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from trimtab.core.errors import UsageError

from ..encoding import Column, Encoding
from ..space import KnobSpace, Value, Values

Setting: TypeAlias = int | float
_MOST_CHOICES: Final = 720


@dataclass(frozen=True)
class Parameter:
    """choice: 0 .. high. whole: low .. high. real: low .. high."""

    name: str
    kind: Literal["choice", "whole", "real"]
    low: float
    high: float
    log: bool
    default: Setting


class Flat:
    """The parameters of a space, and configurations back and forth."""

    def __init__(self, space: KnobSpace) -> None:
        self.space = space
        self.encoding = Encoding(space)
        self.parameters = tuple(p for column in self.encoding.columns for p in _parameters(column))

    def settings(self, values: Values) -> dict[str, Setting]:
        """The parameters of a configuration."""
        found: dict[str, Setting] = {}
        for column in self.encoding.columns:
            name, value = column.knob.name, values[column.knob.name]
            if not column.is_number:
                found[name] = int(column.code(value))
                continue
            assert isinstance(value, int | float)
            special = value in column.knob.special
            if column.knob.special:
                found[f"{name} special"] = 1 + column.knob.special.index(value) if special else 0
            found[name] = _middle(column) if special else value
        return found

    def values(self, settings: Mapping[str, Setting]) -> dict[str, Value]:
        """The canonical configuration of parameters."""
        found: dict[str, Value] = {}
        for column in self.encoding.columns:
            knob = column.knob
            x = settings[knob.name]
            special = int(settings.get(f"{knob.name} special", 0))
            if not column.is_number:
                found[knob.name] = column.value(int(x))
            elif special:
                found[knob.name] = knob.special[special - 1]
            else:
                low, high = knob.low, knob.high
                found[knob.name] = round(x) if knob.kind == "int" else min(max(float(x), low), high)
        return self.space.canonical(found)


def _parameters(column: Column) -> list[Parameter]:
    knob = column.knob
    if not column.is_number:
        if column.count > _MOST_CHOICES:
            raise UsageError(f"knob {knob.name!r} has {column.count} orders: too many for this optimiser")
        kind: Literal["choice", "whole"] = "whole" if column.ordered else "choice"
        return [Parameter(knob.name, kind, 0, column.count - 1, False, int(column.code(knob.default)))]
    special = knob.default in knob.special
    default = _middle(column) if special else knob.default
    assert isinstance(default, int | float)
    kinds: Literal["whole", "real"] = "whole" if knob.kind == "int" else "real"
    number = Parameter(knob.name, kinds, knob.low, knob.high, knob.log, default)
    if not knob.special:
        return [number]
    chosen = 1 + knob.special.index(knob.default) if special else 0
    return [Parameter(f"{knob.name} special", "choice", 0, len(knob.special), False, chosen), number]


def _middle(column: Column) -> Setting:
    """Where a number stands while a special value is chosen."""
    knob = column.knob
    middle = math.sqrt(knob.low * knob.high) if knob.log else 0.5 * (knob.low + knob.high)
    return round(middle) if knob.kind == "int" else middle
