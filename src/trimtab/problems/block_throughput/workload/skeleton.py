# SPDX-License-Identifier: Apache-2.0
"""A block without the names of its registers and the values of its constants, as one number; compiled."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import uint64
from numpy.typing import NDArray

from trimtab.kit.compiled import compiled, inlined

from ..decode.records import BASE, FORM, INDEX, LOAD, MAX_READS, MAX_WRITES, READ0, REGISTERS, STORE, WRITE0

#: Columns of a record that hold registers.
_COLUMNS: Final = np.array(
    [
        *(LOAD + BASE, LOAD + INDEX, STORE + BASE, STORE + INDEX),
        *range(READ0, READ0 + MAX_READS),
        *range(WRITE0, WRITE0 + MAX_WRITES),
    ],
    np.int64,
)


def hashes(records: NDArray[np.int32], row: NDArray[np.int32], first: NDArray[np.int64]) -> NDArray[np.uint64]:
    """(blocks,)"""
    found: NDArray[np.uint64] = _hashes(records, row, first, _COLUMNS)
    return found


@compiled
def _hashes(records: Any, row: Any, first: Any, columns: Any) -> Any:
    found = np.zeros(len(first) - 1, np.uint64)
    number = np.empty(REGISTERS, np.int64)
    for block in range(len(first) - 1):
        number[:] = 0
        named = 0
        value = uint64(0xCBF29CE484222325)
        for at in range(first[block], first[block + 1]):
            record = records[row[at]]
            value = _mix(value, uint64(record[FORM]))
            for column in columns:
                register = record[column]
                if register < 0:
                    value = _mix(value, uint64(0))
                    continue
                if number[register] == 0:
                    named += 1
                    number[register] = named
                value = _mix(value, uint64(number[register]))
        found[block] = value
    return found


@inlined
def _mix(value: Any, word: Any) -> Any:
    value = (value ^ word) * uint64(0x9E3779B97F4A7C15)
    return value ^ (value >> uint64(29))
