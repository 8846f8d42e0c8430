# SPDX-License-Identifier: Apache-2.0
"""What is tuned (`Target`), what is decided (`Configuration`), and what a try of one came to (`Trial`)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from trimtab.core.errors import UsageError
from trimtab.core.problem import Metric

from .space import KnobSpace, Value

if TYPE_CHECKING:
    from .simulator import Replay
    from .system import Command

METRICS: Final = (
    Metric("ratio", "1"),  # objective over that of the default, both measured afresh
    Metric("trials", "1", optional=True),  # these two where a search found the configuration
    Metric("invalid", "1", optional=True),  # trials that crashed, hung or were refused
    Metric("seconds", "s", optional=True),  # of a search on the real system, trials included
    Metric("overhead", "s", optional=True),  # likewise: CPU seconds a trial that the optimiser itself takes
)

# ok: measured. censored: killed, being slower than any winner; its value is a lower bound.
# constraint: measured, and over a limit. The others have no value.
Status: TypeAlias = Literal["ok", "censored", "constraint", "crash", "timeout", "refused"]


@dataclass(frozen=True)
class Constraint:
    """A metric may not exceed a limit: ``rss<=1GiB``."""

    metric: str
    limit: float  # SI


@dataclass(frozen=True)
class Objective:
    """What is made small (or large), and within which limits."""

    metric: str = "cpu"  # cpu [s], wall [s], rss [B], or the name of a metric read from the output
    goal: Literal["minimize", "maximize"] = "minimize"
    constraints: tuple[Constraint, ...] = ()

    def loss(self, metrics: Mapping[str, float]) -> float:
        """The natural log of the objective, turned so that less is better."""
        value = metrics[self.metric]
        if not value > 0 or math.isinf(value):
            raise UsageError(f"the objective {self.metric!r} must be above 0 to be compared as a ratio, got {value:g}")
        return math.log(value) if self.goal == "minimize" else -math.log(value)

    def broken(self, metrics: Mapping[str, float]) -> tuple[Constraint, ...]:
        return tuple(c for c in self.constraints if not metrics[c.metric] <= c.limit)


@dataclass(frozen=True)
class Target:
    """An instance: a program under a workload, its knobs, and what is wanted of it.

    It is replayed (a model fitted to real measurements), or run, or both.
    """

    name: str
    space: KnobSpace
    objective: Objective = Objective()
    replay: Replay | None = None
    command: Command | None = None


@dataclass(frozen=True)
class Search:
    """What finding a configuration took."""

    trials: int
    invalid: int
    seconds: float  # wall
    overhead: float  # CPU seconds a trial, of the optimiser itself


@dataclass(frozen=True)
class Configuration:
    """A decision: a value for every knob."""

    values: Mapping[str, Value]
    search: Search | None = field(default=None, compare=False)  # how it was found


@dataclass(frozen=True)
class Trial:
    """One try of a configuration, as the optimiser is told of it, and as the journal keeps it."""

    values: Mapping[str, Value]
    status: Status
    loss: float | None = None  # log ratio to the default run beside it, less is better; None: no value
    runs: int = 1  # measurements behind `loss`
    metrics: Mapping[str, float] = field(default_factory=dict)  # means, SI
    seconds: float = 0.0  # wall
    note: str = ""
    within: float | None = None  # sum of squares of runs around their mean, as noisy as `loss` says, where it is known

    @property
    def valid(self) -> bool:
        """Did the program do its work?"""
        return self.status in ("ok", "censored", "constraint")
