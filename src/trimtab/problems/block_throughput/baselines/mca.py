# SPDX-License-Identifier: Apache-2.0
"""The solver that asks llvm-mca: its simulated steady state, or its bound without dependencies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from trimtab.core.task import Task

from ..problem import BlockSet, Prediction
from .cores import core_of
from .llvm import ITERATIONS, Analysis, analyse
from .process import Refused, tell


@lru_cache(maxsize=32)
def asked_once(blocks: Sequence[bytes], mcpu: str, steady: bool) -> Analysis:
    """`analyse`, remembered in the process: its answers depend on no seed, and a study asks for several."""
    return analyse(blocks, mcpu, steady=steady)


@dataclass(frozen=True)
class LlvmMca:
    """llvm-mca's prediction for the instance's CPU. LLVM 19 knows Zen 5 by name, and schedules for it as for Zen 4."""

    output: Literal["steady", "rthroughput"] = "steady"
    track = "policy"
    deterministic = True

    @property
    def config(self) -> dict[str, Any]:
        return {"output": self.output, "iterations": ITERATIONS}

    def solve(self, task: Task[BlockSet, Prediction]) -> Prediction:
        """Raises `Unavailable` without the tool, and for a CPU that is not in the table of `cores`."""
        blocks = task.instance.blocks
        found = asked_once(blocks, core_of(task.instance.cpu).mcpu, self.output == "steady")
        tell("llvm-mca", [Refused(found.refused[at]) if at in found.refused else None for at in range(len(blocks))])
        return Prediction(getattr(found, self.output).copy())
