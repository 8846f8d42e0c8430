# SPDX-License-Identifier: Apache-2.0
"""Lengths of instructions against iced-x86."""

from __future__ import annotations

import iced_x86
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trimtab.problems.block_throughput.decode.split import ESCAPED, IMM, PRIMARY, SIZE, split
from trimtab.problems.block_throughput.workload.suites import SHIPPED, shipped


def cut(blocks: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    code = np.frombuffer(b"".join(blocks), np.uint8)
    starts = np.concatenate(([0], np.cumsum([len(block) for block in blocks]))).astype(np.int64)
    rows, first = np.zeros((len(code), 6), np.int64), np.zeros(len(blocks) + 1, np.int64)
    split(code, starts, PRIMARY, ESCAPED, rows, first)
    return rows, first


def test_every_shipped_block_is_cut_as_iced_cuts_it() -> None:
    blocks = list(dict.fromkeys(block for path in SHIPPED for block in shipped(path).blocks))[::7]
    rows, first = cut(blocks)
    for at, block in enumerate(blocks):
        expected = [one.len for one in iced_x86.Decoder(64, block)]
        assert rows[first[at] : first[at + 1], SIZE].tolist() == expected, block.hex()


@given(st.binary(min_size=1, max_size=15))
def test_any_bytes_that_iced_reads_whole_have_the_same_length(raw: bytes) -> None:
    one = iced_x86.Decoder(64, raw).decode()
    rows, first = cut([raw[: one.len]])
    if not one.is_invalid and first[1] > 0:
        assert rows[: first[1], SIZE].sum() == one.len


def test_immediates_are_signed() -> None:
    rows, _ = cut([bytes.fromhex("4883c0ff")])
    assert rows[0, IMM] == -1


def test_what_ends_within_an_instruction_has_no_rows() -> None:
    _, first = cut([bytes.fromhex("4801"), bytes.fromhex("4801c8")])
    assert first.tolist() == [0, 0, 1]
