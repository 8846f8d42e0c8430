# SPDX-License-Identifier: Apache-2.0
"""Options and arguments that several verbs share, and tab completion for them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from trimtab.core import registry

DEBUG = "TRIMTAB_DEBUG"


class Interrupted(Exception):
    """Ctrl-C; the message says what is kept."""


def _set_debug(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        os.environ[DEBUG] = "1"  # worker processes inherit it


def complete_problem(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in registry.names() if name.startswith(incomplete)]


def complete_from(field: str) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Names from a mapping of the problem that is already on the line; after a comma, the next name."""

    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        on_the_line = [ctx.params.get("name"), *ctx.args]  # an option without its value stops click's parser
        name = next((word for word in on_the_line if word in registry.names()), None)
        if name is None:
            return []
        before, comma, last = incomplete.rpartition(",")
        known = getattr(registry.load(name), field)
        return [CompletionItem(f"{before}{comma}{item}") for item in known if item.startswith(last)]

    return complete


def _split(ctx: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    if not names:
        raise click.BadParameter("no name given")
    return names


debug_option = click.Option(
    ["--debug"],
    is_flag=True,
    expose_value=False,
    callback=_set_debug,
    help=f"Show the traceback of an error (or set {DEBUG}=1).",
)
json_option = click.Option(["--json", "as_json"], is_flag=True, help="Print JSON on standard output, and nothing else.")
problem_argument = click.argument("name", metavar="PROBLEM", shell_complete=complete_problem)
backend_option = click.option(
    "--backend", default="", shell_complete=complete_from("backends"), help="Default: the problem's first."
)
suite_option = click.option(
    "--suite",
    default="",
    shell_complete=complete_from("suites"),
    help="A named set of instances, not the shipped one.",
)
learner_option = click.option(
    "--solver", "learner", shell_complete=complete_from("learners"), help="Which one. Default: the only one there is."
)


def names_option(name: str, description: str, complete: str = "") -> Callable[[Any], Any]:
    """An option that takes names with commas between them."""
    shell_complete = complete_from(complete) if complete else None
    return click.option(name, callback=_split, shell_complete=shell_complete, metavar="A,B", help=description)


def positive(unit: str) -> click.FloatRange:
    """The type of an amount in some unit."""
    amount = click.FloatRange(min=0, min_open=True)
    amount.name = unit
    return amount


def whole(minimum: int) -> click.IntRange:
    """The type of a number of things."""
    count = click.IntRange(min=minimum)
    count.name = "n"
    return count


seed_option = click.option("--seed", type=whole(0), default=0, show_default=True)


def verb(
    name: str, group: click.Group | None = None, cls: type[click.Command] = click.Command
) -> Callable[[Callable[..., Any]], click.Command]:
    """A verb, or a verb of a group: `--json` and `--debug` come with it."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        command = click.command(name, cls=cls)(function)
        command.params += [json_option, debug_option]
        if group is not None:
            group.add_command(command)
        return command

    return decorate
