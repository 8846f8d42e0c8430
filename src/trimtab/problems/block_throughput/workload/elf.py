# SPDX-License-Identifier: Apache-2.0
"""Machine code and function symbols of an ELF file: programs, libraries and object files for x86-64.

Files are hostile: every offset and size is checked against the file before it is used.
"""

from __future__ import annotations

import difflib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np

from trimtab.core.errors import InvalidInstance

MAX_FILE: Final = 2 << 30  # bytes
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_X86_64: Final = 62
_MACHINES: Final = {3: "32-bit x86", 8: "MIPS", 20: "PowerPC", 21: "PowerPC 64", 22: "IBM Z", 40: "32-bit Arm"}
_MACHINES_64: Final = {183: "64-bit Arm", 243: "RISC-V", 258: "LoongArch"}
_SYMBOL_TABLES: Final = (2, 11)  # .symtab, .dynsym
_NO_BITS: Final = 8
_EXECUTABLE: Final = 4
_FUNCTIONS: Final = (2, 10)  # STT_FUNC, STT_GNU_IFUNC

_SECTION = np.dtype(
    [
        *(("name", "<u4"), ("type", "<u4"), ("flags", "<u8"), ("address", "<u8"), ("offset", "<u8"), ("size", "<u8")),
        *(("link", "<u4"), ("info", "<u4"), ("alignment", "<u8"), ("entry_size", "<u8")),
    ]
)
_SEGMENT = np.dtype(
    [
        *(("type", "<u4"), ("flags", "<u4"), ("offset", "<u8"), ("address", "<u8"), ("physical", "<u8")),
        *(("size", "<u8"), ("memory_size", "<u8"), ("alignment", "<u8")),
    ]
)
_SYMBOL = np.dtype(
    [("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2"), ("value", "<u8"), ("size", "<u8")]
)


@dataclass(frozen=True, slots=True)
class Code:
    """Executable bytes, and where they stand."""

    address: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    section: int
    address: int
    size: int  # bytes; where the symbol has none, up to the next one


@dataclass(frozen=True, eq=False)
class Elf:
    """An ELF file for x86-64. Raises `InvalidInstance` at whatever it is that isn't as it should be."""

    path: Path
    data: np.ndarray[Any, np.dtype[np.uint8]]
    sections: np.ndarray[Any, Any]
    segments: np.ndarray[Any, Any]

    def code(self) -> Iterator[Code]:
        """Executable sections; of a file that was stripped of its section table, executable segments."""
        for section in self.sections:
            if section["flags"] & _EXECUTABLE and section["type"] != _NO_BITS:
                yield Code(int(section["address"]), self._bytes(section["offset"], section["size"], "a section"))
        if not len(self.sections):
            for segment in self.segments:
                if segment["type"] == 1 and segment["flags"] & 1:
                    yield Code(int(segment["address"]), self._bytes(segment["offset"], segment["size"], "a segment"))

    @cached_property
    def functions(self) -> dict[str, Function]:
        """By name, as the symbol tables spell it; of several of one name, the first."""
        found: dict[str, Function] = {}
        for table in self.sections[np.isin(self.sections["type"], _SYMBOL_TABLES)]:
            for function in self._symbols(table):
                found.setdefault(function.name, function)
        return found

    def function(self, name: str) -> Code:
        """The code of one function."""
        function = self.functions.get(name)
        if function is None:
            if not self.functions:
                raise InvalidInstance(f"{self.path} has no function symbols (it was stripped), so none named {name!r}")
            near = difflib.get_close_matches(name, list(self.functions)[:20_000], n=3)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            raise InvalidInstance(f"{self.path}: no function named {name!r} among {len(self.functions)}.{hint}")
        section = self.sections[function.section]
        start = function.address - int(section["address"])
        if start < 0 or start + function.size > int(section["size"]) or section["type"] == _NO_BITS:
            raise InvalidInstance(f"{self.path}: the function {name!r} lies outside of its section")
        data = self._bytes(int(section["offset"]) + start, function.size, f"the function {name!r}")
        return Code(function.address, data)

    def _symbols(self, table: Any) -> Iterator[Function]:
        names = self._strings(int(table["link"]))
        count = int(table["size"]) // _SYMBOL.itemsize
        symbols = np.frombuffer(self._bytes(table["offset"], count * _SYMBOL.itemsize, "a symbol table"), _SYMBOL)
        wanted = np.isin(symbols["info"] & 15, _FUNCTIONS) & (symbols["section"] > 0)
        symbols = symbols[wanted & (symbols["section"] < len(self.sections))]
        ends = _ends(symbols, self.sections)
        for symbol, end in zip(symbols, ends, strict=True):
            start = int(symbol["name"])
            name = names[start : names.find(b"\0", start)].decode(errors="replace")
            address = int(symbol["value"])
            size = int(symbol["size"]) or max(0, int(end) - address)
            if name and size:
                yield Function(name, int(symbol["section"]), address, size)

    def _strings(self, index: int) -> bytes:
        if index >= len(self.sections):
            raise InvalidInstance(f"{self.path}: a symbol table without names")
        section = self.sections[index]
        return self._bytes(section["offset"], section["size"], "a table of names")

    def _bytes(self, offset: Any, size: Any, what: str) -> bytes:
        start, end = int(offset), int(offset) + int(size)
        if end > len(self.data):
            raise InvalidInstance(f"{self.path} is cut short: {what} ends at byte {end} of {len(self.data)}")
        return self.data[start:end].tobytes()


def read_elf(path: Path) -> Elf:
    """Open an ELF file; refuses what is none, is for another machine, or is cut short."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise InvalidInstance(f"{path} is not a file")
        if size > MAX_FILE:
            raise InvalidInstance(f"{path} has {size} bytes; at most {MAX_FILE} are read")
        data = np.memmap(path, np.uint8, "r") if size else np.zeros(0, np.uint8)
    except OSError as error:
        raise InvalidInstance(f"{path}: {error.strerror}") from error
    head = data[: _HEADER.size].tobytes()
    if head[:4] != b"\x7fELF":
        raise InvalidInstance(f"{path} is not an ELF file (a program, library or object file of Linux)")
    if len(head) < _HEADER.size:
        raise InvalidInstance(f"{path} is cut short: it ends in its header")
    identity, _, machine, _, _, segments_at, sections_at, _, _, segment_size, segments, section_size, sections, _ = (
        _HEADER.unpack(head)
    )
    _check_machine(path, identity, machine)
    if sections_at and not sections:  # more than 65,279: the number stands in the first section
        first = _table(path, data, sections_at, 1, section_size, _SECTION, "section")
        sections = int(first["size"][0])
    return Elf(
        path,
        data,
        _table(path, data, sections_at, sections if sections_at else 0, section_size, _SECTION, "section"),
        _table(path, data, segments_at, segments, segment_size, _SEGMENT, "segment"),
    )


def _check_machine(path: Path, identity: bytes, machine: int) -> None:
    if identity[4] == 1:
        kind = _MACHINES.get(machine, f"machine {machine}")
        raise InvalidInstance(f"{path} is a 32-bit ELF file ({kind}); blocks are x86-64 code")
    if identity[4] != 2 or identity[5] != 1 or machine != _X86_64:
        kind = (_MACHINES | _MACHINES_64).get(machine, f"machine {machine}")
        raise InvalidInstance(f"{path} is an ELF file for another machine ({kind}); blocks are x86-64 code")


def _table(
    path: Path, data: np.ndarray[Any, Any], offset: int, count: int, size: int, kind: np.dtype[Any], what: str
) -> np.ndarray[Any, Any]:
    if not count:
        return np.zeros(0, kind)
    if size != kind.itemsize:
        raise InvalidInstance(f"{path}: its {what}s are described by {size} bytes each, not {kind.itemsize}")
    end = offset + count * size
    if end > len(data):
        raise InvalidInstance(f"{path} is cut short: its {what} table ends at byte {end} of {len(data)}")
    return np.frombuffer(data[offset:end].tobytes(), kind)


def _ends(symbols: np.ndarray[Any, Any], sections: np.ndarray[Any, Any]) -> list[int]:
    """For each symbol: where the next one of its section begins, or the section ends."""
    ends = [0] * len(symbols)
    order = sorted(range(len(symbols)), key=lambda i: (int(symbols["section"][i]), int(symbols["value"][i])))
    for at, i in enumerate(order):
        section = sections[symbols["section"][i]]
        ends[i] = int(section["address"]) + int(section["size"])
        for j in order[at + 1 : at + 50]:  # aliases have the same address
            if symbols["section"][j] != symbols["section"][i]:
                break
            if symbols["value"][j] > symbols["value"][i]:
                ends[i] = int(symbols["value"][j])
                break
    return ends
