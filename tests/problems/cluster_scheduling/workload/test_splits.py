# SPDX-License-Identifier: Apache-2.0
"""Nothing is on two sides."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from trimtab.core.errors import InvalidInstance
from trimtab.core.problem import SPLITS
from trimtab.problems.cluster_scheduling.problem import JobProfile
from trimtab.problems.cluster_scheduling.workload import decima, splits


def profile(group: str) -> JobProfile:
    offsets = np.array([[[[0, 1], [0, 1], [0, 1]]]])
    edges = np.zeros((0, 2), np.int64)
    return JobProfile(f"job-{group}", group, np.array([1]), edges, np.array([1]), np.array([5.0]), offsets)


def test_every_query_has_one_split() -> None:
    assert sorted(query for queries in splits.QUERIES.values() for query in queries) == sorted(
        f"q{number}" for number in range(1, 23)
    )
    assert [len(splits.QUERIES[split]) for split in SPLITS] == [12, 4, 6]


def test_every_group_of_the_trace_has_one_split() -> None:
    numbers = [number for split in SPLITS for number in splits.TRACE[split]]
    assert sorted(numbers) == list(range(100))


def test_the_literal_is_what_its_rule_makes(public_data: Path) -> None:
    heaviest = sorted(decima.profiles([20]), key=lambda one: -one.work_s)
    made = {
        split: tuple(one.group for one, to in zip(heaviest, splits.DEAL * 2, strict=True) if to == split)
        for split in SPLITS
    }
    assert made == splits.QUERIES


def test_split_of() -> None:
    groups = ["q1", "q9", "q3", "a00", "a59", "a60", "a79", "a80", "a99"]
    expected = ["train", "validation", "test", "train", "train", "validation", "validation", "test", "test"]
    assert [splits.split_of(profile(group)) for group in groups] == expected
    assert [one.group for one in splits.only([profile(group) for group in groups], "test")] == ["q3", "a80", "a99"]


@pytest.mark.parametrize("group", ["q23", "a100", "a-1", "axy", "", "mine"])
def test_other_groups_are_in_no_split(group: str) -> None:
    with pytest.raises(InvalidInstance, match="is in no split"):
        splits.split_of(profile(group))


def test_generators_are_reproducible_and_all_different() -> None:
    draws = {
        (suite, split, index): splits.generator(suite, split, index).integers(1 << 62)
        for suite in ("a", "b", "b/test")
        for split in SPLITS
        for index in range(5)
    }
    assert all(one != other for one, other in combinations(draws.values(), 2))
    assert splits.generator("a", "test", 3).integers(1 << 62) == draws["a", "test", 3]
