# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trimtab.core.errors import MissingExtra

from . import toy
from .conftest import Call


def test_a_table_a_ledger_and_a_page(trimtab: Call, tmp_path: Path) -> None:
    answer = trimtab("run", "toy", "--solvers", "half,high,absent", "--seeds", "2")
    assert answer.code == 0
    assert "high" in answer.out and "better" in answer.out
    assert "trimtab[exotic]" in answer.out
    assert (tmp_path / "runs" / "toy" / "study.json").exists()
    page = (tmp_path / "runs" / "toy" / "report.html").read_text()
    assert "Which number is hidden?" in page


def test_json_is_the_only_thing_on_stdout(trimtab: Call) -> None:
    answer = trimtab("run", "toy", "--seeds", "1", "--json", "--no-report", "--budget", "7").json
    first = answer["comparisons"][0]
    assert (answer["problem"], answer["cells"], answer["report"]) == ("toy", 24, None)
    assert (first["metric"]["name"], first["track"], first["reference"]) == ("error", "policy", "half")
    # instances are 0.70 ... 0.75: the closed form of both means
    means = {row["solver"]: row["mean"] for row in first["rows"]}
    assert means == pytest.approx({"half": 0.225, "high": 0.105})
    assert set(answer["unavailable"]) == {"absent"}
    searches = next(c for c in answer["comparisons"] if c["track"] == "search")
    assert searches["rows"][0]["evaluations"] == 7


def test_the_same_command_resumes(trimtab: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    command = ("run", "toy", "--solvers", "half", "--seeds", "1", "--json", "--no-report")
    before = trimtab(*command).json
    monkeypatch.setattr(toy.Constant, "solve", lambda self, task: pytest.fail("a finished cell was run again"))
    assert trimtab(*command).json["comparisons"] == before["comparisons"]


def test_ctrl_c_says_what_is_kept_and_the_command_goes_on(trimtab: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    solve, asked = toy.Constant.solve, []

    def interrupted(self: toy.Constant, task: Any) -> float:
        asked.append(task.seed)
        if len(asked) == 4:
            raise KeyboardInterrupt
        return solve(self, task)

    command = ("run", "toy", "--solvers", "half", "--seeds", "1", "--no-report")
    with monkeypatch.context() as patch:
        patch.setattr(toy.Constant, "solve", interrupted)
        answer = trimtab(*command)
    assert answer.code == 130
    assert "3 of 6 cells are finished and kept in runs/toy; the same command goes on" in answer.err
    assert "Traceback" not in answer.err
    assert trimtab(*command).code == 0


def test_quick_and_choices(trimtab: Call) -> None:
    quick = trimtab("run", "toy", "--quick", "--json", "--no-report").json
    assert (quick["seeds"], quick["cells"]) == ([0, 1], 8)
    chosen = (
        "run",
        "toy",
        "--instances",
        "n[2-4]",
        "--split",
        "validation",
        "--suite",
        "same",
        "--json",
        "--no-report",
    )
    answer = trimtab(*chosen, "--track", "policy", "--seeds", "1", "--reference", "high").json
    assert answer["comparisons"][0]["instances"] == ["n2", "n3", "n4"]
    assert answer["reference"] == "high"
    assert answer["ledger"] == "runs/toy-same"


def test_all_problems(trimtab: Call, tmp_path: Path) -> None:
    answer = trimtab("run", "--all", "--quick", "--json", "--out", "card")
    assert [study["problem"] for study in answer.json["studies"]] == ["toy"]
    assert (tmp_path / "card" / "report.html").exists()


def test_without_matplotlib_the_table_is_printed_all_the_same(trimtab: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise MissingExtra("the report needs matplotlib.  pip install 'trimtab[report]'")

    monkeypatch.setattr("trimtab.study.report.write", missing)
    answer = trimtab("run", "toy", "--quick")
    assert answer.code == 0
    assert "half" in answer.out
    assert "no HTML report" in answer.err and "trimtab[report]" in answer.err


def test_failures_are_said_and_exit_codes_tell(trimtab: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toy.Constant, "solve", lambda self, task: 1 / 0)
    broken = trimtab("run", "toy", "--solvers", "half", "--no-report")
    assert broken.code == 1
    assert "failed: half on n0, seed 0: ZeroDivisionError" in broken.out
    assert trimtab("run", "toy", "--solvers", "absent", "--no-report").code == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("run", "toy", "--all"),
        ("run", "toy", "--budget", "0"),
        ("run", "toy", "--seeds", "zero"),
        ("run", "toy", "--solvers", ","),
        ("run", "toy", "--solvers", "hlaf"),
        ("run", "toy", "--budget-seconds", "-1"),
        ("run", "toy", "--backend", "system"),
        ("run", "toy", "--instances", "nothing*"),
        ("run", "nowhere"),
    ],
)
def test_nonsense_is_the_users_mistake(trimtab: Call, arguments: tuple[str, ...], tmp_path: Path) -> None:
    answer = trimtab(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err
    assert list(tmp_path.iterdir()) == []
