# SPDX-License-Identifier: Apache-2.0
"""What goes over the harness's pipes; the C side of it is ``native/harness.h``."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Final

from trimtab.core.errors import TrimtabError

from .admission import Admitted

PROTOCOL: Final = 1
_JOB_MAGIC: Final = 0x4254424A
_HELLO_MAGIC: Final = 0x4254424C

_JOB = struct.Struct("<IIHBBBBH")
_FIXUP = struct.Struct("<HHI")
RESULT: Final = struct.Struct("<IBBHHHIddQ")
HELLO: Final = struct.Struct("<IIBBBBiIIdd")

OK, NOISY, BAD_ADDRESS, MANY_PAGES, SIGNALLED, TIMEOUT, LEFT, SYSTEM_CALL, ENDED, TOO_FAST = range(10)
CLOCKS: Final = ("tsc-calibrated", "perf", "task-clock")

REASONS: Final = {
    OK: "",
    NOISY: "the machine was never quiet long enough",
    BAD_ADDRESS: "access to an address that can't be mapped, or is misaligned",
    MANY_PAGES: "touches more than 2048 pages",
    SIGNALLED: "ended by a signal",
    TIMEOUT: "did not end in time",
    LEFT: "control left the block",
    SYSTEM_CALL: "tried a system call",
    ENDED: "ended without a result",
    TOO_FAST: "repeating it twice as often took no longer",
}
_SIGNALS: Final = {4: "illegal instruction", 5: "trap", 7: "bus error", 8: "arithmetic error", 9: "killed", 11: "fault"}


@dataclass(frozen=True, slots=True)
class Hello:
    """What a harness says of itself before it takes work."""

    clock: str
    filtered: bool  # a child that makes a system call was seen to be killed for it
    unprivileged: bool
    vectors: int  # 0: SSE, 1: AVX, 2: AVX-512
    perf_errno: int  # why there is no cycle counter; 0: there is
    granularity: int  # ticks
    uid: int
    ticks: float  # per core cycle
    sentinel: float  # cycles, on the quiet machine


@dataclass(frozen=True, slots=True)
class Reading:
    """One pass over one block."""

    id: int
    status: int
    signal: int
    pages: int  # that the block touched
    accepted: int  # windows
    tried: int
    repeats: int  # of the block, in the shorter window
    cycles: float  # per repetition; nan where the status isn't OK
    ticks: float  # of the clock per core cycle
    address: int  # of a fault

    @property
    def reason(self) -> str:
        """Why there is no number; '' if there is."""
        if self.status == SIGNALLED and self.signal in _SIGNALS:
            return f"{REASONS[SIGNALLED]} ({_SIGNALS[self.signal]})"
        return REASONS.get(self.status, f"unknown status {self.status}")


def pack(identity: int, block: Admitted) -> bytes:
    """A job. `Admitted` is all that says that the code may run."""
    notion = "UL".index(block.notion)
    head = (_JOB_MAGIC, identity, len(block.code), notion, block.counter, block.state, len(block.fixups), 0)
    fixups = b"".join(_FIXUP.pack(fixup.field, fixup.next, fixup.target) for fixup in block.fixups)
    return _JOB.pack(*head) + block.code + fixups


def unpack(data: bytes | memoryview) -> list[Reading]:
    return [Reading(*fields) for fields in RESULT.iter_unpack(data)]


def greet(data: bytes) -> Hello:
    """Raises where the other side is not a harness of this protocol, or its numbers make no sense."""
    if len(data) != HELLO.size:
        raise TrimtabError("the measuring harness ended before it said hello")
    magic, protocol, clock, filtered, unprivileged, *rest = HELLO.unpack(data)
    hello = Hello(CLOCKS[clock % len(CLOCKS)], bool(filtered), bool(unprivileged), *rest)
    if magic != _HELLO_MAGIC or protocol != PROTOCOL:
        raise TrimtabError(f"the measuring harness speaks protocol {protocol}, not {PROTOCOL}; clear its cache")
    if not (math.isfinite(hello.ticks) and hello.ticks > 0 and math.isfinite(hello.sentinel)):
        raise TrimtabError("the measuring harness could not calibrate its clock")
    return hello
