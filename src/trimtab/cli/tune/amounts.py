# SPDX-License-Identifier: Apache-2.0
"""Options whose text is read: ``--budget 10m``, ``--constraint "rss<=1GiB"``, ``--env NAME=VALUE``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from trimtab.core.errors import UsageError


def seconds(text: str) -> float:
    from trimtab.problems.runtime_tuning import units

    return units.seconds(text)


def constraint(text: str) -> tuple[str, float]:
    from trimtab.problems.runtime_tuning import units

    read = units.constraint(text)
    return read.metric, read.limit


def named(text: str) -> tuple[str, str]:
    """``NAME=VALUE``."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise UsageError(f"{text!r} is not NAME=VALUE")
    return name, value


def option(read: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """The callback of an option whose value, or values, are read so."""

    def callback(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
        try:
            if isinstance(value, tuple):
                return tuple(map(read, value))
            return None if value is None else read(value)
        except UsageError as error:
            raise UsageError(f"{parameter.opts[0]}: {error}") from None

    return callback
