# SPDX-License-Identifier: Apache-2.0
"""Blocks that obey a law: each instruction has a cost, and the second CPU takes twice as long."""

from __future__ import annotations

from typing import Final

import numpy as np

from trimtab.core.outcome import Outcome
from trimtab.core.task import Budget, Task
from trimtab.problems.block_throughput.baselines.instructions import decode
from trimtab.problems.block_throughput.baselines.trained import Examples
from trimtab.problems.block_throughput.problem import BlockSet, Prediction

#: add rax, rbx; imul rax, rbx; mov rax, [rbx]; mov [rbx], al; vaddsd xmm0, xmm0, xmm1
COSTS: Final = {"4801d8": 1.0, "480fafc3": 3.0, "488b03": 0.5, "8803": 1.0, "c5fb58c1": 4.0}
TARGETS: Final = ("AuthenticAMD-25-17 U", "AuthenticAMD-26-2 U")


def made(seed: int, blocks: int = 300) -> Examples:
    """Blocks of 1 to 6 instructions, for either CPU."""
    rng = np.random.default_rng(seed)
    drawn = [list(rng.choice(list(COSTS), rng.integers(1, 7))) for _ in range(blocks)]
    target = rng.integers(0, 2, blocks)
    cycles = np.array([sum(COSTS[name] for name in names) for names in drawn]) * (1 + target)
    code = tuple(bytes.fromhex("".join(names)) for names in drawn)
    return Examples(code, decode(code), cycles, target, TARGETS)


def instance(seen: Examples, target: int) -> BlockSet:
    rows = np.flatnonzero(seen.target == target)
    return BlockSet(seen.take(rows).code, cpu=TARGETS[target].split()[0])


def law(instance: BlockSet) -> np.ndarray:
    """The truth of an instance that is made of such blocks."""
    factor = 1 + [target.split()[0] for target in TARGETS].index(instance.cpu)
    named = {bytes.fromhex(name): cost for name, cost in COSTS.items()}
    cycles = []
    for code in instance.blocks:
        total, rest = 0.0, code
        while rest:
            name = next(name for name in named if rest.startswith(name))
            total, rest = total + named[name], rest[len(name) :]
        cycles.append(factor * total)
    return np.array(cycles)


class Nowhere:
    """A backend that a policy may not ask."""

    def evaluate(self, instance: BlockSet, decision: Prediction, *, seed: int) -> Outcome:
        raise AssertionError("a policy evaluated")


def task_of(instance: BlockSet, seconds: float = np.inf) -> Task[BlockSet, Prediction]:
    return Task(instance, Nowhere(), Budget(0, seconds), seed=7)
