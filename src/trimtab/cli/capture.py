# SPDX-License-Identifier: Apache-2.0
"""``trimtab capture``"""

from __future__ import annotations

import click

from trimtab.core import registry
from trimtab.core.errors import UnknownName, UsageError

from .options import debug_option


class Captures(click.Group):
    """A subcommand per problem: the command in its `capture` field."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in registry.names() if registry.load(name).capture is not None]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in registry.names():
            return None
        captured = registry.load(cmd_name).capture
        if captured is None:
            raise UsageError(f"the problem {cmd_name!r} captures no workloads")
        command = captured if isinstance(captured, click.Command) else captured()
        if not isinstance(command, click.Command):
            raise TypeError(f"Problem.capture of {cmd_name!r} is not a click command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in registry.names() and not ctx.resilient_parsing:
            raise UnknownName("problem", args[0], registry.names())
        return super().resolve_command(ctx, args)


@click.command("capture", cls=Captures, params=[debug_option], subcommand_metavar="PROBLEM [ARGS]...")
def command() -> None:
    """Make a workload from your own program or system.

    What it takes depends on the problem: `trimtab capture PROBLEM --help`.
    """
