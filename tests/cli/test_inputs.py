# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from trimtab.cli.inputs import INPUT, named_parts, placed
from trimtab.cli.main import cli
from trimtab.core.errors import UsageError

FILES = {"plan.json": "{}", "timeline.svg": "<svg/>"}


def test_a_path_may_name_a_part(tmp_path: Path) -> None:
    plain, colon = tmp_path / "a.py", tmp_path / "b:c"
    plain.touch()
    colon.touch()
    given = [INPUT.convert(f"{plain}:make", None, None), INPUT.convert(str(colon), None, None), plain]
    assert named_parts(given) == ([plain, colon], ["make"])
    with pytest.raises(click.BadParameter, match="does not exist"):
        INPUT.convert(f"{tmp_path}/missing.py:make", None, None)


def test_answers_go_into_a_folder_or_under_a_name(tmp_path: Path) -> None:
    assert placed(tmp_path, FILES) == (tmp_path, FILES)
    assert placed(tmp_path / "new", FILES) == (tmp_path / "new", FILES)
    folder, files = placed(tmp_path / "mine.json", FILES)
    assert (folder, dict(files)) == (tmp_path, {"mine.json": "{}", "mine.svg": "<svg/>"})
    folder, files = placed(tmp_path / "mine.csv", {"a.csv": "1", "b.csv": "2", "c.svg": "3"})
    assert dict(files) == {"mine.csv": "1", "mine-b.csv": "2", "mine.svg": "3"}
    (tmp_path / "file.txt").touch()
    with pytest.raises(UsageError, match="is a file"):
        placed(tmp_path / "file.txt", FILES)


def test_only_the_problem_on_the_line_brings_its_options() -> None:
    own = CliRunner().invoke(cli, ["solve", "device_placement", "--help"])
    other = CliRunner().invoke(cli, ["solve", "join_ordering", "--help"])
    assert "--memory" in own.output
    assert "--memory" not in other.output
    with pytest.raises(click.NoSuchOption):
        CliRunner().invoke(
            cli, ["solve", "join_ordering", "x", "--memory", "1GiB"], standalone_mode=False, catch_exceptions=False
        )
