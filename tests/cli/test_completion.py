# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from click.shell_completion import ShellComplete

from trimtab.cli.completion import SHELLS
from trimtab.cli.main import cli

from .conftest import Call


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_for_each_shell(trimtab: Call, shell: str) -> None:
    assert "_TRIMTAB_COMPLETE" in trimtab("completion", shell).out


def test_another_shell(trimtab: Call) -> None:
    assert trimtab("completion", "tcsh").code == 2


@pytest.mark.parametrize(
    ("line", "incomplete", "expected"),
    [
        ([], "s", ["show", "solve"]),
        (["run"], "t", ["toy"]),
        (["run", "toy", "--solvers"], "half,h", ["half,half", "half,high"]),
        (["run", "toy", "--suite"], "", ["same"]),
        (["train", "toy", "--solver"], "m", ["mean"]),
        (["run", "nowhere", "--solvers"], "h", []),
    ],
)
def test_what_is_offered(only_toy: None, line: list[str], incomplete: str, expected: list[str]) -> None:
    complete = ShellComplete(cli, {}, "trimtab", "_TRIMTAB_COMPLETE")
    assert [item.value for item in complete.get_completions(line, incomplete)] == expected
