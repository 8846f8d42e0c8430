# SPDX-License-Identifier: Apache-2.0
"""`simulate`: one stream under one policy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trimtab.core.errors import TrimtabError, UsageError

from ..problem import Floats, JobStream
from . import engine
from .observation import Observation, observe
from .policy import Action, CompiledPolicy, Decision, Policy
from .rules import EXTERNAL
from .state import NONE, TASK_DONE, State, allocate, grow
from .tables import Records, Tables, pack

_FIRST_SLOTS = 64
_LOG_ROWS = 1 << 14


@dataclass(frozen=True, eq=False)
class Simulation:
    """What came of it."""

    stream: JobStream
    done_ms: Floats  # (jobs,) completion; NaN: not by the horizon
    end_ms: float  # of the last event, or the horizon
    busy_ms: float  # executor time in finished tasks
    moving_ms: float  # executor time between jobs
    events: int  # task completions, job arrivals and executor arrivals
    decisions: int  # those where there was something to select
    trace: Records | None = None  # (events,) state.LOG, in order

    @property
    def jct_ms(self) -> Floats:
        """Completion times, from arrival.  (jobs,)"""
        return np.asarray(self.done_ms - self.stream.arrival_ms, np.float64)

    @property
    def metrics(self) -> dict[str, float]:
        """By the names of problem.METRICS; of the finished jobs, where a horizon cut off others."""
        jct = self.jct_ms[~np.isnan(self.done_ms)] / 1000
        some = len(jct) > 0
        return {
            "average_jct": float(jct.mean()) if some else math.nan,
            "p95_jct": float(np.quantile(jct, 0.95)) if some else math.nan,
            "makespan": self.end_ms / 1000,
            "utilisation": self.busy_ms / (self.end_ms * self.stream.num_executors) if self.end_ms > 0 else 0.0,
        }

    @property
    def tasks(self) -> Records:
        """The trace's task completions: ``since_ms`` to ``time_ms`` on ``executor``, for a Gantt chart."""
        if self.trace is None:
            raise UsageError("this simulation kept no trace: simulate(..., trace=True)")
        return self.trace[self.trace["kind"] == TASK_DONE]


def simulate(
    stream: JobStream, policy: Decision, *, seed: int, trace: bool = False, horizon_ms: float = math.inf
) -> Simulation:
    """Run a stream of jobs to its end, or to the horizon.

    The durations depend on `seed` and on nothing that the policy does (see
    `draws`). A policy that leaves all executors idle for good is an error.
    """
    run = Run(stream, seed, trace=trace, horizon_ms=horizon_ms)
    if isinstance(policy, CompiledPolicy):
        run.to_end(policy)
    else:
        run.ask(policy)
    return run.result()


def clean_seed(seed: int) -> int:
    """Any Python integer as the 63 bits that the engine keeps."""
    return int(seed) & 0x7FFF_FFFF_FFFF_FFFF


class Run:
    """A simulation under way."""

    def __init__(self, stream: JobStream, seed: int, *, trace: bool = False, horizon_ms: float = math.inf) -> None:
        self.stream = stream
        self.tables: Tables = pack(stream.profiles, float(stream.warmup_delay_ms))
        self._arrival_ms = np.ascontiguousarray(stream.arrival_ms, np.float64)
        self._jobs = np.ascontiguousarray(stream.jobs, np.int64)
        self._logged: list[Records] | None = [] if trace else None
        at_once = int((self._arrival_ms == 0).sum())
        self.state: State = allocate(
            self.tables,
            slots=max(at_once, min(stream.num_jobs, _FIRST_SLOTS)),
            executors=stream.num_executors,
            jobs=stream.num_jobs,
            log=_LOG_ROWS if trace else 0,
        )
        engine.begin(
            self.state,
            self.tables,
            self._jobs,
            self._arrival_ms,
            int(stream.num_executors),
            float(stream.moving_delay_ms),
            float(horizon_ms),
            clean_seed(seed),
        )
        self._places: NDArray[np.int64] = np.zeros(0, np.int64)

    def to_end(self, policy: CompiledPolicy) -> None:
        self._advance(policy.loop or engine.run, policy.kind, policy.parameters)

    def ask(self, policy: Policy) -> None:
        for observation in self.decisions():
            self.answer(policy.act(observation))

    def decisions(self) -> Iterator[Observation]:
        """Each scheduling event; give an `answer` before taking the next."""
        while (observation := self.next_decision()) is not None:
            yield observation

    def next_decision(self) -> Observation | None:
        """Go on to the next scheduling event; None at the end."""
        if not self._advance(engine.run, EXTERNAL, np.zeros(1)):
            return None
        observation, self._places = observe(self.state, self.stream)
        return observation

    def answer(self, action: Action) -> None:
        stage, limit = int(action[0]), int(action[1])
        if stage >= len(self._places):
            raise UsageError(f"action, field 'stage': {stage}, but there are {len(self._places)} candidates")
        if stage >= 0 and limit < 1:
            raise UsageError(f"action, field 'limit': {limit}; a stage that is selected gets at least one executor")
        place = int(self._places[stage]) if stage >= 0 else NONE
        self.state.cluster["decisions"] += 1
        engine.select(self.state, self.tables, place, max(limit, 1))

    def result(self) -> Simulation:
        cluster = self.state.cluster[0]
        return Simulation(
            stream=self.stream,
            done_ms=self.state.done_ms.copy(),
            end_ms=float(cluster["time_ms"]),
            busy_ms=float(cluster["busy_ms"]),
            moving_ms=float(cluster["moving_ms"]),
            events=int(cluster["events"]),
            decisions=int(cluster["decisions"]),
            trace=None if self._logged is None else np.concatenate([*self._logged, self._take_log()]),
        )

    def _advance(self, loop: Callable[..., int], kind: int, parameters: Floats) -> bool:
        """True where a decision is wanted, False at the end."""
        while True:
            why = loop(self.state, self.tables, self._jobs, self._arrival_ms, kind, parameters)
            if why == engine.FULL:
                self.state = grow(self.state)
            elif why == engine.LOG_FULL and self._logged is not None:
                self._logged.append(self._take_log())
            elif why == engine.STALLED:
                raise TrimtabError(
                    f"all executors idle at {self.state.cluster['time_ms'][0] / 1000:g} s with "
                    f"{self.state.cluster['num_active'][0]} jobs unfinished: the policy left stages that could run"
                )
            else:
                return bool(why == engine.DECIDE)

    def _take_log(self) -> Records:
        rows = self.state.log[: self.state.cluster["num_logged"][0]].copy()
        self.state.cluster["num_logged"] = 0
        return rows
