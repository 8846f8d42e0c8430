# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from trimtab.problems.device_placement.baselines.constructed import step_time
from trimtab.problems.device_placement.learned import teaching
from trimtab.problems.device_placement.learned.teaching import Teacher, lesson
from trimtab.problems.device_placement.problem import PlacementInstance, homogeneous
from trimtab.problems.device_placement.simulator import step_times
from trimtab.problems.device_placement.workload import sharded

from ..made import graph_of


def two_chains() -> PlacementInstance:
    """Two chains of three with long transfers: the optimum is a device for each."""
    edges = [(0, 1, 10.0), (1, 2, 10.0), (3, 4, 10.0), (4, 5, 10.0)]
    graph = graph_of([1.0] * 6, edges)
    return PlacementInstance(graph, homogeneous("two", 2, kind="core", bandwidth=1.0, links="parallel"))


def test_the_exact_teacher_ends_at_the_optimum() -> None:
    """By brute force over all placements of 8 ops on 3 devices, with transfers as long as ops."""
    pytest.importorskip("ortools")
    rng = np.random.default_rng(3)
    edges = [(int(rng.integers(j)), j, float(rng.uniform(0.2, 1.5))) for j in range(1, 8)]
    graph = graph_of(list(rng.uniform(0.5, 2.0, 8)), edges)
    instance = PlacementInstance(graph, homogeneous("three", 3, kind="core", bandwidth=1.0, links="parallel"))
    every = np.array(list(product(range(3), repeat=8)))
    found = Teacher(calls=1, exact_s=20.0).answers(instance, 0)
    assert min(step_times(instance, [one.device for one in found])) <= step_times(instance, every).min() * (1 + 1e-4)


def test_only_answers_that_are_as_good_as_the_best_teach() -> None:
    instance = sharded.draw("feed", 1)
    taken = [step_time(instance, one) for one in Teacher(calls=2_000, exact_most=0).answers(instance, 0)]
    assert max(taken) <= teaching.AS_GOOD * min(taken)


def test_a_lesson_says_what_belongs_together_and_when(tmp_path: Path) -> None:
    told = lesson(two_chains(), Teacher(calls=500, exact_most=0), 0, tmp_path)
    assert told.together.tolist() == [1.0] * 4
    assert told.start.tolist() == pytest.approx([0, 1 / 3, 2 / 3] * 2)


def test_lessons_are_kept_by_teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = Teacher(calls=50, exact_most=0)
    first = lesson(two_chains(), teacher, 0, tmp_path)
    monkeypatch.setattr(Teacher, "answers", None)  # nobody is asked again
    again = lesson(two_chains(), teacher, 0, tmp_path)
    assert np.array_equal(first.together, again.together)
    with pytest.raises(TypeError):
        lesson(two_chains(), Teacher(calls=51, exact_most=0), 0, tmp_path)
