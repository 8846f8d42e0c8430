# SPDX-License-Identifier: Apache-2.0
"""The classical schedulers, each with parameters that were tuned on training instances.

What is best depends on the cluster, so `tuning.py` tunes every rule in several
*regimes* (a suite of instances alike in size, load and arrivals) and writes
``tuned.json``. A rule then takes, for whatever instance it is given, the
parameters of the nearest regime: the strongest form of a fixed rule.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from trimtab.core.task import Task

from .problem import JobStream
from .simulator import CompiledPolicy, Decision, policy

#: The rules by name, and what makes a policy of their parameters.
RULES: Final[Mapping[str, Callable[..., CompiledPolicy]]] = {
    "fifo": policy.fifo,
    "sjf_cp": policy.sjf_cp,
    "fair": policy.fair,
    "fair_releasing": policy.releasing_fair,
    "weighted_fair": policy.weighted_fair,
    "critical_path": policy.critical_path,
    "tetris": policy.tetris,
    "graphene": policy.graphene,
    "srpt_constant": lambda cap: policy.srpt(cap, 0.0),
    "srpt_linear": lambda scale: policy.srpt(scale, 1.0),
    "srpt_concave": policy.srpt,
}
TUNED: Final = Path(__file__).with_name("tuned.json")


@dataclass(frozen=True)
class Regime:
    """Instances alike, and each rule's best parameters on them."""

    name: str
    batch: bool  # all jobs at once
    executors: int
    work_s: float  # mean work of a job
    parameters: Mapping[str, tuple[float, ...]]  # by rule

    def distance(self, other: Regime) -> float:
        """Between two regimes: first of all the kind of arrivals, then sizes by their ratios."""
        sizes = math.hypot(math.log(self.executors / other.executors), math.log(self.work_s / other.work_s))
        return sizes + (100.0 if self.batch != other.batch else 0.0)


@dataclass(frozen=True)
class Rule:
    """A rule of the simulator as a solver. Without `parameters`, those tuned for the nearest regime."""

    rule: str
    parameters: tuple[float, ...] | None = None

    @property
    def config(self) -> dict[str, Any]:
        tuned = {regime.name: regime.parameters[self.rule] for regime in regimes()}
        return {"rule": self.rule, "parameters": tuned if self.parameters is None else self.parameters}

    def solve(self, task: Task[JobStream, Decision]) -> CompiledPolicy:
        chosen = self.parameters
        if chosen is None:
            chosen = nearest(task.instance).parameters[self.rule]
        return RULES[self.rule](*chosen)


def nearest(stream: JobStream) -> Regime:
    """The regime that an instance resembles most."""
    here = describe("", [stream], {})
    return min(regimes(), key=here.distance)


def describe(name: str, streams: Sequence[JobStream], parameters: Mapping[str, tuple[float, ...]]) -> Regime:
    """The regime of some streams."""
    work = [stream.profiles[job].work_s for stream in streams for job in stream.jobs]
    return Regime(
        name=name,
        batch=all(stream.arrival_ms[-1] == 0 for stream in streams),
        executors=streams[0].num_executors,
        work_s=max(float(np.mean(work)), 1e-9),
        parameters=parameters,
    )


@cache
def regimes() -> tuple[Regime, ...]:
    """The regimes in ``tuned.json``."""
    rows = json.loads(TUNED.read_text())["regimes"]
    return tuple(
        Regime(**{**row, "parameters": {rule: tuple(values) for rule, values in row["parameters"].items()}})
        for row in rows
    )
