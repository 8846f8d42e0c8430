# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import trimtab
from study.toys import BINS, CONTROL, PERILS, Alternate, Trained, loads
from trimtab.core.errors import Leakage, MissingExtra, TrimtabError, UnknownName, UsageError
from trimtab.core.fingerprint import fingerprint
from trimtab.core.outcome import Run
from trimtab.core.task import Budget
from trimtab.study.ledger import Writer, read
from trimtab.study.study import study


def test_every_cell_once_in_the_order_instance_seed_solver() -> None:
    results = study(BINS, seeds=(0, 7), budget=Budget(evaluations=10))
    cells = [(run.instance, run.seed, run.solver) for run in results.runs]
    assert len(set(cells)) == len(cells) == 6 * 2 * 3
    assert cells[0] == ("test-0", 0, "alternate")
    assert {run.status for run in results.runs} == {"ok"}
    assert (results.reference, results.split, results.backend) == ("alternate", "test", "simulator")
    assert results.solvers() == ("longest_first", "alternate", "random_search")


def test_the_same_call_gives_the_same_table_whoever_else_takes_part() -> None:
    alone = study(BINS, solvers=["longest_first"], seeds=(1, 2)).compare()
    together = study(BINS, seeds=(2, 1)).compare()
    assert alone.table["longest_first"] == together.table["longest_first"]


def test_solvers_are_judged_on_the_same_draws() -> None:
    problem = replace(BINS, solvers={"a": Alternate, "b": Alternate})
    table = study(problem, seeds=range(3)).compare().table
    assert table["a"] == table["b"]
    assert len(set(table["a"].values())) == 6


def test_a_second_call_runs_nothing_and_a_wider_one_only_what_is_new(tmp_path: Path) -> None:
    seen: list[tuple[int, int, Run | None]] = []

    def progress(done: int, total: int, run: Run | None) -> None:
        seen.append((done, total, run))

    def again(**options: Any) -> Any:
        seen.clear()
        return study(BINS, ledger=tmp_path, progress=progress, budget=Budget(evaluations=5), **options)

    first = again()
    assert [(done, total) for done, total, _ in seen] == [(n, 18) for n in range(19)]
    assert seen[0][2] is None
    second = again()
    assert seen == [(18, 18, None)]
    assert second.runs == first.runs
    wider = again(seeds=(0, 1))
    assert seen[0] == (18, 36, None)
    assert len(seen) == 19
    assert all(run in wider.runs for run in first.runs)


def test_only_what_changed_is_run_again(tmp_path: Path) -> None:
    def keys(problem: Any, **options: Any) -> set[str]:
        return {run.key for run in study(problem, ledger=tmp_path, budget=Budget(evaluations=5), **options).runs}

    first = keys(BINS)
    assert keys(BINS) == first
    assert not keys(replace(BINS, version="2")) & first
    assert not keys(BINS, backend="timed") & first
    retrained = replace(BINS, solvers=BINS.solvers | {"alternate": lambda: Trained(config={"epochs": 2})})
    assert len(keys(retrained) & first) == 12


def test_failed_and_unavailable_cells_are_tried_again(tmp_path: Path) -> None:
    study(PERILS, solvers=["alternate", "crashing", "absent"], ledger=tmp_path, instances=["test-0"])
    mended = replace(PERILS, solvers=PERILS.solvers | {"crashing": Alternate, "absent": Alternate})
    results = study(mended, solvers=["alternate", "crashing", "absent"], ledger=tmp_path, instances=["test-0"])
    assert [run.status for run in results.runs] == ["ok", "ok", "ok"]
    assert results.unavailable == {}


def test_failures_and_absences_are_rows(tmp_path: Path) -> None:
    names = ["alternate", "crashing", "peeker", "greedy", "absent"]
    results = study(PERILS, solvers=names, seeds=(0, 1), ledger=tmp_path, budget=Budget(evaluations=3))
    statuses = {run.solver: run.status for run in results.runs}
    assert statuses == dict(zip(names, ["ok", "failed", "failed", "timeout", "unavailable"], strict=True))
    assert len(results.runs) == 5 * 6 * 2
    assert list(results.unavailable) == ["absent"]
    assert "pip install" in results.unavailable["absent"]
    assert {run.status for run in read(tmp_path).values()} == set(statuses.values())
    assert results.compare().rows[0].solver == "alternate"


def test_identical_instances_are_run_once_and_reported_under_both_names() -> None:
    problem = replace(BINS, instances=lambda split: {"one": loads("test")["test-0"], "two": loads("test")["test-0"]})
    results = study(problem, solvers=["alternate"])
    assert [run.instance for run in results.runs] == ["one", "two"]
    assert len({run.key for run in results.runs}) == 1


def test_instances_of_your_own() -> None:
    results = study(BINS, instances={"mine": loads("train")["train-0"]}, solvers=["longest_first"])
    assert (results.split, results.runs[0].instance) == ("own", "mine")


def test_quick() -> None:
    results = study(BINS, quick=True)
    assert {run.instance for run in results.runs} == {"test-1", "test-4"}
    assert results.solvers() == ("longest_first", "alternate")


def test_a_backend_that_times_the_real_system_runs_alone() -> None:
    results = study(BINS, backend="timed", jobs=2, executor="processes", seeds=(0, 1), solvers=["alternate"])
    assert (results.system["executor"], results.system["jobs"]) == ("serial", 1)


def test_leakage_is_refused_before_anything_runs(tmp_path: Path) -> None:
    solver = Trained(trained_on=frozenset([fingerprint(loads("test")["test-5"])]))
    problem = replace(BINS, solvers={"alternate": Alternate, "trained": lambda: solver})
    with pytest.raises(Leakage, match="test-5"):
        study(problem, ledger=tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert study(problem, split="train").solvers()
    assert study(problem, split="validation").compare().rows[0].fit_s in (0, 12.5)


def test_mistakes_are_named() -> None:
    with pytest.raises(UnknownName, match=r"no problem named 'cluster_schedulin'. Did you mean 'cluster_scheduling'"):
        study("cluster_schedulin")
    with pytest.raises(UnknownName, match="no backend"):
        study(BINS, backend="real")
    with pytest.raises(UnknownName, match="no executor named 'dask'"):
        study(BINS, executor="dask")
    with pytest.raises(UsageError, match="jobs must be at least 1, got 0"):
        study(BINS, jobs=0)
    with pytest.raises(MissingExtra):
        study(replace(BINS, backends={"simulator": PERILS.solvers["absent"]}))


def test_an_interrupted_study_keeps_what_is_finished(tmp_path: Path) -> None:
    def interrupt(done: int, total: int, run: Run | None) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study(BINS, ledger=tmp_path, progress=interrupt)
    partial = trimtab.Results.load(tmp_path)
    assert len(partial.runs) == 4
    assert len(study(BINS, ledger=tmp_path).runs) == 18


def test_a_ledger_that_cannot_be_written_ends_the_study(tmp_path: Path) -> None:
    (tmp_path / "cells").write_text("")
    with pytest.raises(TrimtabError, match="can't be written"):
        study(BINS, ledger=tmp_path)


def test_a_broken_ledger_is_an_error_with_file_and_line(tmp_path: Path) -> None:
    with Writer(tmp_path) as ledger:
        for run in study(CONTROL).runs:
            ledger.write(run)
    [file] = (tmp_path / "cells").iterdir()
    file.write_text("nonsense\n" + file.read_text())
    with pytest.raises(TrimtabError, match=rf"{file.name}, line 1"):
        study(CONTROL, ledger=tmp_path)


def test_a_study_is_described_in_files_that_need_no_trimtab(tmp_path: Path) -> None:
    study(CONTROL, ledger=tmp_path)
    asked = json.loads((tmp_path / "study.json").read_text())
    assert asked["problem"] == "toy_control"
    assert asked["budget"] == {"evaluations": None, "seconds": None}
    assert json.loads((tmp_path / "system.json").read_text())["cores"] >= 1
