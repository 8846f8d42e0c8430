# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import networkx
import numpy as np
import pytest

pytest.importorskip("numba")

from trimtab.problems.cluster_scheduling.problem import FIRST, FRESH, REST, JobProfile
from trimtab.problems.cluster_scheduling.simulator.made import made_profiles
from trimtab.problems.cluster_scheduling.simulator.tables import critical_path_s, pack

WARMUP_MS = 700.0


def one_stage(*levels: dict[int, list[float]]) -> JobProfile:
    """A stage whose samples at levels 2, 4, ... are given by wave."""
    samples: list[float] = []
    offsets = np.zeros((1, len(levels), 3, 2), np.int64)
    for at, waves in enumerate(levels):
        for wave, values in waves.items():
            offsets[0, at, wave] = len(samples), len(samples) + len(values)
            samples += values
    level = 2 * np.arange(1, len(levels) + 1)
    return JobProfile("job", "job", np.array([3]), np.zeros((0, 2), np.int64), level, np.array(samples), offsets)


def drawn(profile: JobProfile, level: int, wave: int) -> list[float]:
    """All that a task may take at a level and wave."""
    tables = pack((profile,), WARMUP_MS)
    draw = tables.draws[3 * level + wave]
    return (tables.durations[draw["start"] : draw["start"] + draw["count"]] + draw["delay_ms"]).tolist()


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        ({FRESH: [9.0], FIRST: [5.0], REST: [1.0, 2.0]}, {FRESH: [9.0], FIRST: [5.0], REST: [1.0, 2.0]}),
        ({FIRST: [5.0], REST: [1.0]}, {FRESH: [705.0], FIRST: [5.0], REST: [1.0]}),
        ({FRESH: [9.0], FIRST: [5.0]}, {FRESH: [9.0], FIRST: [5.0], REST: [5.0]}),
        ({FRESH: [9.0]}, {FRESH: [9.0], FIRST: [9.0], REST: [9.0]}),
        ({REST: [1.0]}, {FRESH: [701.0], FIRST: [1.0], REST: [1.0]}),
    ],
)
def test_a_wave_that_was_not_measured_takes_the_next_best(measured, expected):
    profile = one_stage(measured)
    assert {wave: drawn(profile, 0, wave) for wave in expected} == expected


def test_a_level_that_was_not_measured_takes_the_largest_that_was():
    profile = one_stage({REST: [1.0]}, {REST: [2.0]}, {})
    assert [drawn(profile, level, REST) for level in range(3)] == [[1.0], [2.0], [2.0]]


def test_critical_path_is_the_heaviest_path():
    for profile in made_profiles(5, 30):
        work = profile.num_tasks * profile.mean_duration_ms / 1000
        graph = networkx.DiGraph()
        graph.add_nodes_from(range(profile.num_stages))
        graph.add_edges_from(profile.edges.tolist())
        for stage, path_s in enumerate(critical_path_s(profile)):
            below = networkx.descendants(graph, stage) | {stage}
            paths = (
                path
                for end in below
                for path in ([[stage]] if end == stage else networkx.all_simple_paths(graph, stage, end))
            )
            assert path_s == pytest.approx(max(sum(work[s] for s in path) for path in paths))


def test_an_edge_given_twice_counts_once():
    profile = made_profiles(1, 1)[0]
    twice = JobProfile(
        profile.name,
        profile.group,
        profile.num_tasks,
        np.concatenate([profile.edges, profile.edges]),
        profile.levels,
        profile.durations,
        profile.offsets,
    )
    once, again = pack((profile,), 0.0), pack((twice,), 0.0)
    assert once.children.tolist() == again.children.tolist()
    assert once.stages["num_parents"].tolist() == again.stages["num_parents"].tolist()


def test_packing_is_cached_by_identity():
    profiles = made_profiles(2)
    assert pack(profiles, 1000.0) is pack(profiles, 1000.0)
    assert pack(profiles, 1000.0) is not pack(profiles, 0.0)
