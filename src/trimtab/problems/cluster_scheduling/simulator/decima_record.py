# SPDX-License-Identifier: Apache-2.0
"""Episodes of Decima written down for training: what it saw, what it chose, what a teacher would have chosen.

A *recording* is one record per array kind, filled by compiled code. It holds
the time of every decision, and the whole state of a random share of them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..problem import Floats, JobStream
from .compiled import compiled
from .decima import Choice, View, decide_on, two_uniforms, view
from .engine import DECIDE, DONE, FULL, begin, run, select
from .jobs import others_held
from .rules import EXTERNAL, decide
from .state import NONE, State, allocate
from .tables import Tables, pack

#: Returned beside engine.DONE and engine.FULL: an array of the recording is too short.
RECORD_FULL: Final = 100

DECISION: Final = np.dtype(
    [
        ("decision", np.int32),  # its number in the episode
        ("first_stage", np.int32),  # where its rows begin in the other arrays
        ("first_edge", np.int32),
        ("first_job", np.int32),
        ("first_candidate", np.int32),
        ("candidate", np.int32),  # chosen, counted from the state's first
        ("limit", np.int32),
        ("least", np.int32),
        ("limits", np.int32),
        ("taught_candidate", np.int32),  # what the teacher would have chosen; -1: nothing
        ("taught_limit", np.int32),
        ("taught_least", np.int32),
    ],
    align=True,
)


class Recording(NamedTuple):
    """Rows of a state's stages, edges, jobs and candidates are numbered within the state."""

    used: NDArray[np.int64]  # (6,) how much of: time_ms, decisions, stages, edges, jobs, candidates
    time_ms: Floats  # (decisions of the episode,)
    decisions: NDArray[np.void]  # (kept,) DECISION
    stage_features: NDArray[np.float32]  # (stages, 5)
    stage_job: NDArray[np.int32]  # (stages,)
    height: NDArray[np.int32]  # (stages,)
    edges: NDArray[np.int32]  # (edges, 2) child, parent
    job_features: NDArray[np.float32]  # (jobs, 3)
    candidates: NDArray[np.int32]  # (candidates,)


class Episode(NamedTuple):
    recording: Recording  # trimmed to what was used
    done_ms: Floats  # (jobs,) NaN: not finished
    end_ms: float


class Conduct(NamedTuple):
    """How an episode is played: `guided` is the probability of following the teacher instead of the network."""

    seed: int  # of the choices
    kept: float  # share of decisions whose state is recorded
    guided: float
    teacher: int  # a kind of rule
    parameters: Floats  # of the teacher


def play(stream: JobStream, weights: Floats, conduct: Conduct, *, seed: int, horizon_ms: float = np.inf) -> Episode:
    """One episode of the network with these weights; `seed` is of the durations, as in `simulate`."""
    tables = pack(stream.profiles, stream.warmup_delay_ms)
    slots, size = min(stream.num_jobs, 64), 1 << 12
    while True:
        state = allocate(tables, slots=slots, executors=stream.num_executors, jobs=stream.num_jobs)
        recording = _recording(size, conduct.kept)
        arrivals = stream.jobs, stream.arrival_ms
        begin(state, tables, *arrivals, stream.num_executors, stream.moving_delay_ms, horizon_ms, seed)
        code = _play(state, tables, *arrivals, weights, conduct, recording)
        if code == FULL:
            slots *= 2
        elif code == RECORD_FULL:
            size *= 2
        elif code == DONE:
            return Episode(_trim(recording), state.done_ms.copy(), float(state.cluster["time_ms"][0]))
        else:
            raise RuntimeError(f"an episode of decima ended with code {code}")


def _recording(size: int, kept: float) -> Recording:
    rows = max(1024, int(size * kept))  # a state has about 100 stages at 20 jobs, 1.2 edges a stage
    return Recording(
        used=np.zeros(6, np.int64),
        time_ms=np.empty(size),
        decisions=np.empty(rows, DECISION),
        stage_features=np.empty((64 * rows, 5), np.float32),
        stage_job=np.empty(64 * rows, np.int32),
        height=np.empty(64 * rows, np.int32),
        edges=np.empty((64 * rows, 2), np.int32),
        job_features=np.empty((16 * rows, 3), np.float32),
        candidates=np.empty(32 * rows, np.int32),
    )


def _trim(recording: Recording) -> Recording:
    _, time_ms, decisions, features, job, height, edges, job_features, candidates = recording
    t, d, s, e, j, c = (int(n) for n in recording.used)
    return Recording(
        recording.used,
        time_ms[:t].copy(),
        decisions[:d].copy(),
        features[:s].copy(),
        job[:s].copy(),
        height[:s].copy(),
        edges[:e].copy(),
        job_features[:j].copy(),
        candidates[:c].copy(),
    )


@compiled
def _play(
    state: State,
    tables: Tables,
    jobs: NDArray[np.int64],
    arrival_ms: Floats,
    weights: Floats,
    conduct: Conduct,
    recording: Recording,
) -> int:
    cluster, step = state.cluster[0], 0
    code = run(state, tables, jobs, arrival_ms, EXTERNAL, weights)
    while code == DECIDE:
        if step == len(recording.time_ms):
            return RECORD_FULL
        stage_luck, limit_luck = two_uniforms(conduct.seed, cluster.key, step)
        keep_luck, guide_luck = two_uniforms(conduct.seed + 1, cluster.key, step)
        guided, keep = guide_luck < conduct.guided, keep_luck < conduct.kept
        taught, granted = NONE, 0
        if conduct.teacher != EXTERNAL and (guided or keep):
            taught, granted = decide(state, tables, conduct.teacher, conduct.parameters)
        stage, executors = taught, granted
        if keep or not guided or taught == NONE:
            seen = view(state, tables)
            choice = decide_on(state, seen, weights, (stage_luck, limit_luck))
            if keep and not _write(state, seen, choice, taught, granted, step, recording):
                return RECORD_FULL
            if not guided or taught == NONE:
                stage, executors = choice.stage, choice.executors
        recording.time_ms[step] = cluster.time_ms
        step += 1
        recording.used[0] = step
        select(state, tables, stage, executors)
        code = run(state, tables, jobs, arrival_ms, EXTERNAL, weights)
    return code


@compiled
def _room(seen: View, recording: Recording) -> bool:
    used = recording.used
    fits: bool = (
        used[1] < len(recording.decisions)
        and used[2] + len(seen.stage) <= len(recording.height)
        and used[3] + len(seen.child) <= len(recording.edges)
        and used[4] + len(seen.slots) <= len(recording.job_features)
        and used[5] + len(seen.candidates) <= len(recording.candidates)
    )
    return fits


@compiled
def _write(
    state: State, seen: View, choice: Choice, taught: int, granted: int, step: int, recording: Recording
) -> bool:
    """False where the recording is full."""
    if not _room(seen, recording):
        return False
    used = recording.used
    row = recording.decisions[used[1]]
    row.decision = step
    row.first_stage, row.first_edge, row.first_job, row.first_candidate = used[2], used[3], used[4], used[5]
    row.candidate, row.limit, row.limits = choice.candidate, choice.limit, state.cluster[0].num_executors
    row.least = others_held(state, state.stages[choice.stage].job) + 1
    row.taught_candidate, row.taught_limit, row.taught_least = -1, -1, -1
    for k in range(len(seen.candidates)):
        if seen.stage[seen.candidates[k]] == taught:
            held = others_held(state, state.stages[taught].job)
            row.taught_candidate, row.taught_least = k, held + 1
            row.taught_limit = min(held + max(1, granted), row.limits)
    used[1] += 1
    _write_view(seen, recording)
    return True


@compiled
def _write_view(seen: View, recording: Recording) -> None:
    used = recording.used
    n, height = len(seen.stage), 0
    for i in range(n):
        while i >= seen.level[height + 1]:
            height += 1
        at = used[2] + i
        recording.stage_features[at] = seen.features[:, i]
        recording.stage_job[at], recording.height[at] = seen.job_of[i], height
        for e in range(seen.child_start[i], seen.child_start[i + 1]):
            recording.edges[used[3] + e, 0], recording.edges[used[3] + e, 1] = seen.child[e], i
    for j in range(len(seen.slots)):
        recording.job_features[used[4] + j] = seen.job_features[:, j]
    for k in range(len(seen.candidates)):
        recording.candidates[used[5] + k] = seen.candidates[k]
    used[2] += n
    used[3] += len(seen.child)
    used[4] += len(seen.slots)
    used[5] += len(seen.candidates)
