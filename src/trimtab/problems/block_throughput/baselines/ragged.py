# SPDX-License-Identifier: Apache-2.0
"""Rows of different lengths in one array: blocks of instructions, instructions of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Ragged:
    """Row i is ``values[start[i]:start[i + 1]]``."""

    values: Ints  # (total,)
    start: Ints  # (rows + 1,)

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> Ragged:
        lengths = np.fromiter((len(row) for row in rows), np.int64, len(rows))
        values = np.fromiter((value for row in rows for value in row), np.int64, int(lengths.sum()))
        return cls(values, np.concatenate(([0], np.cumsum(lengths))))

    @property
    def lengths(self) -> Ints:
        return np.diff(self.start)

    def __len__(self) -> int:
        return len(self.start) - 1

    def take(self, rows: Ints) -> Ragged:
        """Some rows, in the order asked for."""
        lengths = self.lengths[rows]
        start = np.concatenate(([0], np.cumsum(lengths)))
        at = np.arange(start[-1]) + np.repeat(self.start[rows] - start[:-1], lengths)
        return Ragged(self.values[at], start)

    def padded(self, fill: int = 0) -> Ints:
        """(rows, longest)"""
        lengths = self.lengths
        table = np.full((len(self), int(lengths.max(initial=0))), fill, np.int64)
        table[np.arange(table.shape[1]) < lengths[:, None]] = self.values
        return table
