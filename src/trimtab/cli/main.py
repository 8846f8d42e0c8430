# SPDX-License-Identifier: Apache-2.0
"""``trimtab``: the group of verbs, and what becomes of an error.

Exit codes: 0 fine, 1 an internal or data error, 2 the user's mistake, 3 something
optional is missing, 130 interrupted, 141 the reader of the output went away.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import click

from trimtab.core.errors import TrimtabError, UnknownName

from .options import DEBUG, Interrupted, debug_option

VERBS = {
    "list": "Problems, and what is ready here.",
    "show": "The card of one problem.",
    "run": "Compare solvers on a problem's instances.",
    "train": "Train a solver and save it.",
    "solve": "Decide for your own input, in your field's own formats.",
    "tune": "Tune any command, and say whether the gain is real.",
    "capture": "Make a workload from your own program or system.",
    "data": "List, fetch, verify, import and export data sets.",
    "report": "One HTML page from finished runs.",
    "doctor": "What is installed, and the command that brings the rest.",
    "completion": "Print the script for tab completion.",
}


class _ReaderGone(Exception):
    """Nobody reads standard output any more (``trimtab list | head -1``)."""


class Verbs(click.Group):
    """Knows its verbs by name; imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"{__package__}.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS and not ctx.resilient_parsing:
            raise UnknownName("verb", args[0], VERBS)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise _ReaderGone from None


@click.command(
    cls=Verbs,
    params=[debug_option],
    subcommand_metavar="VERB [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="`trimtab VERB --help` says more.",
)
@click.version_option(package_name="trimtab", message="trimtab %(version)s")
def cli() -> None:
    """Computer systems that learn to optimise themselves."""


def main(arguments: Sequence[str] | None = None) -> None:
    """The console script."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code. Every error becomes one message on standard error."""
    try:
        code = cli.main(arguments, prog_name="trimtab", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except (_ReaderGone, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter's last flush complains
        return 141
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        return _explain(error)


def _explain(error: Exception) -> int:
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, click.Abort):
        error = Interrupted("nothing was written")
    if isinstance(error, Interrupted):
        message, code = f"interrupted: {error}", 130
    elif isinstance(error, TrimtabError):
        message, code = str(error), error.exit_code
    elif isinstance(error, OSError) and error.filename is not None:
        message, code = f"{error.filename}: {error.strerror}", 1
    else:
        message, code = (
            f"internal error: {type(error).__name__}: {error}\n"
            "  A fault of trimtab or of a plugin, not yours. The same command with --debug shows the traceback;\n"
            "  please send it, with the output of `trimtab doctor`, to the issue tracker of the package it names.",
            1,
        )
    click.echo(f"trimtab: {message}", err=True)
    return code


if __name__ == "__main__":
    main()
