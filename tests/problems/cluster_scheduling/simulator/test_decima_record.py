# SPDX-License-Identifier: Apache-2.0
"""Recorded episodes against the simulator that did not record them."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("numba")

from trimtab.problems.cluster_scheduling.simulator import rules, simulate, srpt
from trimtab.problems.cluster_scheduling.simulator.decima_net import NUM_WEIGHTS
from trimtab.problems.cluster_scheduling.simulator.decima_record import Conduct, play
from trimtab.problems.cluster_scheduling.simulator.made import made_stream

WEIGHTS = np.random.default_rng(0).normal(scale=0.3, size=NUM_WEIGHTS)
TEACHER = np.array([0.5, 0.5])
ALONE = Conduct(seed=1, kept=1.0, guided=0.0, teacher=rules.EXTERNAL, parameters=TEACHER)
GUIDED = Conduct(seed=1, kept=1.0, guided=1.0, teacher=rules.SRPT, parameters=TEACHER)


def test_an_episode_guided_by_a_rule_is_the_rules_own() -> None:
    stream = made_stream(1, jobs=9, executors=6, mean_gap_ms=2000)
    episode = play(stream, WEIGHTS, GUIDED, seed=4)
    expected = simulate(stream, srpt(*TEACHER), seed=4)
    np.testing.assert_array_equal(episode.done_ms, expected.done_ms)
    assert episode.end_ms == expected.end_ms
    assert len(episode.recording.time_ms) == expected.decisions


def test_every_decision_is_kept_whole() -> None:
    recording = play(made_stream(1, jobs=9, executors=6), WEIGHTS, ALONE, seed=4).recording
    decisions = recording.decisions
    assert decisions["decision"].tolist() == list(range(len(recording.time_ms)))
    assert (np.diff(recording.time_ms) >= 0).all()
    stages = np.diff([*decisions["first_stage"], len(recording.height)])
    jobs = np.diff([*decisions["first_job"], len(recording.job_features)])
    candidates = np.diff([*decisions["first_candidate"], len(recording.candidates)])
    assert (stages >= candidates).all()
    assert (candidates > decisions["candidate"]).all()
    assert (decisions["least"] <= decisions["limit"]).all()
    assert (decisions["limit"] <= decisions["limits"]).all()
    for k, first in enumerate(decisions["first_stage"]):
        rows = slice(first, first + stages[k])
        assert set(recording.stage_job[rows]) == set(range(jobs[k]))
        assert (np.diff(recording.height[rows]) >= 0).all()
    assert (decisions["taught_candidate"] == -1).all()


def test_a_share_of_the_decisions_is_a_subset() -> None:
    stream = made_stream(1, jobs=20, executors=6)
    whole, part = (play(stream, WEIGHTS, ALONE._replace(kept=kept), seed=4).recording for kept in (1.0, 0.3))
    np.testing.assert_array_equal(whole.time_ms, part.time_ms)
    kept = part.decisions["decision"]
    assert 0.15 < len(kept) / len(whole.decisions) < 0.45
    for field in ("candidate", "limit", "least"):
        np.testing.assert_array_equal(whole.decisions[field][kept], part.decisions[field])


def test_the_teacher_is_heard_where_the_network_acts() -> None:
    stream = made_stream(1, jobs=9, executors=6)
    recording = play(stream, WEIGHTS, GUIDED._replace(guided=0.0), seed=4).recording
    decisions = recording.decisions
    assert (decisions["taught_candidate"] >= 0).all()
    assert (decisions["taught_least"] <= decisions["taught_limit"]).all()
    assert (decisions["taught_candidate"] != decisions["candidate"]).any()


def test_siblings_share_their_durations_and_nothing_else() -> None:
    stream = made_stream(6, jobs=9, executors=6)
    episodes = [play(stream, WEIGHTS, ALONE._replace(seed=seed), seed=4) for seed in range(4)]
    assert len({episode.end_ms for episode in episodes}) > 1
    again = play(stream, WEIGHTS, ALONE._replace(seed=2), seed=4)
    np.testing.assert_array_equal(again.done_ms, episodes[2].done_ms)


def test_a_horizon_cuts_the_episode() -> None:
    stream = made_stream(1, jobs=30, executors=6, mean_gap_ms=3000)
    episode = play(stream, WEIGHTS, ALONE, seed=4, horizon_ms=20_000)
    assert episode.end_ms == 20_000
    assert np.isnan(episode.done_ms).any()
    assert episode.recording.time_ms.max() <= 20_000


def test_recordings_grow_until_the_episode_fits() -> None:
    stream = made_stream(1, jobs=250, executors=6, mean_gap_ms=500)  # also more jobs at once than 64
    episode = play(stream, WEIGHTS, ALONE, seed=4)
    assert len(episode.recording.height) > 64 << 12  # what the first attempt has room for
    assert not np.isnan(episode.done_ms).any()
