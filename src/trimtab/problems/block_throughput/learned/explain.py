# SPDX-License-Identifier: Apache-2.0
"""Why a block takes as long as it does: what the simulator gains when one limit, or one instruction, is taken away."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..decode import decode
from ..decode import records as R
from ..problem import Explanation
from ..simulator import columns as P
from ..simulator.many import run_many
from .features import BUDGET, LEAST
from .fitting import Skeleton

#: What can hold a block up. The first that explains most of it is its bottleneck.
LIMITS: Final = ("dependencies", "execution ports", "memory", "front end")
_NOTHING: Final = 0.02  # a gain below this share is none


def explain(skeleton: Skeleton, block: bytes) -> Explanation:
    """A block that decodes and has no branch."""
    params, machine = skeleton.params, skeleton.machine
    full = _cycles(block, params, machine)
    gains = {limit: max(0.0, full - _cycles(block, *_without(limit, params, machine))) for limit in LIMITS}
    most = max(gains, key=lambda limit: gains[limit])
    if gains[most] <= _NOTHING * full:  # two hold it up equally: the one that would do so alone
        alone = {limit: _alone(limit, block, params, machine) for limit in LIMITS}
        most = max(alone, key=lambda limit: alone[limit])
    return Explanation(full, most, gains, _shares(block, params, machine, full))


def _alone(limit: str, block: bytes, params: NDArray[np.int32], machine: NDArray[np.int64]) -> float:
    """Cycles on a core that has no limit but one."""
    for other in LIMITS:
        if other != limit:
            params, machine = _without(other, params, machine)
    return _cycles(block, params, machine)


def _without(
    limit: str, params: NDArray[np.int32], machine: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """A core that lacks one limit: instant results, ports without number, free memory, or an endless front end."""
    params, machine = params.copy(), machine.copy()
    if limit == "dependencies":
        params[:, P.LATENCY] = 0
        machine[[P.LOAD_LATENCY, P.VECTOR_LOAD_LATENCY, P.FORWARD, P.VECTOR_FORWARD, P.RENAMED, P.PARTIAL]] = 0
        machine[[P.INDEXED, P.SYNC, P.DIVIDE]] = 0
    elif limit == "execution ports":
        params[:, P.HOLD] = 0
    elif limit == "memory":
        machine[[P.LOAD_PORTS, P.VECTOR_LOAD_PORTS, P.AGU_PORTS, P.STORE_PORTS]] = _MANY
        machine[[P.VECTOR_STORE_PORTS, P.STORE_DATA]] = _MANY
        machine[P.COMMIT] = 0
        machine[P.PRESENT] |= _MANY
        machine[[P.PARTIAL, P.CROSS, P.SPLIT_COMMIT]] = machine[P.LOAD_LATENCY], 0, 0
    else:
        params[:, P.SLOTS] = 0
    return params, machine


_MANY: Final = 0x3FFF << P.PORTS_  # ports that nothing else uses


def _shares(block: bytes, params: NDArray[np.int32], machine: NDArray[np.int64], full: float) -> NDArray[np.float64]:
    """How much faster the block is without an instruction; evenly shared where no single one matters."""
    code = decode([block])
    gains = np.zeros(len(code.row))
    nothing = np.full(R.COLUMNS, -1, np.int32)
    nothing[[R.FLAGS, R.BYTES, R.VECTOR, R.READS, R.WRITES, R.STACK, R.SOURCE_BYTES]] = 0
    nothing[[R.LOAD + R.WIDTH, R.STORE + R.WIDTH, R.FORM]] = 0
    nothing[R.ACT] = R.KEEP
    records = np.concatenate((code.records, nothing[None]))
    free = params.copy()
    free[0, :] = 0, 0, 0, 1, 1, 0
    for at in range(len(code.row)):
        row = code.row.copy()
        row[at] = len(code.records)
        gains[at] = max(0.0, full - _run(row, code.disp, code.imm, code.size, records, free, machine))
    total = gains.sum()
    return gains / total if total > _NOTHING * full else np.full(len(gains), 1 / len(gains))


def _cycles(block: bytes, params: NDArray[np.int32], machine: NDArray[np.int64]) -> float:
    code = decode([block])
    return _run(code.row, code.disp, code.imm, code.size, code.records, params, machine)


def _run(
    row: NDArray[np.int32], disp: NDArray[np.int64], imm: NDArray[np.int64], size: NDArray[np.int32],
    records: NDArray[np.int32], params: NDArray[np.int32], machine: NDArray[np.int64],
) -> float:  # fmt: skip
    out = np.zeros((1, P.RUN))
    first = np.array([0, len(row)])
    run_many(np.zeros(1, np.int64), row, disp, imm, size, first, records, params, machine, BUDGET, out)
    return float(max(out[0, P.CYCLES], LEAST))
