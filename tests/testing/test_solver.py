# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from trimtab.core.errors import MissingExtra
from trimtab.testing import check_solver

from . import broken
from .broken import made


def test_good_ones_pass() -> None:
    assert check_solver(made(), "median") == []
    assert check_solver(made(), "search") == []


class Unserious(broken.Median):
    config = MappingProxyType({"matrix": 1})


class Sidetracked(broken.Median):
    track = "neither"


class Learnt(broken.Median):
    trained_on = frozenset({b"bytes"})


@pytest.mark.parametrize(
    ("solver", "complaint"),
    [
        (broken.Secret, "a policy evaluated 1 times"),
        (broken.WorstSearch, "did not return its best"),
        (broken.Inventor, "never tried"),
        (broken.Cheat, "100 evaluations with a budget of 6"),
        (broken.Restless, "two outcomes"),
        (broken.Scribbler, "changed the instance"),
        (Unserious, "config is not JSON-able"),
        (Sidetracked, "track is 'neither'"),
        (Learnt, "trained_on holds"),
    ],
)
def test_a_broken_promise_is_named(solver: Any, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_solver(made(solvers={"it": solver}), "it")


def test_a_missing_extra_is_a_reason() -> None:
    def absent() -> Any:
        raise MissingExtra("pip install 'trimtab[learn]'")

    assert check_solver(made(solvers={"it": absent}), "it") == ["solver it: pip install 'trimtab[learn]'"]


class Choosy(broken.Median):
    def solve(self, task: Any) -> Any:
        raise MissingExtra("not for instances like this")


def test_an_instance_that_is_declined_is_a_reason() -> None:
    (reason,) = check_solver(made(solvers={"it": Choosy}), "it")
    assert reason.startswith("solver it of ") and reason.endswith(": not for instances like this")
