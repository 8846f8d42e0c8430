# SPDX-License-Identifier: Apache-2.0
"""Live targets, really run."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from trimtab.core.errors import Unavailable, UnknownName
from trimtab.problems.runtime_tuning.problem import Target
from trimtab.problems.runtime_tuning.system.measure import measure
from trimtab.problems.runtime_tuning.system.run import Runner
from trimtab.problems.runtime_tuning.workload import prepared, targets


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIMTAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def runner() -> Iterator[Runner]:
    with Runner() as runner:
        yield runner


def live(name: str) -> Target:
    try:
        return targets.live(name)
    except Unavailable as missing:
        pytest.skip(str(missing))


CHANGES = {
    "gcc": {"O": "3", "march": "native"},
    "gcc-numbers": {"O": "3", "march": "native"},
    "zstd": {"level": 1},
    "xz": {"mf": "hc3", "mode": "fast", "dict": 16},
    "sqlite": {"journal_mode": "wal", "page_size": 8192},
    "redis": {"hash-max-listpack-entries": 16},
    "redis-shop": {"hash-max-listpack-entries": 16},
    "postgresql": {"jit": False},
    "postgresql-events": {"enable_hashagg": False},
    "java-h2": {"TieredStopAtLevel": 1, "gc": "Serial"},
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_configuration_gives_the_same_output(name: str, runner: Runner):
    target = live(name)
    assert target.command is not None
    values = {**target.space.default, **CHANGES[name]}
    target.space.check(values)
    default = measure(target.command, target.space.default, runner)
    changed = measure(target.command, values, runner, digests=default.digests)
    assert (default.status, changed.status) == ("ok", "ok"), (default, changed)
    assert target.objective.loss(changed.metrics) != target.objective.loss(default.metrics)
    assert abs(target.objective.loss(changed.metrics) - target.objective.loss(default.metrics)) < 2.5


def test_numbers_are_right(tmp_path: Path):
    """724 ways to place ten queens; matrices of whole numbers, whatever the compiler makes of them."""
    live("gcc-numbers")
    printed = []
    for level in ("-O0", "-O3"):
        program = str(tmp_path / level)
        source = str(Path(targets.__file__).with_name("programs") / "numbers.c")
        subprocess.run(["gcc", level, "-Wall", "-Wextra", "-Werror", "-o", program, source], check=True)
        printed.append(subprocess.run([program, "7", "1"], capture_output=True, text=True, check=True).stdout)
    assert printed[0] == printed[1]
    assert int(printed[0].split()[6], 16) == 724


def test_a_configuration_that_computes_something_else_is_no_winner(runner: Runner):
    """What the program prints is compared with what it prints by default."""
    target = live("gcc")
    assert target.command is not None
    reading = measure(target.command, target.space.default, runner, digests={"{run}/output": "0" * 64})
    assert reading.status == "crash"
    assert "differs" in reading.note


def test_names():
    assert {"gcc", "redis", "postgresql", "java-h2", "java-fop"} <= set(targets.names())
    with pytest.raises(UnknownName, match="Did you mean 'java-xalan'"):
        targets.live("java-xalam")


def test_inputs_are_made_once_and_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("TRIMTAB_CACHE", str(tmp_path))
    made: list[Path] = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "x").write_text("whole")

    assert prepared.folder("thing", make) == prepared.folder("thing", make)
    assert len(made) == 1

    def fail(folder: Path) -> None:
        (folder / "x").write_text("half")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        prepared.folder("other", fail)
    assert [path.name for path in prepared.folder("thing", make).parent.iterdir()] == ["thing"]
