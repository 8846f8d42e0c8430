# SPDX-License-Identifier: Apache-2.0
"""The memory of the decoder: templates in an open-addressing hash table, rows beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numba import uint64
from numpy.typing import NDArray

from trimtab.kit.compiled import compiled, inlined

from . import records
from .split import DISP, ESCAPED, KEY0, KEY1, PRIMARY, SIZE, measure_one, split

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Decoded:
    """Instructions of many blocks, one after the other."""

    row: NDArray[np.int32]  # (instructions,) index into `records`
    disp: NDArray[np.int64]  # (instructions,) displacement, 0 where there is none
    imm: NDArray[np.int64]  # (instructions,)
    size: NDArray[np.int32]  # (instructions,) B
    first: NDArray[np.int64]  # (blocks + 1,) where a block's instructions start
    records: NDArray[np.int32]  # (templates, records.COLUMNS)

    def refused(self) -> NDArray[np.bool_]:
        """Blocks that don't decode, or that have a branch.  (blocks,)"""
        empty = np.diff(self.first) == 0
        bad = (self.records[self.row, records.FLAGS] & (records.REFUSED | records.BRANCH)) != 0
        hits = np.concatenate(([0], np.cumsum(bad)))
        return np.asarray(empty | (hits[self.first[1:]] > hits[self.first[:-1]]))


class Table:
    """Grows by what it meets. One for the process; asking iced-x86 of a template happens once."""

    def __init__(self) -> None:
        self.keys = np.zeros((1 << 12, 2), np.int64)
        self.slots = np.full(1 << 12, -1, np.int32)
        self.records = np.zeros((1 << 10, records.COLUMNS), np.int32)
        self.known = np.zeros((1 << 10, 2), np.int64)
        self.count = 0
        self._describer: records.Describer | None = None

    def decode(self, blocks: Sequence[bytes]) -> Decoded:
        code = np.frombuffer(b"".join(blocks), np.uint8)
        starts = np.zeros(len(blocks) + 1, np.int64)
        np.cumsum(np.fromiter(map(len, blocks), np.int64, len(blocks)), out=starts[1:])
        rows = np.empty((len(code), 6), np.int64)
        first = np.zeros(len(blocks) + 1, np.int64)
        count = split(code, starts, PRIMARY, ESCAPED, rows, first)
        rows = rows[:count]
        index = np.empty(count, np.int32)
        while find(rows, self.keys, self.slots, index):
            self._learn(rows[index < 0])
        return Decoded(
            index, np.ascontiguousarray(rows[:, DISP]), np.ascontiguousarray(rows[:, 3]),
            rows[:, SIZE].astype(np.int32), first, self.records[: self.count],
        )  # fmt: skip

    def _learn(self, rows: Rows) -> None:
        describer = self._describer = self._describer or records.Describer()
        for low, high in np.unique(rows[:, [KEY0, KEY1]], axis=0).tolist():
            size = (high >> 56) & 0xFF
            raw = ((low & _MASK) | ((high & _MASK) << 64)).to_bytes(16, "little")[:size]
            disp_at, disp_size = measure_one(raw)
            self._add(low, high, describer.row(raw, disp_at, disp_size))

    def _add(self, low: int, high: int, row: NDArray[np.int32]) -> None:
        if self.count == len(self.records):
            self.records = np.concatenate((self.records, np.zeros_like(self.records)))
            self.known = np.concatenate((self.known, np.zeros_like(self.known)))
        if 2 * (self.count + 1) > len(self.slots):
            self.keys = np.zeros((2 * len(self.slots), 2), np.int64)
            self.slots = np.full(len(self.keys), -1, np.int32)
            for at in range(self.count):
                insert(self.known[at, 0], self.known[at, 1], at, self.keys, self.slots)
        self.records[self.count] = row
        self.known[self.count] = low, high
        insert(np.int64(low), np.int64(high), self.count, self.keys, self.slots)
        self.count += 1


_MASK: Final = (1 << 64) - 1


@inlined
def _hash(low: Any, high: Any, mask: Any) -> Any:
    h = uint64(low) * uint64(0x9E3779B97F4A7C15) ^ uint64(high) * uint64(0xC2B2AE3D27D4EB4F)
    h ^= h >> uint64(29)
    h *= uint64(0xBF58476D1CE4E5B9)
    return np.int64((h >> uint64(32)) & uint64(mask))


@compiled
def insert(low: Any, high: Any, value: Any, keys: Any, slots: Any) -> Any:
    mask = len(slots) - 1
    at = _hash(low, high, mask)
    while slots[at] >= 0:
        at = (at + 1) & mask
    keys[at, 0], keys[at, 1], slots[at] = low, high, value


@compiled
def find(rows: Any, keys: Any, slots: Any, index: Any) -> Any:
    """Fills `index` with each row's record, -1 where it is not known yet; whether there are such."""
    mask = len(slots) - 1
    missing = False
    for i in range(len(rows)):
        low, high = rows[i, 0], rows[i, 1]
        at = _hash(low, high, mask)
        while slots[at] >= 0 and (keys[at, 0] != low or keys[at, 1] != high):
            at = (at + 1) & mask
        index[i] = slots[at]
        missing |= slots[at] < 0
    return missing


_TABLE: Final = Table()


def decode(blocks: Sequence[bytes]) -> Decoded:
    """Every block's instructions. Blocks that are not code have none: `Decoded.refused`."""
    return _TABLE.decode(blocks)
