# SPDX-License-Identifier: Apache-2.0
"""What the learned baselines see of an instruction: opcode, operands read and written, memory, implied registers.

Decoded with iced-x86, which knows how every operand is accessed, the registers that
are implied (rsp of a push), and that `xor eax, eax` reads nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from trimtab.core.extras import need

if TYPE_CHECKING:
    import iced_x86

FLAGS: Final = "flags"


@dataclass(frozen=True, slots=True)
class Memory:
    """An address, by the names of its registers ('' for none), and how it is accessed."""

    base: str
    index: str
    scale: int
    displacement: int  # B
    read: bool
    written: bool


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction. Registers are whole ones: rax for eax, zmm1 for xmm1; the flags are one register."""

    opcode: str  # mnemonic, with the width of its first operand: "add64", "vaddps256"
    form: int  # iced's number of the encoding: what operands it takes
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    memory: tuple[Memory, ...]
    immediate: bool


class Reader:
    """Bytes to instructions; an instruction that was seen before is not analysed again."""

    def __init__(self) -> None:
        self._iced: Any = need("iced_x86", extra="throughput", purpose="decoding x86")
        self._factory = self._iced.InstructionInfoFactory()
        self._registers = _names(self._iced.Register)
        self._mnemonics = _names(self._iced.Mnemonic)
        self._known: dict[bytes, Instruction] = {}

    def block(self, code: bytes) -> tuple[Instruction, ...]:
        """The instructions of a block that decodes."""
        found = []
        for one in self._iced.Decoder(64, code):
            raw = code[one.ip : one.ip + one.len]
            seen = self._known.get(raw)
            if seen is None:
                seen = self._known[raw] = self._analyse(one)
            found.append(seen)
        return tuple(found)

    def _analyse(self, one: iced_x86.Instruction) -> Instruction:
        access = self._iced.OpAccess
        info = self._factory.info(one)
        reading = {access.READ, access.COND_READ, access.READ_WRITE, access.READ_COND_WRITE}
        writing = {access.WRITE, access.COND_WRITE, access.READ_WRITE, access.READ_COND_WRITE}
        memory = tuple(
            Memory(
                base=self._name(used.base),
                index=self._name(used.index),
                scale=used.scale,
                displacement=used.displacement,
                read=used.access in reading,
                written=used.access in writing,
            )
            for used in info.used_memory()
        )
        addresses = {register for place in memory for register in (place.base, place.index)}
        registers = [(self._name(used.register), used.access) for used in info.used_registers()]
        valued = self._valued(one, info, addresses, reading)
        reads = [name for name, how in registers if how in reading and (name not in addresses or name in valued)]
        writes = [name for name, how in registers if how in writing]
        reads += [FLAGS] if one.rflags_read else []
        writes += [FLAGS] if one.rflags_modified else []
        return Instruction(
            opcode=f"{self._mnemonics[one.mnemonic]}{self._bits(one)}",
            form=one.code,
            reads=tuple(dict.fromkeys(reads)),
            writes=tuple(dict.fromkeys(writes)),
            memory=memory,
            immediate=any(one.op_kind(at) in self._immediates for at in range(one.op_count)),
        )

    def _valued(self, one: Any, info: Any, addresses: set[str], reading: set[int]) -> set[str]:
        """Registers of an address that the instruction also reads for their value."""
        kinds, found = self._iced.OpKind, set[str]()
        for at in range(one.op_count) if addresses else ():
            if one.op_kind(at) == kinds.REGISTER and info.op_access(at) in reading:
                found.add(self._name(one.op_register(at)))
        return found

    def _bits(self, one: Any) -> str:
        if one.op_count and one.op_kind(0) == self._iced.OpKind.REGISTER:
            return str(8 * self._iced.RegisterExt.size(one.op_register(0)))
        size = self._iced.MemorySizeExt.size(one.memory_size)
        return str(8 * size) if size else ""

    @property
    def _immediates(self) -> frozenset[int]:
        return _immediate_kinds()

    def _name(self, register: int) -> str:
        if not register:
            return ""
        return self._registers[self._iced.RegisterExt.full_register(register)]


@cache
def reader() -> Reader:
    """One for the process."""
    return Reader()


@cache
def _immediate_kinds() -> frozenset[int]:
    iced = need("iced_x86", extra="throughput", purpose="decoding x86")
    return frozenset(value for name, value in vars(iced.OpKind).items() if name.startswith("IMMEDIATE"))


def _names(enumeration: Any) -> dict[int, str]:
    return {value: name.lower() for name, value in vars(enumeration).items() if isinstance(value, int)}


def decode(blocks: Sequence[bytes]) -> list[tuple[Instruction, ...]]:
    """The instructions of each block."""
    read = reader().block
    return [read(code) for code in blocks]
