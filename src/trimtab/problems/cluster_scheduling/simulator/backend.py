# SPDX-License-Identifier: Apache-2.0
"""`Simulator`: the compiled cluster as a trimtab backend."""

from __future__ import annotations

from dataclasses import dataclass

from trimtab.core.outcome import Outcome

from ..problem import JobStream
from .policy import Decision
from .simulation import simulate


@dataclass(frozen=True)
class Simulator:
    """Plays a stream under a policy; `seed` draws the task durations, the same ones for every policy."""

    def evaluate(self, instance: JobStream, decision: Decision, *, seed: int) -> Outcome:
        return Outcome(simulate(instance, decision, seed=seed).metrics)
