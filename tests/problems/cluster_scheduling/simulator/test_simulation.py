# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("numba")

from trimtab.core.errors import TrimtabError, UsageError
from trimtab.problems.cluster_scheduling.problem import METRICS, JobStream
from trimtab.problems.cluster_scheduling.simulator import (
    Action,
    Observation,
    Run,
    Simulator,
    fair,
    fifo,
    pack_streams,
    random,
    simulate,
    simulate_many,
    sjf_cp,
    srpt,
    weighted_fair,
)
from trimtab.problems.cluster_scheduling.simulator.made import made_profiles, made_stream
from trimtab.problems.cluster_scheduling.simulator.rules import EXTERNAL, SRPT
from trimtab.problems.cluster_scheduling.simulator.traces import rows

from ..plain import profile, stream


class ShortestFirst:
    """`srpt` again, from what an observation shows."""

    def __init__(self, scale: float, power: float) -> None:
        self.scale, self.power = scale, power

    def act(self, seen: Observation) -> Action:
        jobs, stages = seen.jobs, seen.stages[seen.candidates]
        held = jobs["executors"] + jobs["incoming"]
        if seen.source_job >= 0:
            held[seen.source_job] -= seen.num_source
        caps = np.maximum(1, np.ceil(self.scale * np.maximum(jobs["remaining_s"], 0) ** self.power)).astype(int)
        open_jobs = [j for j in sorted(set(stages["job"].tolist())) if held[j] < caps[j]]
        if open_jobs:
            job = min(open_jobs, key=lambda j: jobs["remaining_s"][j])
            limit = caps[job] - held[job]
        else:
            here = seen.source_job in stages["job"]
            job, limit = (seen.source_job if here else int(stages["job"].min())), seen.num_source
        mine = [i for i, stage in enumerate(stages) if stage["job"] == job]
        best = max(mine, key=lambda i: (stages["runnable"][i], stages["path_s"][i]))
        return Action(best, int(limit))


@pytest.mark.parametrize(("scale", "power"), [(0.5, 0.5), (2.0, 0.0), (0.05, 1.0), (0.3, 0.7)])
def test_a_python_policy_and_the_compiled_rule_leave_the_same_trace(scale: float, power: float):
    for seed in range(12):
        jobs = made_stream(seed, jobs=7, executors=2 + seed, mean_gap_ms=4000.0 * (seed % 2))
        slow = simulate(jobs, ShortestFirst(scale, power), seed=seed, trace=True)
        fast = simulate(jobs, srpt(scale, power), seed=seed, trace=True)
        assert np.array_equal(rows(slow), rows(fast))
        assert slow.decisions == fast.decisions


def test_one_stage_on_one_executor_by_hand():
    """Two seconds on the way, then three tasks of ten."""
    jobs = stream([profile([3], [10_000.0])], 1, moving_ms=2000.0)
    done = simulate(jobs, fifo(), seed=0)
    assert done.done_ms.tolist() == [32_000.0]
    assert done.metrics["average_jct"] == 32.0
    assert done.metrics["utilisation"] == pytest.approx(30 / 32)
    assert (done.events, done.decisions) == (4, 1)


@pytest.mark.parametrize("policy", [fifo(), sjf_cp(), fair(), weighted_fair(1.0), random(), srpt(0.5, 0.5)])
def test_every_policy_sees_the_same_draws(policy):
    """With one duration for each task and no waves, a task takes as long whoever schedules it."""
    profiles = tuple(
        replace(p, levels=p.levels[:1], offsets=np.repeat(p.offsets[:, :1, 1:2], 3, axis=2)) for p in _full_profiles()
    )
    jobs = JobStream(profiles, np.arange(len(profiles)), np.zeros(len(profiles)), 4, moving_delay_ms=500.0)

    def durations(of):
        tasks = np.sort(simulate(jobs, of, seed=7, trace=True).tasks, order=["job", "stage", "task"])
        return (tasks["time_ms"] - tasks["since_ms"]).tolist()

    assert durations(policy) == durations(fifo())


def _full_profiles():
    """Made-up profiles whose first wave was measured in every stage."""
    return tuple(p for p in made_profiles(3, 40) if (p.offsets[:, 0, 1, 1] > p.offsets[:, 0, 1, 0]).all())[:5]


def test_seeds_differ_and_repeat():
    jobs = made_stream(4)
    first, again, other = (simulate(jobs, fair(), seed=seed).done_ms for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(simulate(jobs, fair(), seed=-3).done_ms, simulate(jobs, fair(), seed=-3).done_ms)


def test_memory_is_flat_in_the_number_of_finished_jobs():
    """Slots follow the jobs in the system; a batch larger than the first slots makes room."""
    calm = made_stream(1, jobs=600, executors=12, mean_gap_ms=60_000.0)
    run = Run(calm, 0)
    run.to_end(fair())
    assert len(run.state.jobs) == 65
    crowd = made_stream(1, jobs=600, executors=3, mean_gap_ms=1.0)
    run = Run(crowd, 0)
    run.to_end(fair())
    assert len(run.state.jobs) > 512
    assert not np.isnan(run.result().done_ms).any()


def test_growing_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    jobs = made_stream(2, jobs=80, executors=5, mean_gap_ms=2000.0)
    roomy = simulate(jobs, srpt(0.5, 0.5), seed=3, trace=True)
    monkeypatch.setattr("trimtab.problems.cluster_scheduling.simulator.simulation._FIRST_SLOTS", 1)
    monkeypatch.setattr("trimtab.problems.cluster_scheduling.simulator.simulation._LOG_ROWS", 7)
    tight = simulate(jobs, srpt(0.5, 0.5), seed=3, trace=True)
    assert np.array_equal(rows(roomy), rows(tight))


def test_a_horizon_cuts_off():
    jobs = made_stream(3, jobs=8, executors=3, mean_gap_ms=5000.0)
    whole = simulate(jobs, fair(), seed=0, trace=True)
    cut = simulate(jobs, fair(), seed=0, trace=True, horizon_ms=60_000.0)
    assert cut.end_ms == 60_000.0
    assert np.array_equal(rows(cut), rows(whole)[whole.trace["time_ms"] <= 60_000.0])
    finished = whole.done_ms <= 60_000.0
    assert 0 < finished.sum() < 8
    assert np.array_equal(np.isnan(cut.done_ms), ~finished)
    assert cut.metrics["average_jct"] == pytest.approx(whole.jct_ms[finished].mean() / 1000)


def test_many_is_one_after_another():
    streams = [
        replace(made_stream(5, jobs=3 + i, executors=2 + i, mean_gap_ms=3000.0 * (i % 2)), profiles=PROFILES)
        for i in range(6)
    ]
    packed = pack_streams(streams)
    vectors = np.array([[0.5, 0.5], [4.0, 0.0], [0.1, 1.0]])
    found = simulate_many(packed, SRPT, vectors, range(6))
    for p, (scale, power) in enumerate(vectors):
        for i, jobs in enumerate(streams):
            metrics = Simulator().evaluate(jobs, srpt(scale, power), seed=i).metrics
            assert found[p, i].tolist() == pytest.approx([metrics[m.name] for m in METRICS], rel=1e-12)


PROFILES = made_profiles(5)


class Lazy:
    def act(self, _: Observation) -> Action:
        return Action(-1, 1)


@pytest.mark.parametrize(
    ("action", "said"),
    [(Action(99, 1), "'stage': 99, but there are"), (Action(0, 0), "'limit': 0")],
)
def test_a_wrong_action_is_named(action: Action, said: str):
    run = Run(made_stream(1), 0)
    assert run.next_decision() is not None
    with pytest.raises(UsageError, match=said):
        run.answer(action)


def test_what_can_not_be_done_is_said():
    with pytest.raises(TrimtabError, match=r"all executors idle at 0 s with 6 jobs unfinished"):
        simulate(made_stream(1), Lazy(), seed=0)
    with pytest.raises(UsageError, match="kept no trace"):
        _ = simulate(made_stream(1), fifo(), seed=0).tasks
    with pytest.raises(UsageError, match="stream 1 has other profiles"):
        pack_streams([made_stream(1), made_stream(2)])
    packed = pack_streams([made_stream(1)])
    with pytest.raises(UsageError, match="2 seeds for 1 streams"):
        simulate_many(packed, SRPT, np.ones((1, 2)), [1, 2])
    with pytest.raises(UsageError, match="only compiled kinds"):
        simulate_many(packed, EXTERNAL, np.ones((1, 2)), [1])
