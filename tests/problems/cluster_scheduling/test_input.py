# SPDX-License-Identifier: Apache-2.0
"""Bad input to the command line: one clear message with job and field, exit code 2, nothing half-written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")

from trimtab.cli import main
from trimtab.problems.cluster_scheduling.simulator import fifo, simulate
from trimtab.problems.cluster_scheduling.workload.files import save_profiles

from .plain import profile, stream
from .workload.event_log_writer import EventLog

Arrays = dict[str, np.ndarray]


def profiles(folder: Path, **changes: object) -> Path:
    """A profile file of the jobs 'first' and 'second', with some arrays replaced."""
    path = folder / "jobs.npz"
    save_profiles(path, [profile([2, 1], [10, 20], [(0, 1)], name) for name in ("first", "second")], {})
    with np.load(path) as good:
        arrays: Arrays = dict(good)
    np.savez(path, **{**arrays, **changes})
    return path


def no_profiles(folder: Path) -> Path:
    path = profiles(folder)
    with np.load(path) as good:
        arrays = {name: array if array.ndim == 0 else array[:0] for name, array in good.items()}
    np.savez(path, **arrays)
    return path


def log(*, tasks: tuple[tuple[int, int], ...] = ((10, 3000),), parents: tuple[int, ...] = ()) -> EventLog:
    """One query, 'second', of a stage and one below it; two task slots."""
    written = EventLog().sql(0, "second", 0).job(0, 5, [(0, len(tasks), list(parents), "Scan"), (1, 1, [0])], 0)
    return written.tasks(0, *tasks).task(1, 0, 9000, 9100).job_end(0, 9100).sql_end(0, 9110)


def cut(written: EventLog, folder: Path) -> Path:
    """The last line is there in half, and the query's end is not."""
    text = written.text().splitlines()
    (folder / "app").write_text("\n".join(text[:-2]) + "\n" + text[-2][: len(text[-2]) // 2])
    return folder / "app"


BAD: dict[str, tuple[Callable[[Path], Path], list[str]]] = {
    "cycle": (
        lambda folder: profiles(folder, edges=np.array([(0, 1), (1, 0)]), edges_count=np.array([0, 2])),
        ["'second'", "'edges'", "cycle"],
    ),
    "cycle in a log": (lambda folder: log(parents=(1,)).write(folder / "app"), ["'second'", "'Parent IDs'", "cycle"]),
    "negative duration": (
        lambda folder: profiles(folder, durations=np.array([10, 20, 10, -5])),
        ["'second'", "'durations'", "negative duration -5 ms"],
    ),
    "negative duration in a log": (
        lambda folder: log(tasks=((500, 400),)).write(folder / "app"),
        ["'second'", "stage 0, task 0", "'Finish Time'", "before its launch"],
    ),
    "NaN": (
        lambda folder: profiles(folder, durations=np.array([10, np.nan, 10, 20])),
        ["'first'", "'durations'", "NaN"],
    ),
    "truncated log": (
        lambda folder: cut(log(), folder),
        ["cut off", "'second'", "'Completion Time'"],
    ),
    "no jobs": (no_profiles, ["'name'", "no jobs"]),
    "no jobs in a log": (lambda folder: EventLog().write(folder / "app"), ["no finished jobs"]),
    "no tasks": (lambda folder: profiles(folder, num_tasks=np.array([2, 1, 0, 1])), ["'second'", "'num_tasks'"]),
    "more tasks at once than task slots": (
        lambda folder: log(tasks=((10, 3000),) * 3).write(folder / "app"),
        ["'second'", "stage 0, task 2", "'Launch Time'", "2 task slots"],
    ),
}


def truncated(folder: Path) -> Path:
    path = profiles(folder)
    path.write_bytes(path.read_bytes()[:-100])
    return path


BAD["truncated profiles"] = (truncated, ["jobs.npz", "not a whole profile file"])


@pytest.mark.parametrize("what", BAD)
def test_bad_input(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make, words = BAD[what]
    path = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.chdir(tmp_path)
    code = main.run(["solve", "cluster_scheduling", str(path), "--out", "made"])
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert "Traceback" not in err
    told = " ".join(err.split())
    for word in words:
        assert word in told
    assert told.count("field ") <= 1
    assert sorted(tmp_path.rglob("*")) == before


def test_the_good_twins_are_fine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the bad ones were made from."""
    for path in (profiles(tmp_path), log(tasks=((10, 3000),) * 2).write(tmp_path / "app")):
        assert main.run(["solve", "cluster_scheduling", str(path), "--solver", "fifo"]) == 0
        assert "executors" in capsys.readouterr().out


def test_a_profile_may_be_measured_at_more_executors_than_the_cluster_has() -> None:
    """Its higher levels are out of reach; nothing is wrong with it."""
    job = profile([4], [100.0])
    wide = replace(
        job,
        levels=np.array([1, 50]),
        durations=np.array([100.0, 7.0]),
        offsets=np.array([[[[0, 1]] * 3, [[1, 2]] * 3]]),
    )
    assert simulate(stream([wide], 1), fifo(), seed=0).done_ms.tolist() == [400]
