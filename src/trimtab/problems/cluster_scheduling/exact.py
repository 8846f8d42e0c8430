# SPDX-License-Identifier: Apache-2.0
"""The optimum of tiny streams, by constraint programming.

The model: executors are identical machines, every task's duration is fixed by the
draws, a stage's tasks may start when all tasks of its parents are done, and the sum
of completion times is least. The simulator's is that model where moving
takes no time and a stage draws from one and the same range at every parallelism
and in every wave; any other stream is refused. As in the simulator the tasks of
a stage start in the order of their numbers. The optimum knows all
draws and all arrivals beforehand, so a policy may not reach it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trimtab.core.errors import InvalidInstance, TrimtabError
from trimtab.core.extras import need
from trimtab.kit.cp_sat import new_solver

from .bounds import least_durations_ms, lower_bound_s
from .problem import Floats, JobStream
from .simulator.tables import Tables, pack

#: A task of a schedule; times in ms, as in `Simulation.tasks`.
TASK = np.dtype(
    [
        ("job", np.int64),
        ("stage", np.int64),
        ("task", np.int64),
        ("executor", np.int64),
        ("since_ms", np.float64),
        ("time_ms", np.float64),
    ]
)


@dataclass(frozen=True, eq=False)
class Optimum:
    """The best schedule that was found."""

    average_jct: float  # s
    proven: bool  # there is no better one
    bound: float  # s; no schedule has a lesser average JCT
    assignment: NDArray[np.void]  # (tasks,) TASK, by start


def optimum_s(stream: JobStream, seed: int, *, seconds: float = 30.0) -> Optimum:
    """The least average JCT with the draws of this seed, searched for at most `seconds` of wall time.

    Raises `InvalidInstance` where a duration depends on what a policy does.
    """
    cp = need("ortools.sat.python.cp_model", extra="exact", purpose="the optimum of a stream")
    _check(stream)
    tasks = _tasks(stream, seed)
    model, starts = _model(cp, stream, tasks)
    solver = new_solver(max_time_in_seconds=seconds)
    status = solver.solve(model)
    if status not in (cp.OPTIMAL, cp.FEASIBLE):
        raise TrimtabError(f"CP-SAT found no schedule of {len(tasks)} tasks in {seconds:g} s ({solver.status_name()})")
    tasks["time_ms"] -= tasks["since_ms"]
    tasks["since_ms"] = [solver.value(start) for start in starts]
    tasks["time_ms"] += tasks["since_ms"]
    done_ms = np.zeros(stream.num_jobs)
    np.maximum.at(done_ms, tasks["job"], tasks["time_ms"])
    arrived, scale = float(stream.arrival_ms.sum()), 1000 * stream.num_jobs
    return Optimum(
        average_jct=(float(done_ms.sum()) - arrived) / scale,
        proven=bool(status == cp.OPTIMAL),
        bound=max((solver.best_objective_bound - arrived) / scale, lower_bound_s(stream, seed)),
        assignment=_on_executors(tasks, stream.num_executors),
    )


def _check(stream: JobStream) -> None:
    """Is it an instance of the model?"""
    if stream.moving_delay_ms != 0:
        raise InvalidInstance(
            f"job stream, field 'moving_delay_ms': {stream.moving_delay_ms:g}; the optimum needs 0 "
            "(executors that are alike wherever they come from)"
        )
    if (stream.arrival_ms % 1 != 0).any():
        raise InvalidInstance("job stream, field 'arrival_ms': the optimum needs whole milliseconds")
    tables = pack(stream.profiles, float(stream.warmup_delay_ms))
    for job in np.unique(stream.jobs):
        profile = stream.profiles[job]
        if (profile.durations % 1 != 0).any() or (profile.durations < 1).any():
            raise InvalidInstance(f"job {profile.name!r}, field 'durations': the optimum needs whole ms, at least 1")
        stage = _varying_stage(tables, int(job))
        if stage is not None:
            raise InvalidInstance(
                f"job {profile.name!r}, field 'offsets': the durations of stage {stage} depend on the wave or on the "
                "parallelism; the optimum needs one range of durations for all"
            )


def _varying_stage(tables: Tables, job: int) -> int | None:
    """The first stage that does not draw from one range always."""
    head = tables.profiles[job]
    for stage in range(head["num_stages"]):
        first = tables.stages["first_draw"][head["first_stage"] + stage]
        draws = tables.draws[first : first + 3 * head["num_levels"]]
        if (draws != draws[0]).any() or draws["delay_ms"][0] > 0:
            return stage
    return None


def _tasks(stream: JobStream, seed: int) -> NDArray[np.void]:
    """All tasks, each from 0 to its duration."""
    rows = []
    for job, durations in enumerate(least_durations_ms(stream, seed)):
        counts = stream.profiles[stream.jobs[job]].num_tasks
        part = np.zeros(len(durations), TASK)
        part["job"], part["time_ms"] = job, durations
        part["stage"] = np.repeat(np.arange(len(counts)), counts)
        part["task"] = np.concatenate([np.arange(count) for count in counts])
        rows.append(part)
    return np.concatenate(rows)


def _model(cp: Any, stream: JobStream, tasks: NDArray[np.void]) -> tuple[Any, list[Any]]:
    """The model, and the start of every task."""
    model = cp.CpModel()
    horizon = int(stream.arrival_ms[-1] + tasks["time_ms"].sum())
    starts: list[Any] = []
    intervals: list[Any] = []
    done = [model.new_int_var(int(arrival), horizon, "") for arrival in stream.arrival_ms]
    for row in tasks:
        start = model.new_int_var(int(stream.arrival_ms[row["job"]]), horizon, "")
        if row["task"] > 0:
            model.add(starts[-1] <= start)
        model.add(start + int(row["time_ms"]) <= done[row["job"]])
        intervals.append(model.new_fixed_size_interval_var(start, int(row["time_ms"]), ""))
        starts.append(start)
    model.add_cumulative(intervals, [1] * len(tasks), int(stream.num_executors))
    for job, index in enumerate(stream.jobs):
        for parent, child in stream.profiles[index].edges:
            opens = model.new_int_var(0, horizon, "")  # when all tasks of the parent are done
            for at in _of(tasks, job, parent):
                model.add(starts[at] + int(tasks["time_ms"][at]) <= opens)
            for at in _of(tasks, job, child):
                model.add(opens <= starts[at])
    model.minimize(sum(done))
    return model, starts


def _of(tasks: NDArray[np.void], job: int, stage: int) -> NDArray[np.int64]:
    return np.flatnonzero((tasks["job"] == job) & (tasks["stage"] == stage))


def _on_executors(tasks: NDArray[np.void], num_executors: int) -> NDArray[np.void]:
    """Tasks by start, each on the executor that has been free for longest."""
    ordered = tasks[np.lexsort((tasks["time_ms"], tasks["since_ms"]))]
    free: Floats = np.zeros(num_executors)
    for row in ordered:
        row["executor"] = int(free.argmin())
        free[row["executor"]] = row["time_ms"]
    return ordered
