# SPDX-License-Identifier: Apache-2.0
"""Amounts as people write them -- ``10m``, ``1GiB``, ``rss<=1GiB`` -- in SI units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from trimtab.core.errors import UsageError

from .problem import Constraint

_TIMES: Final = {"": 1.0, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_SIZES: Final = {
    "b": 1.0,
    **{f"{p}b": 10.0 ** (3 * k) for k, p in enumerate("kmgt", 1)},
    **{f"{p}ib": 2.0 ** (10 * k) for k, p in enumerate("kmgt", 1)},
}
_AMOUNT: Final = re.compile(r"\s*([\d.]+(?:e[+-]?\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)
_CONSTRAINT: Final = re.compile(r"\s*([A-Za-z_][\w.-]*)\s*<=\s*(.+)")


def seconds(text: str) -> float:
    """``90``, ``90s``, ``1.5m``, ``2h``. Raises `UsageError`."""
    return _read(text, _TIMES, "a time such as 90s, 10m or 2h")


def amount(text: str) -> float:
    """A size (``512MiB``), a time (``2.5s``) or a plain number. Raises `UsageError`."""
    return _read(text, {**_TIMES, **_SIZES}, "an amount such as 1GiB, 2.5s or 300")


def constraint(text: str) -> Constraint:
    """``rss<=1GiB``. Raises `UsageError`."""
    match = _CONSTRAINT.fullmatch(text)
    if match is None:
        raise UsageError(f"{text!r} is no constraint such as rss<=1GiB")
    return Constraint(match[1], amount(match[2]))


def _read(text: str, units: Mapping[str, float], wanted: str) -> float:
    match = _AMOUNT.fullmatch(text)
    try:
        value = float(match[1]) * units[match[2].lower()] if match else 0.0
    except (ValueError, KeyError):
        value = 0.0
    if not value > 0:
        raise UsageError(f"{text!r} is not {wanted}")
    return value
