# SPDX-License-Identifier: Apache-2.0
"""The state of a cluster as a NamedTuple of record arrays.

Place 0 of jobs and of stages stands for "none": slot 0 is the pool of executors
that belong to no job. A job takes a slot when it arrives and gives it back when
it is done, so memory follows the jobs in the system, not those that were. Stage
``s`` of the job in a slot has the number ``slot * max_stages + s``.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..problem import Floats
from .curves import GRID
from .tables import Records, Tables

NONE: Final = 0
MEMO: Final = 2 + 2 * len(GRID)  # see `index`

CLUSTER: Final = np.dtype(
    [
        ("time_ms", np.float64),
        ("horizon_ms", np.float64),
        ("moving_delay_ms", np.float64),
        ("busy_ms", np.float64),  # of finished tasks
        ("moving_ms", np.float64),  # of finished moves
        ("threads", np.int64),  # `spark`'s own: tasks that run and drivers that work
        ("worked_ms", np.float64),  # `spark`'s own: what a thread has done that has worked from the start
        ("key", np.int64),  # the seed of the durations
        ("order", np.int64),  # breaks ties between events: first scheduled, first served
        ("events", np.int64),
        ("decisions", np.int64),
        ("num_executors", np.int64),
        ("num_slots", np.int64),  # slot 0 included
        ("num_free_slots", np.int64),
        ("num_active", np.int64),
        ("num_candidates", np.int64),
        ("num_selected", np.int64),  # stages selected in this round
        ("num_source", np.int64),  # executors that wait for a decision
        ("num_ready", np.int64),  # of them, those that can leave now: the first of `ready`
        ("source_job", np.int64),
        ("source_stage", np.int64),
        ("commit_head", np.int64),  # commitments of free executors, within a round
        ("commit_tail", np.int64),
        ("free_commit", np.int64),
        ("next_job", np.int64),  # of the stream
        ("num_logged", np.int64),
    ],
    align=True,
)
JOB: Final = np.dtype(
    [
        ("index", np.int64),  # in the stream
        ("profile", np.int64),
        ("num_stages", np.int64),
        ("num_done", np.int64),
        ("executors", np.int64),  # bound to the job, free or running
        ("incoming", np.int64),  # on their way to it, or committed to it by another job
        ("candidates", np.int64),  # stages that may be selected now
        ("unsaturated", np.int64),
        ("num_frontier", np.int64),  # runnable stages, see State.frontier
        ("pool_head", np.int64),  # free executors
        ("pool_tail", np.int64),
        ("pool_size", np.int64),
        ("level", np.int64),  # measured parallelism below `executors`, as the place of its draws
        ("gap", np.int64),  # to the next one above; 0: no interpolation
        ("into", np.int64),  # how far `executors` is into the gap
        ("granted", np.int64),  # a rule's own: executors ever sent here
        ("arrival_ms", np.float64),
        ("work_s", np.float64),
        ("remaining_s", np.float64),  # work of tasks that have not started
        ("weight", np.float64),  # a rule's own; NaN until it is computed
    ],
    align=True,
)
STAGE: Final = np.dtype(
    [
        ("job", np.int64),
        ("num_tasks", np.int64),
        ("started", np.int64),
        ("finished", np.int64),
        ("planned", np.int64),  # started + committed + moving here; saturated from num_tasks up
        ("executors", np.int64),  # bound to the stage
        ("open_parents", np.int64),  # not finished
        ("unsaturated_parents", np.int64),
        ("candidate", np.int64),  # 1: may be selected now
        ("selected", np.int64),  # 1: was selected in this round
        ("runnable", np.int64),  # 1: in the frontier
        ("commit_head", np.int64),  # where its executors go when they are done here
        ("commit_tail", np.int64),
        ("first_child", np.int64),
        ("end_child", np.int64),
        ("first_draw", np.int64),
        ("key", np.uint64),
        ("mean_ms", np.float64),
        ("path_s", np.float64),
        ("trouble", np.float64),
    ],
    align=True,
)
EXECUTOR: Final = np.dtype(
    [
        ("time_ms", np.float64),  # of its next event; inf while it idles
        ("order", np.int64),
        ("since_ms", np.float64),  # when its task or its move began
        ("job", np.int64),
        ("stage", np.int64),  # of its last task, until it is freed
        ("task", np.int64),
        ("moving", np.int64),  # 1: its next event is an arrival
        ("target", np.int64),  # the stage that it moves to; NONE if the job ended meanwhile
        ("free", np.int64),  # 1: in its job's pool
        ("previous", np.int64),  # in the pool
        ("next", np.int64),
    ],
    align=True,
)
COMMIT: Final = np.dtype(
    [
        ("target", np.int64),
        ("count", np.int64),
        ("source", np.int64),  # a stage, or NONE for free executors
        ("foreign", np.int64),  # 1: from another job
        ("next", np.int64),
    ],
    align=True,
)
LOG: Final = np.dtype(
    [
        ("time_ms", np.float64),
        ("since_ms", np.float64),  # when the task or the move began
        ("kind", np.int8),
        ("job", np.int64),  # place in the stream; -1: none
        ("stage", np.int64),
        ("task", np.int64),
        ("executor", np.int64),
    ],
    align=True,
)

#: Kinds of event.
TASK_DONE, JOB_ARRIVED, EXECUTOR_ARRIVED = range(3)
END: Final = -1  # of a linked list


class State(NamedTuple):
    cluster: Records  # (1,) CLUSTER
    jobs: Records  # (slots,) JOB
    stages: Records  # (slots x max_stages,) STAGE
    frontier: NDArray[np.int64]  # (slots x max_stages,) a job's runnable stages, in the order in which they became so
    active: NDArray[np.int64]  # (slots,) slots in use, in order of arrival
    free_slots: NDArray[np.int64]  # (slots,) a stack
    executors: Records  # (executors,) EXECUTOR
    winners: NDArray[np.int64]  # (2 x leaves,) a tournament for the earliest event; the winner is at 1
    commits: Records  # (executors + 1,) COMMIT
    ready: NDArray[np.int64]  # (executors,) executors to be sent off when the round ends
    selected: NDArray[np.int64]  # (executors + 1,) stages selected in this round
    done_ms: NDArray[np.float64]  # (jobs of the stream,) completion; NaN before
    log: Records  # (capacity,) LOG
    memo: Floats  # (slots, MEMO) a rule's own
    max_stages: int


def allocate(tables: Tables, *, slots: int, executors: int, jobs: int, log: int = 0) -> State:
    """Arrays for at most `slots` jobs at a time; `grow` adds more."""
    leaves = 1 << max(1, (executors - 1).bit_length())
    return State(
        cluster=np.zeros(1, CLUSTER),
        jobs=np.zeros(slots + 1, JOB),
        stages=np.zeros((slots + 1) * tables.max_stages, STAGE),
        frontier=np.zeros((slots + 1) * tables.max_stages, np.int64),
        active=np.zeros(slots + 1, np.int64),
        free_slots=np.zeros(slots + 1, np.int64),
        executors=np.zeros(leaves, EXECUTOR),
        winners=np.zeros(2 * leaves, np.int64),
        commits=np.zeros(executors + 2, COMMIT),
        ready=np.zeros(executors + 1, np.int64),
        selected=np.zeros(executors + 2, np.int64),
        done_ms=np.zeros(jobs, np.float64),
        log=np.zeros(log, LOG),
        memo=np.full((slots + 1, MEMO), np.nan),
        max_stages=tables.max_stages,
    )


def grow(state: State) -> State:
    """The same state with twice the slots."""
    old = len(state.jobs)
    new = 2 * old
    cluster = state.cluster.copy()
    free = int(cluster["num_free_slots"][0])
    free_slots = np.zeros(new, np.int64)
    free_slots[:free] = state.free_slots[:free]
    free_slots[free : free + old] = np.arange(new - 1, old - 1, -1)
    cluster["num_free_slots"] += old
    cluster["num_slots"] = new
    return state._replace(
        cluster=cluster,
        jobs=np.concatenate([state.jobs, np.zeros(old, JOB)]),
        stages=np.concatenate([state.stages, np.zeros(len(state.stages), STAGE)]),
        frontier=np.concatenate([state.frontier, np.zeros(len(state.frontier), np.int64)]),
        active=np.concatenate([state.active, np.zeros(old, np.int64)]),
        free_slots=free_slots,
        memo=np.concatenate([state.memo, np.full(state.memo.shape, np.nan)]),
    )
