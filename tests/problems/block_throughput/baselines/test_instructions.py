# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

pytest.importorskip("iced_x86")

from trimtab.problems.block_throughput.baselines.instructions import FLAGS, Instruction, Memory, decode


def one(code: str) -> Instruction:
    ((found,),) = decode([bytes.fromhex(code)])
    return found


@pytest.mark.parametrize(
    ("code", "opcode", "reads", "writes"),
    [
        ("4801d8", "add64", {"rax", "rbx"}, {"rax", FLAGS}),
        ("31f6", "xor32", set[str](), {"rsi", FLAGS}),  # the zeroing idiom reads nothing
        ("31fe", "xor32", {"rsi", "rdi"}, {"rsi", FLAGS}),
        ("89c8", "mov32", {"rcx"}, {"rax"}),
        ("11c8", "adc32", {"rax", "rcx", FLAGS}, {"rax", FLAGS}),
        ("c5f058c2", "vaddps128", {"zmm1", "zmm2"}, {"zmm0"}),
        ("48f7fb", "idiv64", {"rax", "rdx", "rbx"}, {"rax", "rdx", FLAGS}),
    ],
)
def test_what_an_instruction_reads_and_writes(code: str, opcode: str, reads: set[str], writes: set[str]) -> None:
    """Independent truth: the operation tables of Intel's manual, volume 2."""
    found = one(code)
    assert (found.opcode, set(found.reads), set(found.writes)) == (opcode, reads, writes)
    assert found.memory == ()


def test_memory_is_apart_from_registers_that_hold_values() -> None:
    load = one("488b448b08")  # mov rax, [rbx+rcx*4+8]
    assert load.memory == (Memory("rbx", "rcx", 4, 8, read=True, written=False),)
    assert load.reads == () and load.writes == ("rax",)
    both = one("48891b")  # mov [rbx], rbx
    assert both.memory == (Memory("rbx", "", 1, 0, read=False, written=True),)
    assert both.reads == ("rbx",)
    update = one("48830001")  # add qword ptr [rax], 1
    assert update.memory == (Memory("rax", "", 1, 0, read=True, written=True),)
    assert update.immediate
    push = one("53")
    assert push.memory[0].written and push.writes == ("rsp",) and push.reads == ("rbx",)
    lea = one("488d0411")  # lea rax, [rcx+rdx]: an address that is not accessed
    assert lea.writes == ("rax",)
    assert not any(place.read or place.written for place in lea.memory)
    assert {*lea.reads, *(name for place in lea.memory for name in (place.base, place.index))} == {"rcx", "rdx"}


def test_the_same_bytes_are_the_same_instruction() -> None:
    first, second = decode([bytes.fromhex("4801d84801d8"), bytes.fromhex("4801d8")])
    assert first[0] is first[1] is second[0]
