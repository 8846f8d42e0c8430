# SPDX-License-Identifier: Apache-2.0
"""What the rules choose, worked out by hand."""

from __future__ import annotations

import pytest

pytest.importorskip("numba")

from trimtab.problems.cluster_scheduling.problem import JobStream
from trimtab.problems.cluster_scheduling.simulator import CompiledPolicy, simulate
from trimtab.problems.cluster_scheduling.simulator.policy import critical_path, graphene, tetris

from ..plain import profile, stream

A, B = 0, 1


def started(jobs: JobStream, policy: CompiledPolicy) -> list[tuple[int, int]]:
    """(job, stage) of every task, in the order of their starts."""
    tasks = simulate(jobs, policy, seed=0, trace=True).tasks
    order = sorted(tasks, key=lambda row: (row["since_ms"], row["executor"]))
    return [(int(row["job"]), int(row["stage"])) for row in order]


def test_critical_path_takes_the_longest_path_of_all_jobs() -> None:
    """Work ahead, s: A 3 and 1; B 5, 2 and (beside these) 4."""
    a = profile([2, 1], [1000, 1000], [(0, 1)])
    b = profile([3, 1, 1], [1000, 2000, 4000], [(0, 1)])
    assert started(stream([a, b], 1), critical_path()) == [
        *[(B, 0)] * 3,  # an executor stays with its stage
        (B, 2),
        *[(A, 0)] * 2,
        (B, 1),
        (A, 1),
    ]


def test_tetris_packs_first() -> None:
    """Of four executors A's stage can use two and B's four, though A is shorter."""
    a, b = profile([2], [1000]), profile([4], [1000])
    assert started(stream([a, b], 4), tetris(0.0))[:4] == [(B, 0)] * 4


def test_tetris_with_a_weight_on_shortness() -> None:
    """A scores 0.5 + 5 * 2/2, B 1 + 5 * 2/4; then B gets what is left."""
    a, b = profile([2], [1000]), profile([4], [1000])
    assert sorted(started(stream([a, b], 4), tetris(5.0))[:4]) == [(A, 0), (A, 0), (B, 0), (B, 0)]


def test_tetris_equal_scores_go_to_the_older_job() -> None:
    a, b = profile([1], [1000]), profile([1], [500])
    assert started(stream([a, b], 1), tetris(0.0))[0] == (A, 0)
    assert started(stream([a, b], 1), tetris(0.1))[0] == (B, 0)


def test_tetris_gives_nothing_to_a_stage_that_waits_while_others_can_run() -> None:
    """A's wide stage could take all, but waits for the narrow one; B's task can start."""
    a, b = profile([1, 8], [1000, 1000], [(0, 1)]), profile([1], [500])
    assert started(stream([a, b], 4), tetris(0.0))[:2] == [(A, 0), (B, 0)]


def test_graphene_puts_troublesome_stages_before_the_longer_path() -> None:
    """Stage 1 is the heaviest (950 ms); stage 0 has the longer path (1000 ms), whose heaviest has 900."""
    job = profile([1, 1, 1], [100, 950, 900], [(0, 2)])
    assert started(stream([job], 1), graphene(0.0, 0.96)) == [(A, 1), (A, 0), (A, 2)]
    assert started(stream([job], 1), graphene(0.0, 0.9)) == [(A, 0), (A, 1), (A, 2)]


def test_graphene_shares_executors_by_weight() -> None:
    a, b = profile([8], [1000]), profile([8], [3000])
    first = started(stream([a, b], 4), graphene(0.0, 0.5))[:4]
    assert sorted(first) == [(A, 0), (A, 0), (B, 0), (B, 0)]
    first = started(stream([a, b], 4), graphene(1.0, 0.5))[:4]
    assert sorted(first) == [(A, 0), (B, 0), (B, 0), (B, 0)]
