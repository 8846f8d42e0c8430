# SPDX-License-Identifier: Apache-2.0
"""HotSpot: the flags of the JDK that is found, their defaults and ranges (``PrintFlagsFinal``, ``PrintFlagsRanges``).

Only product flags are on offer: what a JDK calls diagnostic or experimental it refuses
unless unlocked, and does not print. Flags of a collector hang on the choice of the
collector, those of the second compiler on its being used.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from trimtab.core.errors import Unavailable

from ..space import Knob, KnobSpace, Value
from .asking import around, ask, find, version
from .pack import Pack, Setting

_MIB: Final = 1 << 20
_LEAST_HEAP: Final = 8  # MiB, to start with
_SIZES: Final = ("ReservedCodeCacheSize", "G1HeapRegionSize")  # given in MiB
_COLLECTORS: Final = ("Serial", "Parallel", "G1", "Shenandoah", "Z")
_GENERATIONS: Final = {"gc": ("Serial", "Parallel")}
_G1: Final = {"gc": ("G1",)}
_TIERED: Final[Mapping[str, tuple[Value, ...]]] = {"TieredCompilation": (True,)}
_TOP: Final[Mapping[str, tuple[Value, ...]]] = {"TieredStopAtLevel": (4,)}  # the second compiler is in use


@dataclass(frozen=True)
class Flag:
    """A flag as the JDK prints it."""

    name: str
    kind: str  # bool, intx, size_t, ...
    value: str
    marks: frozenset[str]  # product, manageable, C2, pd, ...


def _flag(name: str, low: float, high: float, when: Mapping[str, tuple[Value, ...]] | None = None, **more: Any) -> Knob:
    return Knob(name, "int", low, low, high, log=low > 0, when=when or {}, **more)


#: flags that tend to matter, with the part of their range that is worth a try. Sizes in MiB
_NUMBERS: Final = (
    _flag("NewRatio", 1, 8, _GENERATIONS, about="old over young generation"),
    _flag("SurvivorRatio", 2, 32, _GENERATIONS, about="eden over one survivor space"),
    _flag("MaxTenuringThreshold", 0, 15, {"gc": ("Serial", "Parallel", "G1")}, about="collections until old"),
    _flag("MaxGCPauseMillis", 5, 2000, _G1, unit="ms", about="aim"),
    _flag("InitiatingHeapOccupancyPercent", 5, 95, _G1, unit="%"),
    _flag("ParallelGCThreads", 1, 16, {"gc": ("Parallel", "G1", "Shenandoah", "Z")}),
    _flag("TieredStopAtLevel", 1, 4, _TIERED, about="1: the first compiler alone"),
    _flag("Tier3InvocationThreshold", 25, 5000, _TIERED),
    _flag("Tier3CompileThreshold", 250, 50000, _TIERED),
    _flag("Tier4InvocationThreshold", 500, 100_000, _TOP),
    _flag("Tier4CompileThreshold", 1500, 300_000, _TOP),
    _flag("Tier3DelayOn", 0, 20, _TOP, about="queue of the second compiler at which profiling waits"),
    _flag("MaxInlineSize", 1, 350, _TOP, unit="B", about="of a method that is called seldom"),
    _flag("FreqInlineSize", 30, 3000, _TOP, unit="B", about="of a hot method"),
    _flag("InlineSmallCode", 250, 25000, _TOP, unit="B"),
    _flag("MaxInlineLevel", 1, 30, _TOP),
    _flag("LoopUnrollLimit", 1, 500, _TOP),
    _flag("C1MaxInlineSize", 1, 350, unit="B"),
    _flag("ReservedCodeCacheSize", 16, 512, unit="MiB"),
)
_SWITCHES: Final[Mapping[str, Mapping[str, tuple[Value, ...]]]] = {
    "UseAdaptiveSizePolicy": {"gc": ("Parallel",)},
    "AlwaysPreTouch": {},
    "UseTransparentHugePages": {},
    "UseCompressedOops": {"gc": ("Serial", "Parallel", "G1", "Shenandoah")},
    "UseStringDeduplication": {"gc": ("G1", "Shenandoah")},
    "TieredCompilation": {},
    "BackgroundCompilation": {},
    "DoEscapeAnalysis": _TOP,
    "UseSuperWord": _TOP,
    "CompactStrings": {},
    "UsePerfData": {},
}
#: of everything: prints, dumps, debugging, what changes limits or meaning rather than speed
_OTHER: Final = re.compile(
    r"Print|Trace|Log|Dump|Debug|Verif|Check|Fail|Error|Stress|Test|Assert|Exit|Abort|Record|Flight|Monitor|Attach|JVMCI|"
    r"Management|Profil|Security|Restrict|Preserve|StackSize|Stats|Max(RAM|Heap|Metaspace|Direct)|Initial(RAM|Heap)|"
    r"Min(RAM|Heap)|Heap(Base|Size)|CompressedClass|SharedArchive|ExtendedDTrace|Allow|Ignore|Show|CDS|Priority|"
    r"ActiveProcessorCount|SoftMax|OldSize|NewSize|Large|NUMA|SHM|HugeTLB|InitialTenuring|Biased|ReduceSignal|LockingMode|UseCodeCacheFlushing|"
    r"AggressiveHeap|Unlock|Use\w+GC$|CICompiler|ObjectAlignment|Zero|CodeCache|NonProfiled|NonNMethod|CodeEntry"
)


def load(name: str, tool: str, everything: bool, base: Sequence[str]) -> Pack:
    path = find(tool, "java", "default-jre-headless", name)
    told = ask([path, *base, "-XX:+PrintFlagsFinal", "-version"])
    flags = {flag.name: flag for flag in printed(told)}
    if "TieredCompilation" not in flags:
        raise Unavailable(f"{path} -XX:+PrintFlagsFinal lists no flags of HotSpot: {told.strip()[-200:]}")
    limits = dict(ranges(ask([path, *base, "-XX:+PrintFlagsRanges", "-version"])))
    starts = _starter(path, base)
    knobs = [*_heap(flags), *_collector(flags, starts), *_sharing(starts), *_shortlist(flags, limits)]
    if everything:
        others = list(_others(flags, limits, {knob.name for knob in knobs}))
        for u in (0.01, 0.37, 0.99):
            others = _taken(others, starts, u)
        knobs += others
    names = {knob.name for knob in knobs}
    knobs = [replace(k, when={n: v for n, v in k.when.items() if n in names}) for k in knobs]
    heap = int(flags["MaxHeapSize"].value) // _MIB if "MaxHeapSize" in flags else 0
    said = version(told.partition(" version ")[2])
    return Pack(name, str(path), said, KnobSpace(tuple(knobs)), partial(write, heap=heap))


def printed(text: str) -> Iterator[Flag]:
    """The flags of ``-XX:+PrintFlagsFinal``, but for those that this JDK wants unlocked or calls deprecated."""
    pattern = r"^\s*(\w+)\s+(\w+)\s+:?=\s*(\S*)\s+\{([^}]*)\}"
    for kind, name, value, marks in re.findall(pattern, text, re.MULTILINE):
        words = frozenset(marks.split())
        if not words & {"diagnostic", "experimental", "develop"}:
            yield Flag(name, kind, value, words)


def ranges(text: str) -> Iterator[tuple[str, tuple[float, float]]]:
    """The ranges of ``-XX:+PrintFlagsRanges``, where they are numbers."""
    for name, low, high in re.findall(
        r"^\s*\w+\s+(\w+)\s+\[\s*(-?[\d.]+)\s+\.\.\.\s+(-?[\d.]+)\s*\]", text, re.MULTILINE
    ):
        yield name, (float(low), float(high))


def _starter(path: Path, base: Sequence[str]) -> Callable[..., bool]:
    def starts(*options: str) -> bool:
        """Without an error, and without calling anything deprecated."""
        command = [path, *base, *options, "-version"]
        done = subprocess.run(command, capture_output=True, timeout=60, check=False)
        return not done.returncode and b"deprecated" not in done.stdout + done.stderr

    return starts


def _heap(flags: Mapping[str, Flag]) -> Iterator[Knob]:
    if "MaxHeapSize" in flags:
        default = int(flags["MaxHeapSize"].value) // _MIB
        yield Knob("heap", "int", default, min(32, default), max(default, 64), log=True, unit="MiB", about="-Xmx")
        about = "-Xms as a share of -Xmx; 0: as the JVM does"
        yield Knob("heap-start", "int", 0, 1, 100, log=True, special=(0,), unit="%", about=about)


def _collector(flags: Mapping[str, Flag], starts: Callable[..., bool]) -> Iterator[Knob]:
    there = [c for c in _COLLECTORS if f"Use{c}GC" in flags and starts(f"-XX:+Use{c}GC")]
    default = next((c for c in there if flags[f"Use{c}GC"].value == "true"), "")
    if default and len(there) > 1:
        yield Knob("gc", "enum", default, values=tuple(there), about="garbage collector")
    if default == "G1" and "G1HeapRegionSize" in flags:
        yield Knob(
            "G1HeapRegionSize", "enum", 0, values=(0, 1, 2, 4, 8, 16, 32), when=_G1, unit="MiB", about="0: automatic"
        )


def _sharing(starts: Callable[..., bool]) -> Iterator[Knob]:
    if starts("-Xshare:on"):
        yield Knob("share", "enum", "auto", values=("auto", "off"), about="archive of the JDK's classes (CDS)")


def _shortlist(flags: Mapping[str, Flag], limits: Mapping[str, tuple[float, float]]) -> Iterator[Knob]:
    for knob in _NUMBERS:
        flag = flags.get(knob.name)
        if flag is None:
            continue
        scale = _MIB if knob.unit == "MiB" else 1
        low, high = limits.get(knob.name, (knob.low, knob.high))
        default = int(flag.value) // scale
        if knob.name == "ParallelGCThreads":
            high = min(high, 2 * max(default, 1))
        least, most = max(knob.low, low / scale), min(knob.high, high / scale)
        least, most = min(least, default), max(most, default)
        if least < most:
            yield replace(knob, default=default, low=least, high=most, log=least > 0 and most > 16 * least)
    for name, when in _SWITCHES.items():
        if name in flags and flags[name].kind == "bool":
            yield Knob(name, "bool", flags[name].value == "true", when=when)


def _others(flags: Mapping[str, Flag], limits: Mapping[str, tuple[float, float]], taken: set[str]) -> Iterator[Knob]:
    """Every other product flag: switches, and whole numbers around their default."""
    for flag in flags.values():
        if flag.name in taken or _OTHER.search(flag.name) or "product" not in flag.marks:
            continue
        when = _TOP if "C2" in flag.marks else {}
        if flag.kind == "bool":
            yield Knob(flag.name, "bool", flag.value == "true", when=when)
        elif re.fullmatch(r"\d+", flag.value) and flag.kind != "double" and int(flag.value) < 1 << 62:
            default = int(flag.value)
            low, high, log = around(default, *limits.get(flag.name, (0.0, 2.0**31 - 1)))
            if low < high and low <= default <= high:
                yield Knob(flag.name, "int", default, low, high, log=log, when=when)


def _taken(knobs: Sequence[Knob], starts: Callable[..., bool], u: float) -> list[Knob]:
    """Those that the JVM takes, each at `u` of its range: what is refused together is tried in halves."""
    if starts(*(_option(knob.name, knob.at(u), 0) for knob in knobs)):
        return list(knobs)
    if len(knobs) < 2:
        return []
    half = len(knobs) // 2
    return [*_taken(knobs[:half], starts, u), *_taken(knobs[half:], starts, u)]


def write(changed: Mapping[str, Value], heap: int) -> Setting:
    """``-XX:+UseSerialGC -Xmx300m -XX:TieredStopAtLevel=1``; `heap` is the default of ``-Xmx``, MiB."""
    return Setting(tuple(_option(name, value, int(changed.get("heap", heap))) for name, value in changed.items()))  # type: ignore[arg-type]  # a number


def _option(name: str, value: Value, heap: int) -> str:
    if name == "gc":
        return f"-XX:+Use{value}GC"
    if name == "heap":
        return f"-Xmx{value}m"
    if name == "heap-start" and isinstance(value, int):
        return f"-Xms{max(_LEAST_HEAP, heap * value // 100)}m"
    if name == "share":
        return f"-Xshare:{value}"
    if isinstance(value, bool):
        return f"-XX:{'+' if value else '-'}{name}"
    return f"-XX:{name}={value}{'m' if name in _SIZES else ''}"
