# SPDX-License-Identifier: Apache-2.0
"""From passes to labels: every block measured several times, apart in time, and kept only if its passes agree."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Protocol

from .admission import Admitted
from .wire import NOISY, OK, REASONS, Reading

CHUNK: Final = 8192  # blocks between two passes over the same block: seconds
AGREE: Final = 0.01  # a label whose closest passes differ by less needs no more of them
OUT_OF_TIME: Final = "the time ran out"
KEEP: Final = 0.05  # one whose closest passes differ by more is none


@dataclass(frozen=True)
class Passes:
    """How often a block is measured."""

    least: int = 3
    most: int = 6


@dataclass(frozen=True, slots=True)
class Label:
    """What came of a block."""

    cycles: float  # core cycles per repetition: the mean of the two closest passes; nan if there is no label
    spread: float  # their relative difference
    passes: int
    pages: int
    reason: str  # why there is no label; '' if there is


@dataclass
class Record:
    """The readings of one block so far."""

    cycles: list[float] = field(default_factory=list)
    noisy: int = 0
    pages: int = 0
    reason: str = ""  # of a failure that another pass would not mend

    def add(self, reading: Reading) -> None:
        if reading.status == OK:
            self.cycles.append(reading.cycles)
            self.pages = max(self.pages, reading.pages)
        elif reading.status == NOISY:
            self.noisy += 1
        else:
            self.reason = reading.reason

    def wants(self, passes: Passes) -> bool:
        """Whether another pass could help."""
        if self.reason or len(self.cycles) + self.noisy >= passes.most:
            return False
        return len(self.cycles) < passes.least or closest(self.cycles)[1] > AGREE

    def label(self) -> Label:
        mean, spread = closest(self.cycles)
        reason = self.reason
        if not reason and len(self.cycles) < 2:
            reason = REASONS[NOISY] if self.noisy else OUT_OF_TIME
        elif not reason and spread > KEEP:
            reason = f"its passes differ by more than {KEEP:.0%}"
        return Label(math.nan if reason else mean, spread, len(self.cycles), self.pages, reason)


def closest(cycles: Sequence[float]) -> tuple[float, float]:
    """Mean and relative difference of the two values that are closest to each other."""
    ordered = sorted(cycles)
    pairs = [((high - low) / low, (low + high) / 2) for low, high in pairwise(ordered)]
    if not pairs:
        return math.nan, math.inf
    spread, mean = min(pairs)
    return mean, spread


class Measures(Protocol):
    """What a pass is made with: a pool of harnesses."""

    def batches(
        self, blocks: Sequence[Admitted], proceed: Callable[[], bool] = ...
    ) -> Iterable[tuple[int, list[Reading]]]: ...


def measure_labels(
    pool: Measures,
    blocks: Sequence[Admitted],
    records: Sequence[Record],
    passes: Passes = Passes(),
    proceed: Callable[[], bool] = lambda: True,
    heard: Callable[[int, Reading], None] = lambda index, reading: None,
) -> None:
    """Add passes to the records of blocks until each has its label or `proceed` says no.

    `heard` is told of every reading as it is added, with the block's index.
    """
    for start in range(0, len(blocks), CHUNK):
        chunk = range(start, min(start + CHUNK, len(blocks)))
        while wanting := [index for index in chunk if records[index].wants(passes)]:
            if not proceed():
                return
            for first, readings in pool.batches([blocks[index] for index in wanting], proceed):
                for index, reading in zip(wanting[first:], readings, strict=False):
                    records[index].add(reading)
                    heard(index, reading)
