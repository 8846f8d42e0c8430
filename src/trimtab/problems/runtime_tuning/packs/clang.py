# SPDX-License-Identifier: Apache-2.0
"""clang: its level, the flags of ``--help``, and options of LLVM with their values (``-mllvm -print-all-options``)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from ..space import Knob, KnobSpace, Value
from .asking import around, ask, find, version
from .gcc import flag_argument, level_first
from .pack import Pack, Setting

_LEVEL: Final = "-O2"
_FLAGS: Final = (
    "vectorize", "slp-vectorize", "unroll-loops", "reroll-loops", "jump-tables", "inline-functions",
    "strict-aliasing", "omit-frame-pointer",
)  # fmt: skip
_OPTIONS: Final = (
    "inline-threshold", "inlinehint-threshold", "inlinecold-threshold", "unroll-max-upperbound", "unroll-runtime",
    "slp-threshold", "slp-min-tree-size", "slp-recursion-max-depth", "jump-threading-threshold",
    "memdep-block-scan-limit", "phi-node-folding-threshold", "rotation-max-header-size", "enable-gvn-hoist",
    "enable-loopinterchange", "enable-loop-distribute", "enable-unroll-and-jam", "enable-partial-inlining",
    "enable-dfa-jump-thread", "tail-dup-size", "min-jump-table-entries", "small-loop-cost",
)  # fmt: skip
#: of everything: printing, checking and testing of LLVM itself, other machines, profiles, and what changes results
_KEPT: Final = re.compile(
    r"print|dump|debug|view|verify|dot|stats|time-|test|assert|limit-float|stop-|start-|opt-bisect|profile|pgo|sample|"
    r"instr|asan|msan|tsan|hwasan|dfsan|san-|coverage|color|amdgpu|arm|aarch64|mips|ppc|riscv|hexagon|nvptx|systemz|"
    r"wasm|sparc|bpf|msp430|avr|lanai|polly|r600|si-|fast-math|fp-|denormal|lto|summary|remark|emit|dwarf|json|file|"
    r"crash|abort|force-|fuzz|import|cfg-|mir|safepoint|gc-|openmp|spp|falkor|a57|stress|ve-|xcore|m68k|csky|tlsdesc|trap|"
    r"unsafe|check|expensive|record|matrix|coro|basic-block-sections|memprof|objc|internali[sz]e|attributor|output|rng|track"
)


def load(name: str, tool: str, everything: bool, base: Sequence[str]) -> Pack:
    """`base`: the command's own ``-O``; ``-O2`` where it has none."""
    path = find(tool, "clang", "clang", name)
    level = next((word for word in reversed(base) if re.fullmatch("-O[0-3sz]?", word)), _LEVEL)
    space = KnobSpace(tuple(_knobs(path, level, everything)))
    return Pack(name, str(path), version(ask([path, "--version"])), space, write)


def _knobs(path: Path, level: str, everything: bool) -> Iterator[Knob]:
    chosen = level.removeprefix("-O") or "2"
    yield Knob("O", "enum", chosen, values=tuple(sorted({"1", "2", "3", "s", chosen})), about="optimisation level")
    yield Knob("march", "enum", "default", values=("default", "native"), about="instruction set: that of this machine?")
    listed = set(re.findall(r"^\s+-f(?:no-)?([a-z][\w-]*)\s", ask([path, "--help"]), re.MULTILINE))
    for flag in _FLAGS:
        if flag in listed:
            yield Knob(flag, "enum", "level", values=("level", "on", "off"))
    for name, value in options(
        ask([path, level, "-mllvm", "-print-all-options", "-c", "-x", "c", "/dev/null", "-o", "/dev/null"])
    ):
        if name in _OPTIONS or (everything and not _KEPT.search(name)):
            knob = _option(name, value)
            if knob:
                yield knob


def options(text: str) -> Iterator[tuple[str, int]]:
    """Options of LLVM whose value is a whole number (switches are 0 and 1)."""
    for name, value in re.findall(r"^\s+--([\w-]+)\s+= (-?\d+)\s+\(default: -?\d+\)\s*$", text, re.MULTILINE):
        yield name, int(value)


def _option(name: str, value: int) -> Knob | None:
    if value in (0, 1) and re.match(r"enable|disable|.*-(runtime|remainder|partial)$", name):
        return Knob(f"llvm-{name}", "bool", bool(value))
    low, high, log = around(value, -1e6, 1e6)
    return Knob(f"llvm-{name}", "int", value, low, high, log=log) if low < high and low <= value <= high else None


def write(changed: Mapping[str, Value]) -> Setting:
    """``-O3 -fno-vectorize -mllvm -inline-threshold=500``; the level comes first."""
    args: list[str] = []
    for name, value in level_first(changed):
        if name.startswith("llvm-"):
            shown = str(value).lower() if isinstance(value, bool) else str(value)
            args += ["-mllvm", f"-{name.removeprefix('llvm-')}={shown}"]
        else:
            args.append(flag_argument(name, value))
    return Setting(tuple(args))
