# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random

import pytest

from trimtab.problems.block_throughput.system.admission import (
    STATIC_BYTES,
    X87,
    XMM,
    YMM,
    ZMM,
    Admitted,
    Refused,
    admit,
)

REFUSED = {
    "empty": "",
    "no instruction": "06",
    "cut short": "4801",
    "hlt": "f4",
    "in al, dx": "ec",
    "mov cr3, rax": "0f22d8",
    "wrmsr": "0f30",
    "cli": "fa",
    "lgdt [rax]": "0f0110",
    "sgdt [rax]": "0f0100",
    "syscall": "0f05",
    "sysenter": "0f34",
    "int 0x80": "cd80",
    "int3": "cc",
    "ud2": "0f0b",
    "cpuid": "0fa2",
    "rdtsc": "0f31",
    "rdtscp": "0f01f9",
    "rdpmc": "0f33",
    "xgetbv": "0f01d0",
    "rdrand eax": "0fc7f0",
    "ldmxcsr [rax]": "0fae10",
    "vldmxcsr [rax]": "c5f8ae10",
    "fldcw [rax]": "d928",
    "fxrstor [rax]": "0fae08",
    "xsave [rax]": "0fae20",
    "wrfsbase rax": "f3480faed0",
    "rdgsbase rax": "f3480faec8",
    "wrpkru": "0f01ef",
    "xbegin": "c7f800000000",
    "popfq": "9d",
    "vmcall": "0f01c1",
    "monitorx": "0f01fa",
    "mov rax, fs:[0x28]": "64488b042528000000",
    "mov eax, gs:[rcx]": "658b01",
    "mov ds, eax": "8ed8",
    "pop fs": "0fa1",
    "jmp $": "ebfe",
    "je +0": "7400",
    "call": "e800000000",
    "ret": "c3",
    "jmp rax": "ffe0",
    "add; jne; add": "4801c075004801c0",
    "eip-relative": "678b0500000000",
    "too long": "90" * 1001,
}


@pytest.mark.parametrize("code", REFUSED.values(), ids=REFUSED)
def test_what_must_not_run_is_refused_with_its_reason(code: str):
    answer = admit(bytes.fromhex(code))
    assert isinstance(answer, Refused)
    assert answer.reason


def test_a_bad_instruction_is_found_anywhere():
    good, bad = bytes.fromhex("4801c0"), bytes.fromhex("0f05")
    for at in range(5):
        code = good * at + bad + good * (4 - at)
        assert isinstance(admit(code), Refused), at


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("4801c0", 0),
        ("660fefc0", XMM),  # pxor xmm0, xmm0
        ("c5f9efc0", YMM),  # vpxor xmm0, xmm0, xmm0: its upper halves are written, too
        ("c5fdefc0", YMM),  # ymm
        ("62f17d48efc0", ZMM),  # vpxord zmm0
        ("660fefc0c5fdefc9", XMM | YMM),
        ("d9e8", X87),  # fld1
        ("0f77", X87),  # emms
        ("0ffcc1", X87),  # paddb mm0, mm1
        ("c5f877", 0),  # vzeroupper names no register
    ],
)
def test_what_a_block_needs_set(code: str, state: int):
    answer = admit(bytes.fromhex(code))
    assert isinstance(answer, Admitted)
    assert answer.state == state


def test_a_loop_is_counted_in_a_register_that_the_block_leaves_alone():
    answer = admit(bytes.fromhex("4d01ff4d89f5"), "L")  # add r15, r15; mov r13, r14
    assert isinstance(answer, Admitted)
    assert answer.counter == 12
    partly = admit(bytes.fromhex("41b701" + "4501f6"), "L")  # mov r15b, 1; add r14d, r14d
    assert isinstance(partly, Admitted)
    assert partly.counter == 13
    implicit = admit(bytes.fromhex("".join(f"4d89{0xC0 + 9 * r:02x}" for r in range(8)) + "0fa5f8f7e1f3a4"), "L")
    assert isinstance(implicit, Admitted)  # r8 to r15; shld eax, edi, cl; mul ecx; rep movsb uses rsi
    assert implicit.counter == 3  # rbx


def test_a_block_that_uses_every_register_cannot_be_looped():
    every = "".join(f"48ff{0xC0 + r:02x}" for r in range(8)) + "".join(f"49ff{0xC0 + r:02x}" for r in range(8))
    answer = admit(bytes.fromhex(every), "L")
    assert isinstance(answer, Refused)
    assert "register" in answer.reason
    assert isinstance(admit(bytes.fromhex(every), "U"), Admitted)


def test_static_operands_keep_their_distance_and_get_aligned():
    # mov rax, [rip+5]; movaps xmm0, [rip+0x40]; mov [rip-0x10], eax
    code = bytes.fromhex("488b0505000000" + "0f280540000000" + "8905f0ffffff")
    answer = admit(code)
    assert isinstance(answer, Admitted)
    first, second, third = answer.fixups
    assert [(fixup.field, fixup.next) for fixup in answer.fixups] == [(3, 7), (10, 14), (16, 20)]
    assert (second.target - first.target) % STATIC_BYTES == (14 + 0x40) - (7 + 5)
    assert (third.target - first.target) % STATIC_BYTES == ((20 - 0x10) - (7 + 5)) % STATIC_BYTES
    assert second.target % 16 == 0  # movaps would fault otherwise
    assert all(0 <= fixup.target < STATIC_BYTES for fixup in answer.fixups)


def test_any_bytes_get_an_answer():
    rng = random.Random(0)
    for _ in range(3000):
        code = rng.randbytes(rng.randrange(1, 40))
        for notion in ("U", "L"):
            answer = admit(code, notion)  # type: ignore[arg-type]
            assert answer.code == code
            if isinstance(answer, Admitted):
                assert code[-2:] != b"\x0f\x05"
                assert all(fixup.field + 4 <= len(code) for fixup in answer.fixups)
