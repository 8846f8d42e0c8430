# SPDX-License-Identifier: Apache-2.0
"""Who decides: `Solver`, `Learner` (a solver that must be trained first), `Policy` (a decision that acts)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

from .task import Task

I = TypeVar("I")  # noqa: E741  an instance
D = TypeVar("D")  # a decision
D_co = TypeVar("D_co", covariant=True)
Observation_contra = TypeVar("Observation_contra", contravariant=True)
Action_co = TypeVar("Action_co", covariant=True)


class Policy(Protocol[Observation_contra, Action_co]):
    """A decision for sequential problems: the backend asks it at every step."""

    def act(self, observation: Observation_contra) -> Action_co: ...


class Solver(Protocol[I, D]):
    """Turns a task into a decision.

    One that searches spends ``task.evaluate`` and must return its best decision
    when that raises `BudgetSpent`; it has the attribute ``track = "search"``.
    Any other is a policy: it never evaluates, and is refused when it tries. One
    solver solves many tasks, in any order: `solve` leaves it as it was.

    Optional attributes: ``config`` (plain values) and ``weights`` (arrays by name,
    or the path of their file), both part of the cell's key; ``trained_on``
    (the `fingerprint` of every instance that it learnt from; a study refuses to
    judge it there); ``fit_s`` (CPU seconds of its training).
    """

    def solve(self, task: Task[I, D]) -> D: ...


@runtime_checkable
class Learner(Protocol[I, D]):
    """A recipe for a solver. Training is metered like solving: each task has its budget.

    What it logs through ``logging.getLogger("trimtab")`` is `train`'s live line.
    """

    def fit(self, tasks: Sequence[Task[I, D]]) -> Solver[I, D]: ...


@runtime_checkable
class Saves(Protocol):
    """What a trained solver has that can be written down (safetensors, never pickle)."""

    def save(self, path: Path) -> None: ...
