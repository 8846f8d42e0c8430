# SPDX-License-Identifier: Apache-2.0
"""Knobs from a document; whatever is wrong is said with the line on which it stands."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from trimtab.core.errors import TrimtabError, UsageError

from ..space import Kind, Knob, KnobSpace, Value
from .toml import Document, Where

_FIELDS: Final = {
    "default": object, "range": list, "log": bool, "values": list, "order": bool, "special": list, "unit": str,
    "when": dict, "restart": bool, "about": str,
}  # fmt: skip
_EXAMPLE: Final = "level = { default = 3, range = [1, 9] }"


def read(path: Path) -> KnobSpace:
    """The knobs of a file. Raises `UsageError` with its name and the line of what is wrong."""
    return space_of(Document(path))


def space_of(document: Document) -> KnobSpace:
    content = document.content
    for name in content:
        if name not in ("knobs", "forbidden", "command"):
            raise document.wrong((name,), f"{name!r} is none of knobs, forbidden, command")
    named = content.get("knobs")
    if not isinstance(named, dict) or not named:
        raise document.wrong(("knobs",), f"there are no knobs. Under [knobs], such as: {_EXAMPLE}")
    knobs = {name: _knob(document, name, fields) for name, fields in named.items()}
    for name, knob in knobs.items():
        for other in knob.when:
            where: Where = ("knobs", name, "when", other)
            _check_condition(document, where, knobs, other, knob.when[other])
    clauses = content.get("forbidden", [])
    if not isinstance(clauses, list) or not all(isinstance(clause, dict) for clause in clauses):
        raise document.wrong(("forbidden",), "forbidden combinations are written as [[forbidden]] tables")
    forbidden = tuple(_clause(document, k, clause, knobs) for k, clause in enumerate(clauses))
    try:
        return KnobSpace(tuple(knobs.values()), forbidden)
    except TrimtabError as error:
        raise document.wrong(("forbidden",), str(error)) from None


def _knob(document: Document, name: str, fields: Any) -> Knob:
    where: Where = ("knobs", name)
    if not isinstance(fields, dict):
        raise document.wrong(where, f"knob {name!r} is not a table such as: {_EXAMPLE}")
    for field, value in fields.items():
        kind = _FIELDS.get(field)
        if kind is None:
            raise document.wrong((*where, field), f"knob {name!r}: no field {field!r}. Known: {', '.join(_FIELDS)}")
        if not isinstance(value, kind):
            raise document.wrong((*where, field), f"knob {name!r}: {field} is {value!r}, not {_NAMES[kind]}")
    if "default" not in fields:
        raise document.wrong(where, f"knob {name!r} has no default")
    try:
        return _made(name, fields)
    except UsageError as error:
        raise document.wrong(where, str(error)) from None


_NAMES: Final[Mapping[type, str]] = {
    list: "a list",
    bool: "true or false",
    str: "text",
    dict: "a table",
    object: "that",
}


def _made(name: str, fields: Mapping[str, Any]) -> Knob:
    kind = _kind(name, fields)
    low, high = _range(name, fields) if kind in ("int", "real") else (-math.inf, math.inf)
    values: tuple[Value, ...] = tuple(fields["default"] if kind == "permutation" else fields.get("values", ()))
    default: Any = values if kind == "permutation" else fields["default"]
    if kind == "real" and isinstance(default, int) and not isinstance(default, bool):
        default = float(default)
    return Knob(
        name,
        kind,
        default,
        low,
        high,
        log=fields.get("log", False),
        values=values,
        special=tuple(fields.get("special", ())),
        unit=fields.get("unit", ""),
        when={other: _several(value) for other, value in fields.get("when", {}).items()},
        restart=fields.get("restart", False),
        about=fields.get("about", ""),
    )


def _kind(name: str, fields: Mapping[str, Any]) -> Kind:
    default = fields["default"]
    if fields.get("order"):
        if not isinstance(default, list) or not all(isinstance(item, str) for item in default):
            raise UsageError(f"knob {name!r}: the default of an order is a list of texts")
        return "permutation"
    if "values" in fields:
        return "enum"
    if "range" in fields:
        numbers = [default, *fields["range"]]
        return "int" if all(isinstance(number, int) for number in numbers) else "real"
    if isinstance(default, bool):
        return "bool"
    raise UsageError(f"knob {name!r} needs a range = [low, high] or values = [...] beside its default")


def _range(name: str, fields: Mapping[str, Any]) -> tuple[float, float]:
    ends = fields["range"]
    numbers = [end for end in [*ends, *fields.get("special", ())] if isinstance(end, int | float)]
    if len(ends) != 2 or len(numbers) != 2 + len(fields.get("special", ())) or isinstance(fields["default"], bool):
        raise UsageError(f"knob {name!r}: a range is two numbers, such as [1, 9]; its special values are numbers, too")
    return ends[0], ends[1]


def _several(value: Any) -> tuple[Value, ...]:
    return tuple(value) if isinstance(value, list) else (value,)


def _clause(
    document: Document, k: int, clause: Mapping[str, Any], knobs: Mapping[str, Knob]
) -> Mapping[str, tuple[Value, ...]]:
    if not clause:
        raise document.wrong(("forbidden", k), "an empty [[forbidden]] would forbid everything")
    for name, value in clause.items():
        _check_condition(document, ("forbidden", k, name), knobs, name, _several(value))
    return {name: _several(value) for name, value in clause.items()}


def _check_condition(
    document: Document, where: Where, knobs: Mapping[str, Knob], name: str, values: tuple[Value, ...]
) -> None:
    if name not in knobs:
        raise document.wrong(where, f"there is no knob {name!r}. Known: {', '.join(knobs)}")
    for value in values:
        if not knobs[name].holds(value):
            raise document.wrong(where, f"knob {name!r} can't be {value!r}")
