# SPDX-License-Identifier: Apache-2.0
"""Where everything stands: parameters of a form and of the machine, and what a run of the simulator tells."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from trimtab.core.errors import DataError

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
(CYCLES, FRONT, FORWARDS, PARTIALS, CROSSINGS, RENAMES, COMMITS, LAST, SYNCS, LINES, PAGES, STRIDE, SPREAD, LATE,
 FOREIGN, STORED, ALIASES) = range(17)  # fmt: skip
TELLS: Final = 17
# Then what each port did, per iteration; then how many instructions there are of each kind.
USE: Final = TELLS
KIND0: Final = USE + PORTS_
RUN: Final = KIND0 + KINDS_
SLOT_: Final = 4


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
