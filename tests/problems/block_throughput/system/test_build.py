# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from trimtab.core.errors import MissingTool, TrimtabError, Unavailable
from trimtab.core.extras import need_tool
from trimtab.problems.block_throughput.system import build, harness


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TRIMTAB_CACHE", str(tmp_path / "cache"))
    build.program.cache_clear()
    yield
    build.program.cache_clear()


def test_it_is_compiled_once_and_kept():
    try:
        need_tool("cc", debian="gcc")
    except MissingTool as error:
        pytest.skip(str(error))
    first = build.program()
    stamp = first.stat().st_mtime_ns
    build.program.cache_clear()
    assert build.program() == first
    assert first.stat().st_mtime_ns == stamp
    assert [path.name for path in first.parent.iterdir()] == [first.name]  # nothing half-built beside it


def test_without_a_compiler_it_says_which_package_brings_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingTool, match="apt-get install gcc libc6-dev"):
        build.program()


def test_a_compiler_that_fails_is_quoted_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "cc").write_text("#!/bin/sh\necho 'fatal: the moon is full' >&2\nexit 1\n")
    (tmp_path / "cc").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(TrimtabError, match="the moon is full"):
        build.program()
    assert not list((tmp_path / "cache" / "block_throughput").iterdir())


def test_another_machine_is_told_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(build.platform, "machine", lambda: "aarch64")
    with pytest.raises(Unavailable, match="x86-64"):
        build.program()


@pytest.mark.parametrize(("filtered", "unprivileged"), [(0, 1), (1, 0)])
def test_where_children_cannot_be_confined_nothing_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, filtered: int, unprivileged: int
):
    """A program that says hello as a harness does where seccomp is forbidden."""
    from trimtab.problems.block_throughput.system.wire import HELLO

    hello = HELLO.pack(0x4254424C, 1, 0, filtered, unprivileged, 2, 2, 26, 65534, 0.6, 2000.0)
    (tmp_path / "hello").write_bytes(hello)
    (tmp_path / "harness").write_text(f"#!/bin/sh\ncat {tmp_path}/hello\nread anything\n")
    (tmp_path / "harness").chmod(0o755)
    monkeypatch.setattr(harness, "program", lambda: tmp_path / "harness")
    with pytest.raises(Unavailable, match="seccomp" if not filtered else "privileges"):
        harness.Harness()


def test_a_program_that_only_fails_is_unavailable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "harness").write_text("#!/bin/sh\necho 'harness: memory: no' >&2\nexit 1\n")
    (tmp_path / "harness").chmod(0o755)
    monkeypatch.setattr(harness, "program", lambda: tmp_path / "harness")
    with pytest.raises(Unavailable, match="memory: no"):
        harness.Harness()
