# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from trimtab.core.fingerprint import fingerprint
from trimtab.core.task import Task
from trimtab.testing import check_learner

from .broken import Line, made


@dataclass(frozen=True)
class Fixed:
    guess: float
    trained_on: frozenset[str]

    def solve(self, task: Task[Line, float]) -> float:
        return self.guess

    def save(self, path: Path) -> None:
        path.write_text(repr(self.guess))


class Averages:
    def fit(self, tasks: Sequence[Task[Line, float]]) -> Fixed:
        tried = [task.evaluate(0.0).metrics["distance"] for task in tasks]
        return Fixed(sum(tried) / len(tried), frozenset(fingerprint(task.instance) for task in tasks))


class Forgetful(Averages):
    def fit(self, tasks: Sequence[Task[Line, float]]) -> Fixed:
        return Fixed(0.0, frozenset())


def problem(learner: Any, load: Any) -> Any:
    return made(learners={"it": learner}, load=load)


def test_a_good_one_passes() -> None:
    assert check_learner(problem(Averages, lambda path: Fixed(float(path.read_text()), frozenset())), "it") == []


@pytest.mark.parametrize(
    ("learner", "load", "complaint"),
    [
        (Averages, lambda path: Fixed(99.0, frozenset()), "decides otherwise"),
        (Averages, None, "no `load`"),
        (Forgetful, None, "trained_on lacks 2"),
        (object, None, "no method fit"),
    ],
)
def test_a_broken_promise_is_named(learner: Any, load: Any, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_learner(problem(learner, load), "it")
