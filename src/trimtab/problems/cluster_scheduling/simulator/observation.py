# SPDX-License-Identifier: Apache-2.0
"""What a scheduler written in Python sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..problem import JobStream
from .state import State
from .tables import Records

JOB_VIEW: Final = np.dtype(
    [
        ("index", np.int64),  # in the stream
        ("profile", np.int64),
        ("executors", np.int64),  # free or running in the job
        ("incoming", np.int64),  # moving to it, or committed to it by another job
        ("free", np.int64),
        ("arrival_ms", np.float64),
        ("work_s", np.float64),
        ("remaining_s", np.float64),  # work of tasks that have not started, at mean durations
    ]
)
STAGE_VIEW: Final = np.dtype(
    [
        ("job", np.int64),  # row in `jobs`
        ("stage", np.int64),  # number in its profile
        ("num_tasks", np.int64),
        ("started", np.int64),
        ("finished", np.int64),
        ("planned", np.int64),  # started, committed or moving here: num_tasks - planned are left to give away
        ("executors", np.int64),
        ("mean_ms", np.float64),
        ("path_s", np.float64),  # work on its heaviest path to the end of the job
        ("candidate", np.bool_),
        ("runnable", np.bool_),  # its parents are finished
    ]
)


@dataclass(frozen=True, eq=False)
class Observation:
    """The cluster at a scheduling event. Rows of jobs are in order of arrival, and so are their stages."""

    time_ms: float
    stream: JobStream
    jobs: Records  # (active jobs,) JOB_VIEW
    stages: Records  # (their stages,) STAGE_VIEW
    candidates: NDArray[np.int64]  # rows of `stages` that may be selected; never empty
    source_job: int  # row in `jobs` of the job that the waiting executors belong to; -1: none
    num_source: int  # executors that wait for a decision


def observe(state: State, stream: JobStream) -> tuple[Observation, NDArray[np.int64]]:
    """The observation, and for each candidate its number in `State.stages`."""
    cluster = state.cluster[0]
    slots = state.active[: cluster["num_active"]]
    jobs = state.jobs[slots]
    counts = jobs["num_stages"]
    row = np.repeat(np.arange(len(slots)), counts)
    number = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    places = slots[row].astype(np.int64) * state.max_stages + number
    stages = state.stages[places]
    seen_stages = _copy(stages, STAGE_VIEW)
    seen_stages["job"], seen_stages["stage"] = row, number
    seen_jobs = _copy(jobs, JOB_VIEW)
    seen_jobs["free"] = jobs["pool_size"]
    candidates = np.flatnonzero(seen_stages["candidate"])
    source = np.flatnonzero(slots == cluster["source_job"])  # none where it is NONE
    observation = Observation(
        time_ms=float(cluster["time_ms"]),
        stream=stream,
        jobs=seen_jobs,
        stages=seen_stages,
        candidates=candidates,
        source_job=int(source[0]) if len(source) else -1,
        num_source=int(cluster["num_source"]),
    )
    return observation, places[candidates]


def _copy(records: Records, view: np.dtype[Any]) -> Records:
    seen = np.zeros(len(records), view)
    for name in view.names or ():
        if name in (records.dtype.names or ()):
            seen[name] = records[name]
    return seen
