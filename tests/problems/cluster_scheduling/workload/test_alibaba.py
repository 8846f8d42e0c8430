# SPDX-License-Identifier: Apache-2.0
"""Jobs of the Alibaba trace: DAGs out of names, durations out of instances."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trimtab.core.errors import InvalidInstance
from trimtab.problems.cluster_scheduling.workload import alibaba

pyarrow = pytest.importorskip("pyarrow", reason="pip install 'trimtab[tables]'")
parquet = pytest.importorskip("pyarrow.parquet", reason="pip install 'trimtab[tables]'")


def write(folder: Path) -> tuple[Path, Path]:
    """Three jobs: a diamond with an independent task, one too short to keep, and a later one."""
    instances = {
        ("j_7", "M1"): [10, 0],
        ("j_7", "R2_1"): [5],
        ("j_7", "R3_1"): [6, 6, 1],
        ("j_7", "J4_2_3"): [2],
        ("j_7", "task_abc="): [8],
        ("j_9", "M1"): [9],
        ("j_8", "M1"): [40],
    }
    submit = {"j_7": 3, "j_9": 4, "j_8": 1}
    tasks = pyarrow.table(
        {
            "submit_s": [submit[job] for job, _ in instances],
            "job": [job for job, _ in instances],
            "task": [task for _, task in instances],
        }
    )
    flat = [(int(job[2:]), task, s) for (job, task), all_s in instances.items() for s in all_s]
    rows = pyarrow.table(
        {
            "job": pyarrow.array([job for job, _, _ in flat], pyarrow.int32()),
            "task": pyarrow.array([task for _, task, _ in flat]).dictionary_encode(),
            "duration_s": pyarrow.array([s for _, _, s in flat], pyarrow.int32()),
        }
    )
    parquet.write_table(tasks, folder / "tasks.parquet")
    parquet.write_table(rows, folder / "instances.parquet")
    return folder / "tasks.parquet", folder / "instances.parquet"


def test_a_small_trace(tmp_path: Path) -> None:
    trace = alibaba._trace(*write(tmp_path))
    assert [profile.name for profile in trace.profiles] == ["alibaba-j_8", "alibaba-j_7"]
    assert trace.submit_ms.tolist() == [1000.0, 3000.0]
    diamond = trace.profiles[1]
    assert diamond.edges.tolist() == [[0, 1], [0, 2], [1, 3], [2, 3]]
    assert diamond.num_tasks.tolist() == [2, 1, 3, 1, 1]
    # 0 s counts as half a second; every wave draws from all instances
    assert diamond.durations.tolist() == [500, 10_000, 5000, 1000, 6000, 6000, 2000, 8000]
    assert diamond.offsets[2, 0].tolist() == [[3, 6]] * 3
    assert diamond.work_s == pytest.approx(10.5 + 5 + 13 + 2 + 8)


def test_a_task_that_waits_for_nothing_known_is_refused() -> None:
    with pytest.raises(InvalidInstance, match="job 'j_1', field 'task': 'R2_5' waits for 5, not in the job"):
        alibaba.task_dag("j_1", ["M1", "R2_5"])


def test_letters_of_a_name_do_not_matter() -> None:
    assert alibaba.task_dag("j_1", ["R1_2", "MJ2", "task_1_2"]).tolist() == [[1, 0]]


def test_groups_depend_on_the_name_alone_and_are_even() -> None:
    assert alibaba.group_of("j_1446403") == alibaba.group_of("j_1446403")
    counts = np.bincount([int(alibaba.group_of(f"j_{number}")[1:]) for number in range(20_000)], minlength=100)
    assert counts.min() > 140 and counts.max() < 260  # 200 each, within 4.3 standard deviations


def test_the_public_trace(public_data: Path) -> None:
    trace = alibaba.trace()
    assert all(profile.work_s >= alibaba.SHORTEST_S for profile in trace.profiles)
    assert (np.diff(trace.submit_ms) >= 0).all() and trace.submit_ms[-1] < 1_800_000
    work = np.sort([profile.work_s for profile in trace.profiles])[::-1]
    assert work[: len(work) // 20].sum() > 0.7 * work.sum()  # heavy tails
    tasks = parquet.read_table(next(public_data.rglob("alibaba2018_half_hour_tasks.parquet"))).to_pylist()
    by_job: dict[str, list[dict[str, object]]] = {}
    for row in tasks:
        by_job.setdefault(f"alibaba-{row['job']}", []).append(row)
    for profile in trace.profiles[::50]:
        rows = by_job[profile.name]
        assert profile.num_tasks.tolist() == [row["n_instances"] for row in rows]
        names = [str(row["task"]) for row in rows]
        parents = {names[parent].lstrip("MRJ").split("_")[0] for parent in profile.edges[:, 0]}
        assert parents == {number for name in names if not name.startswith("task_") for number in name.split("_")[1:]}
