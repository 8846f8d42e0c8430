# SPDX-License-Identifier: Apache-2.0
"""Blocks whose throughput is known, to see whether a machine can be trusted to measure others.

Values are cycles per repetition, unrolled, from AMD's Software Optimization Guides
for Zen 4 (family 19h, publication 57647) and Zen 5 (family 1Ah, publication 58455):
latencies of chains, and the widths of dispatch, load and store. Those of `ANY` hold
on every x86-64 core since Haswell and Zen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .admission import Admitted, admit
from .cpu import describe
from .passes import Measures, Passes, Record, measure_labels

TOLERANCE: Final = 0.02
ATTEMPTS: Final = 5  # on a machine that is busy


@dataclass(frozen=True, slots=True)
class Kernel:
    name: str
    code: bytes
    cycles: float


def _kernel(name: str, code: str, cycles: float) -> Kernel:
    return Kernel(name, bytes.fromhex(code), cycles)


ANY: Final = (
    _kernel("add rax, rax: a chain", "4801c0", 1),
    _kernel("imul rax, rax: a chain", "480fafc0", 3),
    _kernel("shl rax, 1: a chain", "48d1e0", 1),
    _kernel("crc32 rax, rax: a chain", "f2480f38f1c0", 3),
)
_ZEN: Final = (
    *ANY,
    _kernel("mov rax, [rax]: load to use", "488b00", 4),
    _kernel("mulsd xmm0, xmm0: a chain", "f20f59c0", 3),
    _kernel("vfmadd231pd xmm0, xmm1, xmm1: a chain", "c4e2f1b8c1", 4),
    _kernel("popcnt rax, rax: a chain", "f3480fb8c0", 1),
    _kernel("aesenc xmm0, xmm0: a chain", "660f38dcc0", 4),
)
_ZEN4: Final = (
    *_ZEN,
    _kernel("addsd xmm0, xmm0: a chain", "f20f58c0", 3),
    _kernel("mov rcx, rax: renamed, six a cycle", "4889c1", 1 / 6),
    _kernel("xor eax, eax: renamed, six a cycle", "31c0", 1 / 6),
)
_ZEN5: Final = (
    *_ZEN,
    _kernel("addsd xmm0, xmm0: a chain", "f20f58c0", 2),
    _kernel("mov rcx, rax: renamed, eight a cycle", "4889c1", 1 / 8),
    _kernel("nop: eight a cycle", "90", 1 / 8),
    _kernel("four loads: four a cycle", "8b0b8b0b8b0b8b0b", 1),
    _kernel("two stores: two a cycle", "48890348894340", 1),
)


def known_answers(cpu: Mapping[str, str] | None = None) -> tuple[Kernel, ...]:
    """The blocks whose throughput is known on a CPU; by default on this one."""
    cpu = describe() if cpu is None else cpu
    if cpu.get("vendor") != "AuthenticAMD":
        return ANY
    family, model = int(cpu.get("family", 0)), int(cpu.get("model", 0))
    if family == 26:
        return _ZEN5
    if family == 25 and (16 <= model < 32 or 96 <= model < 128 or 160 <= model < 176):
        return _ZEN4
    return ANY


def answers(pool: Measures, kernels: tuple[Kernel, ...]) -> dict[str, float]:
    """What is measured for each, by name; NaN where passes don't agree. Those that are off are tried again."""
    found: dict[str, float] = {}
    for _ in range(ATTEMPTS):
        wanting = [kernel for kernel in kernels if not is_right(kernel, found.get(kernel.name, float("nan")))]
        if not wanting:
            break
        blocks = [block for kernel in wanting if isinstance(block := admit(kernel.code), Admitted)]
        records = [Record() for _ in blocks]
        measure_labels(pool, blocks, records, Passes(3, 6))
        found |= {kernel.name: record.label().cycles for kernel, record in zip(wanting, records, strict=True)}
    return found


def is_right(kernel: Kernel, cycles: float) -> bool:
    return abs(cycles / kernel.cycles - 1) <= TOLERANCE  # False for nan
