# SPDX-License-Identifier: Apache-2.0
"""xz's LZMA2 options, with the valid values and defaults that ``xz --long-help`` prints."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from trimtab.core.errors import Unavailable

from ..space import Knob, KnobSpace, Value
from .asking import ask, find, version
from .pack import Pack, Setting

_UNITS: Final = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_LARGEST: Final = 26  # log2 B, the dictionary offered: a decoder needs as much memory
_BITS: Final = 4  # lc + lp may not exceed it (LZMA2)
_DEPTH: Final = 1000


def load(name: str, tool: str, everything: bool, base: Sequence[str]) -> Pack:
    path = find(tool, "xz", "xz-utils", name)
    knobs = tuple(options(ask([path, "--long-help"])))
    if not knobs:
        raise Unavailable(f"{path} --long-help lists no options of --lzma2: is it xz of XZ Utils?")
    return Pack(name, str(path), version(ask([path, "--version"])), KnobSpace(knobs, _refused(knobs)), write)


def options(text: str) -> list[Knob]:
    """The knobs of the list under ``--lzma2`` in the help text."""
    knobs = []
    for name, low, high, default in re.findall(r"^\s+(\w+)=NUM\s.*\((\w+)\s?-\s?(\w+); (\w+)\)", text, re.MULTILINE):
        least, most, usual = _bytes(low), _bytes(high), _bytes(default)
        if name == "dict":
            bits = (least.bit_length() - 1, min(most.bit_length() - 1, _LARGEST), usual.bit_length() - 1)
            knobs.append(Knob("dict", "int", bits[2], bits[0], bits[1], about="dictionary, log2 B"))
        elif name in ("lc", "lp", "pb", "nice"):
            knobs.append(Knob(name, "int", usual, least, most, log=most > 100))
    for name, listed, default in re.findall(r"^\s+(\w+)=\w+\s.*\(([a-z]\w*(?:, \w+)+); (\w+)\)", text, re.MULTILINE):
        knobs.append(Knob(name, "enum", default, values=tuple(listed.split(", "))))
    if knobs and re.search(r"^\s+depth=NUM\s.*0=automatic \(default\)", text, re.MULTILINE):
        knobs.append(Knob("depth", "int", 0, 1, _DEPTH, log=True, special=(0,), about="searches; 0: automatic"))
    return knobs


def _bytes(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(\w*)", text).groups()  # type: ignore[union-attr]  # matched before
    return int(number) * _UNITS.get(unit, 1)


def _refused(knobs: tuple[Knob, ...]) -> tuple[Mapping[str, tuple[Value, ...]], ...]:
    by_name = {knob.name: knob for knob in knobs}
    if not {"lc", "lp"} <= set(by_name):
        return ()
    clauses = []
    for lc in range(int(by_name["lc"].low), int(by_name["lc"].high) + 1):
        too_many = tuple(lp for lp in range(int(by_name["lp"].low), int(by_name["lp"].high) + 1) if lc + lp > _BITS)
        if too_many:
            clauses.append({"lc": (lc,), "lp": too_many})
    return tuple(clauses)


def write(changed: Mapping[str, Value]) -> Setting:
    """``--lzma2=lc=0,dict=1048576``."""
    texts = [
        f"dict={1 << value}" if n == "dict" and isinstance(value, int) else f"{n}={value}"
        for n, value in changed.items()
    ]
    return Setting(("--lzma2=" + ",".join(texts),) if texts else ())
