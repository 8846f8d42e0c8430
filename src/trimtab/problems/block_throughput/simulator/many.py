# SPDX-License-Identifier: Apache-2.0
"""Many blocks, one after the other, each for as many iterations as its length asks for."""

from __future__ import annotations

from typing import Any

import numpy as np

from trimtab.kit.compiled import compiled

from . import columns as P
from .pipeline import run


@compiled
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
    """`run` of the blocks `which`; out (len(which), P.RUN)."""
    busy = np.zeros(P.CALENDAR, np.int64)
    leaves = np.zeros((2, P.CALENDAR), np.int32)
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
