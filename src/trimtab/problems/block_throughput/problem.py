# SPDX-License-Identifier: Apache-2.0
"""What a throughput predictor is given, what it answers, and what it is judged by.

The quantity is Ithemal's and BHive's (Mendis et al., ICML 2019; Chen et al., IISWC
2019): core cycles that one iteration of a straight-line block takes in steady state
when all memory is in the first-level cache. Two notions, never mixed (Abel and
Reineke, ICS 2022): U, the block unrolled; L, the block as the body of a loop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from trimtab.core.errors import InvalidInstance
from trimtab.core.problem import Metric

Floats = NDArray[np.float64]
Notion = Literal["U", "L"]
NOTIONS: Final[tuple[Notion, ...]] = ("U", "L")
ISA: Final = "x86-64"

#: Kinds of blocks that errors are reported for. Every block is of one length and of one content.
CONTENTS: Final = ("scalar", "vector", "stack", "load_store")
LENGTHS: Final = ("short", "medium", "long")  # up to 3 instructions, 4 to 10, more

METRICS: Final = (
    Metric("mape", "%"),
    Metric("median_ape", "%"),
    Metric("kendall_tau", "1", "maximize"),
    Metric("within_10", "%", "maximize"),
    Metric("coverage", "%", "maximize", optional=True),  # of the intervals, where a solver gives some; meant: 90 %
    Metric("interval_width", "1", optional=True),  # median of high / low
    Metric("answered", "%", "maximize"),
    Metric("weighted_mape", "%"),  # by how often a block is executed
    *(Metric(f"mape_{kind}", "%") for kind in (*CONTENTS, *LENGTHS)),
)


@dataclass(frozen=True, eq=False)
class BlockSet:
    """The instance: blocks of one application for one CPU. What they take is known to a backend only."""

    blocks: tuple[bytes, ...]  # machine code, x86-64, at most 1,000 bytes each, no branches
    cpu: str  # "AuthenticAMD-25-17": vendor, family, model (decimal), as `system.cpu` names them
    notion: Notion = "U"
    application: str = ""
    frequency: Floats = field(default_factory=lambda: np.zeros(0))  # (blocks,) executions, any unit; none: all equal
    isa: str = ISA

    def __post_init__(self) -> None:
        if not self.blocks:
            raise InvalidInstance("block set, field 'blocks': there are none")
        if self.isa != ISA:
            raise InvalidInstance(f"block set, field 'isa': {self.isa!r} is not {ISA!r}, the only one that is known")
        if self.notion not in NOTIONS:
            raise InvalidInstance(f"block set, field 'notion': {self.notion!r} is not U (unrolled) or L (looped)")
        if any(not block for block in self.blocks):
            at = next(i for i, block in enumerate(self.blocks) if not block)
            raise InvalidInstance(f"block set, field 'blocks': block {at} is empty")
        if len(self.frequency) == 0:
            object.__setattr__(self, "frequency", np.ones(len(self.blocks)))
        if len(self.frequency) != len(self.blocks):
            raise InvalidInstance(
                f"block set, field 'frequency': {len(self.frequency)} values for {len(self.blocks)} blocks"
            )
        if not (np.isfinite(self.frequency).all() and (self.frequency >= 0).all() and self.frequency.sum() > 0):
            raise InvalidInstance("block set, field 'frequency': must be finite and >= 0, and not all 0")

    def __len__(self) -> int:
        return len(self.blocks)


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why one block takes as long as it does."""

    cycles: float  # what the model that explains it says
    bottleneck: str  # what holds it up most
    gains: Mapping[str, float]  # cycles that it would be faster by without each limit
    shares: Floats  # (instructions,) of the cycles; they sum to 1


@dataclass(frozen=True, eq=False)
class Prediction:
    """The decision: cycles per iteration of every block; NaN where a solver has no answer.

    An interval (where a solver gives one) is meant to hold the truth in 90 % of cases.
    """

    cycles: Floats  # (blocks,)
    low: Floats | None = None  # (blocks,)
    high: Floats | None = None  # (blocks,)
    explain: Callable[[bytes], Explanation] | None = field(default=None, compare=False, repr=False)
