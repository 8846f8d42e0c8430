# SPDX-License-Identifier: Apache-2.0
"""The generated inputs: the same for the same seed, and what they claim to be."""

from __future__ import annotations

import ast
import contextlib
import io
import lzma
import random
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from trimtab.core.errors import MissingTool, Unavailable
from trimtab.problems.runtime_tuning.workload import java_inputs
from trimtab.problems.runtime_tuning.workload.inputs import records, table_script
from trimtab.problems.runtime_tuning.workload.java import PROGRAMS, Program, write_input

KINDS = ("sql", "catalogue", "python", "javascript", "java", "formatting", "drawing", "library", "grammar")


def made(kind: str, seed: int = 1, size: int = 60) -> Mapping[str, str]:
    make: Callable[[random.Random, int], Mapping[str, str]] = getattr(java_inputs, kind)
    return make(random.Random(seed), size)


@pytest.mark.parametrize("kind", KINDS)
def test_an_input_is_a_function_of_seed_and_size(kind: str):
    assert made(kind) == made(kind)
    assert made(kind) != made(kind, seed=2)
    assert len("".join(made(kind, size=120).values())) > 1.3 * len("".join(made(kind).values())) or kind == "python"


def test_sql_is_answered_by_another_database():
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(made("sql")["script.sql"])
        assert connection.execute("SELECT COUNT(*) FROM sale").fetchone() == (60,)


def test_the_script_for_sqlite_runs_in_it():
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(table_script(1, 200))
        left = connection.execute("SELECT COUNT(*) FROM move").fetchone()[0]
    assert 100 < left < 200  # some were deleted
    assert table_script(1, 200) == table_script(1, 200) != table_script(2, 200)


def test_xml_is_well_formed():
    for kind in ("catalogue", "formatting", "drawing"):
        for text in made(kind).values():
            ET.fromstring(text)


def test_the_python_program_runs():
    text = made("python", size=400)["program.py"]
    ast.parse(text)
    with contextlib.redirect_stdout(io.StringIO()) as said:
        exec(compile(text, "program.py", "exec"), {"__name__": "__main__"})
    assert len(said.getvalue().splitlines()) == 3


def test_records_compress_as_records_do():
    text = records(3, 200_000)
    assert len(text) == 200_000
    assert text == records(3, 200_000) != records(4, 200_000)
    assert 3 < len(text) / len(lzma.compress(text)) < 8


def test_a_jar_that_is_not_here_names_the_package():
    program = Program("libnothing-java", ("no-such-jar",), "Main", (), lambda rng: {})
    with pytest.raises(MissingTool, match="apt-get install libnothing-java"):
        program.class_path()


def test_arguments_name_the_input_and_the_directory_of_the_run(tmp_path: Path):
    program = PROGRAMS["ecj"]
    try:
        argv = program.argv(tmp_path)
    except Unavailable:
        argv = program.__class__(program.package, (), program.main, program.arguments, program.input).argv(tmp_path)
    assert "{jvm}" in argv
    assert str(tmp_path / "Program.java") in argv
    assert "{run}" in argv


def test_inputs_are_written(tmp_path: Path):
    write_input("h2", tmp_path, 7)
    assert (tmp_path / "script.sql").read_text().startswith("CREATE TABLE customer")
    write_input("luindex", tmp_path, 7)
    assert len(list((tmp_path / "text").iterdir())) == 300
