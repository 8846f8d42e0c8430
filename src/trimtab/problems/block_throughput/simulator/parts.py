# SPDX-License-Identifier: Apache-2.0
"""What the simulator does again and again, compiled into it: arithmetic of registers, ports of a cycle."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import uint64

from trimtab.kit.compiled import inlined

from . import columns as P


@inlined
def masked(value: Any, size: Any) -> Any:
    if size >= 8 or size <= 0:
        return value
    return value & ((np.int64(1) << np.int64(8 * size)) - np.int64(1))


@inlined
def extended(value: Any, size: Any) -> Any:
    if size >= 8 or size <= 0:
        return value
    shift = np.int64(64 - 8 * size)
    return (value << shift) >> shift


@inlined
def bit_length(value: Any) -> Any:
    n = 0
    v = uint64(value)
    while v:
        v >>= uint64(1)
        n += 1
    return n


@inlined
def passes_over(each: Any, copies: Any, room: Any) -> Any:
    """How often a copy of the block counts its misses: the difference of the two unrollings has those of both."""
    if each * copies <= room:
        return np.int64(0)
    return np.int64(2) if each * copies / 2 <= room else np.int64(1)


@inlined
def hashed(number: Any) -> Any:
    return np.int64((uint64(number) * uint64(0x9E3779B97F4A7C15)) >> uint64(40))


@inlined
def untouched(address: Any, size: Any) -> Any:
    p = uint64(P.POINTER)
    shift = uint64(8 * (address & 7))
    value = p if shift == uint64(0) else (p >> shift) | (p << (uint64(64) - shift))
    return masked(np.int64(value), size)


@inlined
def book(busy: Any, use: Any, at: Any, mask: Any, hold: Any) -> Any:
    """The first cycle from `at` on in which one of the ports is free; it is taken."""
    c = at
    while True:
        free = mask & ~busy[c & (P.CALENDAR - 1)]
        if free:
            bit = free & -free
            port = 0
            while (bit >> port) != 1:
                port += 1
            rest = free ^ bit
            other = port
            while rest:  # of several, the one that had the least to do
                other += 1
                if (rest >> other) & 1:
                    rest ^= np.int64(1) << other
                    if use[other] < use[port]:
                        port = other
            bit = np.int64(1) << port
            use[port] += hold
            use[P.FAR] = max(use[P.FAR], c + hold)
            for k in range(hold):
                busy[(c + k) & (P.CALENDAR - 1)] |= bit
            return c
        c += 1
        if c - at > P.HORIZON:  # nothing that is real waits so long for a port; the calendar must not fill up
            return c
