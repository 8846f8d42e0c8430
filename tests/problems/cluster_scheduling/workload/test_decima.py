# SPDX-License-Identifier: Apache-2.0
"""Decima's profile, against the reference's preprocessing written out in plain Python."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.core.errors import UsageError
from trimtab.problems.cluster_scheduling.problem import FIRST, WAVES, JobProfile
from trimtab.problems.cluster_scheduling.workload import decima

pyarrow = pytest.importorskip("pyarrow", reason="pip install 'trimtab[tables]'")
parquet = pytest.importorskip("pyarrow.parquet", reason="pip install 'trimtab[tables]'")

Stage = dict[str, dict[int, list[int]]]  # wave -> level -> durations
NAMES = dict(zip(("fresh_durations", "first_wave", "rest_wave"), WAVES, strict=True))


def prepare(stage: Stage) -> tuple[int, float, Stage]:
    """Number of tasks, rough duration and cleaned waves of one stage, as hongzimao/decima-sim makes them."""
    first_level = next(iter(stage["first_wave"]))
    num_tasks = len(stage["first_wave"][first_level]) + len(stage["rest_wave"].get(first_level, []))
    clean, last = {}, []
    for level in sorted({level for wave in stage.values() for level in wave}):
        fresh = Counter(stage["fresh_durations"].get(level, []))
        clean[level] = []
        for duration in stage["first_wave"].get(level, []):
            if fresh[duration] > 0:
                fresh[duration] -= 1
            else:
                clean[level].append(duration)
        last = clean[level] = clean[level] or last
    waves = {**stage, "first_wave": clean}
    every = [duration for wave in waves.values() for level in wave.values() for duration in level]
    return num_tasks, float(np.mean(every)), waves


def compare(profile: JobProfile, stages: list[Stage]) -> None:
    assert profile.num_stages == len(stages)
    for number, stage in enumerate(stages):
        num_tasks, rough, waves = prepare(stage)
        assert profile.num_tasks[number] == num_tasks
        assert profile.mean_duration_ms[number] == pytest.approx(rough, rel=1e-12)
        for wave, place in (("fresh_durations", 0), ("first_wave", 1), ("rest_wave", 2)):
            for at, level in enumerate(profile.levels):
                start, stop = profile.offsets[number, at, place]
                drawn = profile.durations[start:stop]
                assert list(drawn) == sorted(waves[wave].get(int(level), []))


def rows_of(stages: list[Stage], size: str = "20g", query: int = 5) -> list[dict[str, Any]]:
    return [
        {
            "input_size": size,
            "query": query,
            "stage": number,
            "wave": wave,
            "executors": level,
            "duration_ms": duration,
        }
        for number, stage in enumerate(stages)
        for wave, levels in stage.items()
        for level, durations in levels.items()
        for duration in durations
    ]


def read(folder: Path, rows: list[dict[str, Any]], dags: dict[str, list[list[int]]]) -> dict[Any, JobProfile]:
    table = pyarrow.Table.from_pylist(rows)
    for name in ("input_size", "wave"):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, table.column(name).dictionary_encode())
    parquet.write_table(table, folder / "rows.parquet")
    (folder / "dags.json").write_text(json.dumps(dags))
    decima._profiles.cache_clear()
    return decima._profiles(folder / "rows.parquet", folder / "dags.json")


durations = st.lists(st.integers(1, 4), max_size=5)


@st.composite
def stage(draw: st.DrawFn) -> Stage:
    levels = draw(st.lists(st.sampled_from([2, 5, 10, 100]), min_size=1, max_size=4, unique=True))
    made: Stage = {wave: {} for wave in NAMES}
    for level in levels:
        fresh = draw(durations)
        made["fresh_durations"][level] = fresh
        made["first_wave"][level] = draw(st.permutations(fresh + draw(durations)))
        made["rest_wave"][level] = draw(durations)
        if not (fresh or made["first_wave"][level] or made["rest_wave"][level]):
            made["first_wave"][level] = [draw(st.integers(1, 9))]  # a table can't hold a level without a task
    made["first_wave"][levels[0]].append(1)  # so that the first level has tasks
    return made


@settings(max_examples=40, deadline=None)
@given(st.lists(stage(), min_size=1, max_size=3))
def test_waves_are_prepared_as_in_the_reference(tmp_path_factory: pytest.TempPathFactory, stages: list[Stage]) -> None:
    profiles = read(tmp_path_factory.mktemp("decima"), rows_of(stages), {"20g/q5": []})
    compare(profiles[20, 5], stages)


def test_a_small_case_by_hand(tmp_path: Path) -> None:
    stages: list[Stage] = [
        {
            "fresh_durations": {5: [9], 10: [7, 7]},
            "first_wave": {5: [9, 4], 10: [7, 7]},
            "rest_wave": {5: [3, 2], 10: [1]},
        }
    ]
    profile = read(tmp_path, rows_of(stages), {"20g/q5": [[0, 0]][:0]})[20, 5]
    assert profile.name == "tpch-20g-q5" and profile.group == "q5"
    assert profile.num_tasks.tolist() == [4]
    first = profile.offsets[0, :, FIRST]
    assert [profile.durations[start:stop].tolist() for start, stop in first] == [[4.0], [4.0]]  # 10 takes what 5 has
    assert profile.mean_duration_ms[0] == pytest.approx(np.mean([9, 7, 7, 4, 4, 3, 2, 1]))


def test_a_size_that_was_not_measured_is_refused() -> None:
    with pytest.raises(UsageError, match=r"sizes \(3,\) .* measured were \(2, 5,"):
        decima.profiles([3])


def test_the_public_data_set(public_data: Path) -> None:
    profiles = decima.profiles()
    assert len(profiles) == 154
    assert sum(profile.num_stages for profile in profiles) == 1414
    assert len({profile.name for profile in profiles}) == 154
    # research notes: the load of 25 s gaps on 50 executors is 0.61 with the paper's sizes, 0.71 with all
    work = {profile.name: profile.work_s for profile in profiles}
    assert np.mean(list(work.values())) / (25 * 50) == pytest.approx(0.71, abs=0.005)
    six = [value for name, value in work.items() if "-80g-" not in name]
    assert np.mean(six) / (25 * 50) == pytest.approx(0.61, abs=0.005)


@pytest.mark.parametrize("job", ["2g/q1", "10g/q6", "80g/q21", "100g/q13"])
def test_public_jobs_are_prepared_as_in_the_reference(public_data: Path, job: str) -> None:
    size, query = job.split("g/q")
    path = next(public_data.rglob("decima_tpch_task_durations.parquet"))
    rows = parquet.read_table(path, filters=[("input_size", "=", f"{size}g"), ("query", "=", int(query))]).to_pylist()
    stages: dict[int, Stage] = defaultdict(lambda: {wave: {} for wave in NAMES})
    for row in rows:
        stages[row["stage"]][row["wave"]].setdefault(row["executors"], []).append(row["duration_ms"])
    (profile,) = (one for one in decima.profiles([int(size)]) if one.group == f"q{query}")
    compare(profile, [stages[number] for number in sorted(stages)])
    dags = json.loads(next(public_data.rglob("decima_tpch_dags.json")).read_text())
    assert profile.edges.tolist() == dags[job]
