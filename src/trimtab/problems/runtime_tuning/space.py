# SPDX-License-Identifier: Apache-2.0
"""`Knob` and `KnobSpace`: what may be set, to which values, and which combinations are known to be refused."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np

from trimtab.core.errors import InvalidInstance, UnknownName, UsageError

Kind: TypeAlias = Literal["int", "real", "bool", "enum", "permutation"]
Value: TypeAlias = bool | int | float | str | tuple[str, ...]  # a permutation is a tuple of its items
Values: TypeAlias = Mapping[str, Value]

_SPECIAL = 0.2  # of the unit interval, for all special values together (LlamaTune, VLDB 2022, section 4.1)


@dataclass(frozen=True)
class Knob:
    """One setting of a program.

    A number has a range, and may have `special` values outside of its order ("0: automatic").
    A knob with `when` matters only while other knobs have one of the given values.
    """

    name: str
    kind: Kind
    default: Value
    low: float = -math.inf  # int and real
    high: float = math.inf
    log: bool = False  # steps are ratios
    values: tuple[Value, ...] = ()  # of an enum; the items of a permutation
    special: tuple[int | float, ...] = ()
    unit: str = ""
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    restart: bool = False  # takes effect only when the program starts
    about: str = ""

    def __post_init__(self) -> None:
        if self.kind in ("int", "real"):
            self._check_range()
        elif self.kind != "bool" and len(set(self.values)) < max(2, len(self.values)):
            raise InvalidInstance(f"knob {self.name!r}: {self.kind} needs two or more values, each once")
        if not self.holds(self.default):
            raise InvalidInstance(f"knob {self.name!r}: its default {self.default!r} is not one of its values")

    def _check_range(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise InvalidInstance(f"knob {self.name!r}: needs low < high, got {self.low:g} and {self.high:g}")
        if self.log and self.low <= 0:
            raise InvalidInstance(f"knob {self.name!r}: a logarithmic range begins above 0, got {self.low:g}")
        if self.kind == "int" and not (float(self.low).is_integer() and float(self.high).is_integer()):
            raise InvalidInstance(f"knob {self.name!r}: low and high of an int are whole numbers")

    @cached_property
    def choices(self) -> tuple[Value, ...]:
        """The values of a bool or enum, in order; empty for the other kinds."""
        return (False, True) if self.kind == "bool" else self.values if self.kind == "enum" else ()

    def holds(self, value: Value) -> bool:
        """Is this one of the knob's values?"""
        if self.kind == "bool":
            return isinstance(value, bool)
        if self.kind == "enum":
            return any(value == v and type(value) is type(v) for v in self.values)
        if self.kind == "permutation":
            return isinstance(value, tuple) and len(value) == len(self.values) and set(value) == set(self.values)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if value in self.special:
            return True
        return self.low <= value <= self.high and (self.kind == "real" or float(value).is_integer())

    def at(self, u: float) -> Value:
        """The value at u in [0, 1): equal shares for choices, a share of 0.2 for all special values."""
        u = min(max(u, 0.0), math.nextafter(1.0, 0.0))
        if self.kind in ("bool", "enum"):
            return self.choices[int(u * len(self.choices))]
        if self.kind == "permutation":
            return _nth_permutation([str(v) for v in self.values], int(u * math.factorial(len(self.values))))
        if self.special:
            if u < _SPECIAL:
                return self.special[int(u / _SPECIAL * len(self.special))]
            u = (u - _SPECIAL) / (1.0 - _SPECIAL)
        return self._number(u)

    def _number(self, u: float) -> int | float:
        whole = self.kind == "int"
        low, high = (self.low - 0.5, self.high + 0.5) if whole and not self.log else (self.low, self.high)
        x = low * (high / low) ** u if self.log else low + u * (high - low)
        return int(min(max(round(x), self.low), self.high)) if whole else x

    def unit_of(self, value: Value) -> float:
        """A u that `at` turns into this value again."""
        if self.kind in ("bool", "enum"):
            return (self.choices.index(value) + 0.5) / len(self.choices)
        if self.kind == "permutation":
            assert isinstance(value, tuple)
            return (_permutation_index([str(v) for v in self.values], value) + 0.5) / math.factorial(len(self.values))
        assert isinstance(value, int | float)
        if value in self.special:
            return _SPECIAL * (self.special.index(value) + 0.5) / len(self.special)
        u = self._fraction(float(value))
        return _SPECIAL + (1.0 - _SPECIAL) * u if self.special else u

    def _fraction(self, x: float) -> float:
        if self.log:
            return math.log(x / self.low) / math.log(self.high / self.low)
        low, high = (self.low - 0.5, self.high + 0.5) if self.kind == "int" else (self.low, self.high)
        return (x - low) / (high - low)

    def show(self, value: Value) -> str:
        """As a program reads it: ``on``/``off`` and such are the business of a pack."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, tuple):
            return ",".join(value)
        return f"{value:.6g}" if isinstance(value, float) and not value.is_integer() else f"{value}"


@dataclass(frozen=True)
class KnobSpace:
    """Knobs, and combinations that are known to be refused.

    A clause of `forbidden` gives some knobs values; a configuration that has one of
    the values of each knob of a clause is not valid.
    """

    knobs: tuple[Knob, ...]
    forbidden: tuple[Mapping[str, tuple[Value, ...]], ...] = ()

    def __post_init__(self) -> None:
        if not self.knobs:
            raise InvalidInstance("a knob space needs one knob or more")
        if len(self.by_name) < len(self.knobs):
            names = [k.name for k in self.knobs]
            raise InvalidInstance(f"knob {next(n for n in names if names.count(n) > 1)!r} stands there twice")
        for clause in [*self.forbidden, *(k.when for k in self.knobs)]:
            for name, values in clause.items():
                self._check_clause(name, values)
        if not self.allows(self.default):
            raise InvalidInstance("the default configuration is forbidden")

    def _check_clause(self, name: str, values: tuple[Value, ...]) -> None:
        if name not in self.by_name:
            raise UnknownName("knob", name, self.by_name)
        for value in values:
            if not self.by_name[name].holds(value):
                raise InvalidInstance(f"knob {name!r} can't be {value!r}, which a condition names")

    @cached_property
    def by_name(self) -> Mapping[str, Knob]:
        return {knob.name: knob for knob in self.knobs}

    @cached_property
    def default(self) -> Values:
        return {knob.name: knob.default for knob in self.knobs}

    def allows(self, values: Values) -> bool:
        """Does no known clause refuse this?"""
        return not any(all(values[name] in among for name, among in clause.items()) for clause in self.forbidden)

    def active(self, values: Values) -> frozenset[str]:
        """The names of the knobs that matter; one that hangs on an inactive one is inactive, too."""
        found: set[str] = set()
        for _ in self.knobs:  # conditions may stand in any order
            more = {k.name for k in self.knobs if all(n in found and values[n] in v for n, v in k.when.items())}
            if more == found:
                break
            found = more
        return frozenset(found)

    def canonical(self, values: Values) -> dict[str, Value]:
        """The same configuration with every inactive knob at its default: equal programs, equal values."""
        active = self.active(values)
        return {k.name: values[k.name] if k.name in active else k.default for k in self.knobs}

    def changed(self, values: Values) -> dict[str, Value]:
        """What differs from the default, among active knobs."""
        return {n: v for n, v in self.canonical(values).items() if v != self.by_name[n].default}

    def check(self, values: Values) -> None:
        """Raise `UsageError` with what is wrong, where."""
        for name in values:
            if name not in self.by_name:
                raise UnknownName("knob", name, self.by_name)
        for knob in self.knobs:
            if knob.name not in values:
                raise UsageError(f"knob {knob.name!r} has no value")
            if not knob.holds(values[knob.name]):
                raise UsageError(f"knob {knob.name!r} can't be {values[knob.name]!r}: {describe(knob)}")
        if not self.allows(values):
            raise UsageError("this combination is forbidden")

    def at(self, u: np.ndarray) -> dict[str, Value]:
        """The canonical configuration at a point of the unit cube, one coordinate a knob."""
        return self.canonical({knob.name: knob.at(float(x)) for knob, x in zip(self.knobs, u, strict=True)})

    def unit_of(self, values: Values) -> np.ndarray:
        return np.array([knob.unit_of(values[knob.name]) for knob in self.knobs])

    def draw(self, rng: np.random.Generator) -> dict[str, Value]:
        """A random configuration that no clause refuses."""
        for _ in range(10_000):
            values = self.at(rng.random(len(self.knobs)))
            if self.allows(values):
                return values
        raise InvalidInstance("the forbidden clauses leave hardly any configuration")


def describe(knob: Knob) -> str:
    """The knob's values in a few words."""
    if knob.kind in ("bool", "enum"):
        return "one of " + ", ".join(knob.show(v) for v in knob.choices)
    if knob.kind == "permutation":
        return "an order of " + ", ".join(map(str, knob.values))
    special = "".join(f", or {value:g}" for value in knob.special)
    whole = "a whole number" if knob.kind == "int" else "a number"
    return f"{whole} from {knob.low:g} to {knob.high:g}{' ' + knob.unit if knob.unit else ''}{special}"


def _nth_permutation(items: list[str], n: int) -> tuple[str, ...]:
    order = []
    for left in range(len(items), 0, -1):
        i, n = divmod(n, math.factorial(left - 1))
        order.append(items.pop(i))
    return tuple(order)


def _permutation_index(items: list[str], order: tuple[str, ...]) -> int:
    index = 0
    for left, item in zip(range(len(items), 0, -1), order, strict=True):
        i = items.index(item)
        index += i * math.factorial(left - 1)
        items.pop(i)
    return index
