# SPDX-License-Identifier: Apache-2.0
"""The trivial bound: no core does more instructions, loads or stores in a cycle than it is wide.

The baseline of Abel and Reineke (uiCA, ICS 2022, section 6): the greatest of
instructions / width, loads / load ports and stores / store ports.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.core.task import Task

from ..problem import BlockSet, Prediction
from .cores import CORES, Core, core_of
from .instructions import Instruction, decode


class TrivialBound:
    """The solver: `trivial_bound` with the widths of the instance's CPU."""

    track = "policy"
    deterministic = True

    @property
    def config(self) -> dict[str, Any]:
        return {core.name: (core.width, core.loads, core.stores, core.memory) for core in CORES}

    def solve(self, task: Task[BlockSet, Prediction]) -> Prediction:
        """Raises `Unavailable` for a CPU whose widths are not known."""
        core = core_of(task.instance.cpu)
        return Prediction(trivial_bound(decode(task.instance.blocks), core))


def trivial_bound(blocks: Sequence[Sequence[Instruction]], core: Core) -> NDArray[np.float64]:
    """Cycles per iteration.  (blocks,)"""
    return np.array([_bound(block, core) for block in blocks])


def _bound(block: Sequence[Instruction], core: Core) -> float:
    places = [place for one in block for place in one.memory]
    loads, stores = sum(place.read for place in places), sum(place.written for place in places)
    return max(len(block) / core.width, loads / core.loads, stores / core.stores, (loads + stores) / core.memory)
