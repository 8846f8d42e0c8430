# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from trimtab.core.extras import need
from trimtab.problems.block_throughput.system.admission import Refused, admit
from trimtab.problems.block_throughput.workload.elf import Code, read_elf
from trimtab.problems.block_throughput.workload.extract import blocks, distinct


def cut(code: str, address: int = 0x1000) -> list[tuple[int, str, str]]:
    data = bytes.fromhex(code.replace(" ", ""))
    return [(block.address, block.code.hex(), block.branch.hex()) for block in blocks(Code(address, data))]


def test_blocks_end_at_branches():
    assert cut("4801c0 48ffc3 c3 4829c8 eb00") == [(0x1000, "4801c048ffc3", "c3"), (0x1007, "4829c8", "eb00")]


def test_blocks_begin_where_branches_lead():
    # add; (L:) inc; dec; jne L; sub; ret
    assert cut("4801c0 48ffc3 48ffc9 75f8 4829c8 c3") == [
        (0x1000, "4801c0", ""),
        (0x1003, "48ffc348ffc9", "75f8"),
        (0x100B, "4829c8", "c3"),
    ]


def test_calls_and_system_calls_end_blocks():
    assert cut("4801c0 e800000000 4829c8 0f05 48ffc3 c3") == [
        (0x1000, "4801c0", "e800000000"),
        (0x1008, "4829c8", "0f05"),
        (0x100D, "48ffc3", "c3"),
    ]


def test_what_is_no_instruction_ends_a_block_and_is_left_out():
    assert cut("4801c0 0637 4829c8 c3") == [(0x1000, "4801c0", ""), (0x1005, "4829c8", "c3")]


def test_padding_is_no_block():
    assert cut("c3 90 90 660f1f440000 c3") == []
    assert cut("c3 660f1f440000 4801c0 90 c3") == [(0x1007, "4801c090", "c3")]
    assert cut("cc cc cc 4801c0 c3") == [(0x1003, "4801c0", "c3")]


def test_the_same_code_counts_once():
    code = Code(0, bytes.fromhex("4801c0c3" * 3 + "4829c8c3"))
    found = {block.code.hex(): block.count for block in distinct([code, code])}
    assert found == {"4801c0": 6, "4829c8": 2}


def test_which_static_variable_it_is_makes_no_difference():
    one, two = "488b0510000000c3", "488b0520000000c3"  # mov rax, [rip+16]; mov rax, [rip+32]
    (block,) = distinct([Code(0, bytes.fromhex(one + two))])
    assert block.count == 2
    different = distinct([Code(0, bytes.fromhex(one + "488b1d20000000c3"))])  # mov rbx, ...
    assert [block.count for block in different] == [1, 1]


def test_it_stops_when_told():
    asked = itertools.count()
    assert distinct([Code(0, b"\x48\x01\xc0\xc3")], lambda: next(asked) < 0) == []


@pytest.fixture(scope="module")
def library() -> Code:
    """The largest piece of code of a C extension that is always here: NumPy's."""
    path = Path(need("numpy._core._multiarray_umath", extra="fast").__file__ or "")
    code = max(read_elf(path).code(), key=lambda piece: len(piece.data))
    return Code(code.address, code.data[:200_000])


def test_real_code_is_covered_without_overlap_and_without_branches(library: Code):
    iced = need("iced_x86", extra="throughput")
    found = list(blocks(library))
    assert len(found) > 2000
    end = 0
    for block in found:
        assert block.address >= end
        end = block.address + len(block.code) + len(block.branch)
        at = block.address - library.address
        assert library.data[at : at + len(block.code + block.branch)] == block.code + block.branch
        answer = admit(block.code)
        assert not (isinstance(answer, Refused) and answer.reason.startswith("branch"))
    starts = {block.address for block in found}
    covered = {at for block in found for at in range(block.address, block.address + len(block.code + block.branch))}
    inside = [set(range(block.address + 1, block.address + len(block.code))) for block in found]
    middles = set().union(*inside)
    plain = []
    for instruction in iced.Decoder(64, library.data, ip=library.address):
        kinds = (iced.FlowControl.CONDITIONAL_BRANCH, iced.FlowControl.UNCONDITIONAL_BRANCH)
        if instruction.flow_control in kinds:
            assert instruction.near_branch_target in starts or instruction.near_branch_target not in middles
        padding = (iced.Mnemonic.NOP, iced.Mnemonic.INVALID)
        if instruction.flow_control == iced.FlowControl.NEXT and instruction.mnemonic not in padding:
            plain.append(instruction.ip in covered)
    assert sum(plain) > 0.97 * len(plain)  # the rest stands in blocks of more than 1,000 bytes
