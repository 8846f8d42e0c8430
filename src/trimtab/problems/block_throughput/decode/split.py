# SPDX-License-Identifier: Apache-2.0
"""Cuts x86-64 machine code into instructions, compiled: lengths, displacements and immediates.

What is left of an instruction when its displacement and its immediate are taken out
is its *template*. There are few of them, so what iced-x86 says of one is remembered
(`records.py`) and the hot path never leaves compiled code.

Layout of instructions and of the opcode maps: AMD64 Architecture Programmer's Manual,
volume 3, chapter 1 and appendix A.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import uint64
from numpy.typing import NDArray

from trimtab.kit.compiled import compiled, inlined

# What follows an opcode: bits of the tables below.
_MODRM, _IMM8, _IMMZ, _IMMV, _IMM16, _BAD = 1, 2, 4, 8, 16, 32


def _primary() -> NDArray[np.uint8]:
    table = np.zeros(256, np.uint8)
    for row in range(0, 0x40, 8):
        table[row : row + 4] = _MODRM
        table[row + 4], table[row + 5] = _IMM8, _IMMZ
        table[row + 6 : row + 8] = _BAD
    table[[0x60, 0x61, 0x82, 0x9A, 0xCE, 0xD4, 0xD5, 0xD6, 0xEA]] = _BAD
    table[[0x63, *range(0x84, 0x90), *range(0xD0, 0xD4), *range(0xD8, 0xE0), 0xF6, 0xF7, 0xFE, 0xFF]] = _MODRM
    table[[0x68, 0xA9, 0xE8, 0xE9]] = _IMMZ
    table[[0x69, 0x81, 0xC7]] = _MODRM | _IMMZ
    table[[0x6A, *range(0x70, 0x80), 0xA8, *range(0xB0, 0xB8), 0xCD, *range(0xE0, 0xE8), 0xEB]] = _IMM8
    table[[0xE8, 0xE9]] = _IMMZ
    table[[0x6B, 0x80, 0x83, 0xC0, 0xC1, 0xC6]] = _MODRM | _IMM8
    table[0xB8:0xC0] = _IMMV
    table[[0xC2, 0xCA]] = _IMM16
    table[0xC8] = _IMM16 | _IMM8
    return table


def _escaped() -> NDArray[np.uint8]:
    table = np.full(256, _MODRM, np.uint8)
    table[[*range(0x05, 0x0A), 0x0B, 0x0E, *range(0x30, 0x38), 0x77, 0xA0, 0xA1, 0xA2, 0xA8, 0xA9, 0xAA]] = 0
    table[0xC8:0xD0] = 0
    table[0x80:0x90] = _IMMZ
    table[[0x04, 0x0A, 0x0C, 0x24, 0x25, 0x26, 0x27, 0x36, 0x39, *range(0x3B, 0x40)]] = _BAD
    table[[0x0F, *range(0x70, 0x74), 0xA4, 0xAC, 0xBA, 0xC2, 0xC4, 0xC5, 0xC6]] = _MODRM | _IMM8
    return table


PRIMARY: Final = _primary()
ESCAPED: Final = _escaped()

#: Columns of what `split` fills in, one row an instruction.
KEY0, KEY1, DISP, IMM, SIZE, START = range(6)


@compiled
def _measure(code: Any, at: Any, end: Any, primary: Any, escaped: Any, out: Any) -> Any:
    """Length, displacement's offset and size, immediate's offset and size, into `out`; False: no instruction."""
    p = at
    operand16 = False
    address32 = False
    rex = 0
    while p < end:  # prefixes
        b = code[p]
        if b == 0x66:
            operand16 = True
        elif b == 0x67:
            address32 = True
        elif not (
            b == 0xF0
            or b == 0xF2
            or b == 0xF3
            or b == 0x2E
            or b == 0x36
            or b == 0x3E
            or b == 0x26
            or b == 0x64
            or b == 0x65
        ):
            break
        p += 1
    if p < end and code[p] & 0xF0 == 0x40:
        rex = code[p]
        p += 1
    if p >= end:
        return False
    b = code[p]
    p += 1
    kind = 0
    after = 0  # bytes of immediate that maps 8..10 and the like bring
    group3 = False
    if b == 0x0F:
        if p >= end:
            return False
        b = code[p]
        p += 1
        if b == 0x38 or b == 0x3A:
            if p >= end:
                return False
            kind = _MODRM | _IMM8 if b == 0x3A else _MODRM
            p += 1
        else:
            kind = escaped[b]
    elif b == 0xC5 or b == 0xC4 or b == 0x62 or (b == 0x8F and p < end and code[p] & 0x1F >= 8):
        if b == 0xC5:
            group, p = 1, p + 1
        elif b == 0x62:
            if p >= end:
                return False
            group, p = code[p] & 7, p + 3
        else:
            if p >= end:
                return False
            group, p = code[p] & 0x1F, p + 2
        if p >= end:
            return False
        opcode = code[p]
        p += 1
        if group == 1:
            kind = escaped[opcode]
        elif group == 2 or group == 5 or group == 6 or group == 9:
            kind = _MODRM
        elif group == 3 or group == 8:
            kind = _MODRM | _IMM8
        elif group == 10:
            kind = _MODRM
            after = 4
        else:
            return False
    else:
        kind = primary[b]
        group3 = b == 0xF6 or b == 0xF7
    if kind & _BAD:
        return False
    out[1], out[2] = 0, 0
    reg = 0
    if kind & _MODRM:
        if p >= end:
            return False
        modrm = code[p]
        p += 1
        mod, rm = modrm >> 6, modrm & 7
        reg = (modrm >> 3) & 7
        if mod != 3:
            size = 0
            if rm == 4:
                if p >= end:
                    return False
                if mod == 0 and code[p] & 7 == 5:
                    size = 4
                p += 1
            elif mod == 0 and rm == 5:
                size = 4
            if mod == 1:
                size = 1
            elif mod == 2:
                size = 4
            out[1], out[2] = p - at, size
            p += size
    elif b >= 0xA0 and b <= 0xA3 and kind == 0 and code[p - 1] == b and (p - 2 < at or code[p - 2] != 0x0F):
        size = 4 if address32 else 8
        out[1], out[2] = p - at, size
        p += size
    imm = after
    if kind & _IMM8 or (group3 and b == 0xF6 and reg < 2):
        imm += 1
    if kind & _IMM16:
        imm += 2
    if kind & _IMMZ or (group3 and b == 0xF7 and reg < 2):
        branch = kind == _IMMZ and (b == 0xE8 or b == 0xE9 or b & 0xF0 == 0x80)
        imm += 2 if operand16 and not rex & 8 and not branch else 4
    if kind & _IMMV:
        imm += 8 if rex & 8 else 2 if operand16 else 4
    out[3], out[4] = p - at, imm
    p += imm
    out[0] = p - at
    return p <= end and p - at <= 15


@inlined
def _signed(code: Any, at: Any, size: Any) -> Any:
    value = uint64(0)
    for i in range(size):
        value |= uint64(code[at + i]) << uint64(8 * i)
    if size and size < 8 and value >> uint64(8 * size - 1) & uint64(1):
        value |= ~uint64(0) << uint64(8 * size)
    return np.int64(value)


@compiled
def split(code: Any, starts: Any, primary: Any, escaped: Any, rows: Any, first: Any) -> Any:
    """Cut blocks into instructions.

    code (bytes,) uint8, all blocks one after the other; starts (blocks + 1,); rows (instructions,
    6) int64, to be filled; first (blocks + 1,) int64: where a block's rows start. A block that
    does not decode has no rows. Returns the number of rows.
    """
    shape = np.zeros(5, np.int64)
    n = 0
    for block in range(len(starts) - 1):
        first[block] = n
        at, end = starts[block], starts[block + 1]
        row = n
        while at < end:
            if not _measure(code, at, end, primary, escaped, shape):
                row = n
                break
            size, disp, disp_size, imm, imm_size = shape
            low, high = uint64(0), uint64(0)
            for i in range(size):
                inside = (i >= disp and i < disp + disp_size) or (i >= imm and i < imm + imm_size)
                byte = uint64(0) if inside else uint64(code[at + i])
                if i < 8:
                    low |= byte << uint64(8 * i)
                else:
                    high |= byte << uint64(8 * (i - 8))
            high |= uint64(size) << uint64(56)
            rows[row, KEY0], rows[row, KEY1] = np.int64(low), np.int64(high)
            rows[row, DISP] = _signed(code, at + disp, disp_size)
            rows[row, IMM] = _signed(code, at + imm, imm_size)
            rows[row, SIZE] = size
            rows[row, START] = at - starts[block]
            row += 1
            at += size
        n = row
    first[len(starts) - 1] = n
    return n


def measure_one(raw: bytes) -> tuple[int, int]:
    """Where an instruction's displacement is, and its size, B."""
    shape = np.zeros(5, np.int64)
    _measure(np.frombuffer(raw, np.uint8), 0, len(raw), PRIMARY, ESCAPED, shape)
    return int(shape[1]), int(shape[2])
