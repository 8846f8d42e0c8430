# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from study.toys import BINS, CONTROL, PERILS, Countdown, Cut
from trimtab.core.outcome import Outcome, Run
from trimtab.core.task import Budget
from trimtab.study.cell import Bench, Setting, cpu_seconds, judging_seed, one_line
from trimtab.study.plan import Cell


def run(problem: Any, solver: str, track: Any = "policy", instance: str = "test-0", **setting: Any) -> Run:
    fixed = {"backend": "simulator", "budget": Budget(evaluations=20), "split": "test", "suite": "", "folder": None}
    bench = Bench(Setting(problem=problem, version="1", **(fixed | setting)))
    return bench.run(Cell("k", instance, solver, track, 4, 77))


def test_a_policy() -> None:
    row = run(BINS, "longest_first")
    assert (row.status, row.note, row.seed, row.evaluations, row.budget_evaluations) == ("ok", "", 4, 0, 0)
    assert set(row.metrics) == {"makespan", "balance"}
    assert row.cpu_s > 0
    assert row.solve_s > 0
    assert row.evaluate_s > 0
    assert row.anytime == ()


def test_a_search_spends_its_budget_and_leaves_its_curve() -> None:
    row = run(BINS, "random_search", "search")
    assert (row.status, row.evaluations, row.budget_evaluations, row.budget_seconds) == ("ok", 20, 20, None)
    values = [value for _, value in row.anytime]
    assert values == sorted(values, reverse=True)
    assert row.anytime[0][0] == 1
    assert row.metrics["makespan"] / values[-1] == pytest.approx(1, abs=0.011)  # same decision, other noise


def test_a_control_problem_through_a_rollout() -> None:
    row = run(CONTROL, "five", instance="length-30")
    env = Countdown(30)
    env.reset(seed=judging_seed(77))
    over, info = False, {}
    while not over:
        _, _, over, _, info = env.step(Cut(5).act(0))
    assert row.metrics == {"steps": info["steps"]}


@pytest.mark.parametrize(
    ("solver", "track", "status", "note"),
    [
        ("crashing", "policy", "failed", r"^ValueError: no such thing \(toys.py:\d+\)$"),
        ("peeker", "policy", "failed", "a policy may not; .* track = 'search'"),
        ("greedy", "search", "timeout", "20 evaluations, and the solver did not return its best decision"),
        ("absent", "policy", "unavailable", r"the solver 'absent' needs .*pip install 'trimtab\[learn\]'"),
    ],
)
def test_what_goes_wrong_is_a_row(solver: str, track: str, status: str, note: str) -> None:
    row = run(PERILS, solver, track)
    assert row.status == status
    assert row.metrics == {}
    assert re.search(note, row.note), row.note


def test_a_metric_that_is_no_number_is_no_result() -> None:
    row = run(BINS, "alternate", backend="broken")
    assert (row.status, row.note, row.metrics) == ("failed", "makespan is nan", {})


class Says:
    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome

    def evaluate(self, instance: Any, decision: Any, *, seed: int) -> Outcome:
        return self.outcome


@pytest.mark.parametrize(
    ("outcome", "status", "metrics", "note"),
    [
        (Outcome({"makespan": 1.0}), "ok", {"makespan": 1.0}, ""),
        (Outcome({"makespan": 1.0, "balance": math.inf}), "ok", {"makespan": 1.0}, "balance is inf"),
        (Outcome({"makespan": math.inf}, False, "too big"), "infeasible", {}, "too big; makespan is inf"),
        (Outcome({"balance": 1.0}), "failed", {}, "the backend reported no 'makespan'"),
    ],
)
def test_outcomes(outcome: Outcome, status: str, metrics: dict[str, float], note: str) -> None:
    row = run(replace(BINS, backends={"simulator": lambda: Says(outcome)}), "alternate")
    assert (row.status, row.note) == (status, note)
    assert status == "failed" or row.metrics == metrics


def test_what_a_solver_prints_does_not_reach_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    class Chatty:
        def solve(self, task: Any) -> Any:
            print("hello")
            raise SystemExit("bye")

    row = run(replace(BINS, solvers={"chatty": Chatty}), "chatty")
    assert (row.status, row.note.startswith("SystemExit: bye")) == ("failed", True)
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "hello\n")


def test_the_cpu_time_of_programs_that_a_cell_starts_counts() -> None:
    before = cpu_seconds()
    subprocess.run([sys.executable, "-c", "sum(range(6_000_000))"], check=True)
    assert cpu_seconds() - before > 0.05


def test_one_line_is_one_line() -> None:
    assert one_line(KeyError()) == "KeyError"
    assert "\n" not in one_line(ValueError("a\n\n b"))
    assert str(Path.cwd()) not in one_line(ValueError("a"))
