# SPDX-License-Identifier: Apache-2.0
"""Conformance tests: what every problem, backend, solver and learner promises, checked.

For plugin authors, in a test of their own::

    from trimtab.testing import check_problem
    from my_package import PROBLEM

    def test_my_problem():
        check_problem(PROBLEM)  # its backends, solvers and learners too

A broken promise is an `AssertionError` that says which one. What can't be checked
here, because something optional is missing, comes back as a list of reasons.
"""

from .backend import check_backend
from .learner import check_learner
from .problem import check_problem
from .solver import check_solver

__all__ = ["check_backend", "check_learner", "check_problem", "check_solver"]
