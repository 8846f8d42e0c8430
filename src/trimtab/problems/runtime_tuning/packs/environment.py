# SPDX-License-Identifier: Apache-2.0
"""Environment variables that change how a program runs: of OpenMP (``openmp``) and of the allocator (``malloc``).

The allocator is glibc's, whose tunables and ranges ``ld.so --list-tunables`` prints;
the number of threads is that of the cores this process may use.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from trimtab.core.errors import MissingTool, UsageError

from ..space import Knob, KnobSpace, Value
from .asking import ask, version
from .pack import Pack, Setting

_LOADERS: Final = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", "/lib/ld-linux-armhf.so.3")
_TUNABLE: Final = re.compile(r"^(glibc\.[\w.]+): (\S+) \(min: (\S+), max: (\S+)\)", re.MULTILINE)
#: of glibc.malloc, with the part of the range that is worth a try, and the default that glibc's manual tells where
#: the tunable itself prints 0 for "not set". Sizes in bytes
_MALLOC: Final[Mapping[str, tuple[int, int, int, Mapping[str, Any]]]] = {
    "arena_max": (0, 1, 64, {"special": (0,), "about": "0: eight a core"}),
    "mmap_threshold": (
        128 << 10,
        16 << 10,
        1 << 28,
        {"about": "larger blocks are mapped; setting it ends its adapting"},
    ),
    "trim_threshold": (128 << 10, 16 << 10, 1 << 30, {"about": "free at the top that is given back"}),
    "top_pad": (128 << 10, 4 << 10, 1 << 28, {"about": "asked of the system beyond need"}),
    "mmap_max": (65536, 1, 65536, {"special": (0,)}),
    "tcache_count": (7, 1, 127, {"special": (0,), "about": "blocks of a size a thread keeps; 0: none"}),
    "tcache_max": (1032, 64, 64 << 10, {"about": "largest block that a thread keeps"}),
    "hugetlb": (0, 0, 1, {"about": "1: transparent huge pages"}),
}


def load(name: str, tool: str, everything: bool, base: Sequence[str]) -> Pack:
    if name == "openmp":
        return Pack(name, "", "", KnobSpace(tuple(_openmp())), write_openmp)
    loader = next((path for path in ([tool] if tool else _LOADERS) if Path(path).exists()), None)
    if loader is None:
        raise MissingTool("the knob pack 'malloc' asks ld.so of glibc 2.33 or newer, which is not where it usually is")
    told = {found[0]: found[1:] for found in _TUNABLE.findall(ask([loader, "--list-tunables"]))}
    knobs = tuple(_tunables(told))
    if not knobs:
        raise UsageError(f"{loader} --list-tunables lists nothing of glibc.malloc: is it older than glibc 2.33?")
    return Pack(name, loader, version(ask([loader, "--version"])), KnobSpace(knobs), write_malloc)


def _openmp() -> Iterator[Knob]:
    cores = len(os.sched_getaffinity(0))
    if cores > 1:
        yield Knob("OMP_NUM_THREADS", "int", cores, 1, 2 * cores)
    yield Knob(
        "OMP_SCHEDULE",
        "enum",
        "unset",
        values=("unset", "static", "dynamic", "dynamic,16", "guided"),
        about="of loops that say 'runtime'",
    )
    yield Knob("OMP_PROC_BIND", "enum", "unset", values=("unset", "true", "close", "spread"))
    yield Knob("OMP_PLACES", "enum", "unset", values=("unset", "threads", "cores", "sockets"))
    yield Knob(
        "OMP_WAIT_POLICY", "enum", "unset", values=("unset", "active", "passive"), about="do waiting threads spin?"
    )
    yield Knob("OMP_DYNAMIC", "enum", "unset", values=("unset", "true", "false"))
    yield Knob("GOMP_SPINCOUNT", "int", 0, 1, 10_000_000, log=True, special=(0,), about="0: as libgomp does")


def _tunables(told: Mapping[str, tuple[str, str, str]]) -> Iterator[Knob]:
    for name, (usual, low, high, more) in _MALLOC.items():
        if f"glibc.malloc.{name}" not in told:
            continue
        value, least, most = (_number(text) for text in told[f"glibc.malloc.{name}"])
        default = int(value) or usual
        low, high = int(max(low, least)), int(min(high, most))
        if low < high and (low <= default <= high or default in more.get("special", ())):
            yield Knob(
                name, "int", default, low, high, log=low > 0 and high > 16 * low, unit="" if high < 200 else "B", **more
            )


def _number(text: str) -> float:
    return float(int(text, 16)) if text.startswith("0x") else float(text)


def write_openmp(changed: Mapping[str, Value]) -> Setting:
    return Setting(environment={name: str(value) for name, value in changed.items()})


def write_malloc(changed: Mapping[str, Value]) -> Setting:
    """``GLIBC_TUNABLES=glibc.malloc.arena_max=1:glibc.malloc.tcache_count=0``."""
    text = ":".join(f"glibc.malloc.{name}={value}" for name, value in changed.items())
    return Setting(environment={"GLIBC_TUNABLES": text} if text else {})
