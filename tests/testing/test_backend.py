# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from trimtab.core.errors import MissingTool
from trimtab.core.problem import Metric
from trimtab.testing import check_backend

from . import broken
from .broken import Judge, made


def test_a_good_one_passes() -> None:
    assert check_backend(made()) == []


def test_a_metric_that_only_some_decisions_have_may_be_absent() -> None:
    metrics = (Metric("distance", "1"), Metric("more", "1", optional=True))
    assert check_backend(made(metrics=metrics)) == []
    assert check_backend(made(metrics=metrics, backends={"simulator": partial(Judge, extra={"more": 1.0})})) == []


@pytest.mark.parametrize(
    ("backend", "complaint"),
    [
        (partial(Judge, extra={"more": 1.0}), r"reported \['distance', 'more'\]"),
        (partial(Judge, extra={"distance": float("nan")}), "distance is nan"),
        (partial(Judge, extra={"distance": None}), "is a NoneType, not a number"),  # type: ignore[dict-item]
        (partial(Judge, moody=True), "two outcomes"),
        (broken.Vandal, "changed the instance"),
        (broken.Split2, "evaluate_many disagrees"),
    ],
)
def test_a_broken_promise_is_named(backend: Any, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_backend(made(backends={"simulator": backend}))


class Clock(Judge):
    exclusive = True


def test_the_real_system_may_differ_from_run_to_run() -> None:
    assert check_backend(made(backends={"system": partial(Clock, moody=True)}), "system") == []


def test_a_missing_tool_is_a_reason() -> None:
    def absent() -> Any:
        raise MissingTool("apt-get install it")

    problem = made(backends={"simulator": Judge, "system": absent})
    assert check_backend(problem, "system") == ["backend system: apt-get install it"]
