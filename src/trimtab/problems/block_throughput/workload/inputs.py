# SPDX-License-Identifier: Apache-2.0
"""The user's own blocks: functions of an ELF binary, hexadecimal digits, assembly text, or a set of labels.

Bad input is refused with what is wrong and where: bytes that don't decode, a branch
within a block, nothing at all, a binary for another machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from trimtab.core.errors import InvalidInstance

from ..problem import BlockSet, Notion
from .elf import Elf, read_elf
from .extract import blocks as extract
from .hexfile import read_hex
from .labelled import read_labelled

_ELF: Final = b"\x7fELF"
_HEX_LINE: Final = re.compile(r"(0x)?([0-9a-fA-F]{2})+\s*([,;\t ].*)?")
_DIRECTIVE: Final = re.compile(r"^\s*[#;]\s*(cpu|notion)\s*[=:]\s*(\S+)\s*$", re.MULTILINE)
_ENCODING: Final = re.compile(r"encoding: \[([^\]]*)\]")
_MOST_TEXT: Final = 1 << 20  # bytes of assembly text


def parse(paths: Sequence[Path]) -> Mapping[str, BlockSet]:
    """Instances by name. A binary has one for each function (``a.out:main``), read when it is asked for.

    Text may say what it is for, in a line of its own: ``# cpu: AuthenticAMD-25-17`` (by
    default the CPU of this machine) and ``# notion: L`` (looped; by default unrolled).
    """
    found: dict[str, Mapping[str, BlockSet] | BlockSet] = {}
    for path in map(Path, paths):
        try:
            with path.open("rb") as file:
                head = file.read(4096)
        except OSError as error:
            raise InvalidInstance(f"{path}: {error.strerror}") from error
        if head.startswith(_ELF):
            found[str(path)] = Functions(read_elf(path), path.name)
        elif path.suffix == ".npz":
            labelled = read_labelled(path)
            found[path.name] = BlockSet(labelled.blocks, labelled.cpu, labelled.notion, path.stem, labelled.frequency)
        else:
            found[path.name if path.name not in found else str(path)] = _text(path, head)
    if len(found) == 1:
        (only,) = found.values()
        if isinstance(only, Functions):
            return only
    flat: dict[str, BlockSet] = {}
    for name, one in found.items():
        flat |= {name: one} if isinstance(one, BlockSet) else dict(one.items())
    return flat


class Functions(Mapping[str, BlockSet]):
    """The functions of a binary as instances; a stripped binary is one instance, its whole code."""

    def __init__(self, elf: Elf, name: str) -> None:
        self._elf, self._name = elf, name
        self._keys = {f"{name}:{function}": function for function in elf.functions} or {name: ""}

    def __getitem__(self, key: str) -> BlockSet:
        function = self._keys[key]
        pieces = [self._elf.function(function)] if function else list(self._elf.code())
        code = tuple(block.code for piece in pieces for block in extract(piece) if block.code)
        if not code:
            raise InvalidInstance(f"{key}: no instructions besides branches")
        return BlockSet(code, _this_cpu(), application=key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def _this_cpu() -> str:
    from ..system.cpu import fingerprint

    return fingerprint()


def _text(path: Path, head: bytes) -> BlockSet:
    try:
        start = head.decode()
    except UnicodeDecodeError as error:
        if error.end < len(head) - 4:
            raise InvalidInstance(
                f"{path} is neither an ELF binary, nor hexadecimal digits or assembly text, nor a set of labels (.npz)"
            ) from None
        start = head[: error.start].decode()
    told = dict(_DIRECTIVE.findall(start))
    lines = [line.strip() for line in start.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise InvalidInstance(f"{path} is empty")
    code = read_hex(path) if _HEX_LINE.fullmatch(lines[0]) else [_assemble(path)]
    check(code, str(path))
    notion: Notion = "L" if told.get("notion", "U") == "L" else "U"
    return BlockSet(tuple(code), told.get("cpu") or _this_cpu(), notion, path.stem)


def check(blocks: Sequence[bytes], where: str) -> None:
    """Whether all are straight-line x86-64 code; raises `InvalidInstance` with the first that is not, and why."""
    from ..decode import decode

    refused = decode(blocks).refused()
    for at in refused.nonzero()[0].tolist():
        raise InvalidInstance(f"{where}, block {at + 1} ({blocks[at][:24].hex()}): {_reason(blocks[at])}")


def _reason(block: bytes) -> str:
    """Why a block is refused."""
    from trimtab.core.extras import need

    iced = need("iced_x86", extra="throughput", purpose="decoding x86")
    for one in iced.Decoder(64, block):
        if one.is_invalid:
            return f"byte {one.ip} is no x86-64 instruction (32-bit code is not read)"
        if one.flow_control != iced.FlowControl.NEXT:
            place = "ends in" if one.next_ip == len(block) else "has in its middle"
            return f"it {place} a branch ({one}); a block is the code between branches"
    return "it does not decode"


def _assemble(path: Path) -> bytes:
    """One block of assembly text; AT&T syntax is known by its percent signs."""
    from ..baselines.llvm import tool_path
    from ..baselines.process import ToolError, run

    if path.stat().st_size > _MOST_TEXT:
        raise InvalidInstance(f"{path} is larger than {_MOST_TEXT} bytes of assembly text")
    text = re.sub(r"^\s*#.*$", "", path.read_text(errors="replace"), flags=re.MULTILINE)
    intel = "" if "%" in text else ".intel_syntax noprefix\n"
    try:
        printed = run([tool_path("llvm-mc"), "--triple=x86_64", "--show-encoding"], intel + text)
    except ToolError as error:
        raise InvalidInstance(f"{path} is neither hexadecimal digits nor assembly text: {error}") from error
    code = bytearray()
    for encoded in _ENCODING.findall(printed):
        for byte in encoded.split(","):
            value = byte.strip()
            if not re.fullmatch(r"0x[0-9a-f]{2}", value):
                raise InvalidInstance(f"{path}: an operand that only a linker knows; a block needs numbers there")
            code.append(int(value, 16))
    if not code:
        raise InvalidInstance(f"{path} has no instructions")
    return bytes(code)


__all__ = ["Functions", "check", "parse"]
