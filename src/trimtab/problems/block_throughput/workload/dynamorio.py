# SPDX-License-Identifier: Apache-2.0
"""DynamoRIO's flavour of Intel syntax, as in Ithemal's published sample, turned into what LLVM reads.

It names bytes r8l, 16 and 32 bytes oword and yword, puts segments inside brackets,
prints sign-extended immediates of 32 bits unextended, and lists the implied operands
of a division.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_WORDS: Final = (
    (re.compile(r"\b(r(?:8|9|1[0-5]))l\b"), r"\1b"),
    (re.compile(r"\boword ptr"), "xmmword ptr"),
    (re.compile(r"\byword ptr"), "ymmword ptr"),
    (re.compile(r"\[([c-gs]s):"), r"\1:["),
    (re.compile(r"\bst([0-7])\b"), r"st(\1)"),
)
_WIDE: Final = re.compile(r"qword ptr|\br(?:[a-ds][xip]|[sbd][pi]|8|9|1[0-5])\b")


def to_llvm(text: str) -> str:
    """A listing, one instruction a line."""
    return "\n".join(_line(line) for line in text.splitlines() if line.strip())


def _line(line: str) -> str:
    opcode, _, rest = " ".join(line.split()).partition(" ")
    for pattern, replacement in _WORDS:
        rest = pattern.sub(replacement, rest)
    operands = [operand.strip() for operand in rest.split(",")] if rest else []
    operands = _SPECIAL.get(opcode, _plain)(operands)
    if opcode in _EXTENDED and len(operands) == 2 and _WIDE.match(operands[0]):
        operands[1] = _extended(operands[1])
    if opcode == "mov" and operands and operands[0].startswith("qword ptr"):
        operands[1] = _extended(operands[1])
    return f"{opcode} {', '.join(operands)}".rstrip()


def _extended(operand: str) -> str:
    """A 32-bit immediate with its sign, where it has one."""
    if not operand.startswith("0x"):
        return operand
    value = int(operand, 16)
    return str(value - (1 << 32)) if 1 << 31 <= value < 1 << 32 else operand


def _plain(operands: list[str]) -> list[str]:
    return operands


def _last_of_three(operands: list[str]) -> list[str]:
    return operands[-1:] if len(operands) == 3 else operands


def _shift(operands: list[str]) -> list[str]:
    """Destination, immediate, source -> destination, source, immediate."""
    if len(operands) == 3 and operands[1].startswith("0x"):
        return [operands[0], operands[2], operands[1]]
    return operands


def _lane(operands: list[str]) -> list[str]:
    """The memory operand is half as wide as the register."""
    return [operand.replace("ymmword", "xmmword") for operand in operands]


def _pop(operands: list[str]) -> list[str]:
    return operands[:1] if operands[1:] == ["st(0)"] else operands


_EXTENDED: Final = frozenset({"test", "and", "or", "xor", "cmp", "add", "sub", "adc", "sbb"})
_SPECIAL: Final[dict[str, Callable[[list[str]], list[str]]]] = {
    **dict.fromkeys(("idiv", "div"), _last_of_three),
    **dict.fromkeys(("vpsrldq", "vpslldq", "vpsrlq", "vpsllq", "vpsrld", "vpslld", "vpsraw", "vpsrad"), _shift),
    **dict.fromkeys(("vinsertf128", "vinserti128", "vextractf128", "vextracti128"), _lane),
    "fstp": _pop,
}
