# SPDX-License-Identifier: Apache-2.0
"""The user's own blocks: machine code in hexadecimal digits, assembly text, or a program, library or object file.

==========================  =============================================================================
a list of blocks            one a line in hexadecimal digits (also BHive's CSV files)
assembly text               AT&T syntax, or Intel's after ``.intel_syntax noprefix``; cut at labels and branches
an ELF file                 all its different blocks with how often each stands in it; or of one function
==========================  =============================================================================

Blocks are for this machine's CPU. A list or a text says otherwise in a line such as
``# cpu AuthenticAMD-25-17``.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from trimtab.core.errors import InvalidInstance
from trimtab.core.extras import need

from ..problem import BlockSet
from .elf import read_elf
from .extract import MAX_BYTES, Block, blocks, distinct
from .hexfile import read_hex

MAX_TEXT: Final = 1 << 24  # bytes
_HEX: Final = re.compile(rb"(?:0x)?(?:[0-9a-fA-F]{2})+(?:[,;\t ].*)?")
_CPU: Final = re.compile(r"^\s*#\s*cpu[:=]?\s+(\S+)\s*$", re.MULTILINE)


def parse(paths: Sequence[Path], function: str = "") -> Mapping[str, BlockSet]:
    """An instance for each file. Raises `InvalidInstance` at what is no x86-64 code, and says where."""
    found: dict[str, BlockSet] = {}
    for path in paths:
        name = path.name if path.name not in found else str(path)
        found[f"{name}:{function}" if function else name] = _parse_one(path, function)
    return found


def _parse_one(path: Path, function: str) -> BlockSet:
    head = _head(path)
    if head.startswith(b"\x7fELF"):
        return _elf(path, function)
    if function:
        raise InvalidInstance(f"{path} is not an ELF file, so it has no function named {function!r}")
    if not head.strip():
        raise InvalidInstance(f"{path} is empty")
    if all(_HEX.fullmatch(line.strip()) for line in _lines(head)):
        code = [_checked(one, f"{path}, block {at}") for at, one in enumerate(read_hex(path), 1)]
        return BlockSet(tuple(code), cpu=_cpu(head), application=path.stem)
    return _assembly(path)


def _elf(path: Path, function: str) -> BlockSet:
    elf = read_elf(path)
    pieces = [elf.function(function)] if function else list(elf.code())
    found = list(blocks(pieces[0])) if function else distinct(pieces)
    return _block_set(found, f"{path}:{function}" if function else str(path), _cpu(b""), function or path.name)


def _block_set(found: Sequence[Block], where: str, cpu: str, application: str) -> BlockSet:
    kept = [block for block in found if block.code and len(block.code) <= MAX_BYTES]
    if not kept:
        raise InvalidInstance(f"{where} has no blocks of 1 to {MAX_BYTES} bytes")
    count = np.array([block.count for block in kept], np.float64)
    return BlockSet(tuple(block.code for block in kept), cpu=cpu, application=application, frequency=count)


def _assembly(path: Path) -> BlockSet:
    """Through llvm-mc, which makes an object file of it."""
    from ..baselines.llvm import tool_path
    from ..baselines.process import ToolError, run

    text = path.read_bytes()
    if len(text) > MAX_TEXT:
        raise InvalidInstance(f"{path} has {len(text)} bytes; at most {MAX_TEXT} of assembly text are read")
    try:
        listing = text.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInstance(
            f"{path} is neither an ELF file nor text: blocks are hexadecimal digits, assembly text or in a program"
        ) from None
    if re.search(r"^\s*\.(incbin|include)\b", listing, re.MULTILINE):
        raise InvalidInstance(f"{path}: .include and .incbin would read other files, and are not allowed")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "text.o")
        try:
            run([tool_path("llvm-mc"), "--triple=x86_64-linux", "--filetype=obj", "-o", target], listing)
        except ToolError as error:
            raise InvalidInstance(f"{path} is not x86-64 assembly text that llvm-mc reads: {error}") from error
        found = [block for piece in read_elf(target).code() for block in blocks(piece)]
    return _block_set(found, str(path), _cpu(text), path.stem)


def _checked(code: bytes, where: str) -> bytes:
    """The block without a branch at its end, which is no part of it. Raises where it isn't one block of x86-64."""
    iced = need("iced_x86", extra="throughput", purpose="reading machine code")
    if len(code) > MAX_BYTES:
        raise InvalidInstance(f"{where}: {len(code)} bytes; a block has at most {MAX_BYTES}")
    at = 0
    for one in iced.Decoder(64, code):
        if one.is_invalid:
            raise InvalidInstance(f"{where}: the bytes {code[at : at + 8].hex()} at {at} are no x86-64 instruction")
        if one.flow_control not in (iced.FlowControl.NEXT, iced.FlowControl.EXCEPTION):
            if at + one.len < len(code):
                raise InvalidInstance(f"{where}: a branch ({one}) in the middle, at byte {at}: these are two blocks")
            break
        at += one.len
    if not at:
        raise InvalidInstance(f"{where}: nothing but a branch")
    return code[:at]


def _head(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise InvalidInstance(f"{path} is not a file")
        with path.open("rb") as stream:
            return stream.read(MAX_TEXT)
    except OSError as error:
        raise InvalidInstance(f"{path}: {error.strerror}") from error


def _lines(head: bytes) -> list[bytes]:
    """Without comments and empty ones."""
    return [line for line in head.splitlines() if line.strip() and not line.strip().startswith(b"#")]


def _cpu(text: bytes) -> str:
    from ..system.cpu import fingerprint

    said = _CPU.search(text.decode("utf-8", "replace"))
    cpu = said[1] if said else fingerprint()
    if not cpu:
        raise InvalidInstance("this machine's CPU can't be read from /proc/cpuinfo; say it in a line '# cpu NAME'")
    return cpu
