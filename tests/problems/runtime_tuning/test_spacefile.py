# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.errors import UsageError
from trimtab.problems.runtime_tuning import spacefile
from trimtab.problems.runtime_tuning.problem import Constraint
from trimtab.problems.runtime_tuning.space import Knob, KnobSpace
from trimtab.problems.runtime_tuning.spacefile.toml import Document

GOOD = """\
[knobs]
level = { default = 3, range = [1, 9] }
cache = { default = 64, range = [1, 4096], log = true, special = [0], unit = "MiB" }
share = { default = 1, range = [0.5, 2.0] }
mode = { default = "fast", values = ["fast", "small"], about = '''
which [way] = "odd"
''' }
sync = { default = true }

[knobs.passes]
default = ["a", "b", "c"]
order = true
when = { mode = "fast", level = [1, 2] }

[[forbidden]]
mode = "small"
level = [8, 9]
"""


def written(path: Path, text: str) -> Path:
    file = path / "my.toml"
    file.write_text(text)
    return file


def test_every_kind(tmp_path: Path) -> None:
    assert spacefile.read(written(tmp_path, GOOD)) == KnobSpace(
        (
            Knob("level", "int", 3, 1, 9),
            Knob("cache", "int", 64, 1, 4096, log=True, special=(0,), unit="MiB"),
            Knob("share", "real", 1.0, 0.5, 2.0),
            Knob("mode", "enum", "fast", values=("fast", "small"), about='which [way] = "odd"\n'),
            Knob("sync", "bool", True),
            Knob(
                "passes",
                "permutation",
                ("a", "b", "c"),
                values=("a", "b", "c"),
                when={"mode": ("fast",), "level": (1, 2)},
            ),
        ),
        ({"mode": ("small",), "level": (8, 9)},),
    )


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("[1, 9]", "[9, 1]", 2, "needs low < high"),
        ("[1, 9]", "[1]", 2, "a range is two numbers"),
        ("default = 3,", "default = 12,", 2, "its default 12 is not one of its values"),
        ("default = 3,", "", 2, "knob 'level' has no default"),
        ("log = true", "lgo = true", 3, "no field 'lgo'. Known: default, range"),
        ("log = true", 'log = "yes"', 3, "log is 'yes', not true or false"),
        ("special = [0]", 'special = ["x"]', 3, "special values are numbers"),
        ('["fast", "small"]', '["fast"]', 5, "two or more values"),
        ("sync = { default = true }", "sync = { default = 4 }", 8, "needs a range"),
        ("sync = { default = true }", "sync = 4", 8, "is not a table such as"),
        ('default = ["a", "b", "c"]', 'default = ["a", 2]', 10, "a list of texts"),
        ("order = true", "ordre = true", 12, "no field 'ordre'"),
        ('mode = "fast", level', 'mod = "fast", level', 13, "there is no knob 'mod'"),
        ("level = [1, 2]", "level = [1, 20]", 13, "knob 'level' can't be 20"),
        ('mode = "small"\n', 'mode = "smll"\n', 16, "knob 'mode' can't be 'smll'"),
        ("level = [8, 9]", "level = [8, 9", 18, "this is no TOML"),
        ("[knobs]\n", "[knob]\n", 1, "'knob' is none of knobs"),
        ('mode = "small"\nlevel = [8, 9]\n', 'mode = "fast"\nlevel = 3\n', 15, "default configuration is forbidden"),
        ('mode = "small"\nlevel = [8, 9]\n', "", 15, "an empty [[forbidden]] would forbid everything"),
    ],
)
def test_an_error_names_the_file_and_the_line(tmp_path: Path, old: str, new: str, line: int, message: str) -> None:
    assert GOOD.count(old) == 1
    file = written(tmp_path, GOOD.replace(old, new))
    with pytest.raises(UsageError) as caught:
        spacefile.read(file)
    said = str(caught.value)
    assert message in said
    if "no TOML" in message:
        assert said.startswith(f"{file}:")
    else:
        assert said.startswith(f"{file}:{line}: ")


def test_what_is_no_space_file(tmp_path: Path) -> None:
    for text, message in (("", "there are no knobs"), ("a = [", "no TOML"), ("[knobs]\n", "there are no knobs")):
        with pytest.raises(UsageError, match=message):
            spacefile.read(written(tmp_path, text))
    with pytest.raises(UsageError, match="No such file"):
        spacefile.read(tmp_path / "nowhere.toml")
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not UTF-8"):
        spacefile.read(tmp_path / "b.toml")


COMMAND = """
[command]
argv = ["echo", "{level}", "{cache}", "{share}", "{mode}", "{sync}", "{passes}"]
constraints = ["rss<=1GiB"]
metrics = { tps = 'tps (\\d+)' }
objective = "tps"
maximize = true
timeout = "2m"
"""


def test_a_target(tmp_path: Path) -> None:
    target = spacefile.read_target(written(tmp_path, GOOD + COMMAND))
    assert target.name == "my" and target.command is not None
    assert target.command.seconds == 120.0 and target.command.folder == tmp_path
    assert (target.objective.metric, target.objective.goal) == ("tps", "maximize")
    assert target.objective.constraints == (Constraint("rss", 2.0**30),)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ('"{level}", ', "", 19, r"knob 'level' is nowhere in the command"),
        ('"echo"', '"nothing-such"', 19, "command not found"),
        ("rss<=1GiB", "rss<1GiB", 19, "no constraint such as"),
        ("rss<=1GiB", "tpm<=1", 19, "no metric 'tpm'. Known: cpu, wall, rss, tps"),
        ("maximize = true", "maximise = true", 24, "no field 'maximise'"),
        ('"echo"', "3", 20, "not a list of texts"),
    ],
)
def test_a_wrong_command(tmp_path: Path, old: str, new: str, line: int, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        spacefile.read_target(written(tmp_path, GOOD + COMMAND.replace(old, new)))
    assert message in str(caught.value) and f"my.toml:{line}: " in str(caught.value)


def test_a_space_without_a_command_is_no_target(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no command"):
        spacefile.read_target(written(tmp_path, GOOD))


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[3] / "examples/tune").glob("*.toml")), ids=str)
def test_the_examples_are_read(path: Path) -> None:
    target = spacefile.read_target(path)
    assert target.command is not None and target.command.folder == path.parent


names = st.text("abcdefgh_-", min_size=1, max_size=6)


@given(st.lists(st.tuples(names, st.lists(names, unique=True, max_size=3)), unique_by=lambda table: table[0]))
def test_lines_of_random_files(tmp_path_factory: pytest.TempPathFactory, tables: list[tuple[str, list[str]]]) -> None:
    """Every key stands where it was written."""
    lines, where = [], {}
    for table, keys in tables:
        lines += ["", f"[ {table} ]  # [not.this]"]
        where[(table,)] = len(lines)
        for k, key in enumerate(keys):
            lines.append(f"{key} = " + ('{ x = [1, 2], "y" = "a = b" }', '"""', "[", "'[z]'")[k])
            where[(table, key)] = len(lines)
            lines += ([], ['[fake]"""'], ["1, 2", "]"], [])[k]
    text = "\n".join(lines)
    tomllib.loads(text)
    path = tmp_path_factory.mktemp("toml") / "x.toml"
    path.write_text(text)
    document = Document(path)
    assert {key: document.line(key) for key in where} == where
