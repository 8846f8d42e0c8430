# SPDX-License-Identifier: Apache-2.0
"""Files brought in by hand, and folders handed on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile import CONTENT, make_file

from trimtab.core.errors import DataError, MissingData, UsageError
from trimtab.data import Dataset, export, import_path, locate

Register = Callable[..., Dataset]


def test_files_are_recognised_by_their_contents(register: Register, tmp_path: Path) -> None:
    register(make_file(), make_file(content=b"1", name="one.bin"))
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "whatever.dat").write_bytes(CONTENT)
    (folder / "one.bin").write_bytes(b"2")
    (found,) = import_path(tmp_path / "a")
    assert (found.dataset, found.file) == ("numbers", "numbers.bin")
    assert found.path == locate("numbers", "numbers.bin")
    assert found.path.read_bytes() == CONTENT
    assert [path.name for path in found.path.parent.iterdir()] == ["numbers.bin"]


def test_a_single_file_can_be_imported(register: Register, tmp_path: Path) -> None:
    register(make_file())
    (tmp_path / "x").write_bytes(CONTENT)
    assert len(import_path(tmp_path / "x")) == 1


def test_nothing_known_is_an_error(register: Register, tmp_path: Path) -> None:
    register(make_file())
    (tmp_path / "numbers.bin").write_bytes(CONTENT[::-1])
    with pytest.raises(DataError, match=r"none of its 1 files is known"):
        import_path(tmp_path / "numbers.bin")
    with pytest.raises(UsageError, match="no such file"):
        import_path(tmp_path / "nowhere")


def test_a_file_that_changes_while_it_is_copied_is_refused(
    register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(make_file())
    path = tmp_path / "x"
    path.write_bytes(CONTENT)

    def change_after(path: Path) -> str:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        path.write_bytes(CONTENT[::-1])
        return digest

    monkeypatch.setattr("trimtab.data.exchange.sha256", change_after)
    with pytest.raises(DataError, match="changed while it was read"):
        import_path(path)
    with pytest.raises(MissingData):
        locate("numbers", "numbers.bin")


def test_an_export_is_a_folder_that_can_be_imported(
    register: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(make_file())
    (tmp_path / "x").write_bytes(CONTENT)
    import_path(tmp_path / "x")
    folder = export("numbers", tmp_path / "out" / "numbers")
    assert sorted(path.name for path in folder.iterdir()) == ["croissant.json", "numbers.bin"]
    assert json.loads((folder / "croissant.json").read_text())["name"] == "numbers"
    monkeypatch.setenv("TRIMTAB_CACHE", str(tmp_path / "elsewhere"))
    assert import_path(folder)[0].path.is_relative_to(tmp_path / "elsewhere")


def test_an_export_never_overwrites_nor_leaves_a_half(register: Register, tmp_path: Path) -> None:
    register(make_file())
    with pytest.raises(MissingData):
        export("numbers", tmp_path / "out")
    assert not list(tmp_path.glob("*out*"))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").touch()
    with pytest.raises(UsageError, match="not an empty folder"):
        export("numbers", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]
