# SPDX-License-Identifier: Apache-2.0
"""The suites are what their table says, always the same, and apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trimtab.core.errors import InvalidInstance
from trimtab.core.problem import SPLITS
from trimtab.problems.cluster_scheduling.problem import JobProfile
from trimtab.problems.cluster_scheduling.workload import SUITES, instances, parse, suites
from trimtab.problems.cluster_scheduling.workload.files import save_profiles
from trimtab.problems.cluster_scheduling.workload.splits import split_of

COUNTS = {
    "decima-batch": (100, 30, 100, 20, 50),
    "decima-stream": (16, 8, 16, 1000, 50),
    "decima-overload": (40, 15, 40, 50, 10),
    "alibaba-batch": (30, 10, 30, 20, 100),
    "alibaba-stream": (30, 10, 30, 200, 100),
}


def profile(group: str, levels: list[int]) -> JobProfile:
    offsets = np.tile([0, 1], (1, len(levels), 3, 1))
    edges = np.zeros((0, 2), np.int64)
    return JobProfile(f"job-{group}", group, np.array([1]), edges, np.array(levels), np.array([5.0]), offsets)


def test_every_suite_is_counted_here() -> None:
    assert {*COUNTS, "decima-mixed"} == set(SUITES)


def test_the_mixed_suite_has_every_load_and_never_ten_executors(public_data: Path) -> None:
    for split, count in zip(SPLITS, (540, 72, 72), strict=True):
        streams = SUITES["decima-mixed"](split).values()
        assert len(streams) == count
        assert {stream.num_executors for stream in streams} == {15, 20, 30, 50}
        assert {stream.num_jobs for stream in streams} == {20, 40, 100}
        assert {split_of(profile) for stream in streams for profile in stream.profiles} == {split}


@pytest.mark.parametrize("name", COUNTS)
def test_a_public_suite(public_data: Path, name: str) -> None:
    *counts, jobs, executors = COUNTS[name]
    for split, count in zip(SPLITS, counts, strict=True):
        made = SUITES[name](split)
        assert len(made) == count
        for stream in made.values():
            assert (stream.num_jobs, stream.num_executors) == (jobs, executors)
        one = next(iter(made.values()))
        assert {split_of(profile) for profile in one.profiles} == {split}
        assert all(stream.profiles is one.profiles for stream in made.values())  # packed once by the simulator
        keys = {(stream.jobs.tobytes(), stream.arrival_ms.tobytes()) for stream in made.values()}
        assert len(keys) == count


def test_suites_are_made_alike_every_time(public_data: Path) -> None:
    first = suites.decima_batch("test")["decima-batch-007"]
    suites.decima_batch.cache_clear()
    again = suites.decima_batch("test")["decima-batch-007"]
    assert first is not again
    assert first.jobs.tolist() == again.jobs.tolist()


def test_the_load_of_the_streams(public_data: Path) -> None:
    def load(name: str) -> float:
        streams = SUITES[name]("test").values()
        work_s = sum(stream.profiles[job].work_s for stream in streams for job in stream.jobs)
        return work_s / sum(stream.arrival_ms[-1] / 1000 * stream.num_executors for stream in streams)

    assert load("decima-stream") == pytest.approx(0.85, abs=0.03)
    assert load("alibaba-stream") == pytest.approx(0.85, abs=0.001)
    assert 2.5 < load("decima-overload") < 3.2


def test_what_is_shipped_needs_nothing() -> None:
    groups = []
    for split, count in zip(SPLITS, (20, 8, 20), strict=True):
        made = instances(split)
        assert len(made) == count
        assert {stream.num_executors for stream in made.values()} == {8, 16}
        groups.append({stream.profiles[job].group for stream in made.values() for job in stream.jobs})
    assert not groups[0] & groups[1] and not groups[0] & groups[2] and not groups[1] & groups[2]


def test_a_profile_file_is_parsed_as_a_batch_of_its_jobs(tmp_path: Path) -> None:
    profiles = [profile(f"q{number}", levels) for number, levels in ((1, [1, 2]), (2, [1, 4]), (3, [2]))]
    save_profiles(tmp_path / "mine.npz", profiles, {})
    (stream,) = parse([tmp_path / "mine.npz"]).values()
    assert stream.jobs.tolist() == [0, 1, 2]
    assert not stream.arrival_ms.any()
    assert stream.num_executors == 4
    assert [one.name for one in stream.profiles] == ["job-q1", "job-q2", "job-q3"]


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "mine.npz" for folder in ("a", "b")]
    for path in paths:
        save_profiles(path, [profile("q1", [1])], {})
    assert set(parse(paths)) == {str(path) for path in paths}


def test_a_damaged_profile_file_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "mine.npz").write_bytes(b"PK")
    with pytest.raises(InvalidInstance, match=r"mine\.npz"):
        parse([tmp_path / "mine.npz"])
