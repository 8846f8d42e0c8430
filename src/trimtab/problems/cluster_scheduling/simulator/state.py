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
        ("key", np.int64),  # the seed of the durations
        ("order", np.int64),  # breaks ties between events: first scheduled, first served
        ("events", np.int64),
        ("decisions", np.int64),
        ("num_executors", np.int32),
        ("num_slots", np.int32),  # slot 0 included
        ("num_free_slots", np.int32),
        ("num_active", np.int32),
        ("num_candidates", np.int32),
        ("num_selected", np.int32),  # stages selected in this round
        ("num_source", np.int32),  # executors that wait for a decision
        ("num_ready", np.int32),  # of them, those that can leave now: the first of `ready`
        ("source_job", np.int32),
        ("source_stage", np.int32),
        ("commit_head", np.int32),  # commitments of free executors, within a round
        ("commit_tail", np.int32),
        ("free_commit", np.int32),
        ("next_job", np.int32),  # of the stream
        ("num_logged", np.int32),
    ],
    align=True,
)
JOB: Final = np.dtype(
    [
        ("index", np.int32),  # in the stream
        ("profile", np.int32),
        ("num_stages", np.int32),
        ("num_done", np.int32),
        ("executors", np.int32),  # bound to the job, free or running
        ("incoming", np.int32),  # on their way to it, or committed to it by another job
        ("candidates", np.int32),  # stages that may be selected now
        ("unsaturated", np.int32),
        ("num_frontier", np.int32),  # runnable stages, see State.frontier
        ("pool_head", np.int32),  # free executors
        ("pool_tail", np.int32),
        ("pool_size", np.int32),
        ("level", np.int32),  # measured parallelism below `executors`, as the place of its draws
        ("gap", np.int32),  # to the next one above; 0: no interpolation
        ("into", np.int32),  # how far `executors` is into the gap
        ("granted", np.int32),  # a rule's own: executors ever sent here
        ("arrival_ms", np.float64),
        ("work_s", np.float64),
        ("remaining_s", np.float64),  # work of tasks that have not started
        ("weight", np.float64),  # a rule's own; NaN until it is computed
    ],
    align=True,
)
STAGE: Final = np.dtype(
    [
        ("job", np.int32),
        ("num_tasks", np.int32),
        ("started", np.int32),
        ("finished", np.int32),
        ("planned", np.int32),  # started + committed + moving here; saturated from num_tasks up
        ("executors", np.int32),  # bound to the stage
        ("open_parents", np.int32),  # not finished
        ("unsaturated_parents", np.int32),
        ("candidate", np.int32),  # 1: may be selected now
        ("selected", np.int32),  # 1: was selected in this round
        ("runnable", np.int32),  # 1: in the frontier
        ("commit_head", np.int32),  # where its executors go when they are done here
        ("commit_tail", np.int32),
        ("first_child", np.int32),
        ("end_child", np.int32),
        ("first_draw", np.int32),
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
        ("job", np.int32),
        ("stage", np.int32),  # of its last task, until it is freed
        ("task", np.int32),
        ("moving", np.int32),  # 1: its next event is an arrival
        ("target", np.int32),  # the stage that it moves to; NONE if the job ended meanwhile
        ("free", np.int32),  # 1: in its job's pool
        ("previous", np.int32),  # in the pool
        ("next", np.int32),
    ],
    align=True,
)
COMMIT: Final = np.dtype(
    [
        ("target", np.int32),
        ("count", np.int32),
        ("source", np.int32),  # a stage, or NONE for free executors
        ("foreign", np.int32),  # 1: from another job
        ("next", np.int32),
    ],
    align=True,
)
LOG: Final = np.dtype(
    [
        ("time_ms", np.float64),
        ("since_ms", np.float64),  # when the task or the move began
        ("kind", np.int8),
        ("job", np.int32),  # place in the stream; -1: none
        ("stage", np.int32),
        ("task", np.int32),
        ("executor", np.int32),
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
    frontier: NDArray[np.int32]  # (slots x max_stages,) a job's runnable stages, in the order in which they became so
    active: NDArray[np.int32]  # (slots,) slots in use, in order of arrival
    free_slots: NDArray[np.int32]  # (slots,) a stack
    executors: Records  # (executors,) EXECUTOR
    winners: NDArray[np.int32]  # (2 x leaves,) a tournament for the earliest event; the winner is at 1
    commits: Records  # (executors + 1,) COMMIT
    ready: NDArray[np.int32]  # (executors,) executors to be sent off when the round ends
    selected: NDArray[np.int32]  # (executors + 1,) stages selected in this round
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
        frontier=np.zeros((slots + 1) * tables.max_stages, np.int32),
        active=np.zeros(slots + 1, np.int32),
        free_slots=np.zeros(slots + 1, np.int32),
        executors=np.zeros(leaves, EXECUTOR),
        winners=np.zeros(2 * leaves, np.int32),
        commits=np.zeros(executors + 2, COMMIT),
        ready=np.zeros(executors + 1, np.int32),
        selected=np.zeros(executors + 2, np.int32),
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
    free_slots = np.zeros(new, np.int32)
    free_slots[:free] = state.free_slots[:free]
    free_slots[free : free + old] = np.arange(new - 1, old - 1, -1)
    cluster["num_free_slots"] += old
    cluster["num_slots"] = new
    return state._replace(
        cluster=cluster,
        jobs=np.concatenate([state.jobs, np.zeros(old, JOB)]),
        stages=np.concatenate([state.stages, np.zeros(len(state.stages), STAGE)]),
        frontier=np.concatenate([state.frontier, np.zeros(len(state.frontier), np.int32)]),
        active=np.concatenate([state.active, np.zeros(old, np.int32)]),
        free_slots=free_slots,
        memo=np.concatenate([state.memo, np.full(state.memo.shape, np.nan)]),
    )
