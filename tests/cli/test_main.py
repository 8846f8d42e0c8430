# SPDX-License-Identifier: Apache-2.0
"""The group, exit codes, and what becomes of an error."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from trimtab.cli import main, show
from trimtab.cli.options import DEBUG
from trimtab.core.errors import DataError, MissingExtra, TrimtabError, UsageError

from .conftest import Call

EXECUTABLE = Path(sys.executable).with_name("trimtab")


def test_help_names_every_verb_and_imports_none() -> None:
    code = (
        "import sys; from trimtab.cli.main import VERBS, run; run(['--help']);"
        "print([v for v in VERBS if f'trimtab.cli.{v}' in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert all(f"\n  {verb} " in done.stdout for verb in main.VERBS)


@pytest.mark.parametrize("verb", main.VERBS)
def test_every_verb_is_a_command_that_explains_itself(trimtab: Call, verb: str) -> None:
    assert import_module(f"trimtab.cli.{verb}").command.name == verb
    assert trimtab(verb, "--help").out.startswith("Usage: trimtab " + verb)


@pytest.mark.parametrize("arguments", [["list"], ["show", "cluster_scheduling"]])
def test_looking_imports_nothing_heavy(arguments: list[str]) -> None:
    heavy = ("torch", "numba", "scipy", "matplotlib", "pyarrow", "gymnasium")
    code = (
        "import sys; from trimtab.cli.main import run; code = run(sys.argv[1:]);"
        f"print([m for m in {heavy} if m in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_an_unknown_verb_names_the_nearest(trimtab: Call) -> None:
    answer = trimtab("lisst")
    assert answer.code == 2
    assert "Did you mean 'list'?" in answer.err


@pytest.mark.parametrize(
    ("error", "code"),
    [(UsageError("a"), 2), (MissingExtra("b"), 3), (DataError("c"), 1), (TrimtabError("d"), 1)],
)
def test_errors_are_one_line_and_an_exit_code(
    trimtab: Call, monkeypatch: pytest.MonkeyPatch, error: TrimtabError, code: int
) -> None:
    _fail(monkeypatch, error)
    answer = trimtab("show", "toy")
    assert (answer.code, answer.out, answer.err) == (code, "", f"trimtab: {error}\n")


def test_an_unexpected_error_says_how_to_see_and_report_it(trimtab: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    _fail(monkeypatch, ZeroDivisionError("by nothing"))
    answer = trimtab("show", "toy")
    assert answer.code == 1
    assert "internal error: ZeroDivisionError: by nothing" in answer.err
    assert "--debug" in answer.err
    assert "issue tracker" in answer.err
    assert "Traceback" not in answer.err


def test_debug_lets_the_error_through(trimtab: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DEBUG, "")  # so that it is put back afterwards
    _fail(monkeypatch, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        trimtab("show", "toy", "--debug")


def test_a_file_that_cannot_be_written_is_named(trimtab: Call, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("0.5")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "guess.txt").mkdir()
    answer = trimtab("solve", "toy", "in", "--out", "taken")
    assert answer.code == 1
    assert "guess.txt" in answer.err
    assert [p.name for p in (tmp_path / "taken").iterdir()] == ["guess.txt"]


def test_ctrl_c_is_130(trimtab: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    _fail(monkeypatch, KeyboardInterrupt())
    answer = trimtab("show", "toy")
    assert answer.code == 130
    assert "interrupted" in answer.err


def test_a_reader_that_goes_away_is_no_error() -> None:
    process = subprocess.Popen(
        [EXECUTABLE, "completion", "bash"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 141


def _fail(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(show, "_print", fail)


def test_every_option_has_help() -> None:
    for verb in main.VERBS:
        command = import_module(f"trimtab.cli.{verb}").command
        missing = [p.name for p in command.params if isinstance(p, click.Option) and not (p.help or p.show_default)]
        assert missing == []
