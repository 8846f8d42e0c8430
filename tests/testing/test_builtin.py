# SPDX-License-Identifier: Apache-2.0
"""The repository keeps the promises that it asks of plugins."""

from __future__ import annotations

import pytest

from trimtab.core import registry
from trimtab.core.errors import Unavailable
from trimtab.testing import check_backend, check_learner, check_problem, check_solver

PROBLEMS = registry.names()


def parts(kind: str) -> list[tuple[str, str]]:
    return [(name, part) for name in PROBLEMS for part in getattr(registry.load(name), kind)]


@pytest.mark.parametrize("name", PROBLEMS)
def test_problem(name: str) -> None:
    _expect_nothing_missing(check_problem(registry.load(name), parts=False))


@pytest.mark.parametrize(("name", "backend"), parts("backends"))
def test_backend(name: str, backend: str) -> None:
    problem = registry.load(name)
    try:
        starts_the_real_system = getattr(problem.backend(backend), "exclusive", False)
    except Unavailable as error:
        pytest.skip(str(error))
    if not starts_the_real_system:  # that has tests of its own, which take minutes
        _expect_nothing_missing(check_backend(problem, backend))


@pytest.mark.parametrize(("name", "solver"), parts("solvers"))
def test_solver(name: str, solver: str) -> None:
    _expect_nothing_missing(check_solver(registry.load(name), solver))


@pytest.mark.parametrize(("name", "learner"), parts("learners"))
def test_learner(name: str, learner: str) -> None:
    _expect_nothing_missing(check_learner(registry.load(name), learner))


def _expect_nothing_missing(reasons: list[str]) -> None:
    if reasons:
        pytest.skip("; ".join(reasons))
