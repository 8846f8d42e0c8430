# SPDX-License-Identifier: Apache-2.0
"""``trimtab/ClusterScheduling-v0``: the compiled cluster as a Gymnasium environment.

>>> env = gymnasium.make("trimtab.envs:trimtab/ClusterScheduling-v0", stream=stream)

A step is one decision: which candidate stage gets waiting executors, and how many
executors its job may then have. It is for reinforcement learning with libraries
that want spaces of a fixed size; rules and trimtab's own learners look at the
whole cluster (`simulator.Observation`), and run compiled.

**Observation**, a dictionary; everything is between 0 and 1:

==============  ==========  ======================================================
``candidates``  (32, 14)    a row for each stage that may be selected, `CANDIDATE`
``mask``        (32,)       1 where there is such a stage, 0 where the row is empty
``cluster``     (5,)        `CLUSTER`
==============  ==========  ======================================================

Rows are in order of their job's remaining work, least first, then of its arrival;
within a job runnable stages stand first, then those with the most work on their
path. So row 0 is what shortest remaining work first selects. Where there are more
than 32, those of the source job (whose executors wait) are kept, then the first.

**Action**, ``MultiDiscrete([32, 8])``: a row, and the level of its job's
parallelism limit. The eight limits are geometric from one executor to the whole
cluster, see `limits`. The stage gets waiting executors until its job holds the
limit, and at least one. An empty row stands for row 0.

**Reward**: minus the integral, since the last decision, of the number of jobs in
the system, over the executor-seconds of all jobs of the stream. By Little's law
the return is minus the average completion time over a job's average work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from trimtab.core.errors import UsageError

from .problem import METRICS, Floats, Ints, JobStream
from .simulator import Action, Observation, Run, Simulation
from .workload import instances

ROWS: Final = 32
LEVELS: Final = 8

#: Columns of ``candidates``. "~" is x / (x + scale), which keeps the order of what has no upper bound; for work
#: the scale is a job's average over the stream's profiles, for tasks and executors the size of the cluster.
CANDIDATE: Final = (
    "tasks_left",  # ~ not started and not promised
    "mean_duration",  # ~ of a task; scale: the profiles' average task
    "work_left",  # ~ tasks_left x mean_duration
    "path",  # ~ work on the stage's heaviest path to the end of its job
    "runnable",  # 1: its parents are finished
    "stage_executors",  # share of the cluster that runs in the stage
    "job_remaining",  # ~ work of the job's tasks that have not started
    "job_work",  # ~ work of all its tasks
    "job_held",  # share of the cluster that it has or is promised, those that wait for this decision left out
    "job_incoming",  # ... of which on their way
    "job_free",  # share of the cluster that is free in the job
    "job_order",  # its place by arrival among the jobs in the system: 0 for the oldest
    "job_age",  # ~ time since its arrival; scale: the average work over the cluster
    "source",  # 1: the waiting executors are the job's own, and need not move
)
#: Columns of ``cluster``, scaled alike.
CLUSTER: Final = (
    "waiting",  # share of the cluster that waits for a decision
    "has_source",  # 1: they belong to a job, which may have no candidate
    "jobs",  # ~ in the system; scale: 32
    "candidates",  # ~ also those that found no row; scale: 32
    "remaining",  # ~ work of all tasks that have not started; scale: 32 jobs
)

Observed = dict[str, NDArray[Any]]
Chosen = NDArray[np.integer[Any]]  # row, level


class ClusterScheduling(gymnasium.Env[Observed, Chosen]):
    """One episode is one stream of jobs, from the first arrival to the last completion.

    `stream` is what is played, unless ``reset(options={"stream": ...})`` names
    another for the episode; by default twelve jobs on eight executors, of those that
    are shipped for training. ``reset(seed=)`` draws the task durations, as in
    `simulate`: the same seed means the same draws whatever the policy does. The
    last step's ``info`` has the metrics, by the names of `problem.METRICS`.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012  as Gymnasium wants it

    def __init__(self, stream: JobStream | None = None) -> None:
        self._stream = _checked(next(iter(instances("train").values())) if stream is None else stream)
        self.observation_space = _observation_space()
        self.action_space = spaces.MultiDiscrete([ROWS, LEVELS])
        self._run: Run | None = None
        self._seen: Observation | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observed, dict[str, Any]]:
        """Begin the stream with the durations of `seed`; without one, with others in each episode."""
        super().reset(seed=seed)
        stream = _asked_for(options or {}, self._stream)
        self._limits = limits(stream.num_executors)
        self._work_s = sum(stream.profiles[job].work_s for job in stream.jobs)
        self._scales = _Scales(stream)
        self._run = Run(stream, int(self.np_random.integers(2**63)) if seed is None else seed)
        self._spent_s = 0.0
        return self._go_on(), {}

    def step(self, action: Chosen) -> tuple[Observed, float, bool, bool, dict[str, Any]]:
        """Select a stage and go on to the next decision, which may be at the same moment."""
        if self._run is None or self._seen is None:
            raise UsageError("ClusterScheduling.step: no episode is under way; call reset() first")
        if not self.action_space.contains(np.asarray(action)):
            raise UsageError(f"ClusterScheduling.step: the action {action} is not in {self.action_space}")
        row, level = int(action[0]), int(action[1])
        candidate = self._rows[row if row < len(self._rows) else 0]
        job = self._seen.stages["job"][self._seen.candidates[candidate]]
        room = self._limits[level] - held(self._seen)[job]
        self._run.answer(Action(int(candidate), max(1, int(room))))
        observed, before_s = self._go_on(), self._spent_s
        self._spent_s = self._time_in_system_s()
        over = self._seen is None
        info = self._run.result().metrics if over else {}
        return observed, (before_s - self._spent_s) / self._work_s, over, False, dict(info)

    def result(self) -> Simulation:
        """What came of the episode so far; unfinished jobs are NaN in `done_ms`."""
        if self._run is None:
            raise UsageError("ClusterScheduling.result: there was no episode; call reset() first")
        return self._run.result()

    def _go_on(self) -> Observed:
        assert self._run is not None
        self._seen = self._run.next_decision()
        self._rows = np.zeros(0, np.int64) if self._seen is None else _in_order(self._seen)
        return self._scales.observed(self._seen, self._rows)

    def _time_in_system_s(self) -> float:
        """Of all jobs until now, added up."""
        assert self._run is not None
        state, stream = self._run.state, self._run.stream
        until_ms = np.fmin(state.done_ms, state.cluster["time_ms"][0])  # the other one where `done_ms` is NaN
        return float(np.maximum(until_ms - stream.arrival_ms, 0).sum() / 1000)


def make_env(stream: JobStream) -> ClusterScheduling:
    """For `trimtab.Rollout`, which makes a policy on these observations comparable: ``Rollout(make_env, measure)``."""
    return ClusterScheduling(stream)


def measure(info: Mapping[str, Any]) -> dict[str, float]:
    """The metrics in the last step's info."""
    return {metric.name: float(info[metric.name]) for metric in METRICS}


def limits(num_executors: int) -> Ints:
    """The parallelism limits of an action's levels, from 1 to the whole cluster.  (LEVELS,)"""
    return np.rint(np.geomspace(1, num_executors, LEVELS)).astype(np.int64)


def held(seen: Observation) -> Ints:
    """Executors that each job has or is promised, without those that wait for this decision.  (jobs,)"""
    count = np.asarray(seen.jobs["executors"] + seen.jobs["incoming"], np.int64)
    if seen.source_job >= 0:
        count[seen.source_job] -= seen.num_source
    return count


def _observation_space() -> Any:  # Gymnasium's types of Dict differ between its versions
    return spaces.Dict(
        {
            "candidates": spaces.Box(0, 1, (ROWS, len(CANDIDATE)), np.float32),
            "mask": spaces.MultiBinary(ROWS),
            "cluster": spaces.Box(0, 1, (len(CLUSTER),), np.float32),
        }
    )


class _Scales:
    """Turns what the simulator shows into arrays between 0 and 1, in proportion to a stream's cluster and jobs."""

    def __init__(self, stream: JobStream) -> None:
        tasks = sum(int(profile.num_tasks.sum()) for profile in stream.profiles)
        work_s = sum(profile.work_s for profile in stream.profiles)
        self.executors = stream.num_executors
        self.job_s = max(work_s / len(stream.profiles), 1e-9)
        self.task_ms = max(1000 * work_s / tasks, 1e-9)

    def observed(self, seen: Observation | None, rows: Ints) -> Observed:
        """The observation; all 0 at the end of an episode. `rows` are places in ``seen.candidates``."""
        candidates = np.zeros((ROWS, len(CANDIDATE)), np.float32)
        mask = np.zeros(ROWS, np.int8)
        cluster = np.zeros(len(CLUSTER), np.float32)
        if seen is not None:
            candidates[: len(rows)] = self._candidates(seen, seen.candidates[rows])
            mask[: len(rows)] = 1
            cluster[:] = self._cluster(seen)
        return {"candidates": candidates, "mask": mask, "cluster": cluster}

    def _candidates(self, seen: Observation, places: Ints) -> Floats:
        stage = seen.stages[places]
        row = stage["job"]
        job = seen.jobs[row]
        left = stage["num_tasks"] - stage["planned"]
        columns = (
            _squashed(left, self.executors),
            _squashed(stage["mean_ms"], self.task_ms),
            _squashed(left * stage["mean_ms"] / 1000, self.job_s),
            _squashed(stage["path_s"], self.job_s),
            stage["runnable"],
            stage["executors"] / self.executors,
            _squashed(job["remaining_s"], self.job_s),
            _squashed(job["work_s"], self.job_s),
            held(seen)[row] / self.executors,
            job["incoming"] / self.executors,
            job["free"] / self.executors,
            row / len(seen.jobs),
            _squashed((seen.time_ms - job["arrival_ms"]) / 1000, self.job_s / self.executors),
            row == seen.source_job,
        )
        return np.stack(columns, axis=1)

    def _cluster(self, seen: Observation) -> tuple[float, ...]:
        remaining_s = max(float(seen.jobs["remaining_s"].sum()), 0.0)
        return (
            seen.num_source / self.executors,
            float(seen.source_job >= 0),
            len(seen.jobs) / (len(seen.jobs) + ROWS),
            len(seen.candidates) / (len(seen.candidates) + ROWS),
            remaining_s / (remaining_s + ROWS * self.job_s),
        )


def _squashed(values: Floats, scale: float) -> Floats:
    positive = np.maximum(values, 0.0)  # remaining work ends a rounding error below 0
    return np.asarray(positive / (positive + scale), np.float64)


def _in_order(seen: Observation) -> Ints:
    """Which candidates get a row, in order.  places in ``seen.candidates``"""
    stage = seen.stages[seen.candidates]
    job = stage["job"]
    order = np.lexsort((-stage["path_s"], ~stage["runnable"], job, seen.jobs["remaining_s"][job]))
    kept = np.argsort(job[order] != seen.source_job, kind="stable")[:ROWS]
    return np.asarray(order[np.sort(kept)], np.int64)


def _asked_for(options: Mapping[str, Any], default: JobStream) -> JobStream:
    unknown = sorted(set(options) - {"stream"})
    if unknown:
        raise UsageError(f"ClusterScheduling.reset, options: unknown {unknown}; the only one is 'stream'")
    return _checked(options["stream"]) if "stream" in options else default


def _checked(stream: object) -> JobStream:
    if not isinstance(stream, JobStream):
        raise UsageError(f"ClusterScheduling, 'stream': a JobStream is wanted, got a {type(stream).__name__}")
    return stream
