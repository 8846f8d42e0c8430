# SPDX-License-Identifier: Apache-2.0
"""Basic blocks of machine code: decoded in one sweep, cut at branches and at what they reach."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

from trimtab.core.extras import need

from .elf import Code

MAX_BYTES: Final = 1000
SWEEP: Final = 1 << 20  # bytes decoded between two looks at the clock


@dataclass(frozen=True, slots=True)
class Block:
    """Instructions that run one after the other."""

    code: bytes  # without the branch at its end
    branch: bytes  # that ends it; b"" where the next block is simply reached by a branch from elsewhere
    address: int
    count: int = 1  # how often the same code stands in the binary


def blocks(code: Code) -> Iterator[Block]:
    """The blocks of a piece of code, in order; what can't be decoded is passed over, and ends a block."""
    sweep = _sweep(code)
    leaders = sweep.targets
    start = code.address
    last = None
    for address, following, ends in sweep.instructions:
        if address in leaders or (last is not None and last != address):
            yield from _cut(code, start, last if last is not None else address, 0)
            start = address
        if ends:
            size = following - address if ends == _BRANCH else 0
            yield from _cut(code, start, address, size)
            start = following
            last = None
        else:
            last = following
    if last is not None:
        yield from _cut(code, start, last, 0)


def distinct(pieces: Iterable[Code], proceed: Callable[[], bool] = lambda: True) -> list[Block]:
    """Each different block once, with its `count`; stops early once `proceed` says no.

    Blocks that differ only in the displacements of their RIP-relative operands are
    the same: they differ in which variable they use.
    """
    found: dict[bytes, Block] = {}
    mask = _mask()
    for piece in pieces:
        for part in _parts(piece):
            if not proceed():
                return list(found.values())
            for block in blocks(part):
                key = mask(block.code)
                known = found.get(key)
                found[key] = replace(known, count=known.count + 1) if known else block
    return list(found.values())


def _parts(code: Code) -> Iterator[Code]:
    """Of bounded size; the instruction at a seam may be lost."""
    for at in range(0, len(code.data), SWEEP):
        yield Code(code.address + at, code.data[at : at + SWEEP])


_BRANCH, _INVALID = 1, 2


@dataclass(frozen=True)
class _Sweep:
    instructions: list[tuple[int, int, int]]  # address, address of the next, whether and how it ends a block
    targets: frozenset[int]


def _sweep(code: Code) -> _Sweep:
    iced = need("iced_x86", extra="throughput", purpose="finding blocks in machine code")
    flow = iced.FlowControl
    reaches = frozenset((flow.UNCONDITIONAL_BRANCH, flow.CONDITIONAL_BRANCH))
    plain = flow.NEXT
    instructions = []
    targets = set()
    for instruction in iced.Decoder(64, code.data, ip=code.address):
        kind = instruction.flow_control
        ends = 0
        if instruction.is_invalid:
            ends = _INVALID
        elif kind != plain:
            ends = _BRANCH
            if kind in reaches:
                targets.add(instruction.near_branch_target)
        instructions.append((instruction.ip, instruction.next_ip, ends))
    return _Sweep(instructions, frozenset(targets))


def _cut(code: Code, start: int, end: int, branch: int) -> Iterator[Block]:
    """The block from `start` to `end`, unless it has no instruction or only padding."""
    data = code.data[start - code.address : end - code.address]
    if 0 < len(data) <= MAX_BYTES and not _is_padding(data):
        yield Block(data, code.data[end - code.address : end - code.address + branch], start)


def _is_padding(data: bytes) -> bool:
    return data[0] in b"\x90\xcc\x66\x0f\x00" and not data.strip(b"\x90\xcc\x66\x0f\x1f\x2e\x00\x40\x44\x80\x84")


@cache
def _mask() -> Callable[[bytes], bytes]:
    """A function that blanks the displacements of RIP-relative operands."""
    iced = need("iced_x86", extra="throughput", purpose="finding blocks in machine code")

    def mask(data: bytes) -> bytes:
        blank: bytearray | None = None
        decoder: Any = iced.Decoder(64, data)
        for instruction in decoder:
            if instruction.is_ip_rel_memory_operand:
                blank = blank or bytearray(data)
                at = instruction.ip + decoder.get_constant_offsets(instruction).displacement_offset
                blank[at : at + 4] = b"\0\0\0\0"
        return bytes(blank) if blank else data

    return mask
