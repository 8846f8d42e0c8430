# SPDX-License-Identifier: Apache-2.0
"""gcc: its optimisation level, flags and parameters, as ``--help=optimizers`` and ``--help=params`` tell.

A flag has two values: "level", what the level says, and the opposite of what the default level says.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from ..space import Knob, KnobSpace, Value
from .asking import around, ask, find, version
from .pack import Pack, Setting

_LEVEL: Final = "-O2"  # what a command that names none is taken to mean

#: flags, enumerations and parameters that tend to matter for C and C++ (the rest: `everything`)
_FLAGS: Final = (
    "tree-loop-vectorize", "tree-slp-vectorize", "unroll-loops", "peel-loops", "split-loops", "unswitch-loops",
    "inline-functions", "ipa-cp-clone", "tree-pre", "gcse", "ivopts", "schedule-insns", "schedule-insns2",
    "rename-registers", "if-conversion", "if-conversion2", "reorder-blocks", "tree-loop-distribution",
    "strict-aliasing", "omit-frame-pointer", "caller-saves",
)  # fmt: skip
_CHOICES: Final = ("vect-cost-model", "ira-region", "ira-algorithm")
_PARAMETERS: Final = (
    "max-inline-insns-auto", "max-inline-insns-single", "inline-unit-growth", "max-unroll-times",
    "max-unrolled-insns", "max-completely-peeled-insns", "max-average-unrolled-insns", "sched-pressure-algorithm",
)  # fmt: skip
#: they change what a program computes, or what it may be linked with: never on offer
_UNSAFE: Final = re.compile(
    r"math|finite|rounding|signed-zeros|trapping|reciprocal|errno|contract|excess-precision|store-data-races|"
    r"pack-struct|exceptions|unwind|live-patching|patchable|short-|rtti|parallelize|trivial-auto|stack-check|"
    r"stack-clash|non-call|strict-volatile|openmp|threadsafe|wrapv|trapv|delete-null|lifetime|profile|plt|lto|section"
)


class _Option(NamedTuple):
    name: str
    value: str  # as printed
    choices: tuple[str, ...] = ()
    low: float = -math.inf
    high: float = math.inf


def load(name: str, tool: str, everything: bool, base: Sequence[str]) -> Pack:
    """`base`: the command's own ``-O``; ``-O2`` where it has none."""
    path = find(tool, "gcc", "gcc", name)
    level = next((word for word in reversed(base) if re.fullmatch("-O[0-3sg]?", word)), _LEVEL)
    space = KnobSpace(tuple(_knobs(path, everything, level)))
    return Pack(name, str(path), version(ask([path, "-dumpfullversion", "-dumpversion"])), space, write)


def _knobs(path: Path, everything: bool, level: str) -> Iterator[Knob]:
    chosen = level.removeprefix("-O") or "1"
    levels = tuple(sorted({"1", "2", "3", "s", chosen}))
    yield Knob("O", "enum", chosen, values=levels, about="optimisation level")
    march = re.search(r"-march=\s+(\S+)", ask([path, "-Q", "--help=target", level]))
    base = march.group(1) if march else ""
    if base and base != "native":
        yield Knob("march", "enum", base, values=(base, "native"), about="instruction set: that of this machine?")
    options = {option.name: option for option in flags(ask([path, "-Q", "--help=optimizers", level]))}
    for name, option in options.items():
        if (everything and not _UNSAFE.search(name)) or name in _FLAGS or name in _CHOICES:
            yield _flag(option)
    for option in parameters(ask([path, "-Q", "--help=params", level])):
        if option.name in _PARAMETERS or (everything and "analyzer" not in option.name and "asan" not in option.name):
            knob = _parameter(option)
            if knob:
                yield knob


def _flag(option: _Option) -> Knob:
    if option.choices:
        return Knob(option.name, "enum", option.value, values=option.choices)
    return Knob(option.name, "enum", "level", values=("level", "off" if option.value == "enabled" else "on"))


def _parameter(option: _Option) -> Knob | None:
    if not re.fullmatch(r"\d+", option.value):  # names, and -1 for "automatic"
        return None
    default = int(option.value)
    if math.isfinite(option.high) and option.high - option.low < 16:
        low, high, log = option.low, option.high, False
    else:
        low, high, log = around(default, option.low, option.high)
    return (
        Knob("param-" + option.name, "int", default, low, high, log) if low < high and low <= default <= high else None
    )


def flags(text: str) -> Iterator[_Option]:
    """Flags that are on or off, and those with listed values, of ``-Q --help=optimizers``."""
    for found in re.finditer(r"^\s+-f([\w-]+)\s+\[(enabled|disabled)\]", text, re.MULTILINE):
        yield _Option(found.group(1), found.group(2))
    for found in re.finditer(r"^\s+-f([\w-]+)=\[([\w|-]+)\]\s+(\S+)", text, re.MULTILINE):
        choices = tuple(found.group(2).split("|"))
        if found.group(3) in choices and len(set(choices)) > 1:
            yield _Option(found.group(1), found.group(3), choices)


def parameters(text: str) -> Iterator[_Option]:
    """Parameters of ``-Q --help=params``: name, range where one is printed, value."""
    for found in re.finditer(r"^\s+--param=([\w-]+)=(?:<(-?\d+),(-?\d+)>)?\s+(\S+)", text, re.MULTILINE):
        name, low, high, value = found.groups()
        yield _Option(name, value, (), float(low) if low else -math.inf, float(high) if high else math.inf)


def write(changed: Mapping[str, Value]) -> Setting:
    """``-O3 -fno-gcse --param=max-unroll-times=4``; the level comes first."""
    return Setting(tuple(_written(name, value) for name, value in level_first(changed)))


def level_first(changed: Mapping[str, Value]) -> list[tuple[str, Value]]:
    """What sets many flags stands before what sets one."""
    return sorted(changed.items(), key=lambda pair: pair[0] not in ("O", "march"))


def _written(name: str, value: Value) -> str:
    return f"--param={name.removeprefix('param-')}={value}" if name.startswith("param-") else flag_argument(name, value)


def flag_argument(name: str, value: Value) -> str:
    """``-O3``, ``-march=native``, ``-fgcse``, ``-fno-gcse``, ``-fira-region=all``."""
    if name == "O":
        return f"-O{value}"
    if name == "march":
        return f"-march={value}"
    if value in ("on", "off"):
        return f"-f{name}" if value == "on" else f"-fno-{name}"
    return f"-f{name}={value}"
