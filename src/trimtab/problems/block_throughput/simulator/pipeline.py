# SPDX-License-Identifier: Apache-2.0
"""An out-of-order core, compiled: a block runs for some iterations, and time between iterations is its throughput."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit, uint64
from numpy.typing import NDArray

from trimtab.core.errors import DataError

from ..decode import records as R

# Columns of the parameters of one code.
# SLOTS: quarters of an instruction's place in dispatch; HOLD: cycles that a micro-operation holds its port; KIND:
# index into `prior.KINDS`.
SLOTS, LATENCY, UOPS, PORTS, HOLD, KIND = range(6)
FIELDS: Final = 6
PORTS_: Final = 18  # ALU 0-5, address generation 6-9, stores 10-11, FPU 12-15, vector store data 16-17
UNITS: Final = 96  # of dispatch in a cycle
KINDS_: Final = 48

# Machine parameters.
(LOAD_LATENCY, VECTOR_LOAD_LATENCY, FORWARD, VECTOR_FORWARD, RENAMED, PARTIAL, WINDOW, INDEXED, STACK_FORWARD, CROSS,
 RENAME_RULE, LOAD_PORTS, VECTOR_LOAD_PORTS, STORE_PORTS, VECTOR_STORE_PORTS, MOVE_KINDS, COMMIT, STORE_DATA,
 NOP_FUSION, SYNC, SPLIT_COMMIT, AGU_PORTS, DIVIDE, DISPATCH, PRESENT, RENAME_OPS, QUEUE, VECTOR_QUEUE,
 NEAR_LINES, LINE_COST, NEAR_PAGES, PAGE_COST, WAIT_ALL, LATE_COST,
 RENAME_INDEXED, RENAME_LEAST, COMMIT_RETIRED, MISS, RENAME_RMW) = range(39)  # fmt: skip
MACHINE: Final = 39

#: Raised when parameters that were learned before would mean something else.
VERSION: Final = 2
CALENDAR: Final = 1 << 13
LINE_TABLE: Final = 1 << 10
PAGE_TABLE: Final = 1 << 8
HORIZON: Final = 1 << 10
ENOUGH: Final = 2000  # cycles that are simulated of a block, about
FAR: Final = 31  # of what ports did: not a port, but the last cycle that was booked
STORES: Final = 64
POINTER: Final = 0x12345600
# what a run tells
(
    CYCLES,
    FRONT,
    FORWARDS,
    PARTIALS,
    CROSSINGS,
    RENAMES,
    COMMITS,
    LAST,
    SYNCS,
    LINES,
    PAGES,
    STRIDE,
    SPREAD,
    LATE,
    FOREIGN,
    STORED,
    ALIASES,
) = range(17)
TELLS: Final = 17
# Then what each port did, per iteration; then how many instructions there are of each kind.
USE: Final = TELLS
KIND0: Final = USE + PORTS_
RUN: Final = KIND0 + KINDS_
SLOT_: Final = 4


@njit(cache=True, inline="always")
def _mask(value: Any, size: Any) -> Any:
    if size >= 8 or size <= 0:
        return value
    return value & ((np.int64(1) << np.int64(8 * size)) - np.int64(1))


@njit(cache=True, inline="always")
def _sign(value: Any, size: Any) -> Any:
    if size >= 8 or size <= 0:
        return value
    shift = np.int64(64 - 8 * size)
    return (value << shift) >> shift


@njit(cache=True, inline="always")
def _length(value: Any) -> Any:
    n = 0
    v = uint64(value)
    while v:
        v >>= uint64(1)
        n += 1
    return n


@njit(cache=True, inline="always")
def passes_over(each: Any, copies: Any, room: Any) -> Any:
    """How often a copy of the block counts its misses: the difference of the two unrollings has those of both."""
    if each * copies <= room:
        return np.int64(0)
    return np.int64(2) if each * copies / 2 <= room else np.int64(1)


@njit(cache=True, inline="always")
def _slot(number: Any) -> Any:
    return np.int64((uint64(number) * uint64(0x9E3779B97F4A7C15)) >> uint64(40))


@njit(cache=True, inline="always")
def _pattern(address: Any, size: Any) -> Any:
    p = uint64(POINTER)
    shift = uint64(8 * (address & 7))
    value = p if shift == uint64(0) else (p >> shift) | (p << (uint64(64) - shift))
    return _mask(np.int64(value), size)


@njit(cache=True, inline="always")
def _book(busy: Any, use: Any, at: Any, mask: Any, hold: Any) -> Any:
    """The first cycle from `at` on in which one of the ports is free; it is taken."""
    c = at
    while True:
        free = mask & ~busy[c & (CALENDAR - 1)]
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
            use[FAR] = max(use[FAR], c + hold)
            for k in range(hold):
                busy[(c + k) & (CALENDAR - 1)] |= bit
            return c
        c += 1
        if c - at > HORIZON:  # nothing that is real waits so long for a port; the calendar must not fill up
            return c


@njit(cache=True, nogil=True)
def run(
    row: Any,
    disp: Any,
    imm: Any,
    size: Any,
    rec: Any,
    params: Any,
    machine: Any,
    iterations: Any,
    skip: Any,
    busy: Any,
    leaves: Any,
    out: Any,
) -> Any:
    """One block. Its instructions' rows, displacements, immediates and sizes; fills `out` (RUN,).

    busy (CALENDAR,) int64 and leaves (2, CALENDAR) int32 are zero before and after.
    """
    n = len(row)
    ready = np.zeros(R.REGISTERS, np.int64)
    value = np.full(16, np.int64(POINTER), np.int64)
    use = np.zeros(32, np.float64)
    first_load = np.zeros(n, np.int64)
    first_store = np.zeros(n, np.int64)
    stride = 0.0
    code_bytes = np.int64(0)
    out[:] = 0
    for i in range(n):
        code_bytes += size[i]
        out[KIND0 + params[rec[row[i]][R.FORM], KIND]] += 1.0
    copies = 2.0 * min(max(8192 // max(code_bytes, 1), 8), 200)
    s_addr = np.zeros(STORES, np.int64)
    s_size = np.zeros(STORES, np.int64)
    s_ready = np.zeros(STORES, np.int64)
    s_value = np.zeros(STORES, np.int64)
    s_base = np.zeros(STORES, np.int64)
    s_when = np.zeros(STORES, np.int64)
    s_index = np.zeros(STORES, np.int64)
    s_iversion = np.zeros(STORES, np.int64)
    s_issue = np.zeros(STORES, np.int64)
    all_ready = np.int64(0)
    late = 0
    aliases = 0
    foreign = 0
    stores = 0
    window = machine[WINDOW]
    dispatch = machine[DISPATCH]
    present = machine[PRESENT]
    retired = np.zeros(512, np.int64)
    count = 0
    front = np.int64(0)  # 1/UNITS cycles
    last = np.int64(0)
    cleared = np.int64(CALENDAR)
    opaque = np.int64(0x10000)
    times = np.zeros(iterations + 1, np.int64)
    done_iterations = iterations
    far = 0.0
    slots = np.int64(0)  # of dispatch, in all
    forwards = partials = crossings = renames = 0
    commit = np.int64(0)
    block = np.int64(-1)
    commits = 0
    syncs = 0
    fusible = False
    pending = False
    version = np.zeros(16, np.int64)
    inside = np.zeros(2, np.int64)
    seen = np.zeros(2, np.int64)
    line_of = np.full(LINE_TABLE, np.int64(-1))
    page_of = np.full(PAGE_TABLE, np.int64(-1))
    new_lines = 0
    new_pages = 0
    store_lines = 0
    miss_latency = np.int64(0)
    s_version = np.zeros(STORES, np.int64)
    s_commit = np.zeros(STORES, np.int64)
    for it in range(iterations):
        times[it] = max(max(last, commit), front // UNITS)
        if times[it] > ENOUGH and it >= 4:
            done_iterations = it
            break
        if it == skip:
            far = max(far, use[FAR])
            use[:] = 0
            if it > 1:
                miss_latency = machine[MISS] * passes_over(
                    (new_lines + store_lines) / it, copies, 8 * machine[NEAR_LINES]
                )
            new_lines = 0
            new_pages = 0
            store_lines = 0
        position = np.int64(0)
        for i in range(n):
            r = rec[row[i]]
            p = params[r[R.FORM]]
            position += size[i]
            flags = r[R.FLAGS]
            if count >= window:
                limit = retired[(count - window) & 511] * UNITS
                if limit > front:
                    front = limit
            if flags & R.NOP and p[UOPS] == 0 and machine[NOP_FUSION] > 0:
                if fusible:
                    fusible = False
                else:
                    front += p[SLOTS] * dispatch
                    slots += p[SLOTS] * dispatch
                    fusible = True
            else:
                front += p[SLOTS] * dispatch
                slots += p[SLOTS] * dispatch
                fusible = True
            d = front // UNITS
            group = 1 if r[R.VECTOR] > 0 else 0
            room = machine[VECTOR_QUEUE] if group else machine[QUEUE]
            while True:  # operations that wait for their operands fill the scheduler
                while seen[group] < d:
                    seen[group] += 1
                    inside[group] -= leaves[group, seen[group] & (CALENDAR - 1)]
                    leaves[group, seen[group] & (CALENDAR - 1)] = 0
                if inside[group] < room:
                    break
                d += 1
                front = d * UNITS
            issued = d
            while cleared < d + CALENDAR // 2:  # recycle the calendar
                busy[cleared & (CALENDAR - 1)] = 0
                cleared += 1
            top = d + CALENDAR // 2 - 600
            if r[R.STACK] != 0 and flags & (R.PUSH | R.POP):
                pending = True
            # addresses
            la = np.int64(0)
            start = d
            moved = np.int64(0)
            has_load = r[R.LOAD + R.WIDTH] > 0 and not flags & R.NOP
            if has_load or r[R.ACT] == R.LEA:
                base, index = r[R.LOAD + R.BASE], r[R.LOAD + R.INDEX]
                la = np.int64(r[R.LOAD + R.CONSTANT]) + disp[i] * np.int64(r[R.LOAD + R.FACTOR])
                when = d
                if base >= 0:
                    la += value[base]
                    if ready[base] > when:
                        when = ready[base]
                if index >= 0:
                    if index < 16:
                        la += value[index] * r[R.LOAD + R.SCALE]
                    if ready[index] > when:
                        when = ready[index]
                if flags & R.RIP:
                    la += (np.int64(1) << 40) + position
                if has_load:
                    width = np.int64(r[R.LOAD + R.WIDTH])
                    if it == skip:
                        first_load[i] = la
                    elif it == iterations - 1:
                        stride = max(stride, abs((la - first_load[i]) / (iterations - 1.0 - skip)))
                    missed = np.int64(0)
                    if line_of[_slot(la >> 6) & (LINE_TABLE - 1)] != la >> 6:
                        line_of[_slot(la >> 6) & (LINE_TABLE - 1)] = la >> 6
                        new_lines += 1
                        missed = miss_latency
                    if page_of[_slot(la >> 12) & (PAGE_TABLE - 1)] != la >> 12:
                        page_of[_slot(la >> 12) & (PAGE_TABLE - 1)] = la >> 12
                        new_pages += 1
                    wide = r[R.VECTOR] > 0
                    ports = present & (machine[VECTOR_LOAD_PORTS] if wide else machine[LOAD_PORTS])
                    if when > top:
                        when = top
                    issue = _book(busy, use, when, ports, 1)
                    issued = issue
                    if (la & 63) + width > 64:
                        crossings += 1
                        issue = _book(busy, use, issue, ports, 1) + machine[CROSS]
                    if width >= 64:
                        issue = _book(busy, use, issue, ports, 1)
                    latency = machine[VECTOR_LOAD_LATENCY] if wide else machine[LOAD_LATENCY]
                    if index >= 0 or (base >= 0 and r[R.LOAD + R.SCALE] > 1):
                        latency += machine[INDEXED]
                    arrives = issue + latency + missed
                    moved = _pattern(la, width)
                    for k in range(1, min(stores, STORES) + 1):
                        j = (stores - k) & (STORES - 1)
                        if (s_addr[j] ^ la) & 0xFF8 == 0 and (s_addr[j] ^ la) >> 12 != 0:  # the same but for the page
                            aliases += 1
                        if s_addr[j] < la + width and la < s_addr[j] + s_size[j]:
                            if s_addr[j] <= la and la + width <= s_addr[j] + s_size[j]:
                                forwards += 1
                                moved = s_value[j] if s_addr[j] == la and s_size[j] == width else opaque
                                delay = machine[VECTOR_FORWARD] if wide else machine[FORWARD]
                                from_data = s_ready[j]
                                if machine[WAIT_ALL] == 1 or (machine[WAIT_ALL] == 2 and s_base[j] != base):
                                    from_data = all_ready
                                elif machine[WAIT_ALL] == 3 or (machine[WAIT_ALL] == 4 and s_base[j] != base):
                                    for other in range(k + 1, min(stores, STORES) + 1):
                                        o = (stores - other) & (STORES - 1)
                                        if s_addr[o] == s_addr[j]:
                                            from_data = max(from_data, s_ready[o])
                                            break
                                got = max(arrives, from_data + delay)
                                if s_issue[j] > issue:  # the load could have gone before the store's address was known
                                    late += 1
                                    got = max(got, s_issue[j] + delay) + machine[LATE_COST]
                                if s_base[j] != base or s_version[j] != version[max(base, 0)]:
                                    foreign += 1
                                rule = machine[RENAME_RULE]
                                if (
                                    not wide
                                    and not flags & R.LOCKED
                                    and (
                                        p[UOPS] == 0
                                        or r[R.STORE + R.WIDTH] > 0
                                        or machine[RENAME_OPS] == 1
                                        or (machine[RENAME_OPS] == 2 and (base == 4 or base == 5))
                                    )
                                    and s_base[j] == base
                                    and s_index[j] == index
                                    and (
                                        index < 0
                                        or (machine[RENAME_INDEXED] > 0 and s_iversion[j] == version[index & 15])
                                    )
                                    and (
                                        width >= machine[RENAME_LEAST]
                                        or (machine[RENAME_RMW] > 0 and r[R.STORE + R.WIDTH] > 0)
                                    )
                                    and s_addr[j] == la
                                    and (rule == 2 or (rule == 1 and (base == 4 or base == 5)))
                                    and s_version[j] == version[max(base, 0)]
                                ):
                                    renames += 1
                                    got = max(s_ready[j], d) + machine[RENAMED]
                                arrives = got
                            else:
                                partials += 1
                                arrives = (
                                    max(issue, s_commit[j] if machine[COMMIT_RETIRED] > 0 else s_when[j])
                                    + machine[PARTIAL]
                                )
                                moved = opaque
                            break
                    if arrives > start:
                        start = arrives
            # registers
            for k in range(r[R.READS]):
                x = ready[r[R.READ0 + k]]
                if x > start:
                    start = x
            if pending and not flags & (R.PUSH | R.POP):  # the stack engine's sum goes into rsp before rsp changes
                for k in range(r[R.WRITES]):
                    if r[R.WRITE0 + k] == 4:
                        start += machine[SYNC]
                        pending = False
                        syncs += 1
            # the operation
            uops = p[UOPS]
            divided = opaque
            done = start
            if flags & (R.ZEROING | R.NOP):
                done = d
            elif flags & R.MOVE and not has_load and r[R.READ0] != 4 and r[R.STORE + R.WIDTH] <= 0:
                done = start
            elif uops > 0:
                if start > top:
                    start = top
                begin = start
                for _ in range(uops):
                    begin = max(begin, _book(busy, use, start, p[PORTS] & present, p[HOLD]))
                issued = begin
                done = begin + p[LATENCY]
                if flags & R.DIVIDES:
                    dividend, divisor = (
                        _mask(value[0], r[R.BYTES]),
                        _mask(moved if has_load else value[max(0, r[R.TARGET])], r[R.BYTES]),
                    )
                    bits = _length(dividend) - _length(divisor)
                    if _mask(value[2], r[R.BYTES]) != 0 and _mask(value[2], r[R.BYTES]) != _mask(
                        np.int64(-1), r[R.BYTES]
                    ):
                        bits = _length(_mask(value[2], r[R.BYTES])) + 8 * r[R.BYTES] - _length(divisor)
                    bits = min(max(bits, 0), 8 * r[R.BYTES])
                    divided = dividend // divisor if bits < 64 and divisor > 0 and dividend >= 0 else opaque
                    extra = bits * machine[DIVIDE] // 8
                    done += extra
                    for later in range(extra):
                        busy[(begin + later) & (CALENDAR - 1)] |= p[PORTS]
            elif p[LATENCY] > 0 and r[R.WRITES] > 0 and not has_load:
                done = start + p[LATENCY]
            # arithmetic on addresses
            act = r[R.ACT]
            target = r[R.TARGET]
            source = r[R.SOURCE]
            b = np.int64(0)
            if source >= 0:
                b = value[source] if source < 16 else opaque
            elif source == R.IMMEDIATE:
                b = imm[i]
            elif source == R.MEMORY:
                b = moved
            result = opaque
            width = np.int64(r[R.BYTES])
            a = np.int64(0)
            if target >= 0:
                a = value[target]
            elif target == R.MEMORY:
                a = moved
            if act == R.COPY:
                result = _mask(b, r[R.SOURCE_BYTES]) if source != R.IMMEDIATE else b
            elif act == R.SIGNED_COPY:
                result = _sign(b, r[R.SOURCE_BYTES])
            elif act == R.ADD:
                result = a + b
            elif act == R.SUBTRACT:
                result = a - b
            elif act == R.AND:
                result = a & b
            elif act == R.OR:
                result = a | b
            elif act == R.XOR:
                result = a ^ b
            elif act == R.LEA:
                result = la
            elif act == R.INCREMENT:
                result = a + 1
            elif act == R.DECREMENT:
                result = a - 1
            elif act == R.NEGATE:
                result = -a
            elif act == R.NOT:
                result = ~a
            elif act == R.MULTIPLY:
                result = a * b
            elif act == R.SHIFT_LEFT:
                result = a << (b & (63 if width == 8 else 31))
            elif act == R.SHIFT_RIGHT:
                result = np.int64(uint64(_mask(a, width)) >> uint64(b & (63 if width == 8 else 31)))
            elif act == R.SHIFT_ARITHMETIC:
                result = _sign(a, width) >> (b & (63 if width == 8 else 31))
            elif act == R.EXCHANGE:
                result = b
                if source >= 0:
                    value[source] = a
            elif act == R.OPAQUE:
                opaque += 0x10000
            # store
            stored = done
            if r[R.STORE + R.WIDTH] > 0 and not flags & R.NOP:
                base, index = r[R.STORE + R.BASE], r[R.STORE + R.INDEX]
                sa = np.int64(r[R.STORE + R.CONSTANT]) + disp[i] * np.int64(r[R.STORE + R.FACTOR])
                when = d
                if base >= 0:
                    sa += value[base]
                    if ready[base] > when:
                        when = ready[base]
                if index >= 0:
                    if index < 16:
                        sa += value[index] * r[R.STORE + R.SCALE]
                    if ready[index] > when:
                        when = ready[index]
                if flags & R.RIP:
                    sa += (np.int64(1) << 40) + position
                width = np.int64(r[R.STORE + R.WIDTH])
                if it == skip:
                    first_store[i] = sa
                elif it == iterations - 1:
                    stride = max(stride, abs((sa - first_store[i]) / (iterations - 1.0 - skip)))
                if line_of[_slot(sa >> 6) & (LINE_TABLE - 1)] != sa >> 6:
                    line_of[_slot(sa >> 6) & (LINE_TABLE - 1)] = sa >> 6
                    store_lines += 1
                if page_of[_slot(sa >> 12) & (PAGE_TABLE - 1)] != sa >> 12:
                    page_of[_slot(sa >> 12) & (PAGE_TABLE - 1)] = sa >> 12
                    new_pages += 1
                wide = r[R.VECTOR] > 0
                ports = machine[VECTOR_STORE_PORTS] if wide else machine[STORE_PORTS]
                if when > top:
                    when = top
                issue = _book(busy, use, when, ports, 2 if width >= 64 else 1)
                issue = _book(busy, use, issue, machine[AGU_PORTS] & present, 1)
                if wide:
                    _book(busy, use, min(max(done, d), top), machine[STORE_DATA], 2 if width >= 32 else 1)
                if (sa & 63) + width > 64:
                    crossings += 1
                    issue = _book(busy, use, issue, ports, 1)
                commit = max(commit, max(issue, done))
                if machine[COMMIT_RETIRED] > 0:
                    commit = max(commit, last)
                if sa >> 5 != block:
                    commit += machine[COMMIT]
                    commits += 1
                if (sa + width - 1) >> 5 != sa >> 5 and width < 32:
                    commit += machine[SPLIT_COMMIT]
                if width > 32:
                    commit += machine[COMMIT]
                block = (sa + width - 1) >> 5
                j = stores & (STORES - 1)
                if s_commit[j] * UNITS > front:
                    front = s_commit[j] * UNITS
                s_commit[j] = commit
                s_version[j] = version[base] if base >= 0 else 0
                s_addr[j], s_size[j] = sa, width
                s_ready[j] = max(done, issue) if machine[RENAME_RULE] == 0 else done
                s_when[j] = max(done, issue)
                s_value[j] = _mask(result, width)
                s_base[j] = base
                s_index[j] = index
                s_iversion[j] = version[index & 15] if index >= 0 else 0
                s_issue[j] = issue
                all_ready = max(all_ready, done)
                stores += 1
                stored = issue
            if stored > last:
                last = stored
            if issued > d:
                inside[group] += 1
                leaves[group, issued & (CALENDAR - 1)] += 1
            # results
            for k in range(r[R.WRITES]):
                x = r[R.WRITE0 + k]
                ready[x] = done
                if x < 16:
                    version[x] = count + 1
            if r[R.STACK] != 0:
                value[4] += r[R.STACK]
            if r[R.WRITES] > 0 and r[R.WRITE0] < 16 and act != R.KEEP:
                w = r[R.WRITE0]
                if target >= 0:
                    w = target
                width = np.int64(r[R.BYTES])
                if flags & R.DIVIDES:
                    value[0] = divided
                    value[2] = opaque & 0xFF
                elif act == R.OPAQUE:
                    for k in range(r[R.WRITES]):
                        if r[R.WRITE0 + k] < 16:
                            value[r[R.WRITE0 + k]] = opaque + 0x1000 * k
                elif width < 4 and target >= 0:
                    m = (np.int64(1) << np.int64(8 * width)) - 1
                    value[w] = (value[w] & ~m) | (result & m)
                else:
                    value[w] = _mask(result, width)
            if done > last:
                last = done
            retired[count & 511] = last
            count += 1
    times[done_iterations] = max(max(last, commit), front // UNITS)
    base = skip if done_iterations > skip else done_iterations // 2
    span = done_iterations - skip if done_iterations > skip else done_iterations  # that was counted over
    lines, pages, stored_lines = new_lines / span, new_pages / span, store_lines / span
    out[CYCLES] = (times[done_iterations] - times[base]) / (done_iterations - base)
    # what goes through more lines or pages than the first level holds, again and again, misses it every time
    again = passes_over(lines + stored_lines, copies, 8 * machine[NEAR_LINES])
    out[CYCLES] = max(out[CYCLES], again * lines * machine[LINE_COST] / 8)
    again = passes_over(pages, copies, machine[NEAR_PAGES])
    out[CYCLES] = max(out[CYCLES], again * pages * machine[PAGE_COST] / 8)
    out[FRONT] = slots / (float(UNITS) * done_iterations)
    out[STORED], out[ALIASES] = stored_lines, aliases / done_iterations
    out[LATE], out[FOREIGN] = late / done_iterations, foreign / done_iterations
    out[FORWARDS] = forwards / done_iterations
    out[PARTIALS] = partials / done_iterations
    out[CROSSINGS] = crossings / done_iterations
    out[RENAMES] = renames / done_iterations
    out[LAST] = last / done_iterations
    out[COMMITS] = commits / done_iterations
    out[SYNCS] = syncs / done_iterations
    out[LINES], out[PAGES], out[STRIDE], out[SPREAD] = lines, pages, min(stride, 1e6), copies
    bound = out[FRONT]
    for k in range(PORTS_):
        out[USE + k] = use[k] / span
        bound = max(bound, out[USE + k])
    if out[CYCLES] < bound / 2:  # all that is left of a slow start that outlasted the simulation
        out[CYCLES] = bound
    used = min(CALENDAR, int(max(max(far, use[FAR]), times[done_iterations])) + 2)
    busy[:used] = 0
    leaves[:, :used] = 0


@njit(cache=True, nogil=True)
def run_many(
    which: Any,
    row: Any,
    disp: Any,
    imm: Any,
    size: Any,
    first: Any,
    rec: Any,
    params: Any,
    machine: Any,
    budget: Any,
    out: Any,
) -> Any:
    """`run` of the blocks `which`; out (len(which), RUN)."""
    busy = np.zeros(CALENDAR, np.int64)
    leaves = np.zeros((2, CALENDAR), np.int32)
    for k in range(len(which)):
        a, b = first[which[k]], first[which[k] + 1]
        n = b - a
        if n == 0:
            out[k, :] = 0
            continue
        iterations = min(max(budget // n, 8), 96)
        run(
            row[a:b],
            disp[a:b],
            imm[a:b],
            size[a:b],
            rec,
            params,
            machine,
            iterations,
            iterations // 2,
            busy,
            leaves,
            out[k],
        )


def check(params: NDArray[np.int64], machine: NDArray[np.int64]) -> None:
    """Raises `DataError` for parameters with which a simulation would not end, or not fit its calendar."""
    limits = {SLOTS: (0, 2400), LATENCY: (0, 400), UOPS: (0, 100), HOLD: (0, 100), PORTS: (1, (1 << PORTS_) - 1)}
    for column, (least, most) in limits.items():
        values = params[:, column]
        if len(values) and not (least <= values.min() and values.max() <= most):
            raise DataError(f"a skeleton: parameter {column} of a form is not in {least} to {most}")
    masks = (PRESENT, LOAD_PORTS, VECTOR_LOAD_PORTS, STORE_PORTS, VECTOR_STORE_PORTS, STORE_DATA, AGU_PORTS)
    for at, value in enumerate(machine.tolist()):
        least, most = (
            (1, (1 << PORTS_) - 1) if at in masks else (1, 500) if at in (WINDOW, QUEUE, VECTOR_QUEUE) else (0, 1000)
        )
        if not least <= value <= most:
            raise DataError(f"a skeleton: parameter {at} of the machine is {value}, not in {least} to {most}")
