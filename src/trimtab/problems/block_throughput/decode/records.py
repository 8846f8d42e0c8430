# SPDX-License-Identifier: Apache-2.0
"""What an instruction does, as one row of numbers: registers, memory, idioms, arithmetic on addresses.

iced-x86 is asked once per template (`split.py`); the answer is a row that compiled code reads.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.core.extras import need

# Columns of a row.
FORM, FLAGS, BYTES, VECTOR = 0, 1, 2, 3  # 4 iced's number of the encoding + 2 indexed + 1 memory; bits below; operand B
LOAD, STORE = 4, 10  # two addresses: base, index (-1: none), scale, displacement, factor of the instruction's own, B
BASE, INDEX, SCALE, CONSTANT, FACTOR, WIDTH = range(6)  # offsets into an address
READS, READ0, MAX_READS = 16, 17, 6  # registers read for their value, not for an address
WRITES, WRITE0, MAX_WRITES = 23, 24, 5
ACT, TARGET, SOURCE, SOURCE_BYTES, STACK = 29, 30, 31, 32, 33  # arithmetic (below); STACK: what is added to rsp
COLUMNS: Final = 34

# Registers: 0..15 general, 16..47 vector, 48..55 mask, 56..63 x87 and MMX, then three groups of flags.
VECTOR0, MASK0, X87, CARRY, OVERFLOW, STATUS = 16, 48, 56, 64, 65, 66
REGISTERS: Final = 67
NONE, IMMEDIATE, MEMORY = -1, -2, -3  # values of TARGET and SOURCE besides registers

# Bits of FLAGS.
ZEROING, MOVE, NOP, PUSH, POP, LOCKED, REPEATED, RIP, HIGH8, BRANCH, REFUSED = (1 << bit for bit in range(11))
ONES, GATHER, DIVIDES = 1 << 11, 1 << 12, 1 << 13

# Values of ACT: enough arithmetic to follow addresses.
OPAQUE, COPY, SIGNED_COPY, ADD, SUBTRACT, AND, OR, XOR, SHIFT_LEFT, SHIFT_RIGHT, LEA, INCREMENT, DECREMENT = range(13)
NEGATE, NOT, EXCHANGE, KEEP, MULTIPLY, SHIFT_ARITHMETIC = range(13, 19)

_ACTS: Final = {
    "MOV": COPY, "MOVZX": COPY, "MOVSX": SIGNED_COPY, "MOVSXD": SIGNED_COPY, "ADD": ADD, "SUB": SUBTRACT, "AND": AND,
    "OR": OR, "XOR": XOR, "SHL": SHIFT_LEFT, "SAL": SHIFT_LEFT, "SHR": SHIFT_RIGHT, "SAR": SHIFT_ARITHMETIC,
    "LEA": LEA, "INC": INCREMENT, "DEC": DECREMENT, "NEG": NEGATE, "NOT": NOT, "XCHG": EXCHANGE, "POP": COPY,
    "IMUL": MULTIPLY, "CMOV": COPY, "MOVNTI": COPY, "ADC": ADD, "SBB": SUBTRACT, "PUSH": COPY,
    "CDQE": SIGNED_COPY,
}  # fmt: skip
_ZEROING: Final = {
    f"{v}{name}"
    for v in ("", "V")
    for name in (
        *("XORPS", "XORPD", "PXOR", "PSUBB", "PSUBW", "PSUBD", "PSUBQ", "PCMPGTB", "PCMPGTW"),
        *("PCMPGTD", "PCMPGTQ", "PANDN", "ANDNPS", "ANDNPD", "PSUBUSB", "PSUBUSW", "PSUBSB", "PSUBSW"),
        *("PXORD", "PXORQ"),
    )
} | {"XOR", "SUB"}  # fmt: skip
_ONES: Final = {f"{v}PCMPEQ{size}" for v in ("", "V") for size in "BWDQ"}
_MOVES: Final = {
    *(
        [
            "MOV",
            "MOVAPS",
            "MOVAPD",
            "MOVUPS",
            "MOVUPD",
            "MOVDQA",
            "MOVDQU",
            "VMOVAPS",
            "VMOVAPD",
            "VMOVUPS",
            "VMOVUPD",
            "VMOVDQA",
            "VMOVDQU",
        ]
    ),
    *(["VMOVDQA32", "VMOVDQA64", "VMOVDQU32", "VMOVDQU64", "XCHG", "MOVSXD"]),
}
_NOPS: Final = {"NOP", "ENDBR64", "FNOP", "PREFETCHT0", "PREFETCHT1", "PREFETCHT2", "PREFETCHNTA", "PREFETCHW"}
#: Read or write rax and rdx without naming them, which may also be in an address.
_IMPLICIT: Final = {"MUL", "DIV", "IDIV", "CMPXCHG", "IMUL"}


class Describer:
    """Templates to rows, through iced-x86."""

    def __init__(self) -> None:
        iced = need("iced_x86", extra="throughput", purpose="decoding x86")
        self.iced: Any = iced
        self._factory = iced.InstructionInfoFactory()
        self._mnemonics = {v: k for k, v in vars(iced.Mnemonic).items() if isinstance(v, int)}
        access = iced.OpAccess
        self._reading = {access.READ, access.COND_READ, access.READ_WRITE, access.READ_COND_WRITE}
        self._writing = {access.WRITE, access.COND_WRITE, access.READ_WRITE, access.READ_COND_WRITE}

    def row(self, raw: bytes, disp_at: int, disp_size: int) -> NDArray[np.int32]:
        """The row of one instruction; REFUSED where there is none. `raw` has zeros for displacement and immediate."""
        probe = bytearray(raw)
        if disp_size:
            probe[disp_at] = 1  # what becomes of a displacement of 1 is the factor of a compressed one
        one = self.iced.Decoder(64, bytes(probe)).decode()
        row = np.full(COLUMNS, -1, np.int32)
        row[[FLAGS, BYTES, VECTOR, READS, WRITES, ACT, SOURCE_BYTES, STACK]] = 0
        row[FORM] = 4 * one.code
        for side in (LOAD, STORE):
            row[[side + SCALE, side + CONSTANT, side + FACTOR, side + WIDTH]] = 0
        if one.is_invalid or one.len != len(raw):
            row[FLAGS] = REFUSED
            return row
        info = self._factory.info(one)
        name = self._mnemonics[one.mnemonic]
        self._flags(row, one, name)
        addressed = self._addresses(row, one, info, disp_size)
        self._registers(row, one, info, name, addressed)
        self._arithmetic(row, one, name)
        row[FORM] += int(row[LOAD + WIDTH] > 0 or row[STORE + WIDTH] > 0)
        row[FORM] += 2 * int(
            max(row[LOAD + INDEX], row[STORE + INDEX]) >= 0 and not (name == "LEA" and self._plain(row))
        )
        return row

    def _flags(self, row: NDArray[np.int32], one: Any, name: str) -> None:
        iced, flags = self.iced, 0
        registers = [one.op_register(at) for at in range(one.op_count) if one.op_kind(at) == iced.OpKind.REGISTER]
        same = len(registers) == one.op_count and len(registers) >= 2 and len(set(registers[-2:])) == 1
        if same and name in _ZEROING:
            flags |= ZEROING
        if same and name in _ONES:
            flags |= ONES
        if len(registers) == one.op_count == 2 and name in _MOVES:
            wide = all(iced.RegisterExt.size(register) >= 4 for register in registers)
            flags |= MOVE if wide and not (name == "MOVSXD" and iced.RegisterExt.size(registers[1]) < 8) else 0
        flags |= NOP if name in _NOPS else 0
        flags |= DIVIDES if name in ("DIV", "IDIV") else 0
        flags |= PUSH if name.startswith("PUSH") else POP if name.startswith("POP") and name != "POPCNT" else 0
        flags |= LOCKED if one.has_lock_prefix or (name == "XCHG" and len(registers) < 2) else 0
        flags |= REPEATED if one.has_rep_prefix or one.has_repne_prefix else 0
        flags |= RIP if one.is_ip_rel_memory_operand else 0
        flags |= BRANCH if one.flow_control != iced.FlowControl.NEXT else 0
        high = {iced.Register.AH, iced.Register.BH, iced.Register.CH, iced.Register.DH}
        flags |= HIGH8 if high & set(registers) else 0
        sizes = [iced.RegisterExt.size(r) for r in registers if iced.RegisterExt.is_vector_register(r)]
        row[VECTOR] = max(sizes, default=0)
        row[BYTES] = iced.RegisterExt.size(registers[0]) if registers else iced.MemorySizeExt.size(one.memory_size)
        row[FLAGS] = flags
        row[STACK] = one.stack_pointer_increment

    def _addresses(self, row: NDArray[np.int32], one: Any, info: Any, disp_size: int) -> set[int]:
        iced, found = self.iced, set[int]()
        for used in info.used_memory():
            own = used.displacement & 0xFFFFFFFFFFFFFFFF
            own -= (own >> 63) << 64
            base, index = self._register(used.base), self._register(used.index)
            found |= {base, index}
            implied = (used.access in self._writing and bool(row[FLAGS] & PUSH)) or (
                used.access in self._reading and bool(row[FLAGS] & POP)
            )
            explicit = not implied and disp_size > 0 and abs(own) <= 64
            rip = bool(row[FLAGS] & RIP) and not implied
            cell = (base, index, used.scale, 0 if explicit or rip else own if abs(own) < 2**31 else 0,
                    1 if rip else own if explicit else 0, iced.MemorySizeExt.size(used.memory_size))  # fmt: skip
            if used.access in self._reading:
                row[LOAD : LOAD + 6] = cell
            if used.access in self._writing:
                row[STORE : STORE + 6] = cell
            if index >= VECTOR0:
                row[FLAGS] |= GATHER
        if one.mnemonic == iced.Mnemonic.LEA:  # an address that nothing is read from
            base, index = self._register(one.memory_base), self._register(one.memory_index)
            rip = bool(row[FLAGS] & RIP)
            cell = (base, index, one.memory_index_scale, 0, 1 if disp_size or rip else 0, 0)
            row[LOAD : LOAD + 6] = cell
        return found

    def _registers(self, row: NDArray[np.int32], one: Any, info: Any, name: str, addressed: set[int]) -> None:
        iced, flags = self.iced, int(row[FLAGS])
        valued, partial = set[int](), set[int]()
        for at in range(one.op_count):
            if one.op_kind(at) == iced.OpKind.REGISTER:
                register, access = one.op_register(at), info.op_access(at)
                number = self._register(register)
                if access in self._reading:
                    valued.add(number)
                if access in self._writing and number < VECTOR0 and iced.RegisterExt.size(register) < 4:
                    partial.add(number)
        reads, writes = dict[int, None](), dict[int, None]()
        for used in info.used_registers():
            number = self._register(used.register)
            if number < 0 or (number == 4 and row[STACK] != 0 and flags & (PUSH | POP)):
                continue
            implicit = number in (0, 2) and name in _IMPLICIT
            if used.access in self._reading and (number not in addressed or number in valued or implicit):
                reads[number] = None
            if used.access in self._writing:
                writes[number] = None
            if used.access == self.iced.OpAccess.COND_WRITE:  # the old value may stay
                reads[number] = None
        if flags & (ZEROING | ONES):
            reads.clear()
        reads |= dict.fromkeys(partial)
        reads |= dict.fromkeys(_groups(one.rflags_read, iced.RflagsBits))
        writes |= dict.fromkeys(_groups(one.rflags_modified, iced.RflagsBits))
        if len(writes) > 8:  # vzeroupper, emms: no register that anyone waits for
            reads, writes = {}, {}
        row[READS], row[WRITES] = min(len(reads), MAX_READS), min(len(writes), MAX_WRITES)
        for at, number in enumerate(list(reads)[:MAX_READS]):
            row[READ0 + at] = number
        for at, number in enumerate(list(writes)[:MAX_WRITES]):
            row[WRITE0 + at] = number

    def _arithmetic(self, row: NDArray[np.int32], one: Any, name: str) -> None:
        kinds = self.iced.OpKind
        act = _ACTS.get("CMOV" if name.startswith("CMOV") else name, OPAQUE)
        if row[FLAGS] & BRANCH or row[WRITES] == 0:
            act = act if row[STORE + WIDTH] > 0 and act == COPY else KEEP if row[WRITES] == 0 else act
        if name == "IMUL" and one.op_count < 2:
            act = OPAQUE
        if row[FLAGS] & HIGH8:
            act = OPAQUE
        row[ACT] = act

        def place(at: int) -> tuple[int, int]:
            if at >= one.op_count:
                return NONE, 0
            kind = one.op_kind(at)
            if kind == kinds.REGISTER:
                register = one.op_register(at)
                number = self._register(register)
                return (number if number < VECTOR0 else NONE), self.iced.RegisterExt.size(register)
            if kind == kinds.MEMORY:
                return MEMORY, self.iced.MemorySizeExt.size(one.memory_size)
            return IMMEDIATE, int(row[BYTES])

        target, _ = place(0)
        source, size = place(one.op_count - 1 if one.op_count > 1 else 0)
        if name == "PUSH":
            target, (source, size) = MEMORY, place(0)
        elif name == "POP":
            source, size = MEMORY, 8
        elif name == "CDQE":
            target, source, size, row[BYTES] = 0, 0, 4, 8
        elif name in ("CDQ", "CQO", "CWD"):  # of what is positive
            row[ACT], target, source, size, row[BYTES] = COPY, 2, IMMEDIATE, 0, 8
        elif name == "IMUL" and one.op_count == 2:
            source, size = place(1)
        elif name == "IMUL" and one.op_count == 3:
            row[ACT] = OPAQUE
        row[TARGET], row[SOURCE], row[SOURCE_BYTES] = target, source, size

    @staticmethod
    def _plain(row: NDArray[np.int32]) -> bool:
        """Whether an address is the sum of two terms."""
        terms = int(row[LOAD + BASE] >= 0) + int(row[LOAD + FACTOR] != 0)
        return bool(row[LOAD + SCALE] <= 1 and terms < 2)

    def _register(self, register: int) -> int:
        """Its number here; -1 for none, for rip, for segments."""
        return _numbers()[register]


@cache
def _numbers() -> dict[int, int]:
    iced = need("iced_x86", extra="throughput", purpose="decoding x86")
    extension, found = iced.RegisterExt, dict[int, int]()
    for register in (value for value in vars(iced.Register).values() if isinstance(value, int)):
        number = extension.number(register) if register else 0
        if not register or extension.is_ip(register) or extension.is_segment_register(register):
            found[register] = -1
        elif extension.is_gpr(register):
            found[register] = extension.number(extension.full_register(register))
        elif extension.is_vector_register(register):
            found[register] = VECTOR0 + number
        elif extension.is_k(register):
            found[register] = MASK0 + number
        elif extension.is_mm(register) or extension.is_st(register):
            found[register] = X87 + number
        else:
            found[register] = -1
    return found


def _groups(bits: int, names: Any) -> list[int]:
    """AMD and Intel rename carry, overflow and the rest apart."""
    found = [CARRY] if bits & names.CF else []
    found += [OVERFLOW] if bits & names.OF else []
    return found + ([STATUS] if bits & (names.SF | names.ZF | names.AF | names.PF) else [])
