# SPDX-License-Identifier: Apache-2.0
"""The network in torch equals the compiled one, on recorded states."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("torch")

import torch

from trimtab.problems.cluster_scheduling.learned.decima_network import DecimaNetwork
from trimtab.problems.cluster_scheduling.learned.decima_states import Decisions
from trimtab.problems.cluster_scheduling.simulator import rules
from trimtab.problems.cluster_scheduling.simulator.decima_net import (
    MAX_DEPTH,
    NUM_WEIGHTS,
    embed,
    limit_logits,
    stage_logits,
)
from trimtab.problems.cluster_scheduling.simulator.decima_record import Conduct, Recording, play
from trimtab.problems.cluster_scheduling.simulator.made import made_stream

CONDUCT = Conduct(seed=1, kept=1.0, guided=0.0, teacher=rules.SRPT, parameters=np.array([0.5, 0.5]))


@pytest.fixture(scope="module")
def network() -> DecimaNetwork:
    torch.manual_seed(0)
    return DecimaNetwork()


@pytest.fixture(scope="module")
def recordings(network: DecimaNetwork) -> list[Recording]:
    streams = [made_stream(seed, jobs=6, executors=6, mean_gap_ms=2000 * (seed % 2)) for seed in range(3)]
    return [play(stream, network.flat(), CONDUCT, seed=3).recording for stream in streams]


def compiled(weights: np.ndarray, recordings: list[Recording]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Stage logits, and the limit logits of the chosen job, one recorded decision after the other."""
    for r in recordings:
        ends = {"first_stage": len(r.height), "first_edge": len(r.edges), "first_job": len(r.job_features)}
        ends["first_candidate"] = len(r.candidates)
        for k, row in enumerate(r.decisions):
            stage, edge, job, candidate = (
                slice(row[f], r.decisions[k + 1][f] if k + 1 < len(r.decisions) else end) for f, end in ends.items()
            )
            height, job_of = r.height[stage], r.stage_job[stage].astype(np.int64)
            level = np.searchsorted(height, np.arange(MAX_DEPTH + 3))
            starts = np.searchsorted(r.edges[edge][:, 1], np.arange(len(height) + 1))
            x = np.ascontiguousarray(r.stage_features[stage].T, np.float64)
            jobs = np.ascontiguousarray(r.job_features[job].T, np.float64)
            children = r.edges[edge][:, 0].astype(np.int64)
            stages, summaries, cluster = embed(weights, x, level, starts, children, job_of, jobs.shape[1])
            places = r.candidates[candidate].astype(np.int64)
            scores = stage_logits(weights, x, stages, summaries, cluster, job_of, places)
            limits = np.arange(row["least"], row["limits"] + 1).astype(np.float64)
            chosen = job_of[places[row["candidate"]]]
            yield scores, limit_logits(weights, jobs, summaries, cluster, chosen, limits)


def test_compiled_logits_equal_torchs(network: DecimaNetwork, recordings: list[Recording]) -> None:
    decisions = Decisions.of(recordings)
    states, choices = decisions.batch(np.arange(len(decisions.rows)))
    with torch.no_grad():
        embedded = network.embed(states)
        stage = network.stage_logits(states, embedded).numpy()
        limit, _, _ = network.limit_logits(states, embedded, states.job_of[states.candidates[choices.candidate]])
    expected = list(compiled(network.flat(), recordings))
    assert len(expected) == len(decisions.rows) > 50
    np.testing.assert_allclose(stage, np.concatenate([s for s, _ in expected]), atol=1e-5)
    np.testing.assert_allclose(limit.numpy(), np.concatenate([score for _, score in expected]), atol=1e-5)


def test_log_probabilities_and_entropies_are_those_of_two_softmaxes(
    network: DecimaNetwork, recordings: list[Recording]
) -> None:
    """Limits that would take more than all waiting executors are one decision with the one that takes them all."""
    decisions = Decisions.of(recordings)
    with torch.no_grad():
        found, entropies = network(*decisions.batch(np.arange(len(decisions.rows))))
    waiting = np.rint(20 * decisions.job_features[decisions.bounds[:-1, 2], 2]).astype(int)
    rows = zip(decisions.rows, waiting, compiled(network.flat(), recordings), found, entropies, strict=True)
    kinds = set()
    for row, free, logits, log_probability, entropy in rows:
        stage, limit = (torch.log_softmax(torch.from_numpy(values), 0) for values in logits)
        place = row["limit"] - row["least"]
        alike = slice(free - 1, None) if place >= free - 1 else slice(place, place + 1)
        kinds.add(place >= free - 1)
        expected = stage[row["candidate"]] + limit[alike].logsumexp(0)
        assert float(log_probability) == pytest.approx(float(expected), abs=1e-4)
        uncertain = -(stage.exp() * stage).sum() - (limit.exp() * limit).sum()
        assert float(entropy) == pytest.approx(float(uncertain), abs=1e-4)
    assert kinds == {True, False}


def test_a_batch_in_another_order_is_the_same_decisions(network: DecimaNetwork, recordings: list[Recording]) -> None:
    decisions = Decisions.of(recordings)
    order = np.random.default_rng(0).permutation(len(decisions.rows))[:30]
    with torch.no_grad():
        whole, _ = network(*decisions.batch(np.arange(len(decisions.rows))))
        some, _ = network(*decisions.batch(order))
    torch.testing.assert_close(some, whole[order], atol=1e-5, rtol=1e-5)


def test_choices_are_drawn_with_the_probabilities_that_torch_says(network: DecimaNetwork) -> None:
    """The first decision of one stream, made anew under 400 seeds."""
    stream = made_stream(1, jobs=3, executors=3)
    recordings = [
        play(stream, network.flat(), CONDUCT._replace(seed=2 * seed), seed=3).recording for seed in range(400)
    ]
    first = [Recording(*r)._replace(decisions=r.decisions[:1]) for r in recordings]
    free = np.rint(20 * first[0].job_features[0, 2])
    drawn = [
        (int(r.decisions["candidate"][0]), min(int(r.decisions["limit"][0]), int(r.decisions["least"][0] - 1 + free)))
        for r in first
    ]
    decisions = Decisions.of(recordings)
    starts = np.cumsum([0, *(len(r.decisions) for r in recordings[:-1])])
    with torch.no_grad():
        log_probability, _ = network(*decisions.batch(starts))
    for choice in set(drawn):
        share = drawn.count(choice) / len(drawn)
        expected = float(log_probability[drawn.index(choice)].exp())
        assert share == pytest.approx(expected, abs=4 * (expected * (1 - expected) / len(drawn)) ** 0.5 + 1e-9)


def test_flat_weights_round_trip(network: DecimaNetwork) -> None:
    flat = network.flat()
    assert flat.shape == (NUM_WEIGHTS,)
    other = DecimaNetwork()
    other.set_flat(flat)
    np.testing.assert_array_equal(other.flat(), flat)
