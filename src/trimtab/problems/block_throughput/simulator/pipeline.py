# SPDX-License-Identifier: Apache-2.0
"""An out-of-order core, compiled: a block runs for some iterations, and time between iterations is its throughput."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import uint64

from trimtab.kit.compiled import compiled

from ..decode import records as R
from . import columns as P
from .parts import bit_length, book, extended, hashed, masked, passes_over, untouched


@compiled
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
    """One block. Its instructions' rows, displacements, immediates and sizes; fills `out` (P.RUN,).

    busy (P.CALENDAR,) int64 and leaves (2, P.CALENDAR) int32 are zero before and after.
    """
    n = len(row)
    ready = np.zeros(R.REGISTERS, np.int64)
    value = np.full(16, np.int64(P.POINTER), np.int64)
    use = np.zeros(32, np.float64)
    first_load = np.zeros(n, np.int64)
    first_store = np.zeros(n, np.int64)
    stride = 0.0
    code_bytes: Any = np.int64(0)
    out[:] = 0
    for i in range(n):
        code_bytes += size[i]
        out[P.KIND0 + params[rec[row[i]][R.FORM], P.KIND]] += 1.0
    copies = 2.0 * min(max(8192 // code_bytes, 8), 200)  # an instruction has at least a byte
    s_addr = np.zeros(P.STORES, np.int64)
    s_size = np.zeros(P.STORES, np.int64)
    s_ready = np.zeros(P.STORES, np.int64)
    s_value = np.zeros(P.STORES, np.int64)
    s_base = np.zeros(P.STORES, np.int64)
    s_when = np.zeros(P.STORES, np.int64)
    s_index = np.zeros(P.STORES, np.int64)
    s_iversion = np.zeros(P.STORES, np.int64)
    s_issue = np.zeros(P.STORES, np.int64)
    all_ready = np.int64(0)
    late = 0
    aliases = 0
    foreign = 0
    stores = 0
    window = machine[P.WINDOW]
    dispatch = machine[P.DISPATCH]
    present = machine[P.PRESENT]
    retired = np.zeros(512, np.int64)
    count = 0
    front = np.int64(0)  # 1/UNITS cycles
    last = np.int64(0)
    cleared = np.int64(P.CALENDAR)
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
    line_of = np.full(P.LINE_TABLE, np.int64(-1))
    page_of = np.full(P.PAGE_TABLE, np.int64(-1))
    new_lines = 0
    new_pages = 0
    store_lines = 0
    miss_latency = np.int64(0)
    s_version = np.zeros(P.STORES, np.int64)
    s_commit = np.zeros(P.STORES, np.int64)
    for it in range(iterations):
        times[it] = max(max(last, commit), front // P.UNITS)
        if times[it] > P.ENOUGH and it >= 4:
            done_iterations = it
            break
        if it == skip:
            far = max(far, use[P.FAR])
            use[:] = 0
            if it > 1:
                miss_latency = machine[P.MISS] * passes_over(
                    (new_lines + store_lines) / it, copies, 8 * machine[P.NEAR_LINES]
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
                limit = retired[(count - window) & 511] * P.UNITS
                if limit > front:
                    front = limit
            if flags & R.NOP and p[P.UOPS] == 0 and machine[P.NOP_FUSION] > 0:
                if fusible:
                    fusible = False
                else:
                    front += p[P.SLOTS] * dispatch
                    slots += p[P.SLOTS] * dispatch
                    fusible = True
            else:
                front += p[P.SLOTS] * dispatch
                slots += p[P.SLOTS] * dispatch
                fusible = True
            d = front // P.UNITS
            group = 1 if r[R.VECTOR] > 0 else 0
            room = machine[P.VECTOR_QUEUE] if group else machine[P.QUEUE]
            while True:  # operations that wait for their operands fill the scheduler
                while seen[group] < d:
                    seen[group] += 1
                    inside[group] -= leaves[group, seen[group] & (P.CALENDAR - 1)]
                    leaves[group, seen[group] & (P.CALENDAR - 1)] = 0
                if inside[group] < room:
                    break
                d += 1
                front = d * P.UNITS
            issued = d
            while cleared < d + P.CALENDAR // 2:  # recycle the calendar
                busy[cleared & (P.CALENDAR - 1)] = 0
                cleared += 1
            top = d + P.CALENDAR // 2 - 600
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
                    if line_of[hashed(la >> 6) & (P.LINE_TABLE - 1)] != la >> 6:
                        line_of[hashed(la >> 6) & (P.LINE_TABLE - 1)] = la >> 6
                        new_lines += 1
                        missed = miss_latency
                    if page_of[hashed(la >> 12) & (P.PAGE_TABLE - 1)] != la >> 12:
                        page_of[hashed(la >> 12) & (P.PAGE_TABLE - 1)] = la >> 12
                        new_pages += 1
                    wide = r[R.VECTOR] > 0
                    ports = present & (machine[P.VECTOR_LOAD_PORTS] if wide else machine[P.LOAD_PORTS])
                    if when > top:
                        when = top
                    issue = book(busy, use, when, ports, 1)
                    issued = issue
                    if (la & 63) + width > 64:
                        crossings += 1
                        issue = book(busy, use, issue, ports, 1) + machine[P.CROSS]
                    if width >= 64:
                        issue = book(busy, use, issue, ports, 1)
                    latency = machine[P.VECTOR_LOAD_LATENCY] if wide else machine[P.LOAD_LATENCY]
                    if index >= 0 or (base >= 0 and r[R.LOAD + R.SCALE] > 1):
                        latency += machine[P.INDEXED]
                    arrives = issue + latency + missed
                    moved = untouched(la, width)
                    for k in range(1, min(stores, P.STORES) + 1):
                        j = (stores - k) & (P.STORES - 1)
                        if (s_addr[j] ^ la) & 0xFF8 == 0 and (s_addr[j] ^ la) >> 12 != 0:  # the same but for the page
                            aliases += 1
                        if s_addr[j] < la + width and la < s_addr[j] + s_size[j]:
                            if s_addr[j] <= la and la + width <= s_addr[j] + s_size[j]:
                                forwards += 1
                                moved = s_value[j] if s_addr[j] == la and s_size[j] == width else opaque
                                delay = machine[P.VECTOR_FORWARD] if wide else machine[P.FORWARD]
                                from_data = s_ready[j]
                                if machine[P.WAIT_ALL] == 1 or (machine[P.WAIT_ALL] == 2 and s_base[j] != base):
                                    from_data = all_ready
                                elif machine[P.WAIT_ALL] == 3 or (machine[P.WAIT_ALL] == 4 and s_base[j] != base):
                                    for other in range(k + 1, min(stores, P.STORES) + 1):
                                        o = (stores - other) & (P.STORES - 1)
                                        if s_addr[o] == s_addr[j]:
                                            from_data = max(from_data, s_ready[o])
                                            break
                                got = max(arrives, from_data + delay)
                                if s_issue[j] > issue:  # the load could have gone before the store's address was known
                                    late += 1
                                    got = max(got, s_issue[j] + delay) + machine[P.LATE_COST]
                                if s_base[j] != base or s_version[j] != version[max(base, 0)]:
                                    foreign += 1
                                rule = machine[P.RENAME_RULE]
                                if (
                                    not wide
                                    and not flags & R.LOCKED
                                    and (
                                        p[P.UOPS] == 0
                                        or r[R.STORE + R.WIDTH] > 0
                                        or machine[P.RENAME_OPS] == 1
                                        or (machine[P.RENAME_OPS] == 2 and (base == 4 or base == 5))
                                    )
                                    and s_base[j] == base
                                    and s_index[j] == index
                                    and (
                                        index < 0
                                        or (machine[P.RENAME_INDEXED] > 0 and s_iversion[j] == version[index & 15])
                                    )
                                    and (
                                        width >= machine[P.RENAME_LEAST]
                                        or (machine[P.RENAME_RMW] > 0 and r[R.STORE + R.WIDTH] > 0)
                                    )
                                    and s_addr[j] == la
                                    and (rule == 2 or (rule == 1 and (base == 4 or base == 5)))
                                    and s_version[j] == version[max(base, 0)]
                                ):
                                    renames += 1
                                    got = max(s_ready[j], d) + machine[P.RENAMED]
                                arrives = got
                            else:
                                partials += 1
                                arrives = (
                                    max(issue, s_commit[j] if machine[P.COMMIT_RETIRED] > 0 else s_when[j])
                                    + machine[P.PARTIAL]
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
                        start += machine[P.SYNC]
                        pending = False
                        syncs += 1
            # the operation
            uops = p[P.UOPS]
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
                    begin = max(begin, book(busy, use, start, p[P.PORTS] & present, p[P.HOLD]))
                issued = begin
                done = begin + p[P.LATENCY]
                if flags & R.DIVIDES:
                    dividend, divisor = (
                        masked(value[0], r[R.BYTES]),
                        masked(moved if has_load else value[max(0, r[R.TARGET])], r[R.BYTES]),
                    )
                    bits = bit_length(dividend) - bit_length(divisor)
                    if masked(value[2], r[R.BYTES]) != 0 and masked(value[2], r[R.BYTES]) != masked(
                        np.int64(-1), r[R.BYTES]
                    ):
                        bits = bit_length(masked(value[2], r[R.BYTES])) + 8 * r[R.BYTES] - bit_length(divisor)
                    bits = min(max(bits, 0), 8 * r[R.BYTES])
                    divided = dividend // divisor if bits < 64 and divisor > 0 and dividend >= 0 else opaque
                    extra = bits * machine[P.DIVIDE] // 8
                    done += extra
                    for later in range(extra):
                        busy[(begin + later) & (P.CALENDAR - 1)] |= p[P.PORTS]
            elif p[P.LATENCY] > 0 and r[R.WRITES] > 0 and not has_load:
                done = start + p[P.LATENCY]
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
                result = masked(b, r[R.SOURCE_BYTES]) if source != R.IMMEDIATE else b
            elif act == R.SIGNED_COPY:
                result = extended(b, r[R.SOURCE_BYTES])
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
                result = np.int64(uint64(masked(a, width)) >> uint64(b & (63 if width == 8 else 31)))
            elif act == R.SHIFT_ARITHMETIC:
                result = extended(a, width) >> (b & (63 if width == 8 else 31))
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
                if line_of[hashed(sa >> 6) & (P.LINE_TABLE - 1)] != sa >> 6:
                    line_of[hashed(sa >> 6) & (P.LINE_TABLE - 1)] = sa >> 6
                    store_lines += 1
                if page_of[hashed(sa >> 12) & (P.PAGE_TABLE - 1)] != sa >> 12:
                    page_of[hashed(sa >> 12) & (P.PAGE_TABLE - 1)] = sa >> 12
                    new_pages += 1
                wide = r[R.VECTOR] > 0
                ports = machine[P.VECTOR_STORE_PORTS] if wide else machine[P.STORE_PORTS]
                if when > top:
                    when = top
                issue = book(busy, use, when, ports, 2 if width >= 64 else 1)
                issue = book(busy, use, issue, machine[P.AGU_PORTS] & present, 1)
                if wide:
                    book(busy, use, min(max(done, d), top), machine[P.STORE_DATA], 2 if width >= 32 else 1)
                if (sa & 63) + width > 64:
                    crossings += 1
                    issue = book(busy, use, issue, ports, 1)
                commit = max(commit, max(issue, done))
                if machine[P.COMMIT_RETIRED] > 0:
                    commit = max(commit, last)
                if sa >> 5 != block:
                    commit += machine[P.COMMIT]
                    commits += 1
                if (sa + width - 1) >> 5 != sa >> 5 and width < 32:
                    commit += machine[P.SPLIT_COMMIT]
                if width > 32:
                    commit += machine[P.COMMIT]
                block = (sa + width - 1) >> 5
                j = stores & (P.STORES - 1)
                if s_commit[j] * P.UNITS > front:
                    front = s_commit[j] * P.UNITS
                s_commit[j] = commit
                s_version[j] = version[base] if base >= 0 else 0
                s_addr[j], s_size[j] = sa, width
                s_ready[j] = max(done, issue) if machine[P.RENAME_RULE] == 0 else done
                s_when[j] = max(done, issue)
                s_value[j] = masked(result, width)
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
                leaves[group, issued & (P.CALENDAR - 1)] += 1
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
                    value[w] = masked(result, width)
            if done > last:
                last = done
            retired[count & 511] = last
            count += 1
    times[done_iterations] = max(max(last, commit), front // P.UNITS)
    base = skip if done_iterations > skip else done_iterations // 2
    span = done_iterations - skip if done_iterations > skip else done_iterations  # that was counted over
    lines, pages, stored_lines = new_lines / span, new_pages / span, store_lines / span
    out[P.CYCLES] = (times[done_iterations] - times[base]) / (done_iterations - base)
    # what goes through more lines or pages than the first level holds, again and again, misses it every time
    again = passes_over(lines + stored_lines, copies, 8 * machine[P.NEAR_LINES])
    out[P.CYCLES] = max(out[P.CYCLES], again * lines * machine[P.LINE_COST] / 8)
    again = passes_over(pages, copies, machine[P.NEAR_PAGES])
    out[P.CYCLES] = max(out[P.CYCLES], again * pages * machine[P.PAGE_COST] / 8)
    out[P.FRONT] = slots / (float(P.UNITS) * done_iterations)
    out[P.STORED], out[P.ALIASES] = stored_lines, aliases / done_iterations
    out[P.LATE], out[P.FOREIGN] = late / done_iterations, foreign / done_iterations
    out[P.FORWARDS] = forwards / done_iterations
    out[P.PARTIALS] = partials / done_iterations
    out[P.CROSSINGS] = crossings / done_iterations
    out[P.RENAMES] = renames / done_iterations
    out[P.LAST] = last / done_iterations
    out[P.COMMITS] = commits / done_iterations
    out[P.SYNCS] = syncs / done_iterations
    out[P.LINES], out[P.PAGES], out[P.STRIDE], out[P.SPREAD] = lines, pages, min(stride, 1e6), copies
    bound = out[P.FRONT]
    for k in range(P.PORTS_):
        out[P.USE + k] = use[k] / span
        bound = max(bound, out[P.USE + k])
    if out[P.CYCLES] < bound / 2:  # all that is left of a slow start that outlasted the simulation
        out[P.CYCLES] = bound
    used = min(P.CALENDAR, int(max(max(far, use[P.FAR]), times[done_iterations])) + 2)
    busy[:used] = 0
    leaves[:, :used] = 0
