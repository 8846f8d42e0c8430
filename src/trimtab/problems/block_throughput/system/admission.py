# SPDX-License-Identifier: Apache-2.0
"""Which blocks may run at all, and what the harness has to know of one: decided before anything runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

from trimtab.core.extras import need

if TYPE_CHECKING:
    from iced_x86 import Instruction

Notion = Literal["U", "L"]

MAX_BYTES: Final = 1000
STATIC_BYTES: Final = 1 << 24  # where RIP-relative operands are kept apart
X86_64: Final = 64

_ALIGNED: Final = (2, 4, 8, 16, 32, 64)

# Registers that may count a loop, the ones that compilers use last first; not rsp and rbp.
_COUNTERS: Final = (15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 3, 2, 1, 0)

#: `state` bits of the wire.
XMM, YMM, ZMM, X87 = 1, 2, 4, 8

# What reads or changes the state of the system, of the thread or of the harness, or has no time of its own.
_SYSTEM: Final = re.compile(
    r"SYS(CALL|ENTER|EXITQ?|RETQ?)|INT[13O]?|I?RETF?[DQ]?|UIRET|UD[012]|HLT|ERET[SU]|CPUID|CPU_(READ|WRITE)|RSM|SERIALIZE"
    r"|RD(TSCP?|PMC|PRU|PID|PKRU|RAND|SEED|FSBASE|GSBASE|MSR\w*|M|SHR|UDBG)|WR(FSBASE|GSBASE|PKRU|MSR\w*|SHR|UDBG|U?SS[DQ])"
    r"|X(GETBV|SETBV|BEGIN|END|ABORT|TEST|SUSLDTRK|RESLDTRK|BTS)|XSAVE\w*|XRSTOR\w*|FXSAVE(64)?|FXRSTOR(64)?"
    r"|V?LDMXCSR|FLDCW|FLDENV|FN?SAVE|FRSTOR|POPF[DQ]?|[SL][GIL]DT|STR|LTR|[SL]MSW|LAR|LSL|VERR|VERW|ARPL"
    r"|L[DEFGS]S|LKGS|SWAPGS|CLAC|STAC|CL[GU]?I|ST[GU]?I|CLTS|VM(M?CALL|LAUNCH|RESUME|XON|XOFF|READ|WRITE|PTRLD|PTRST|CLEAR|FUNC|GEXIT|RUN|SAVE|LOAD)|TDCALL|SEAM\w+|ENCL[SUV]|GETSEC\w*|SKINIT"
    r"|U?MONITORX?|U?MWAITX?|TPAUSE|ENQCMDS?|SENDUIPI|TESTUI|INV\w+|WBN?OINVD|WBINVD|TLBSYNC|RMP\w+|P(SMASH|VALIDATE|CONFIG)"
    r"|CLRSSBSY|SETSSBSY|RSTORSSP|SAVEPREVSSP|INCSSP[DQ]|RDSSP[DQ]|INS[BDW]|OUTS[BDW]|IN|OUT|[LS]LWPCB|LWP\w+"
    r"|PTWRITE|HRESET|MCOMMIT|LOADIWKEY|AES\w+KL|ENCODEKEY\w+|TILE\w+|LDTILECFG|STTILECFG|TD[PB]\w+|TCMM\w+"
    r"|X(STORE|CRYPT|SHA)\w*|MONTMUL|CCS_\w+|BND\w+|PBNDKB|CLZERO|INVALID"
)
_X87: Final = re.compile(r"F(?!X|EMMS)\w+|EMMS|FEMMS|WAIT")


@dataclass(frozen=True, slots=True)
class Fixup:
    """A RIP-relative displacement: where it stands, where its instruction ends, and which static byte it means."""

    field: int
    next: int
    target: int  # in [0, STATIC_BYTES)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A block that may run, with what the harness prepares for it."""

    code: bytes
    notion: Notion = "U"
    state: int = XMM | YMM | ZMM | X87
    counter: int = 15  # the general register that counts a loop
    fixups: tuple[Fixup, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """A block that must not run, and why."""

    code: bytes
    reason: str


@dataclass
class _Scan:
    """What one pass over the instructions finds."""

    state: int = 0
    general: int = 0  # bit per general register that is used
    static: list[tuple[int, int, int, int]] | None = None  # field, next, address, natural alignment


def admit(code: bytes, notion: Notion = "U") -> Admitted | Refused:
    """Look at every instruction of a block (machine code, x86-64) before it runs."""
    if not code:
        return Refused(code, "empty")
    if len(code) > MAX_BYTES:
        return Refused(code, f"longer than {MAX_BYTES} bytes")
    iced, tables = need("iced_x86", extra="throughput", purpose="looking at machine code"), _tables()
    decoder = iced.Decoder(X86_64, code)
    factory = iced.InstructionInfoFactory() if notion == "L" else None
    scan = _Scan(static=[])
    for instruction in decoder:
        reason = _reason(instruction, tables)
        if reason:
            return Refused(code, reason)
        _scan(scan, instruction, decoder, tables)
        if factory is not None:
            for used in factory.info(instruction).used_registers():
                scan.general |= tables.general.get(used.register, 0)
    counter = 15
    if notion == "L":
        free = [register for register in _COUNTERS if not scan.general >> register & 1]
        if not free:
            return Refused(code, "no register is free to count the loop")
        counter = free[0]
    return Admitted(code, notion, scan.state, counter, _fixups(scan.static or []))


@dataclass(frozen=True)
class _Tables:
    iced: Any
    system: frozenset[int]
    x87: frozenset[int]
    segments: frozenset[int]
    vectors: dict[int, int]  # register -> state bit
    general: dict[int, int]  # any part of a general register -> its bit
    overrides: frozenset[int]
    eip: int
    no_flow: int
    register: int
    vex: frozenset[int]
    evex: int


@cache
def _tables() -> _Tables:
    iced = need("iced_x86", extra="throughput", purpose="looking at machine code")
    mnemonics = {name: value for name, value in vars(iced.Mnemonic).items() if isinstance(value, int)}
    registers = {name: value for name, value in vars(iced.Register).items() if isinstance(value, int)}
    vectors = {}
    for name, value in registers.items():
        kind = re.fullmatch(r"(XMM|YMM|ZMM|MM|ST|K)\d+", name)
        if kind:
            vectors[value] = {"XMM": XMM, "YMM": YMM, "ZMM": ZMM, "MM": X87, "ST": X87, "K": ZMM}[kind[1]]
    general = {
        value: 1 << iced.RegisterExt.number(iced.RegisterExt.full_register(value))
        for value in registers.values()
        if iced.RegisterExt.is_gpr(value)
    }
    return _Tables(
        iced=iced,
        system=frozenset(value for name, value in mnemonics.items() if _SYSTEM.fullmatch(name)),
        x87=frozenset(value for name, value in mnemonics.items() if _X87.fullmatch(name)),
        segments=frozenset(value for value in registers.values() if iced.RegisterExt.is_segment_register(value)),
        vectors=vectors,
        general=general,
        overrides=frozenset((iced.Register.FS, iced.Register.GS)),
        eip=iced.Register.EIP,
        no_flow=iced.FlowControl.NEXT,
        register=iced.OpKind.REGISTER,
        vex=frozenset((iced.EncodingKind.VEX, iced.EncodingKind.XOP)),
        evex=iced.EncodingKind.EVEX,
    )


def _reason(instruction: Instruction, tables: _Tables) -> str:
    """Why an instruction may not run; '' if it may."""
    if instruction.is_invalid:
        return "bytes that are no instruction"
    if instruction.is_privileged:
        return f"privileged instruction ({instruction})"
    if instruction.mnemonic in tables.system:
        return f"system instruction ({instruction})"
    if instruction.flow_control != tables.no_flow:
        return f"branch ({instruction})"
    if instruction.segment_prefix in tables.overrides:
        return f"segment override ({instruction})"
    if instruction.memory_base == tables.eip:
        return f"32-bit instruction-relative operand ({instruction})"
    for operand in range(instruction.op_count):
        if instruction.op_kind(operand) == tables.register and instruction.op_register(operand) in tables.segments:
            return f"segment register ({instruction})"
    return ""


def _scan(scan: _Scan, instruction: Instruction, decoder: Any, tables: _Tables) -> None:
    state = X87 if instruction.mnemonic in tables.x87 else 0
    for operand in range(instruction.op_count):
        if instruction.op_kind(operand) == tables.register:
            state |= tables.vectors.get(instruction.op_register(operand), 0)
    state |= tables.vectors.get(instruction.memory_index, 0)
    if state & (XMM | YMM | ZMM):  # what is written of a register depends on the encoding, not on its name
        encoding = instruction.encoding
        state = state & X87 | (ZMM if encoding == tables.evex else YMM if encoding in tables.vex else XMM)
    scan.state |= state
    if instruction.is_ip_rel_memory_operand and scan.static is not None:
        offsets = decoder.get_constant_offsets(instruction)
        address = instruction.ip_rel_memory_address
        address -= (address >> 63) << 64
        size = tables.iced.MemorySizeExt.size(instruction.memory_size)
        start = instruction.ip
        scan.static.append((start + offsets.displacement_offset, instruction.next_ip, address, size))


def _fixups(static: Sequence[tuple[int, int, int, int]]) -> tuple[Fixup, ...]:
    """Static operands keep their distances; together they move so that as much as possible is naturally aligned.

    A block doesn't say where it stood, so neither does its displacement say how its operand was aligned.
    """

    def aligned(shift: int) -> int:
        """Bytes of operands that are; the large ones fault if they aren't."""
        return sum(size for _, _, address, size in static if size in _ALIGNED and (address + shift) % size == 0)

    shift = max(range(64), key=lambda shift: (aligned(shift), -shift)) if static else 0
    return tuple(Fixup(field, next_, (address + shift) % STATIC_BYTES) for field, next_, address, _ in static)
