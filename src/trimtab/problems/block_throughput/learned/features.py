# SPDX-License-Identifier: Apache-2.0
"""What the boosted residual sees of a block: the simulator's answer, what bounds it, what it is made of; compiled."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from trimtab.kit.compiled import compiled

from ..decode import Decoded
from ..decode import records as R
from ..simulator import columns as P
from ..simulator import prior as Q

BUDGET: Final = 240  # instructions simulated of a block, about
LEAST: Final = 0.02  # cycles: nothing is faster

NAMES: Final = (
    *("log_cycles", "front", "alu", "alu_port", "agu", "stores", "fpu", "fpu_port", "commit", "forwards", "partials"),
    *("crossings", "renames", "commits", "syncs", "lines", "pages", "stride", "instructions", "copies", "bytes"),
    *("bytes_each", "agu_uops", "store_uops", "alu_uops", "fpu_uops", "wide", "longest", "immediate_stores"),
    *("last_mix", "lines_all", "pages_all", "late", "foreign", "stored", "aliases"),
    *(f"kind{at}" for at in range(len(Q.KINDS))),
)  # fmt: skip
_FIXED: Final = len(NAMES) - len(Q.KINDS)


@compiled
def _fill(row: Any, imm: Any, size: Any, first: Any, records: Any, told: Any, kinds: int, table: Any) -> None:
    for block in range(len(first) - 1):
        start, end = first[block], first[block + 1]
        if end == start:
            continue
        out, x = told[block], table[block]
        cycles = max(out[P.CYCLES], 0.02)
        use = out[P.USE : P.USE + P.PORTS_]
        total = 0
        wide = 0
        longest = 0
        immediates = 0
        for at in range(start, end):
            record = records[row[at]]
            total += size[at]
            wide = max(wide, record[R.VECTOR])
            longest = max(longest, size[at])
            if record[R.STORE + R.WIDTH] > 0 and record[R.SOURCE] == R.IMMEDIATE:
                immediates += 1
        n = end - start
        alu, agu, stores, fpu = use[0:6].sum(), use[6:10].sum(), use[10:12].sum(), use[12:16].sum()
        copies = min(max(8192 // total, 8), 200)
        x[0] = np.log(cycles)
        x[1] = out[P.FRONT] / cycles
        x[2] = alu / 4 / cycles
        x[3] = use[0:6].max() / cycles
        x[4] = agu / 3 / cycles
        x[5] = stores / 2 / cycles
        x[6] = fpu / 4 / cycles
        x[7] = use[12:16].max() / cycles
        x[8] = out[P.COMMITS] / cycles
        x[9], x[10], x[11] = out[P.FORWARDS], out[P.PARTIALS], out[P.CROSSINGS]
        x[12], x[13], x[14] = out[P.RENAMES], out[P.COMMITS], out[P.SYNCS]
        x[15], x[16], x[17] = out[P.LINES] / cycles, out[P.PAGES] / cycles, np.log1p(out[P.STRIDE])
        x[18], x[19], x[20], x[21] = n, copies, total, total / n
        x[22], x[23], x[24], x[25] = agu, stores, alu, fpu
        x[26], x[27], x[28] = wide, longest, immediates
        x[29] = (alu + agu) / 4 / cycles
        x[30], x[31] = (out[P.LINES] + out[P.STORED]) * copies, out[P.PAGES] * copies
        x[32], x[33], x[34] = out[P.LATE], out[P.FOREIGN], out[P.STORED]
        x[35] = out[P.ALIASES]
        for k in range(kinds):
            x[36 + k] = out[P.KIND0 + k]


def features(code: Decoded, told: NDArray[np.float64]) -> NDArray[np.float32]:
    """(blocks, len(NAMES)), of decoded blocks and what the simulator told of them."""
    table = np.zeros((len(told), len(NAMES)), np.float32)
    assert _FIXED == 36
    _fill(code.row, code.imm, code.size, code.first, code.records, told, len(Q.KINDS), table)
    return table
