# SPDX-License-Identifier: Apache-2.0
"""``trimtab completion``"""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from trimtab.core.errors import UsageError

from .options import verb
from .screen import emit

SHELLS = ("bash", "zsh", "fish")


@verb("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str, as_json: bool) -> None:
    """Print the script for tab completion.

    \b
    bash  trimtab completion bash > ~/.local/share/bash-completion/completions/trimtab
    zsh   trimtab completion zsh > "${fpath[1]}/_trimtab"
    fish  trimtab completion fish > ~/.config/fish/completions/trimtab.fish
    """
    from .main import cli

    found = get_completion_class(shell)
    if found is None:
        raise UsageError(f"this version of click can't complete in {shell}")
    script = found(cli, {}, "trimtab", "_TRIMTAB_COMPLETE").source()
    if as_json:
        emit({"shell": shell, "script": script})
    else:
        click.echo(script)
