# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trimtab.core.outcome import Outcome

from . import toy
from .conftest import Call


@pytest.fixture(autouse=True)
def inputs(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("0.6")
    (tmp_path / "b.txt").write_text("0.51")
    (tmp_path / "bad.txt").write_text("NaN or so")


def test_every_policy_is_compared_and_the_best_written(trimtab: Call, tmp_path: Path) -> None:
    answer = trimtab("solve", "toy", "a.txt", "--out", "made")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert next(i for i, line in enumerate(lines) if line.startswith("high")) < next(
        i for i, line in enumerate(lines) if line.startswith("half")
    )
    assert "search" not in answer.out  # searches only where they are named
    assert "absent" in answer.out and "trimtab[exotic]" in answer.out
    assert "the guess is 0.62" in answer.out
    assert (tmp_path / "made" / "guess.txt").read_text() == "0.62\n"
    assert (tmp_path / "made" / "guess.bin").read_bytes() == b"\x00\x01"


def test_several_inputs_and_json(trimtab: Call, tmp_path: Path) -> None:
    answer = trimtab("solve", "toy", "a.txt", "b.txt", "--json", "--out", "made").json
    assert [item["best"] for item in answer["instances"]] == ["high", "half"]
    assert answer["instances"][1]["solvers"][0]["metrics"]["error"] == pytest.approx(0.01)
    assert answer["instances"][1]["files"][0] == "made/2-b_txt/guess.txt"
    assert (tmp_path / "made/2-b_txt/guess.txt").exists()


def test_a_named_search_gets_its_budget(trimtab: Call) -> None:
    answer = trimtab("solve", "toy", "a.txt", "--solver", "search", "--budget", "9", "--json").json
    assert [s["evaluations"] for s in answer["instances"][0]["solvers"]] == [9]


def test_a_saved_policy(trimtab: Call, tmp_path: Path) -> None:
    toy.Constant(0.6).save(tmp_path / "mine.safetensors")
    answer = trimtab("solve", "toy", "a.txt", "--policy", "mine.safetensors", "--solver", "half", "--json").json
    assert [s["solver"] for s in answer["instances"][0]["solvers"]] == ["mine", "half"]


def test_bad_input_is_said_once_and_nothing_is_written(trimtab: Call, tmp_path: Path) -> None:
    answer = trimtab("solve", "toy", "bad.txt", "--out", "made")
    assert (answer.code, answer.out) == (2, "")
    assert "field 'number'" in answer.err
    assert not (tmp_path / "made").exists()


def test_a_solver_that_was_named_and_is_missing(trimtab: Call) -> None:
    answer = trimtab("solve", "toy", "a.txt", "--solver", "absent")
    assert answer.code == 3
    assert "trimtab[exotic]" in answer.err


def test_without_a_file_or_a_known_solver(trimtab: Call) -> None:
    assert trimtab("solve", "toy", "nowhere.txt").code == 2
    assert trimtab("solve", "toy", "a.txt", "--solver", "hlaf").code == 2


def test_a_solver_that_breaks_does_not_hide_the_others(trimtab: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    solve = toy.Constant.solve

    def fragile(self: toy.Constant, task: Any) -> float:
        return solve(self, task) / (self.guess - 0.5)

    monkeypatch.setattr(toy.Constant, "solve", fragile)
    answer = trimtab("solve", "toy", "a.txt")
    assert answer.code == 0
    assert "ZeroDivisionError" in answer.out
    named = trimtab("solve", "toy", "a.txt", "--solver", "half")
    assert named.code == 1
    assert "half: ZeroDivisionError" in named.err


def test_a_decision_is_judged_on_several_draws(trimtab: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def noisy(self: object, instance: object, decision: float, *, seed: int) -> Outcome:
        return Outcome({"error": float(seed), "guess": decision})

    monkeypatch.setattr(toy.Distance, "evaluate", noisy)
    answer = trimtab("solve", "toy", "a.txt", "--seed", "10", "--seeds", "4", "--json").json
    assert answer["instances"][0]["solvers"][0]["metrics"]["error"] == 11.5


def test_a_policy_may_not_evaluate_here_either(trimtab: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toy.Constant, "solve", lambda self, task: task.evaluate(0.0))
    answer = trimtab("solve", "toy", "a.txt", "--solver", "half")
    assert answer.code == 1
    assert "budget is spent" in answer.err


def test_what_the_backend_cannot_judge_is_decided_all_the_same(trimtab: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toy.Distance, "evaluate", lambda *_, **__: Outcome({}, feasible=False, note="nobody knows"))
    answer = trimtab("solve", "toy", "a.txt", "--solver", "half,high")
    assert answer.code == 0
    assert "nobody knows" in answer.out and "infeasible" not in answer.out and "the guess is 0.5" in answer.out
    assert "error" not in answer.out  # a metric that nobody has is no column


def test_one_part_of_the_input(trimtab: Call) -> None:
    chosen = trimtab("solve", "toy", "a.txt", "b.txt", "--only", "b.txt", "--json").json
    assert [item["instance"] for item in chosen["instances"]] == ["b.txt"]
    unknown = trimtab("solve", "toy", "a.txt", "--function", "c.txt")
    assert unknown.code == 2 and "no part of the input named 'c.txt'" in unknown.err


def test_an_input_of_many_parts_asks_which(trimtab: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    many = {f"prog:f{at}": toy.Hidden(0.5) for at in range(200)}
    monkeypatch.setitem(toy.PROBLEM.__dict__, "parse", lambda paths: many)
    refused = trimtab("solve", "toy", "a.txt")
    assert refused.code == 2 and "200 parts (f0, f1" in refused.err
    assert "prog:f7" in trimtab("solve", "toy", "a.txt", "--only", "f7").out
