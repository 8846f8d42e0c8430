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
    start = end = code.address
    for address, following, kind in sweep.instructions:
        if address in sweep.targets or kind == _INVALID:
            yield from _cut(code, start, end, end)
            start = address
        if kind in (_BRANCH, _INVALID):
            yield from _cut(code, start, address, following if kind == _BRANCH else address)
            start = following
        elif kind == _NOP and start == address:  # what aligns the next function or loop
            start = following
        end = following
    yield from _cut(code, start, end, end)


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


_PLAIN, _BRANCH, _INVALID, _NOP = range(4)


@dataclass(frozen=True)
class _Sweep:
    instructions: list[tuple[int, int, int]]  # address, address of the next, kind
    targets: frozenset[int]


def _sweep(code: Code) -> _Sweep:
    iced = need("iced_x86", extra="throughput", purpose="finding blocks in machine code")
    flow, nop = iced.FlowControl, iced.Mnemonic.NOP
    reaches = frozenset((flow.UNCONDITIONAL_BRANCH, flow.CONDITIONAL_BRANCH, flow.CALL))
    next_ = flow.NEXT
    instructions = []
    targets = set()
    for instruction in iced.Decoder(64, code.data, ip=code.address):
        flows = instruction.flow_control
        kind = _PLAIN
        if instruction.is_invalid:
            kind = _INVALID
        elif flows != next_:
            kind = _BRANCH
            if flows in reaches:
                targets.add(instruction.near_branch_target)
        elif instruction.mnemonic == nop:
            kind = _NOP
        instructions.append((instruction.ip, instruction.next_ip, kind))
    return _Sweep(instructions, frozenset(targets))


def _cut(code: Code, start: int, end: int, after: int) -> Iterator[Block]:
    """The block from `start` to `end`, and its branch up to `after`; none that is empty, only zeros, or too long."""
    data = code.data[start - code.address : end - code.address]
    if 0 < len(data) <= MAX_BYTES and any(data):
        yield Block(data, code.data[end - code.address : after - code.address], start)


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
