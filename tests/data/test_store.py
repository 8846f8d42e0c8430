# SPDX-License-Identifier: Apache-2.0
"""Where files are looked for, and when their contents are believed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile import CONTENT, make_file

from trimtab.core.errors import MissingData, UnknownName
from trimtab.data import Dataset, cache_folder, locate, store, verify

Register = Callable[..., Dataset]
OTHER = bytes(reversed(CONTENT))


def put(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def cached(content: bytes = CONTENT) -> Path:
    return put(cache_folder() / "data/numbers/1/numbers.bin", content)


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every path whose contents were read to be hashed."""
    paths: list[Path] = []
    real = store.sha256
    monkeypatch.setattr(store, "sha256", lambda path: (paths.append(path), real(path))[1])
    return paths


def test_the_folders_of_trimtab_data_come_before_the_cache(
    register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(make_file())
    in_cache = cached()
    assert locate("numbers", "numbers.bin") == in_cache
    deep = put(tmp_path / "two" / "some" / "where" / "numbers.bin")
    put(tmp_path / "one" / ".hidden" / "numbers.bin")
    monkeypatch.setenv("TRIMTAB_DATA", f"{tmp_path / 'one'}{os.pathsep}{tmp_path / 'two'}")
    assert locate("numbers", "numbers.bin") == deep


@pytest.mark.parametrize("content", [OTHER, CONTENT[:-1], b""], ids=["changed", "cut", "empty"])
def test_a_file_of_the_right_name_and_other_contents_is_passed_over(
    register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    register(make_file())
    wrong = put(tmp_path / "data" / "numbers.bin", content)
    monkeypatch.setenv("TRIMTAB_DATA", str(tmp_path / "data"))
    with pytest.raises(MissingData) as caught:
        locate("numbers", "numbers.bin")
    assert f"{wrong} has its name, but other contents" in str(caught.value)
    in_cache = cached()
    assert locate("numbers", "numbers.bin") == in_cache


def test_missing_data_names_the_command(register: Register) -> None:
    register(make_file("https://example.org/a"))
    with pytest.raises(MissingData, match=r"trimtab data fetch numbers$"):
        locate("numbers", "numbers.bin")
    register(make_file())
    with pytest.raises(MissingData, match=r"nobody publishes it .*trimtab data import PATH"):
        locate("numbers", "numbers.bin")


def test_a_folder_that_is_none_is_said(register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(make_file())
    monkeypatch.setenv("TRIMTAB_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(MissingData, match="nowhere is not a folder"):
        locate("numbers", "numbers.bin")


def test_unknown_names_are_said_with_the_nearest(register: Register) -> None:
    register(make_file())
    with pytest.raises(UnknownName, match="Did you mean 'numbers'"):
        locate("number", "numbers.bin")
    with pytest.raises(UnknownName, match=r"Did you mean 'numbers\.bin'"):
        locate("numbers", "numbers.bim")


def test_a_file_is_hashed_once(register: Register, hashed: list[Path]) -> None:
    register(make_file())
    path = cached()
    locate("numbers", "numbers.bin")
    locate("numbers", "numbers.bin")
    assert hashed == [path]


def test_a_file_that_was_touched_is_hashed_again(register: Register, hashed: list[Path]) -> None:
    register(make_file())
    path = cached()
    locate("numbers", "numbers.bin")
    path.write_bytes(OTHER)
    os.utime(path, ns=(1, 1))
    with pytest.raises(MissingData):
        locate("numbers", "numbers.bin")
    assert len(hashed) == 2


def test_verify_reads_even_what_looks_untouched(register: Register) -> None:
    register(make_file(), make_file(content=b"1", name="one.bin"))
    path = cached()
    assert [(found.file, found.status, found.path) for found in verify("numbers")] == [
        ("numbers.bin", "ok", path),
        ("one.bin", "missing", None),
    ]
    before = path.stat()
    path.write_bytes(OTHER)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert verify("numbers")[0].status == "wrong"
    with pytest.raises(MissingData):
        locate("numbers", "numbers.bin")


@pytest.mark.parametrize("memory", [b"", b"{", b"[]", b'{"x": 3}', b"\xff"])
def test_a_damaged_memory_is_forgotten(register: Register, memory: bytes) -> None:
    register(make_file())
    path = cached()
    put(cache_folder() / "verified.json", memory)
    assert locate("numbers", "numbers.bin") == path


def test_a_damaged_entry_is_not_believed(register: Register) -> None:
    register(make_file())
    path = cached()
    put(cache_folder() / "verified.json", b'{"%s": 7}' % str(path.resolve()).encode())
    assert locate("numbers", "numbers.bin") == path


def test_a_cache_that_cannot_be_written_only_costs_time(
    register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(make_file())
    path = put(tmp_path / "data" / "numbers.bin")
    monkeypatch.setenv("TRIMTAB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("TRIMTAB_CACHE", str(put(tmp_path / "a-file")))
    assert locate("numbers", "numbers.bin") == path


def test_the_rule_of_the_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_CACHE", "/a")
    assert cache_folder() == Path("/a")
    monkeypatch.delenv("TRIMTAB_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert cache_folder() == Path("/b/trimtab")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    monkeypatch.setenv("HOME", "/c")
    assert cache_folder() == Path("/c/.cache/trimtab")
