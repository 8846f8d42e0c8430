# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.core.errors import UsageError
from trimtab.problems.cluster_scheduling.problem import JobProfile, JobStream

pytest.importorskip("numba")

from trimtab.problems.cluster_scheduling.simulator import simulate
from trimtab.problems.cluster_scheduling.simulator.spark import spark_fair, spark_fifo


def profile(name: str, stages: list[tuple[int, float]], edges: list[tuple[int, int]], driver: list[int]) -> JobProfile:
    """Stages: (tasks, ms), every task of a stage takes the same."""
    offsets = np.array([[[[s, s + 1]] * 3] for s in range(len(stages))])
    return JobProfile(
        name=name,
        group=name,
        num_tasks=np.array([tasks for tasks, _ in stages]),
        edges=np.array(edges, np.int64).reshape(-1, 2),
        levels=np.array([1]),
        durations=np.array([ms for _, ms in stages], np.float64),
        offsets=offsets,
        driver=np.isin(np.arange(len(stages)), driver),
    )


def stream(profiles: list[JobProfile], arrivals: list[float], slots: int) -> JobStream:
    return JobStream(tuple(profiles), np.arange(len(profiles)), np.array(arrivals), slots, 0.0, 0.0)


def by_hand(jobs: JobStream, *, fair: bool, cores: float = math.inf, sharing: float = 1.0) -> list[float]:
    """TaskSchedulerImpl with dictionaries: when each job is done."""
    free, time, done = jobs.num_executors, 0.0, {}
    arrivals = [(at, job) for job, at in enumerate(jobs.arrival_ms)][::-1]
    working: list[list[float]] = []  # ms left, then job and stage
    waiting: dict[tuple[int, int], int] = {}  # (job, stage) -> tasks that have not started
    unfinished: dict[tuple[int, int], int] = {}
    submitted: dict[tuple[int, int], float] = {}
    running: dict[int, int] = {}
    opened: list[tuple[int, int]] = []  # in order
    while arrivals or working:
        pace = 1.0 if len(working) <= cores else sharing * cores / len(working)
        first = min(working, default=[math.inf])
        if arrivals and arrivals[-1][0] <= time + first[0] / pace:
            at, job = arrivals.pop()
            past, stage = (at - time) * pace, -1
            time = at
        else:
            working.remove(first)
            past, job, stage = first[0], int(first[1]), int(first[2])
            time += past / pace
        for thread in working:
            thread[0] -= past
        p = jobs.profiles[jobs.jobs[job]]
        parents = {s: [a for a, b in p.edges.tolist() if b == s] for s in range(p.num_stages)}
        if stage < 0:
            running[job] = 0
            new = [s for s in range(p.num_stages) if not parents[s]]
            submitted |= {(job, s): time for s in new}
        else:
            new = []
            unfinished[job, stage] -= 1
            if not p.driver[stage]:
                free += 1
                running[job] -= 1
            if not unfinished[job, stage]:
                new = [
                    s for s in range(p.num_stages)
                    if stage in parents[s] and all(unfinished.get((job, a)) == 0 for a in parents[s])
                ]  # fmt: skip
                for s in new:
                    submitted[job, s] = time if p.driver[stage] else submitted[job, stage]
                if all(unfinished.get((job, s)) == 0 for s in range(p.num_stages)):
                    done[job] = time
        for s in new:
            unfinished[job, s] = int(p.num_tasks[s])
            if p.driver[s]:
                working.append([p.durations[s], job, s])
            else:
                waiting[job, s] = int(p.num_tasks[s])
                opened.append((job, s))
        while free and any(waiting.values()):
            at = min(
                (key for key in opened if waiting[key]),
                key=lambda key: ((running[key[0]], key[0]) if fair else (), submitted[key], key[0], opened.index(key)),
            )
            waiting[at] -= 1
            running[at[0]] += 1
            free -= 1
            q = jobs.profiles[jobs.jobs[at[0]]]
            working.append([q.durations[at[1]], *at])
    return [done[job] for job in range(jobs.num_jobs)]


@st.composite
def workloads(draw: st.DrawFn) -> JobStream:
    """Random DAGs whose first stage, and some others, are the driver's."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    profiles = []
    for job in range(draw(st.integers(1, 5))):
        count = int(rng.integers(1, 7))
        driver = [0, *(s for s in range(1, count) if rng.random() < 0.25)]
        edges = [(0, s) for s in range(1, count)]
        edges += [(a, b) for a in range(1, count) for b in range(a + 1, count) if rng.random() < 0.3]
        stages = [(1 if s in driver else int(rng.integers(1, 6)), float(rng.uniform(1, 100))) for s in range(count)]
        profiles.append(profile(f"job{job}", stages, edges, driver))
    arrivals = [0.0, *np.cumsum(rng.uniform(0, 150, len(profiles) - 1))]
    return stream(profiles, arrivals, int(rng.integers(1, 5)))


@given(workloads(), st.booleans(), st.sampled_from([math.inf, 1.0, 2.0, 3.5]), st.sampled_from([1.0, 0.7]))
@settings(max_examples=200, deadline=None)
def test_the_loop_is_task_scheduler_impl(jobs: JobStream, fair: bool, cores: float, sharing: float):
    policy = (spark_fair if fair else spark_fifo)(jobs.profiles, cores=cores, sharing=sharing)
    run = simulate(jobs, policy, seed=1, trace=True)
    np.testing.assert_allclose(run.done_ms, by_hand(jobs, fair=fair, cores=cores, sharing=sharing), rtol=1e-9)
    work = sum((p.num_tasks * p.durations)[~p.driver].sum() for p in jobs.profiles)
    if cores == math.inf:
        assert run.busy_ms == pytest.approx(work)
    assert run.busy_ms >= work * (1 - 1e-9)
    assert len(run.tasks) == sum(p.num_tasks[~p.driver].sum() for p in jobs.profiles)


def test_fifo_takes_the_first_spark_job_and_fair_alternates():
    first = profile("first", [(1, 0.0), (4, 10.0)], [(0, 1)], [0])
    second = profile("second", [(1, 0.0), (2, 10.0)], [(0, 1)], [0])
    jobs = stream([first, second], [0.0, 1.0], 2)
    assert simulate(jobs, spark_fifo(jobs.profiles), seed=0).done_ms.tolist() == [20, 30]
    assert simulate(jobs, spark_fair(jobs.profiles), seed=0).done_ms.tolist() == [30, 30]


def test_a_later_spark_job_queues_behind_queries_that_came_meanwhile():
    """The second Spark job of `long` is submitted at 11, after that of `short` at 5."""
    long = profile("long", [(1, 0.0), (1, 10.0), (1, 1.0), (2, 10.0)], [(0, 1), (1, 2), (2, 3)], [0, 2])
    short = profile("short", [(1, 0.0), (4, 10.0)], [(0, 1)], [0])
    jobs = stream([long, short], [0.0, 5.0], 2)
    assert simulate(jobs, spark_fifo(jobs.profiles), seed=0).done_ms.tolist() == [40, 30]


def test_profiles_that_know_no_driver_are_served_in_order_of_arrival():
    plain = replace(profile("plain", [(2, 10.0)], [], []), driver=None)
    jobs = stream([plain, plain], [0.0, 1.0], 1)
    assert simulate(jobs, spark_fifo(jobs.profiles), seed=0).done_ms.tolist() == [20, 40]


def test_a_driver_and_tasks_share_the_cores():
    """On two cores: two tasks of `long` from 0 on, a driver from 8 on: all work 2/3 as fast until the tasks end."""
    long = profile("long", [(1, 0.0), (2, 10.0)], [(0, 1)], [0])
    short = profile("short", [(1, 6.0), (1, 2.0)], [(0, 1)], [0])
    jobs = stream([long, short], [0.0, 8.0], 2)
    assert simulate(jobs, spark_fifo(jobs.profiles), seed=0).done_ms.tolist() == [10, 16]
    shared = simulate(jobs, spark_fifo(jobs.profiles, cores=2), seed=0, trace=True)
    assert shared.done_ms == pytest.approx([11, 17])
    assert shared.tasks["since_ms"] == pytest.approx([0, 0, 15])
    assert shared.busy_ms == pytest.approx(11 + 11 + 2)
    # half of the work is lost while three share two: 2 ms take 6
    wasteful = spark_fifo(jobs.profiles, cores=2, sharing=0.5)
    assert simulate(jobs, wasteful, seed=0).done_ms == pytest.approx([14, 20])


def test_work_needs_cores():
    short = profile("short", [(1, 1.0)], [], [0])
    with pytest.raises(UsageError, match="cores: 0"):
        spark_fifo((short,), cores=0)
    with pytest.raises(UsageError, match="cores: nan"):
        spark_fair((short,), cores=math.nan)
    with pytest.raises(UsageError, match=r"sharing: 1\.5"):
        spark_fair((short,), cores=2, sharing=1.5)


def test_more_jobs_at_once_than_there_were_slots_for():
    short = profile("short", [(1, 1.0), (1, 10.0)], [(0, 1)], [0])
    jobs = JobStream((short,), np.zeros(200, np.int64), np.arange(200) * 1e-3, 1, 0.0, 0.0)
    done = simulate(jobs, spark_fifo(jobs.profiles), seed=0).done_ms
    assert done.max() == pytest.approx(2001)
    assert (np.diff(done) > 0).all()
