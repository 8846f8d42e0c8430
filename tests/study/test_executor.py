# SPDX-License-Identifier: Apache-2.0
"""Serial, worker processes, Ray: the same rows from each, and what happens when a worker dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from study.toys import BINS, PERILS
from trimtab.core.errors import TrimtabError, UsageError
from trimtab.core.outcome import Run
from trimtab.core.task import Budget
from trimtab.study.ledger import read
from trimtab.study.results import Results
from trimtab.study.study import study

TIMES = {"fit_s", "solve_s", "evaluate_s", "cpu_s"}


def without_times(results: Results) -> list[dict[str, Any]]:
    return [{f.name: getattr(run, f.name) for f in fields(run) if f.name not in TIMES} for run in results.runs]


def run(executor: str, jobs: int, **options: Any) -> Results:
    return study(BINS, seeds=(0, 1), budget=Budget(evaluations=9), executor=executor, jobs=jobs, **options)


def test_serial_and_processes_agree_in_everything_but_times(tmp_path: Path) -> None:
    serial, parallel = run("", 1), run("", 2, ledger=tmp_path)
    assert parallel.system["executor"] == "processes"
    assert without_times(parallel) == without_times(serial)
    assert parallel.compare().table == serial.compare().table
    assert len(list((tmp_path / "cells").iterdir())) == 2  # each worker its own
    assert without_times(Results.load(tmp_path)) == without_times(serial)


@pytest.mark.slow
def test_ray_agrees_too_also_on_a_worker_that_dies_and_its_driver_keeps_the_ledger(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    asked: dict[str, Any] = {"solvers": ["alternate", "suicidal", "greedy"], "budget": Budget(evaluations=5), "jobs": 2}
    ray = study(PERILS, executor="ray", ledger=tmp_path, **asked)
    processes = study(PERILS, **asked)
    assert [(run.solver, run.instance, run.status, run.metrics) for run in ray.runs] == [
        (run.solver, run.instance, run.status, run.metrics) for run in processes.runs
    ]
    assert [run.instance for run in ray.runs if run.status == "failed"] == ["test-2"]
    assert len(list((tmp_path / "cells").iterdir())) == 1


def test_a_worker_that_dies_twice_on_a_cell_fails_it_and_the_study_goes_on(tmp_path: Path) -> None:
    results = study(PERILS, solvers=["alternate", "suicidal"], jobs=2, ledger=tmp_path)
    failed = [run for run in results.runs if run.status == "failed"]
    assert [(run.instance, run.solver) for run in failed] == [("test-2", "suicidal")]
    assert failed[0].note == "the worker was killed by SIGKILL (out of memory?), 2 times"
    assert sum(run.status == "ok" for run in results.runs) == 11
    assert Results.load(tmp_path).runs == results.runs


def test_a_worker_that_dies_once_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOY_MARK", str(tmp_path / "mark"))
    results = study(PERILS, solvers=["dies_once"], jobs=2)
    assert {run.status for run in results.runs} == {"ok"}


def test_a_problem_that_workers_cannot_have_is_refused() -> None:
    local = replace(BINS, solvers={"local": lambda: None})
    with pytest.raises(UsageError, match=r"'toy_bins' can't be sent to workers: .* or use one job"):
        study(local, jobs=2)


class Unloadable:
    """Fine here, not in a worker."""

    def __call__(self) -> Any:
        return BINS.backends["simulator"]()

    def __setstate__(self, state: Any) -> None:
        raise ValueError("not in a worker")

    def __reduce__(self) -> Any:
        return (Unloadable, (), {"any": 1})


def test_a_worker_that_cannot_start_ends_the_study_with_its_reason() -> None:
    with pytest.raises(TrimtabError, match="a worker gave up: ValueError: not in a worker"):
        study(replace(BINS, backends={"simulator": Unloadable()}), jobs=2)


def test_a_ledger_that_workers_cannot_write_ends_the_study(tmp_path: Path) -> None:
    (tmp_path / "cells").write_text("")
    with pytest.raises(TrimtabError, match=r"a worker gave up: .* can't be written"):
        study(BINS, jobs=2, ledger=tmp_path)


SCRIPT = """
import sys
import trimtab
from study.toys import PERILS
trimtab.study(PERILS, solvers=["slow"], seeds=range(300), jobs=2, ledger=sys.argv[1])
"""


def script(tmp_path: Path) -> subprocess.Popen[str]:
    """A study in a script without ``if __name__ == "__main__"``, once it has finished some cells."""
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(path), str(tmp_path / "runs")],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while len(read(tmp_path / "runs")) < 10:
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.02)
    return process


def workers_of(process: subprocess.Popen[str]) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def wait_for_end(pids: list[int]) -> None:
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline, "a worker outlives its study"
        time.sleep(0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("how", ["kill", "interrupt"])
def test_no_worker_outlives_its_study_and_the_rest_is_run_on_resume(tmp_path: Path, how: str) -> None:
    process = script(tmp_path)
    workers = workers_of(process)
    assert len(workers) == 2
    if how == "kill":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does: to the whole group
    _, said = process.communicate(timeout=60)
    wait_for_end(workers)
    assert ("KeyboardInterrupt" in said) == (how == "interrupt")
    kept = set(read(tmp_path / "runs"))
    fresh: list[str] = []

    def note(done: int, total: int, row: Run | None) -> None:
        fresh.extend([row.key] if row else [])

    results = study(PERILS, solvers=["slow"], seeds=range(8), jobs=2, ledger=tmp_path / "runs", progress=note)
    assert not kept & set(fresh)
    assert len(results.runs) == 48
