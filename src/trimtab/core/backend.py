# SPDX-License-Identifier: Apache-2.0
"""`Backend`: a simulator or the real system, same shape. `Rollout`: any Gymnasium environment as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from .outcome import Outcome
from .solver import Policy

if TYPE_CHECKING:
    import gymnasium  # 0.3 cpu-s, and wanted for its type only

I_contra = TypeVar("I_contra", contravariant=True)
D_contra = TypeVar("D_contra", contravariant=True)
I = TypeVar("I")  # noqa: E741  an instance
Observation = TypeVar("Observation")
Action = TypeVar("Action")


class Backend(Protocol[I_contra, D_contra]):
    """Says what a decision does to an instance.

    The same instance, decision and seed give the same outcome on a simulator. A
    backend that times the real system has the attribute ``exclusive = True``:
    a study never runs it beside other cells. One that can score many decisions
    at once may add ``evaluate_many(instance, decisions, *, seed)``.
    """

    def evaluate(self, instance: I_contra, decision: D_contra, *, seed: int) -> Outcome: ...


@dataclass(frozen=True)
class Rollout(Generic[I, Observation, Action]):
    """Evaluates a policy by one episode of the environment made for an instance."""

    make_env: Callable[[I], gymnasium.Env[Observation, Action]]
    measure: Callable[[dict[str, Any]], Mapping[str, float]]  # the last step's info -> metrics

    def evaluate(self, instance: I, decision: Policy[Observation, Action], *, seed: int) -> Outcome:
        env = self.make_env(instance)
        try:
            observation, info = env.reset(seed=seed)
            over = False
            while not over:
                observation, _, terminated, truncated, info = env.step(decision.act(observation))
                over = terminated or truncated
        finally:
            env.close()
        return Outcome(self.measure(info))
