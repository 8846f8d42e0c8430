# SPDX-License-Identifier: Apache-2.0
"""A lower bound on the average completion time of any policy, on given draws."""

from __future__ import annotations

import heapq
from typing import Final

import numpy as np

from .problem import Floats, JobProfile, JobStream
from .simulator.least import draw_least
from .simulator.simulation import clean_seed
from .simulator.tables import pack

_ROUNDS: Final = 4
_ALL: Final = 1e12  # jobs behind: all of a job's work counts as work, none as tail


def lower_bound_s(stream: JobStream, seed: int) -> float:
    """No policy has a lesser average JCT on this stream with the draws of this seed.  s

    Cut every job at some depth q before its end: what lies deeper must be done q
    before the job is. So the sum of completion times is at least that of all q
    plus the least sum for the deep parts alone, and that in turn at least what
    shortest remaining work first takes for them on one preemptive machine as fast
    as all executors together (Schrage, 1968). Every task counts with the least
    duration that it can draw at any parallelism and in any wave it can run in,
    and a job's first executor with its way there.

    With all q = 0 this is the fluid relaxation, with q = the critical path the mean
    critical path. Cuts in between are better than both: a job with n behind it is
    cut where fewer than executors / n of its tasks can run beside each other.
    """
    cuts = [_depths(stream, job, ms) for job, ms in enumerate(least_durations_ms(stream, seed))]
    best = 0.0
    for start in (0.0, _ALL):
        behind = np.full(stream.num_jobs, start)
        for _ in range(_ROUNDS):
            chosen = [int((q + n / stream.num_executors * w).argmax()) for (q, w), n in zip(cuts, behind, strict=True)]
            tails = sum(float(q[at]) for (q, _), at in zip(cuts, chosen, strict=True))
            deep = np.array([w[at] for (_, w), at in zip(cuts, chosen, strict=True)])
            flow, behind = _shortest_first(stream.arrival_ms, deep / stream.num_executors)
            best = max(best, (tails + flow) / stream.num_jobs)
    return best / 1000


def least_durations_ms(stream: JobStream, seed: int) -> list[Floats]:
    """The least that each task can take: for each job an array over its stages' tasks, one stage after the other.

    The first task of a stage is nobody's second one there; that of a job's only
    root stage is run by an executor that is new to the job.
    """
    tables = pack(stream.profiles, float(stream.warmup_delay_ms))
    sizes = [int(stream.profiles[job].num_tasks.sum()) for job in stream.jobs]
    out = np.empty(sum(sizes))
    draw_least(tables, np.ascontiguousarray(stream.jobs, np.int64), int(stream.num_executors), clean_seed(seed), out)
    return np.split(out, np.cumsum(sizes)[:-1])


def _depths(stream: JobStream, job: int, ms: Floats) -> tuple[Floats, Floats]:
    """Depths at which to cut a job, and the work that lies deeper.  (cuts,) ms each"""
    profile = stream.profiles[stream.jobs[job]]
    stage = np.repeat(np.arange(profile.num_stages), profile.num_tasks)
    tail, path = _tails(profile, np.maximum.reduceat(ms, np.cumsum(profile.num_tasks) - profile.num_tasks))
    below = np.append(tail[stage], path)  # the way of the first executor comes before everything
    above = below + np.append(ms, stream.moving_delay_ms)
    depth = np.unique(np.concatenate(([0.0], below, above)))
    # between two depths, as much work as there are tasks that reach over both
    rising, falling = np.searchsorted(depth, below), np.searchsorted(depth, above)
    width = np.cumsum(np.bincount(rising, minlength=len(depth)) - np.bincount(falling, minlength=len(depth)))
    layers = width[:-1] * np.diff(depth)
    return depth, np.append(np.cumsum(layers[::-1])[::-1], 0.0)


def _tails(profile: JobProfile, span: Floats) -> tuple[Floats, float]:
    """The longest path after each stage, and that of the whole job, where a stage takes `span`."""
    tail = np.zeros(profile.num_stages)
    for stage in profile.topological_order[::-1]:
        below = profile.edges[profile.edges[:, 0] == stage, 1]
        tail[stage] = (tail[below] + span[below]).max(initial=0.0)
    return tail, float((tail + span).max())


def _shortest_first(arrival_ms: Floats, work_ms: Floats) -> tuple[float, Floats]:
    """Shortest remaining work first on one machine: the sum of completion times from arrival,
    and for each job how many are unfinished when it ends, itself among them."""
    left: list[tuple[float, int]] = []  # (remaining, job)
    flow, behind, now = 0.0, np.zeros(len(work_ms)), 0.0
    for job, arrival in enumerate([*arrival_ms, np.inf]):
        while left and now + left[0][0] <= arrival:
            remaining, first = heapq.heappop(left)
            now += remaining
            flow += now - arrival_ms[first]
            behind[first] = len(left) + 1
        if left:
            remaining, first = left[0]
            heapq.heapreplace(left, (remaining - (arrival - now), first))
        now = arrival
        if job < len(work_ms):
            heapq.heappush(left, (float(work_ms[job]), job))
    return flow, behind
