# SPDX-License-Identifier: Apache-2.0
"""Decisions: a rule with its parameters (`CompiledPolicy`), or any object that acts on observations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from ..problem import Floats
from . import rules
from .observation import Observation


class Action(NamedTuple):
    """Give at most `limit` of the waiting executors to a candidate. `stage` is its row in `Observation.candidates`.

    A negative stage leaves all of them idle.
    """

    stage: int
    limit: int


class Policy(Protocol):
    """A scheduler written in Python: the same engine, some 10 microseconds slower a decision."""

    def act(self, observation: Observation) -> Action: ...


@dataclass(frozen=True, eq=False)
class CompiledPolicy:
    """A scheduler that runs inside the event loop: a kind of `rules`, and its parameters.

    One that is no kind of rule brings a loop of its own, compiled only when it is
    used; `decima.run_decima` is one.
    """

    name: str
    kind: int
    parameters: Floats = field(default_factory=lambda: np.zeros(1))
    loop: Callable[..., int] | None = None  # with the arguments of engine.run, which it replaces


Decision = CompiledPolicy | Policy


def random() -> CompiledPolicy:
    return CompiledPolicy("random", rules.RANDOM)


def fifo() -> CompiledPolicy:
    return CompiledPolicy("fifo", rules.FIFO)


def sjf_cp() -> CompiledPolicy:
    return CompiledPolicy("sjf_cp", rules.SJF_CP)


def fair() -> CompiledPolicy:
    """Decima's fair baseline: equal shares, in decima-sim's stage order."""
    return _policy("fair", rules.WEIGHTED_FAIR, 0.0)


def weighted_fair(alpha: float) -> CompiledPolicy:
    return _policy("weighted_fair", rules.WEIGHTED_FAIR, alpha)


def releasing_fair(alpha: float = 0.0) -> CompiledPolicy:
    return _policy("releasing_fair", rules.RELEASING_FAIR, alpha)


def srpt(scale: float, power: float) -> CompiledPolicy:
    """Shortest remaining work first, on at most ceil(scale * remaining_s^power) executors a job."""
    return _policy("srpt", rules.SRPT, scale, power)


def critical_path() -> CompiledPolicy:
    return CompiledPolicy("critical_path", rules.CRITICAL_PATH)


def tetris(weight: float) -> CompiledPolicy:
    """Packing first, remaining work with `weight`; see `packing.tetris`."""
    return _policy("tetris", rules.TETRIS, weight)


def graphene(alpha: float, threshold: float) -> CompiledPolicy:
    """Troublesome stages first on weighted fair shares; see `packing.graphene`."""
    return _policy("graphene", rules.GRAPHENE, alpha, threshold)


def _policy(name: str, kind: int, *parameters: float) -> CompiledPolicy:
    return CompiledPolicy(name, kind, as_parameters(parameters))


def as_parameters(values: Sequence[float]) -> Floats:
    return np.ascontiguousarray(values, np.float64)
