# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from trimtab.core.errors import InvalidInstance
from trimtab.problems.block_throughput.workload.hexfile import read_hex


def test_one_block_a_line(tmp_path: Path):
    path = tmp_path / "blocks.csv"
    path.write_text("# hex, cycles\n4801c0,1.00\n\n0x480fafc0 ; imul\n  90\t12\n")
    assert read_hex(path) == [bytes.fromhex("4801c0"), bytes.fromhex("480fafc0"), b"\x90"]


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (b"4801c0\n48 01\nxyz\n", "line 3: 'xyz'"),
        (b"4801c\n", "line 1"),
        (b"# nothing\n", "no blocks"),
        (b",1.0\n", "line 1: an empty block"),
        (b"\x7fELF\xff\xfe", "not a list of blocks"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, contents: bytes, words: str):
    path = tmp_path / "blocks.txt"
    path.write_bytes(contents)
    with pytest.raises(InvalidInstance, match=words):
        read_hex(path)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(InvalidInstance, match=r"none\.txt"):
        read_hex(tmp_path / "none.txt")
