# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from trimtab.problems.block_throughput.decode import decode
from trimtab.problems.block_throughput.decode import records as R


def record(code: str) -> list[int]:
    decoded = decode([bytes.fromhex(code)])
    return decoded.records[decoded.row[0]].tolist()


def reads(row: list[int]) -> set[int]:
    return set(row[R.READ0 : R.READ0 + row[R.READS]])


def writes(row: list[int]) -> set[int]:
    return set(row[R.WRITE0 : R.WRITE0 + row[R.WRITES]])


def test_a_load_has_its_address_apart_from_what_it_reads() -> None:
    row = record("498b5cc610")  # mov rbx, [r14 + rax*8 + 16]
    assert row[R.LOAD : R.LOAD + 6] == [14, 0, 8, 0, 1, 8]
    assert reads(row) == set() and writes(row) == {3}


def test_a_push_stores_below_the_stack_pointer_that_nobody_waits_for() -> None:
    row = record("50")
    assert row[R.STORE : R.STORE + 4] == [4, -1, 1, -8] and row[R.STACK] == -8
    assert reads(row) == {0} and writes(row) == set()


def test_a_push_from_memory_has_two_addresses() -> None:
    row = record("ff742410")  # push qword ptr [rsp + 16]
    assert row[R.LOAD + R.FACTOR] == 1 and row[R.STORE + R.CONSTANT] == -8


def test_zeroing_idioms_read_nothing() -> None:
    for code in ("31c0", "660fefc0", "c5f857c0"):
        row = record(code)
        assert row[R.FLAGS] & R.ZEROING and not reads(row), code


def test_a_conditional_move_may_keep_the_old_value() -> None:
    assert reads(record("480f44eb")) == {3, 5, R.STATUS}  # cmove rbp, rbx


def test_eight_bit_results_are_merged() -> None:
    assert 0 in reads(record("b001"))  # mov al, 1


def test_a_compressed_displacement_has_its_factor() -> None:
    assert record("62f17c4810440001".replace("440001", "4001"))[R.LOAD + R.FACTOR] == 64  # vmovups zmm0, [rax + 64]


@pytest.mark.parametrize("code", ["eb00", "06", "c3", "e800000000"])
def test_branches_and_what_is_no_code_are_refused(code: str) -> None:
    assert decode([bytes.fromhex("4801c8"), bytes.fromhex(code)]).refused().tolist() == [False, True]


def test_what_was_learned_does_not_change_what_was_known() -> None:
    before = record("4801c8")
    decode([bytes([0x48, 0x8B, 0x80 + at, 1, 0, 0, 0]) for at in (0, 1, 2, 3, 5, 6, 7)])
    assert record("4801c8") == before
