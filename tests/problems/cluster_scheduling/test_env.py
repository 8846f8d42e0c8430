# SPDX-License-Identifier: Apache-2.0
"""The environment against the simulator that it stands on, through everything that a learner sees of it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.core.backend import Rollout
from trimtab.core.errors import UsageError

simulator = pytest.importorskip("trimtab.problems.cluster_scheduling.simulator")

from trimtab.problems.cluster_scheduling import env as module  # noqa: E402
from trimtab.problems.cluster_scheduling.env import (  # noqa: E402
    CANDIDATE,
    CLUSTER,
    LEVELS,
    ROWS,
    ClusterScheduling,
    Observed,
    limits,
    make_env,
    measure,
)
from trimtab.problems.cluster_scheduling.problem import METRICS, JobStream  # noqa: E402
from trimtab.problems.cluster_scheduling.simulator.made import made_stream  # noqa: E402

ID = "trimtab.envs:trimtab/ClusterScheduling-v0"
ALL = LEVELS - 1
Chooser = Callable[[Observed], tuple[int, int]]


def column(observed: Observed, name: str) -> np.ndarray:
    """Of the rows that are not empty."""
    return observed["candidates"][observed["mask"] == 1, CANDIDATE.index(name)]


def play(env: ClusterScheduling, choose: Chooser, seed: int) -> float:
    """One episode; the return."""
    observed, _ = env.reset(seed=seed)
    total, over = 0.0, False
    while not over:
        assert env.observation_space.contains(observed)
        observed, reward, over, _, _ = env.step(np.array(choose(observed)))
        total += reward
    return total


def same(one: simulator.Simulation, other: simulator.Simulation) -> None:
    np.testing.assert_array_equal(one.done_ms, other.done_ms)
    for field in ("end_ms", "busy_ms", "moving_ms", "events", "decisions"):
        assert getattr(one, field) == getattr(other, field), field


def streams() -> list[JobStream]:
    poisson = [made_stream(seed, jobs=12, executors=7, mean_gap_ms=6_000) for seed in range(6)]
    return [*poisson, *(made_stream(seed, jobs=8, executors=12) for seed in range(6, 10))]


def named(stream: JobStream) -> str:
    return stream.profiles[0].name


def test_gymnasium_finds_nothing_to_complain_about() -> None:
    env = gymnasium.make(ID)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)


def test_stable_baselines_learns_on_it() -> None:
    pytest.importorskip("torch")
    checker = pytest.importorskip("stable_baselines3.common.env_checker", reason="pip install 'trimtab[dev]'")
    ppo = pytest.importorskip("stable_baselines3.ppo")
    env = gymnasium.make(ID, stream=made_stream(1, jobs=3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "Your observation candidates has an unconventional shape")  # it is flattened
        checker.check_env(env)
    model = ppo.PPO("MultiInputPolicy", env, n_steps=128, batch_size=64, n_epochs=2, seed=1, device="cpu")
    before = model.policy.state_dict()["action_net.weight"].clone()
    model.learn(384)
    assert len(model.ep_info_buffer) > 1, "several episodes"
    assert not bool((model.policy.state_dict()["action_net.weight"] == before).all()), "it moved"
    observed, _ = env.reset(seed=5)
    assert env.action_space.contains(model.predict(observed, deterministic=True)[0])


@settings(max_examples=25)
@given(st.integers(0, 2**32), st.booleans(), st.integers(1, 40))
def test_the_return_is_the_time_in_the_system(seed: int, batch: bool, executors: int) -> None:
    stream = made_stream(seed % 1000, jobs=5, executors=executors, mean_gap_ms=0.0 if batch else 9_000)
    rng = np.random.default_rng(seed)
    env = ClusterScheduling(stream)
    total = play(env, lambda _: tuple(rng.integers((ROWS, LEVELS))), seed)
    jct_s = env.result().jct_ms.sum() / 1000
    work_s = sum(stream.profiles[job].work_s for job in stream.jobs)
    assert total == pytest.approx(-jct_s / work_s, rel=1e-6)


def test_the_same_seed_is_the_same_episode_and_no_seed_another() -> None:
    env, rng = make_env(made_stream(3, jobs=6)), np.random.default_rng(1)
    actions = rng.integers((ROWS, LEVELS), size=(5000, 2))

    def episode(seed: int | None) -> str:
        observed, _ = env.reset(seed=seed)
        log: list[object] = [{k: v.tolist() for k, v in observed.items()}]
        for action in actions:
            observed, reward, over, truncated, info = env.step(action)
            log.append([{k: v.tolist() for k, v in observed.items()}, reward, over, truncated, info])
            if over:
                return json.dumps(log)
        raise AssertionError("no end")

    first, second = episode(4), episode(None)
    assert (episode(4), episode(None)) == (first, second)
    assert len({first, second, episode(5), episode(None)}) == 4


@pytest.mark.parametrize("stream", streams(), ids=named)
def test_shortest_remaining_work_is_the_compiled_rule(stream: JobStream) -> None:
    env = make_env(stream)
    for level, cap in enumerate(limits(stream.num_executors)):

        def srpt(observed: Observed, level: int = level, cap: int = int(cap)) -> tuple[int, int]:
            held = np.rint(column(observed, "job_held") * stream.num_executors)
            if (held < cap).any():
                return int(np.argmax(held < cap)), level
            if column(observed, "source").any():
                return int(column(observed, "source").argmax()), ALL
            return int(column(observed, "job_order").argmin()), ALL

        play(env, srpt, seed=level)
        same(env.result(), simulator.simulate(stream, simulator.srpt(float(cap), 0.0), seed=level))


@pytest.mark.parametrize("stream", streams(), ids=named)
def test_shortest_job_on_the_critical_path_is_the_compiled_rule(stream: JobStream) -> None:
    def sjf_cp(observed: Observed) -> tuple[int, int]:
        work, order = column(observed, "job_work"), column(observed, "job_order")
        return int(np.lexsort((np.arange(len(work)), order, work))[0]), ALL

    env = make_env(stream)
    play(env, sjf_cp, seed=2)
    same(env.result(), simulator.simulate(stream, simulator.sjf_cp(), seed=2))


class FirstRow:
    """Of the environment's rows the first, on at most a level's share of the cluster."""

    def act(self, observed: Observed) -> np.ndarray:
        return np.array([0, 4])


class LeastRemainingWork:
    """The same, written for what `simulate` shows."""

    def act(self, seen: simulator.Observation) -> simulator.Action:
        stages = seen.stages[seen.candidates]
        least = seen.jobs["remaining_s"][stages["job"]].argmin()  # the oldest job's, where several are least
        row = stages["job"][least]
        among = [i for i, stage in enumerate(stages) if stage["job"] == row]
        chosen = max(among, key=lambda i: (stages["runnable"][i], stages["path_s"][i]))
        others = seen.jobs["executors"][row] + seen.jobs["incoming"][row] - (row == seen.source_job) * seen.num_source
        most = round(seen.stream.num_executors ** (4 / (LEVELS - 1)))
        return simulator.Action(chosen, max(1, int(most - others)))


@pytest.mark.parametrize("stream", streams()[:6], ids=named)
def test_a_rollout_is_a_simulation(stream: JobStream) -> None:
    outcome = Rollout(make_env, measure).evaluate(stream, FirstRow(), seed=11)
    assert outcome.metrics == simulator.simulate(stream, LeastRemainingWork(), seed=11).metrics
    assert list(outcome.metrics) == [metric.name for metric in METRICS]


def test_rows_and_columns_say_what_the_simulator_shows() -> None:
    stream = made_stream(5, jobs=6, executors=9)
    observed, _ = make_env(stream).reset(seed=1)
    seen = simulator.Run(stream, 1).next_decision()
    rows = len(seen.candidates)
    assert observed["mask"].sum() == rows < ROWS
    assert not observed["candidates"][rows:].any()
    remaining = column(observed, "job_remaining")
    assert (np.diff(remaining) >= 0).all()
    work_s = np.array([profile.work_s for profile in stream.profiles])
    ratios = np.sort(seen.jobs["remaining_s"][seen.stages["job"][seen.candidates]]) / work_s.mean()
    np.testing.assert_allclose(remaining / (1 - remaining), ratios, rtol=1e-5)
    tasks = column(observed, "tasks_left")
    left = np.sort(seen.stages["num_tasks"][seen.candidates])
    np.testing.assert_allclose(np.sort(tasks / (1 - tasks) * 9), left, rtol=1e-5)
    assert dict(zip(CLUSTER, observed["cluster"], strict=True)) == pytest.approx(
        {
            "waiting": 1.0,
            "has_source": 0.0,
            "jobs": 6 / 38,
            "candidates": rows / (rows + 32),
            "remaining": ratio(seen.jobs["remaining_s"].sum(), 32 * work_s.mean()),
        }
    )


def ratio(value: float, scale: float) -> float:
    return value / (value + scale)


def test_with_more_candidates_than_rows_the_source_job_keeps_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = made_stream(4, jobs=12, executors=6)
    whole = make_env(stream)
    wide, _ = whole.reset(seed=3)
    crowded = 0
    rng = np.random.default_rng(7)
    few = 3
    for _ in range(200):
        with monkeypatch.context() as patch:
            patch.setattr(module, "ROWS", few)
            kept = module._in_order(whole._seen)
        order = module._in_order(whole._seen)
        own = column(wide, "source") == 1
        assert len(kept) == min(few, len(order))
        assert set(order[own][:few]) <= set(kept)
        assert list(kept) == [place for place in order if place in kept], "in the same order"
        crowded += bool(own.any() and not own[:few].all() and len(order) > few)
        wide, _, over, _, _ = whole.step(np.array([rng.integers(len(order)), 2]))
        if over:
            break
    assert crowded > 5


def test_an_empty_row_stands_for_the_first() -> None:
    stream = made_stream(2, jobs=4)
    one, other = make_env(stream), make_env(stream)
    for env in (one, other):
        env.reset(seed=1)
    play(one, lambda _: (0, 3), seed=1)
    play(other, lambda observed: (ROWS - 1 if observed["mask"][-1] == 0 else 0, 3), seed=1)
    same(one.result(), other.result())


@pytest.mark.parametrize(("executors", "expected"), [(1, [1] * 8), (50, [1, 2, 3, 5, 9, 16, 29, 50])])
def test_limits_go_from_one_executor_to_the_cluster(executors: int, expected: list[int]) -> None:
    assert limits(executors).tolist() == expected


def test_an_episode_may_have_a_stream_of_its_own() -> None:
    env, other = make_env(made_stream(1)), made_stream(8, jobs=9, executors=3)
    env.reset(seed=1, options={"stream": other})
    assert env.result().stream is other
    env.reset(seed=1)
    assert env.result().stream is not other


def test_misuse_is_named() -> None:
    env = make_env(made_stream(1))
    for early in (lambda: env.step(np.array([0, 0])), env.result):
        with pytest.raises(UsageError, match=r"call reset\(\) first"):
            early()
    with pytest.raises(UsageError, match="'stream': a JobStream is wanted, got a str"):
        env.reset(options={"stream": "tpch"})
    with pytest.raises(UsageError, match=r"unknown \['steam'\]"):
        env.reset(options={"steam": made_stream(1)})
    env.reset(seed=0)
    with pytest.raises(UsageError, match=r"action \[ 0 99\] is not in MultiDiscrete"):
        env.step(np.array([0, 99]))
    play(env, lambda _: (0, ALL), seed=0)
    with pytest.raises(UsageError, match="no episode is under way"):
        env.step(np.array([0, 0]))
