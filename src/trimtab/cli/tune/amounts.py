# SPDX-License-Identifier: Apache-2.0
"""What a person writes on a command line -- ``10m``, ``1GiB``, ``rss<=1GiB``, ``NAME=VALUE`` -- read."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import click

_TIMES: Final = {"": 1.0, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_SIZES: Final = {
    "": 1.0, "b": 1.0,
    **{f"{p}b": 10.0 ** (3 * k) for k, p in enumerate("kmgt", 1)},
    **{f"{p}ib": 2.0 ** (10 * k) for k, p in enumerate("kmgt", 1)},
}  # fmt: skip
_AMOUNT: Final = re.compile(r"\s*([\d.]+(?:e[+-]?\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)
_CONSTRAINT: Final = re.compile(r"\s*([A-Za-z_][\w.-]*)\s*<=\s*(.+)")


def seconds(text: str) -> float:
    """``90``, ``90s``, ``1.5m``, ``2h``."""
    return _read(text, _TIMES, "a time such as 90s, 10m or 2h")


def amount(text: str) -> float:
    """A size (``512MiB``), a time (``2.5s``) or a plain number, in SI units."""
    return _read(text, {**_TIMES, **_SIZES}, "an amount such as 1GiB, 2.5s or 300")


def constraint(text: str) -> tuple[str, float]:
    match = _CONSTRAINT.fullmatch(text)
    if match is None:
        raise click.BadParameter(f"{text!r} is no constraint such as rss<=1GiB")
    return match[1], amount(match[2])


def named(text: str) -> tuple[str, str]:
    """``NAME=VALUE``."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise click.BadParameter(f"{text!r} is not NAME=VALUE")
    return name, value


def option(read: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """The callback of an option whose value, or values, are read so."""

    def callback(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
        if value is None:
            return None
        return tuple(map(read, value)) if isinstance(value, tuple) else read(value)

    return callback


def _read(text: str, units: dict[str, float], wanted: str) -> float:
    match = _AMOUNT.fullmatch(text)
    if match is None or match[2].lower() not in units:
        raise click.BadParameter(f"{text!r} is not {wanted}")
    try:
        value = float(match[1]) * units[match[2].lower()]
    except ValueError:
        raise click.BadParameter(f"{text!r} is not {wanted}") from None
    if not value > 0:
        raise click.BadParameter(f"{text!r} is not above 0")
    return value
