# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from trimtab.core.errors import UnknownName, UsageError
from trimtab.core.problem import Metric, Problem

PARTS: dict[str, Any] = {
    "name": "p",
    "metrics": (Metric("cost", "s"),),
    "instances": lambda split: {f"{split}-0": 0},
    "backends": {"simulator": lambda: "a simulator", "system": lambda: "a system"},
    "solvers": {"first": lambda: "solver 1", "second": lambda: "solver 2"},
}


def made(**changes: Any) -> Problem[int, Any]:
    return Problem(**{**PARTS, **changes})


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"metrics": ()}, "at least one metric"),
        ({"metrics": (Metric("cost", "s", optional=True),)}, "can't be optional"),
        ({"backends": {}}, "one backend"),
        ({"solvers": {}}, "one solver"),
        ({"reference": "third"}, "'third' is not one of its solvers"),
    ],
)
def test_what_a_problem_must_have(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        made(**changes)


def test_a_goal_is_one_of_two() -> None:
    with pytest.raises(UsageError, match="'smallest'"):
        Metric("cost", "s", "smallest")  # type: ignore[arg-type]


def test_defaults_are_the_first() -> None:
    assert made().default_backend == "simulator"
    assert made().default_reference == "first"
    assert made(reference="second").default_reference == "second"


def test_things_by_name() -> None:
    problem: Any = made(learners={"l": lambda: "a learner"}, suites={"far": lambda split: {"x": 1}})
    assert problem.solver("second") == "solver 2"
    assert problem.backend() == "a simulator"
    assert problem.backend("system") == "a system"
    assert problem.learner("l") == "a learner"
    assert problem.suite("", "test") == {"test-0": 0}
    assert problem.suite("far", "test") == {"x": 1}


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda p: p.solver("frist"), "no solver of p named 'frist'. Did you mean 'first'\\? Known: first, second."),
        (lambda p: p.backend("x"), "no backend of p named 'x'. Known: simulator, system."),
        (lambda p: p.learner("x"), "no learner of p named 'x'. Known: none."),
        (lambda p: p.suite("x", "test"), "no suite of p named 'x'"),
    ],
)
def test_unknown_names(ask: Any, message: str) -> None:
    with pytest.raises(UnknownName, match=message):
        ask(made())


def test_it_is_a_value() -> None:
    with pytest.raises(FrozenInstanceError):
        made().name = "q"  # type: ignore[misc]
