# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import trimtab
from study.toys import BINS, PERILS
from trimtab.core.errors import DataError, UsageError
from trimtab.core.task import Budget
from trimtab.study.study import study


def test_loaded_from_its_folder_a_study_is_what_it_was(tmp_path: Path) -> None:
    results = study(BINS, seeds=(0, 1), budget=Budget(evaluations=7), ledger=tmp_path)
    assert trimtab.Results.load(tmp_path) == results
    assert trimtab.Results.load(str(tmp_path)).compare(track="search") == results.compare(track="search")


def test_loading_imports_neither_problem_nor_solvers(tmp_path: Path) -> None:
    study(PERILS, solvers=["alternate", "absent"], ledger=tmp_path)
    program = (
        "import sys, trimtab; r = trimtab.Results.load(sys.argv[1]); r.compare(); "
        "assert list(r.unavailable) == ['absent']; assert 'study.toys' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)


def test_only_the_cells_of_the_last_request_are_in_it(tmp_path: Path) -> None:
    study(BINS, seeds=(0, 1), ledger=tmp_path)
    study(BINS, solvers=["alternate", "longest_first"], ledger=tmp_path)
    loaded = trimtab.Results.load(tmp_path)
    assert (loaded.seeds, len(loaded.runs)) == ((0,), 12)


def test_a_folder_without_a_study(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no study is kept here \(.*study.json is missing\)"):
        trimtab.Results.load(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"budget": {"evaluations": -1, "seconds": 1}}'])
def test_a_file_that_no_study_wrote(tmp_path: Path, text: str) -> None:
    study(BINS, solvers=["alternate"], ledger=tmp_path)
    (tmp_path / "study.json").write_text(text)
    with pytest.raises((DataError, UsageError), match=r"study.json or system.json is not what a study writes"):
        trimtab.Results.load(tmp_path)


def test_rows_are_flat() -> None:
    rows = study(BINS, solvers=["alternate"]).to_rows()
    assert len(rows) == 6
    assert rows[0]["metrics.makespan"] > 0
    assert rows[0]["instance"] == "test-0"
