# SPDX-License-Identifier: Apache-2.0
"""Training: its arithmetic against the definition, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("numba")
pytest.importorskip("torch")

from trimtab.kit.policy_gradient import Ramp
from trimtab.problems.cluster_scheduling.learned.decima_training import Progress, Settings, Training, job_milliseconds
from trimtab.problems.cluster_scheduling.simulator import rules
from trimtab.problems.cluster_scheduling.simulator.decima_net import NUM_WEIGHTS
from trimtab.problems.cluster_scheduling.simulator.decima_record import Conduct, play
from trimtab.problems.cluster_scheduling.simulator.made import made_stream


@pytest.mark.parametrize("horizon_ms", [np.inf, 15_000.0])
def test_job_milliseconds_is_the_integral_of_the_jobs_in_the_system(horizon_ms: float) -> None:
    stream = made_stream(1, jobs=12, executors=4, mean_gap_ms=2000)
    conduct = Conduct(1, 1.0, 0.0, rules.EXTERNAL, np.zeros(2))
    episode = play(stream, np.zeros(NUM_WEIGHTS), conduct, seed=2, horizon_ms=horizon_ms)
    at = np.append(episode.recording.time_ms, episode.end_ms)
    left = np.nan_to_num(episode.done_ms, nan=np.inf)
    expected = [
        sum(max(0.0, min(t, end) - start) for start, end in zip(stream.arrival_ms, left, strict=True)) for t in at
    ]
    np.testing.assert_allclose(job_milliseconds(stream, episode, at), expected)
    if np.isinf(horizon_ms):  # Little's law: the whole integral is the sum of completion times
        assert expected[-1] == pytest.approx((episode.done_ms - stream.arrival_ms).sum())


QUICK = Settings(
    cpu_seconds=np.inf,
    imitation_rounds=12,
    streams=2,
    rollouts=4,
    kept=1.0,
    check_every=2,
    horizon_s=Ramp(20.0, 60.0, 10),
    threads=1,
)


def quick(settings: Settings, *, gap_ms: float, checks: int, seed: int = 0) -> Training:
    """A training that ends after some checks."""
    streams = [made_stream(k, jobs=10, executors=8, mean_gap_ms=gap_ms) for k in range(6)]
    seen: list[Progress] = []

    def report(line: Progress) -> None:
        seen.append(line)
        if len(seen) == checks:
            raise StopIteration

    training = Training(streams, settings, seed, report)
    with pytest.raises(StopIteration):
        training.run()
    return training


@pytest.mark.parametrize("gap_ms", [0.0, 2000.0])
def test_imitation_comes_near_its_teacher_and_the_gradient_keeps_the_best(gap_ms: float) -> None:
    training = quick(QUICK, gap_ms=gap_ms, checks=3)
    untrained = quick(Settings(**{**vars(QUICK), "imitation_rounds": 0}), gap_ms=gap_ms, checks=1)
    imitated = training.log[0]
    assert imitated.average_jct < 1.25 * imitated.rule_jct
    assert imitated.average_jct < untrained.log[0].average_jct
    assert training.best.shape == (NUM_WEIGHTS,)
    assert np.isfinite(training.best).all()
    assert "x srpt's" in str(imitated)


def test_the_gradient_learns_from_scratch() -> None:
    """No teacher; one stream; the return must rise."""
    settings = Settings(
        **{**vars(QUICK), "imitation_rounds": 0, "learning_rate": Ramp(3e-3, 3e-3, 1), "check_every": 15}
    )
    training = quick(settings, gap_ms=0.0, checks=2)
    assert training.log[-1].average_jct < training.log[0].average_jct


def test_the_same_seed_trains_the_same_weights() -> None:
    settings = Settings(**{**vars(QUICK), "imitation_rounds": 2, "check_every": 1})
    first, again = (quick(settings, gap_ms=0.0, checks=3).network.flat() for _ in range(2))
    np.testing.assert_array_equal(first, again)
