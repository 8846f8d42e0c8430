# SPDX-License-Identifier: Apache-2.0
"""The real system: a sample of the instance's blocks is run on this CPU, and the prediction compared with that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from trimtab.core.outcome import Outcome

from ..problem import BlockSet, Floats, Prediction
from ..scoring import score
from .admission import Admitted, admit
from .cpu import fingerprint
from .harness import Pool
from .passes import Passes, Record, measure_labels


@dataclass(frozen=True)
class System:
    """Measures up to `sample` blocks (drawn by the seed), `passes` times each, and scores those that got a label."""

    exclusive: ClassVar[bool] = True  # times the machine: nothing else may run
    sample: int = 1000
    passes: Passes = field(default_factory=Passes)

    def evaluate(self, instance: BlockSet, decision: Prediction, *, seed: int) -> Outcome:
        """The metrics over the blocks that were measured. An instance of another CPU is infeasible here."""
        here = fingerprint()
        if instance.cpu != here:
            note = f"these are blocks for {instance.cpu}; this is {here or 'an unknown CPU'}"
            return Outcome({}, feasible=False, note=note)
        return score(instance, decision, self.measure(instance, seed))

    def measure(self, instance: BlockSet, seed: int) -> Floats:
        """Cycles per iteration of the blocks in the sample; NaN for the others, and for those without a label."""
        truth = np.full(len(instance.blocks), np.nan)
        chosen = np.random.default_rng(seed).permutation(len(instance.blocks))[: self.sample]
        admitted = {int(at): admit(instance.blocks[at], instance.notion) for at in np.sort(chosen)}
        runnable = {at: block for at, block in admitted.items() if isinstance(block, Admitted)}
        records = [Record() for _ in runnable]
        with Pool() as pool:
            measure_labels(pool, list(runnable.values()), records, self.passes)
        for at, record in zip(runnable, records, strict=True):
            truth[at] = record.label().cycles
        return truth
