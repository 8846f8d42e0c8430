# SPDX-License-Identifier: Apache-2.0
"""Archives of classes, made and used by the JVM that is here."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from trimtab.core.errors import Unavailable, UsageError
from trimtab.problems.runtime_tuning.system.class_archive import with_class_archive
from trimtab.problems.runtime_tuning.system.command import Command
from trimtab.problems.runtime_tuning.system.measure import measure
from trimtab.problems.runtime_tuning.system.run import Runner
from trimtab.problems.runtime_tuning.workload import targets


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with Runner() as runner:
        yield runner


@pytest.fixture
def h2(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    monkeypatch.setenv("TRIMTAB_CACHE", str(tmp_path / "cache"))
    try:
        command = targets.live("java-h2").command
    except Unavailable as missing:
        pytest.skip(str(missing))
    assert command is not None
    if "share" not in command.space.by_name:
        pytest.skip("this JDK has no archive of its own classes")
    return command


def loaded_from_archive(command: Command, value: str, folder: Path) -> bool:
    """Does the JVM say that it took the program's own class from an archive?"""
    made = command.invocation({**command.space.default, "share": value}, folder)
    argv = [made.argv[0], "-Xlog:class+load:stdout", *made.argv[1:]]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    (line,) = (line for line in said.splitlines() if " org.h2.tools.RunScript source: " in line)
    return "shared objects file (top)" in line


def test_classes_come_from_the_archive_and_the_output_stays(h2: Command, runner: Runner, tmp_path: Path) -> None:
    file = tmp_path / "new" / "h2.jsa"
    command = with_class_archive(h2, file, runner)
    assert command.space.by_name["share"].values == (*h2.space.by_name["share"].values, "app")
    assert [path.name for path in file.parent.iterdir()] == ["h2.jsa"]
    assert [loaded_from_archive(command, value, tmp_path) for value in ("auto", "app")] == [False, True]
    values = {**command.space.default, "share": "app", "gc": "Serial"}
    assert f"-XX:SharedArchiveFile={file} -XX:+UseSerialGC" in command.show(values)
    default = measure(command, command.space.default, runner)
    assert measure(command, values, runner, digests=default.digests).status == "ok"


def test_an_archive_is_made_once_and_anew_where_it_does_not_fit(h2: Command, runner: Runner, tmp_path: Path) -> None:
    file = tmp_path / "h2.jsa"
    with_class_archive(h2, file, runner)
    first = file.stat().st_ino
    with_class_archive(h2, file, runner)
    assert file.stat().st_ino == first
    file.chmod(0o644)
    file.write_bytes(b"of another program")
    with_class_archive(h2, file, runner)
    assert file.stat().st_size > 1_000_000


def test_no_archive(h2: Command, runner: Runner, tmp_path: Path) -> None:
    other = replace(h2, argv=("java", "{jvm}", "no.such.Main"))
    with pytest.raises(UsageError, match=r"archive of classes .*exit code 1\n  \| Error: Could not find") as raised:
        with_class_archive(other, tmp_path / "x.jsa", runner)
    assert "no.such.Main" in str(raised.value)
    assert not list(tmp_path.glob("*.jsa*"))
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"archive of classes .*file/x\.jsa: "):
        with_class_archive(h2, tmp_path / "file" / "x.jsa", runner)
    echo = Command(("echo", "{gc}"), replace(h2.space, knobs=(h2.space.by_name["gc"],)))
    with pytest.raises(UsageError, match="it needs --pack jvm"):
        with_class_archive(echo, tmp_path / "x.jsa", runner)
